"""The commands ``dragoman serve`` and ``dragoman check``."""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dragoman_cli.exits import OK, USAGE, UsageError
from dragoman_cli.terminal import remark, say, table

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from dragoman_server.config import Config

__all__ = ["check", "serve"]

_HOST = "127.0.0.1"
_PORT = 4000
_LEVELS = ("debug", "info", "warning", "error")
_IN_MEMORY = frozenset({"", "sqlite:", "sqlite:///:memory:"})  # stores of one process alone
_NAMED = 8  # models in the ready line


class _Serve:
    help = "serve the Responses API over HTTP, on every provider that is configured"

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.epilog = (
            "Without --config, every installed provider whose credentials are in the environment is served "
            "as provider/*, and echo. SIGHUP, or a change of the file, reloads it; SIGTERM lets running "
            "answers end."
        )
        add = parser.add_argument
        add("--config", "-c", type=Path, metavar="FILE", help="a config.yaml, as LiteLLM has it")
        add("--host", help=f"the address to listen on; else dragoman_settings.host, else {_HOST}")
        add("--port", type=int, help=f"else dragoman_settings.port, else {_PORT}; 0 takes any that is free")
        add(
            "--store", metavar="URL", help="where responses are kept: sqlite:///dragoman.db, postgresql://..."
        )
        add(
            "--workers",
            type=int,
            default=1,
            metavar="N",
            help="processes that serve the port together (default 1); more than one need a --store",
        )
        add("--log-level", choices=_LEVELS, default="info")

    def run(self, arguments: Namespace) -> int:
        """Serve until a signal comes.

        Raises:
            UsageError: the config, the address or the store cannot be used.
        """
        config = _configured(arguments.config, arguments.store)
        for finding in config.findings.all:
            if finding.level != "notice":
                remark(f"{finding.level}: {finding}")
        if config.findings.errors:
            remark("error: nothing was started; dragoman check shows the whole config")
            return USAGE
        config.export()
        host = arguments.host or config.host or _HOST
        port = arguments.port if arguments.port is not None else config.port
        refusal = _refusal(host, config)
        if refusal:
            raise UsageError(refusal)
        refusal = _refuse_workers(arguments.workers, config)
        if refusal:
            raise UsageError(refusal)
        listener = _listen(host, _PORT if port is None else port)
        _log_to_stderr(arguments.log_level)
        from dragoman.plugins import plugins  # noqa: PLC0415 - not for --help
        from dragoman_server.config_serving import run_server  # noqa: PLC0415
        from dragoman_server.shared_counts import SharedCounts  # noqa: PLC0415
        from dragoman_server.workers import run_workers  # noqa: PLC0415

        counts = SharedCounts(shared=arguments.workers > 1)  # before the workers, so that they share it

        def serve_until_told(ready: Callable[[], None], parent: int | None = None) -> int:
            plugins().tell("serving")  # in each worker: threads do not survive a fork
            return run_server(
                config,
                listener,
                read=lambda: _configured(arguments.config, arguments.store),
                ready=ready,
                refusal=lambda changed: _refusal(host, changed),
                log_level="debug" if arguments.log_level == "debug" else "warning",
                parent=parent,
                counts=counts,
            )

        def say_ready() -> None:
            say(_ready(listener, config))

        with listener:
            if arguments.workers == 1:
                return serve_until_told(say_ready)
            return run_workers(arguments.workers, serve_until_told, say_ready)


class _Check:
    help = "say what is wrong in a config, and where its models lead, without starting anything"

    def configure(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.epilog = "Exit code 2 if something has to be mended. Nobody is asked for credentials."
        parser.add_argument(
            "config",
            nargs="?",
            type=Path,
            metavar="FILE",
            help="a config.yaml; else what is served without one",
        )

    def run(self, arguments: Namespace) -> int:
        """Say all of it."""
        from dragoman_server.config_credentials import credentials_of  # noqa: PLC0415 - not for --help

        config = _configured(arguments.config, None)
        config.export()
        for finding in config.findings.all:
            say(f"{finding.level}: {finding}")
        deployments = config.server.deployments
        if deployments:
            rows = [(served.name, served.model, credentials_of(served)) for served in deployments]
            say(table(("model", "leads to", "credentials"), rows))
        elif not config.findings.errors:
            say("no models")
        say(_summary(config))
        return USAGE if config.findings.errors else OK


serve = _Serve()
check = _Check()


def _configured(path: Path | None, store: str | None) -> Config:
    from dragoman_server.config import check_store, default_config, read_config  # noqa: PLC0415

    config = default_config() if path is None else read_config(path)
    if store is None:
        return config
    check_store(store, config.findings)
    return replace(config, server=replace(config.server, store=store))


def _refusal(host: str, config: Config) -> str | None:
    """Return why that address is not listened on, None where it may be."""
    if config.server.master_key or _is_loopback(host):
        return None
    return (
        f"{host} can be reached from other machines, and no key is set: everybody could use your providers. "
        "Set general_settings.master_key in the config, or the environment variable DRAGOMAN_MASTER_KEY "
        "(such as sk-$(openssl rand -hex 24)), or listen on 127.0.0.1"
    )


def _refuse_workers(count: int, config: Config) -> str | None:
    """Return why so many processes cannot serve a config, None where they can."""
    if count < 1:
        return f"--workers must be at least 1, not {count}"
    if count == 1:
        return None
    if not hasattr(os, "fork"):
        return "--workers: several need processes that fork, which this system does not have; leave it out"
    if (config.server.store or "").rstrip("/") in _IN_MEMORY:
        return (
            f"--workers {count}: each process would have a memory of its own. Name a store that they share: "
            "--store sqlite:///dragoman.db, or postgresql://..., or dragoman_settings.store in the config"
        )
    return None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, OverflowError) as problem:
        raise UsageError(f"{host}:{port} is no address to listen on: {problem}") from None
    try:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Connections are accepted into the queue only once the application has started.
        listener.set_inheritable(False)
    except OSError as problem:
        listener.close()
        raise UsageError(
            f"cannot listen on {host}:{port}: {problem.strerror} (--port takes another)"
        ) from None
    return listener


def _log_to_stderr(level: str) -> None:
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("dragoman").setLevel(level.upper())


def _ready(listener: socket.socket, config: Config) -> str:
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    names = [deployment.name for deployment in config.server.deployments]
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    kept = "kept in the store" if config.server.store else "kept in memory"
    served = f"{', '.join(names[:_NAMED])}{more}"
    return f"dragoman listens on http://{shown}:{port} for {served}; responses are {kept}"


def _summary(config: Config) -> str:
    if errors := len(config.findings.errors):
        return f"{errors} error{'s' if errors > 1 else ''}: it cannot be served"
    server = config.server
    key = "callers need the key" if server.master_key else "no key: on this machine alone"
    keeping = "for ever" if server.retention is None else f"{server.retention / 86400:g} days"
    where = "in the store that is configured" if server.store else "in memory, until the server ends"
    return f"{key}; responses are kept {where}, {keeping}\nok"
