"""``config.yaml``: LiteLLM's, as people have it, and what dragoman adds under ``dragoman_settings``.

    config = load_config(Path("config.yaml"))
    config.export()
    app = create_app(config.server)

Everything that is wrong is reported together, each with its file and line.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dragoman import discovery
from dragoman.errors import BadRequestError
from dragoman.routing import Deployment, Fleet, RoutingSettings
from dragoman_server.config_callbacks import read_callbacks
from dragoman_server.config_credentials import found_deployments
from dragoman_server.config_files import check_readers, read_environment, read_with_included
from dragoman_server.config_findings import ConfigError, Findings
from dragoman_server.config_keys import CREDENTIAL, SECTIONS, TOP
from dragoman_server.config_models import read_model
from dragoman_server.config_params import Context
from dragoman_server.config_sections import read_key, read_section, unknown_key
from dragoman_server.config_values import expand
from dragoman_server.gateway import Limits, ServerConfig
from dragoman_server.key_terms import read_amount
from dragoman_server.keys import Budget, picodollars
from dragoman_server.periods import MONTH, seconds_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dragoman_server.config_files import FileState
    from dragoman_server.yaml_lines import Node

__all__ = ["Config", "ConfigError", "check_store", "default_config", "load_config", "read_config"]

_OF_BOTH = (
    "num_retries",
    "max_fallbacks",
    "fallbacks",
    "context_window_fallbacks",
    "content_policy_fallbacks",
    "default_fallbacks",
    "allowed_fails",
    "cooldown_time",
)
_MONTHS = {"1mo": MONTH, "monthly": MONTH, "daily": "1d", "weekly": "7d"}
"""Periods that LiteLLM names otherwise."""
_KEY_VARIABLES = ("DRAGOMAN_MASTER_KEY", "LITELLM_MASTER_KEY")
_SHORT_KEY = 16  # characters: a shorter key can be guessed
_DAY = 24 * 60 * 60.0
_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a config says."""

    server: ServerConfig
    findings: Findings
    host: str | None = None
    port: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """environment_variables."""
    files: Mapping[Path, FileState] = field(default_factory=dict)
    """The file and those that it includes, as they were when they were read."""

    def export(self) -> None:
        """Set the environment_variables in this process, where providers look for them."""
        os.environ.update(self.environment)


def load_config(path: Path) -> Config:
    """Return what a file says.

    Raises:
        ConfigError: something is wrong; it holds every finding.
    """
    config = read_config(path)
    if config.findings.errors:
        raise ConfigError(config.findings)
    return config


def read_config(path: Path) -> Config:
    """Return what a file says, as far as it can be understood; ``findings.errors`` says what is wrong."""
    findings = Findings()
    files: dict[Path, FileState] = {}
    root = read_with_included(path, findings, files)
    if not root and findings.errors:  # nothing could be read: what it would mean is not worth a word
        return Config(server=ServerConfig(deployments=()), findings=findings, files=files)
    environment = read_environment(root.get("environment_variables"), findings)
    reachable = {**os.environ, **environment}
    root = {
        name: node if name == "environment_variables" else expand(node, reachable, findings)
        for name, node in root.items()
    }
    read = _FileReader(root, reachable, findings)
    server = read.server()
    check_readers(findings)
    return Config(
        server=server,
        findings=findings,
        host=read.dragoman.get("host"),
        port=read.dragoman.get("port"),
        environment=environment,
        files=files,
    )


def default_config() -> Config:
    """Return what is served without a file: every provider whose credentials are there, and echo."""
    findings = Findings()
    key = _variable(os.environ)
    return Config(
        server=ServerConfig(deployments=found_deployments(findings), master_key=key), findings=findings
    )


# ---- sections ---------------------------------------------------------------------------------------


class _FileReader:
    """Reads the sections of one config, references to the environment replaced."""

    def __init__(self, root: dict[str, Node], environment: Mapping[str, str], findings: Findings) -> None:
        self._root = root
        self._environment = environment
        self._findings = findings
        for name, node in root.items():
            if name not in TOP:
                unknown_key(name, node, "", TOP, findings)
            elif name not in SECTIONS:
                read_key(name, node.emptied(), TOP[name], "", findings)  # what is in it is read below
        self._general = self._section("general_settings", needed=True)
        self._router = self._section("router_settings")
        self._litellm = self._section("litellm_settings")
        self.dragoman = self._section("dragoman_settings", needed=True)

    def server(self) -> ServerConfig:
        """Return what the server has to know."""
        days = self.dragoman.get("retention_days")
        settings: dict[str, Any] = {}
        if days is not None:
            settings["retention"] = None if days == "forever" else days * _DAY
        days = self.dragoman.get("ledger_days")
        if days is not None:
            settings["ledger"] = None if days == "forever" else days * _DAY
        deployments = self._deployments()
        return ServerConfig(
            deployments=deployments,
            routing=self._routing(deployments),
            master_key=self._master_key(),
            store=self._store(),
            limits=self._limits(),
            budget=self._budget(),
            listeners=read_callbacks(self._root.get("litellm_settings"), self._environment, self._findings),
            unstored_without_store=self._general.get("allow_requests_on_db_unavailable", False),
            **settings,
        )

    def _section(self, name: str, *, needed: bool = False) -> dict[str, Any]:
        node = self._root.get(name)
        return read_section(node, SECTIONS[name], name, self._findings, needed=needed) if node else {}

    def _node(self, section: str, name: str) -> Node | None:
        node = self._root.get(section)
        return node.value.get(name) if node and isinstance(node.value, dict) else None

    # ---- models -------------------------------------------------------------------------------------

    def _deployments(self) -> tuple[Deployment, ...]:
        context = Context(self._findings, self._options(), self._credentials())
        node = self._root.get("model_list")
        if node is None or node.value is None or node.value == []:
            self._findings.warn(
                node.place if node else None,
                "there is no model_list: every provider with credentials is served",
            )
            return found_deployments(self._findings)
        if not isinstance(node.value, list):
            return ()  # said already
        found: dict[str, Deployment] = {}
        for index, entry in enumerate(node.value):
            deployment = read_model(entry, f"model_list[{index}]", context)
            if deployment is None:
                continue
            if deployment.id in found:
                self._findings.error(
                    entry.place,
                    f"model_list[{index}].model_info.id: {deployment.id!r} is the id of another entry",
                )
            found[deployment.id] = deployment
        return tuple(found.values())

    def _options(self) -> dict[str, Any]:
        """Return what the sections say of every call."""
        return {name: self._litellm[name] for name in ("drop_params",) if name in self._litellm}

    def _routing(self, deployments: tuple[Deployment, ...]) -> RoutingSettings:
        """Return how calls are routed: router_settings count more than what litellm_settings say of it."""
        given = {name: self._litellm[name] for name in _OF_BOTH if name in self._litellm}
        if "request_timeout" in self._litellm:
            given["timeout"] = self._litellm["request_timeout"]
        given |= self._router
        try:
            settings = RoutingSettings.of(given)
            Fleet(deployments, settings, adhoc=False)  # what fallbacks and aliases lead to must be there
        except BadRequestError as problem:
            name = (problem.param or "").removeprefix("router_settings.").partition(".")[0].partition("[")[0]
            node = self._node("router_settings", name) or self._node("litellm_settings", name)
            self._findings.error(node.place if node else None, problem.message)
            return RoutingSettings()
        return settings

    def _credentials(self) -> dict[str, dict[str, Node]]:
        node = self._root.get("credential_list")
        found: dict[str, dict[str, Node]] = {}
        for index, entry in enumerate(node.value if node and isinstance(node.value, list) else ()):
            where = f"credential_list[{index}]"
            said = read_section(entry.emptied(1), CREDENTIAL, where, self._findings, needed=True)
            if "credential_name" in said and "credential_values" in said:
                found[said["credential_name"]] = entry.value["credential_values"].value
        return found

    # ---- the server ---------------------------------------------------------------------------------

    def _master_key(self) -> str | None:
        node = self._node("general_settings", "master_key")
        if node is None:
            return _variable(self._environment)
        key: str | None = self._general.get("master_key")
        if key is None:
            if node.value is None:
                self._findings.error(
                    node.place, "general_settings.master_key is empty: set it, or take it out"
                )
            return None
        key = key.strip()
        self._findings.hide(key, None if node.from_environment else node.place)
        if len(key) < _SHORT_KEY:
            self._findings.warn(
                node.place,
                f"general_settings.master_key is shorter than {_SHORT_KEY} characters: it can be guessed",
            )
        return key

    def _store(self) -> str | None:
        own, database = self.dragoman.get("store"), self._general.get("database_url")
        node = self._node("dragoman_settings", "store") or self._node("general_settings", "database_url")
        if own and database:
            other = self._node("general_settings", "database_url")
            self._findings.warn(
                other.place if other else None,
                "general_settings.database_url does nothing here: dragoman_settings.store says where",
            )
        url: str | None = own or database
        if url is None or node is None:
            return None
        self._findings.hide(url, None if node.from_environment or "@" not in url else node.place)
        check_store(url, self._findings, node)
        return url

    def _budget(self) -> Budget | None:
        """Return what all calls together may cost. As in LiteLLM 0 is no limit, and no price no cost."""
        amount, period = self._litellm.get("max_budget"), self._litellm.get("budget_duration")
        if not amount:
            return None
        if period is not None:
            period = _MONTHS.get(period, period)
            if period != MONTH and seconds_of(period) is None:
                node = self._node("litellm_settings", "budget_duration")
                self._findings.error(
                    node.place if node else None,
                    "litellm_settings.budget_duration must be a span such as 30s, 12h, 7d, 30d or 1mo, "
                    f"not {period!r}",
                )
                return None
        try:
            told = read_amount("litellm_settings.max_budget", amount)
        except BadRequestError as problem:
            node = self._node("litellm_settings", "max_budget")
            self._findings.error(node.place if node else None, problem.message)
            return None
        return Budget(amount=picodollars(told), period=period, unknown_prices=True)

    def _limits(self) -> Limits:
        limits = dict(self.dragoman.get("limits", {}))
        if "max_request_size_mb" in self._general:
            limits.setdefault("body", int(self._general["max_request_size_mb"] * _MEBIBYTE))
        return Limits(**limits)


def check_store(url: str, findings: Findings, node: Node | None = None) -> None:
    """Report a URL that nothing installed opens; the URL, which may hold a password, is not shown."""
    scheme, colon, _ = url.partition(":")
    known = discovery.names(discovery.STORES)
    if not colon:
        message = (
            "the store must be a URL, such as sqlite:///dragoman.db or postgresql://user:password@host/name"
        )
    elif scheme.partition("+")[0] not in known:
        there = ", ".join(f"{name}://" for name in known) or "nothing: pip install dragoman-sql"
        message = f"nothing installed opens a store at {scheme}://; there is: {there}"
    else:
        return
    findings.error(node.place if node else None, message)


def _variable(environment: Mapping[str, str]) -> str | None:
    return next((found for name in _KEY_VARIABLES if (found := environment.get(name, "").strip())), None)
