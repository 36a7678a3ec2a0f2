"""What the server costs, beside LiteLLM's proxy: ``python -m plugins.server.benchmarks.speed``.

From the repository's root. nginx (canned answers, see ``canned.py``) and wrk share one core, the server under
test has the other. The servers are measured in turn, round by round, so that what else the machine does hits
both; a turn begins when the other server has nothing left to do, and that one is stopped until it is over.
Figures are medians over the rounds. See README.md in this folder for what has to be installed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from plugins.server.benchmarks.canned import TEXT, upstream_files

if TYPE_CHECKING:
    from collections.abc import Iterator

LOAD_CORE, SERVER_CORE = "0", "1"
KEY = "sk-benchmark"
MODELS = {"anthropic": "anthropic/claude-sonnet-4-5", "openai": "openai/gpt-5.2"}
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    root {folder}/answers;
    error_page 405 =200 $uri;  # files are not for POST; here they are
    location /whole/ {{ default_type application/json; }}
    location /stream/ {{ default_type text/event-stream; }}
  }}
}}
"""
WRK = """
wrk.method = "POST"
wrk.headers["content-type"] = "application/json"
wrk.headers["authorization"] = "Bearer {key}"
wrk.body = [[{body}]]
done = function(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format('\\n{{"requests": %d, "seconds": %f, "median": %f, "p99": %f, "refused": %d}}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    errors.status + errors.connect + errors.read + errors.write))
end
"""


@dataclass(frozen=True)
class Cell:
    """One kind of request."""

    provider: str
    streamed: bool
    stored: bool

    @property
    def name(self) -> str:
        return f"{self.provider} {'stream' if self.streamed else 'whole'}, store: {str(self.stored).lower()}"

    @property
    def model(self) -> str:
        return f"{self.provider}-{'stream' if self.streamed else 'whole'}"

    @property
    def body(self) -> str:
        asked = {"model": self.model, "input": "Tell me a story.", "store": self.stored}
        return json.dumps({**asked, "stream": True} if self.streamed else asked)


CELLS = [
    Cell(provider, streamed, stored)
    for provider in MODELS
    for streamed in (False, True)
    for stored in (False, True)
]


@dataclass
class Server:
    """A server under test, running."""

    name: str
    url: str
    process: subprocess.Popen[bytes]
    startup: float

    def cpu(self) -> float:
        """Return the seconds of processor time used so far, children included."""
        return sum(
            sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])) / TICKS
            for pid in self._processes()
        )

    def memory(self) -> float:
        """Return the resident memory in MB, children included."""
        return sum(
            int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 1e6 for pid in self._processes()
        )

    def _processes(self) -> list[int]:
        found, unseen = [], [self.process.pid]
        while unseen:
            found.append(unseen.pop())
            with contextlib.suppress(OSError):
                children = Path(f"/proc/{found[-1]}/task/{found[-1]}/children").read_text()
                unseen.extend(map(int, children.split()))
        return found


# ---- what runs ------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def running(command: list[str], ready: str, log: Path, core: str, **environment: str) -> Iterator[Server]:
    """Run a command, pinned to a core, until it answers at `ready`; end it afterwards."""
    begun = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "-c", core, *command],
            stdout=output, stderr=output, env={**os.environ, **environment}, start_new_session=True,
        )  # fmt: skip
    try:
        while not _answers(ready):
            if process.poll() is not None or time.perf_counter() - begun > 180:
                raise SystemExit(f"{command[0]} did not start:\n{log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.02)
        yield Server(
            Path(command[0]).name, ready.rsplit("/health", 1)[0], process, time.perf_counter() - begun
        )
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def write_upstream(folder: Path, port: int) -> Path:
    for name, content in upstream_files().items():
        path = folder / "answers" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    folder.chmod(0o755)  # nginx gives up root, where it has it
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port))
    return config


def write_config(folder: Path, upstream: str) -> Path:
    """Write the config.yaml that both servers read (JSON is YAML)."""
    models = [
        {
            "model_name": f"{provider}-{kind}",
            "litellm_params": {"model": model, "api_base": f"{upstream}/{kind}", "api_key": "sk-upstream"},
        }
        for provider, model in MODELS.items()
        for kind in ("whole", "stream")
    ]
    config = folder / "config.yaml"
    config.write_text(json.dumps({"model_list": models, "general_settings": {"master_key": KEY}}))
    return config


def install_litellm(folder: Path) -> Path:
    print("installing LiteLLM in an environment of its own ...", flush=True)
    subprocess.run(["uv", "venv", "-q", folder], check=True)
    subprocess.run(
        ["uv", "pip", "install", "-q", "--python", folder / "bin" / "python", "litellm[proxy]"], check=True
    )
    return folder


# ---- measuring ------------------------------------------------------------------------------------------


def check(server: Server, cell: Cell) -> int:
    """Ask once; return the number of events of the answer.

    Raises:
        SystemExit: the answer is not the upstream's text, whole.
    """
    request = urllib.request.Request(
        f"{server.url}/v1/responses",
        cell.body.encode(),
        {"content-type": "application/json", "authorization": f"Bearer {KEY}"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        said = answer.read().decode()
    if cell.streamed:
        events = [json.loads(line[6:]) for line in said.splitlines() if line.startswith("data: {")]
        text = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
        final = events[-1].get("response")
    else:
        events, final = [], json.loads(said)
        text = None
    whole = "".join(part["text"] for item in final["output"] for part in item.get("content") or ())
    if whole != TEXT or text not in (None, TEXT) or final["status"] != "completed":
        raise SystemExit(f"{server.name} answers {cell.name} wrongly: {said[:2000]}")
    return len(events)


def load(url: str, cell: Cell, seconds: float, connections: int, folder: Path) -> dict[str, float]:
    """Ask again and again, over so many connections; return what wrk counted."""
    script = folder / "wrk.lua"
    script.write_text(WRK.format(key=KEY, body=cell.body))
    command = [
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{max(1, round(seconds))}s",
        "--timeout",
        "60s",
        "-s",
        str(script),
        url,
    ]
    run = subprocess.run(["taskset", "-c", LOAD_CORE, *command], capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    if result["refused"]:
        print(f"  !! {result['refused']} requests failed: {url} {cell.name}")
    return result


def settle(servers: list[Server]) -> None:
    """Wait, at most a minute, until no server does anything: some work on what wrk no longer waits for."""
    for _ in range(60):
        before = sum(server.cpu() for server in servers)
        time.sleep(1)
        if sum(server.cpu() for server in servers) - before <= 0.05:
            return
    print("  !! a server is busy though nobody asks it")


@contextlib.contextmanager
def alone(server: Server, servers: list[Server]) -> Iterator[None]:
    """Stop the others meanwhile: their timers take of the core too."""
    others = [other.process.pid for other in servers if other is not server]
    for group in others:
        os.killpg(group, signal.SIGSTOP)
    try:
        yield
    finally:
        for group in others:
            os.killpg(group, signal.SIGCONT)


def measure(server: Server, cell: Cell, options: argparse.Namespace, folder: Path) -> dict[str, float]:
    events = check(server, cell)
    url = f"{server.url}/v1/responses"
    # wrk counts whole answers only, and a slow server has to end some of its streams in time.
    connections = max(1, options.connections // 4) if cell.streamed else options.connections
    before = server.cpu()
    busy = load(url, cell, options.seconds, connections, folder)
    used = server.cpu() - before
    alone = load(url, cell, options.seconds / 2, 1, folder)
    rate = busy["requests"] / busy["seconds"]
    return {
        "requests/s": rate,
        "events/s": rate * events,
        "per cpu second": busy["requests"] / max(used, 1 / TICKS),
        "median": alone["median"],
        "p99": alone["p99"],
    }


def direct(upstream: str, cell: Cell, options: argparse.Namespace, folder: Path) -> dict[str, float]:
    kind = "stream" if cell.streamed else "whole"
    path = "v1/messages" if cell.provider == "anthropic" else "responses"
    return load(f"{upstream}/{kind}/{path}", cell, options.seconds / 2, 1, folder)


def report(cell: Cell, rounds: dict[str, list[dict[str, float]]]) -> None:
    figures = {
        name: {figure: statistics.median(each[figure] for each in measured) for figure in measured[0]}
        for name, measured in rounds.items()
    }
    base = figures.pop("nginx")
    for name, each in figures.items():
        events = f"{each['events/s']:11,.0f} events/s" if cell.streamed else " " * 20
        print(
            f"{cell.name:32}{name:10}{each['requests/s']:9,.1f} requests/s{events}"
            f"{each['per cpu second']:9,.1f} requests/cpu s"
            f"   +{each['median'] - base['median']:7.2f} ms median, +{each['p99'] - base['p99']:7.2f} ms p99",
            flush=True,
        )
    if len(figures) == 2:
        ours, theirs = figures["dragoman"], figures["litellm"]
        ratios = [
            f"{figure} x{ours[figure] / theirs[figure]:.1f}"
            for figure in ("requests/s", "events/s", "per cpu second")
            if theirs[figure]
        ]
        print(f"{'':32}{'ratio':10}{', '.join(ratios)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=32, help="a quarter of them for streams")
    parser.add_argument("--litellm", type=Path, help="an environment that has litellm[proxy]; else made anew")
    parser.add_argument("--alone", action="store_true", help="without LiteLLM")
    parser.add_argument("--only", default="", help="cells whose names contain this")
    options = parser.parse_args()
    missing = [name for name in ("nginx", "wrk", "taskset", "uv") if shutil.which(name) is None]
    if missing:
        raise SystemExit(f"{', '.join(missing)} must be installed: see README.md in {Path(__file__).parent}")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dragoman-speed-")))
        port = free_port()
        upstream = f"http://127.0.0.1:{port}"
        config = write_upstream(folder, port)
        nginx = ["nginx", "-c", str(config), "-e", str(folder / "nginx.log")]
        stack.enter_context(running(nginx, f"{upstream}/", folder / "nginx.out", LOAD_CORE))
        served = write_config(folder, upstream)
        ours, theirs = free_port(), free_port()
        commands = {
            "dragoman": (
                [sys.executable, "-m", "dragoman_cli", "serve", "--config", str(served), "--port", str(ours),
                 "--store", f"sqlite:///{folder}/turns.db"],
                f"http://127.0.0.1:{ours}/health/live",
            ),
        }  # fmt: skip
        if not options.alone:
            environment = options.litellm or install_litellm(folder / "litellm")
            commands["litellm"] = (
                [str(environment / "bin" / "litellm"), "--config", str(served), "--host", "127.0.0.1",
                 "--port", str(theirs), "--num_workers", "1"],
                f"http://127.0.0.1:{theirs}/health/liveliness",
            )  # fmt: skip
        servers = []
        settings = {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_LOG": "ERROR",
            # Both have bytecode, as what pip installs has, and whatever this machine says of it. LiteLLM
            # tries imports that fail with every request: without it it compiles, and does a third less.
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
        }
        for name, (command, ready) in commands.items():
            log = folder / f"{name}.log"
            with running(command, ready, log, SERVER_CORE, **settings):
                pass  # writes it
            started = running(command, ready, log, SERVER_CORE, **settings)
            servers.append(stack.enter_context(started))
            servers[-1].name = name
            print(f"{name}: up in {servers[-1].startup:.1f} s, {servers[-1].memory():.0f} MB", flush=True)
        for cell in CELLS:
            if options.only not in cell.name:
                continue
            rounds: dict[str, list[dict[str, float]]] = {name: [] for name in (*commands, "nginx")}
            for _ in range(options.rounds):
                for server in servers:
                    settle(servers)
                    with alone(server, servers):
                        rounds[server.name].append(measure(server, cell, options, folder))
                rounds["nginx"].append(direct(upstream, cell, options, folder))
            report(cell, rounds)
        for server in servers:
            print(f"{server.name}: {server.memory():.0f} MB after the load", flush=True)


if __name__ == "__main__":
    main()
