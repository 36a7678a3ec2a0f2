"""LiteLLM's callbacks: what each name has become here, and functions of one's own that hear records."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

    from dragoman.records.record import Record
    from dragoman_server.config_findings import Findings
    from dragoman_server.yaml_lines import Node

__all__ = ["CALLBACKS", "Hearer", "read_callbacks"]

CALLBACKS: dict[str, frozenset[str]] = {
    "callbacks": frozenset({"completed", "incomplete", "failed", "cancelled"}),
    "success_callback": frozenset({"completed", "incomplete"}),
    "failure_callback": frozenset({"failed", "cancelled"}),
}
"""Keys of litellm_settings -> the outcomes of calls that a function under them hears."""


class _Backend(NamedTuple):
    """Who takes traces over OTLP."""

    name: str
    endpoint: str = ""
    headers: str = ""


_OTLP = {
    "otel": _Backend("your collector", "http://localhost:4318"),
    "opentelemetry": _Backend("your collector", "http://localhost:4318"),
    "langfuse": _Backend(
        "Langfuse",
        "https://cloud.langfuse.com/api/public/otel",
        "Authorization=Basic%20<base64 of public key:secret key>",
    ),
    "arize": _Backend("Arize"),
    "arize_phoenix": _Backend("Phoenix", "http://localhost:6006"),
    "braintrust": _Backend(
        "Braintrust", "https://api.braintrust.dev/otel", "Authorization=Bearer%20<key>,x-bt-parent=<project>"
    ),
    "datadog": _Backend("the Datadog Agent, its OTLP receiver switched on", "http://localhost:4318"),
    "logfire": _Backend("Logfire", "https://logfire-api.pydantic.dev", "Authorization=<token>"),
    "langsmith": _Backend("LangSmith", "https://api.smith.langchain.com/otel", "x-api-key=<key>"),
    "langtrace": _Backend("Langtrace"),
    "levo": _Backend("Levo"),
    "mlflow": _Backend("MLflow's tracking server", "http://localhost:5000", "x-mlflow-experiment-id=<id>"),
    "agentops": _Backend("AgentOps"),
    "galileo": _Backend("Galileo"),
    "newrelic": _Backend("New Relic", "https://otlp.nr-data.net", "api-key=<key>"),
    "opik": _Backend("Opik"),
    "signoz": _Backend("SigNoz"),
    "traceloop": _Backend("Traceloop", "https://api.traceloop.com", "Authorization=Bearer%20<key>"),
    "weave": _Backend("Weave"),
}
_SAME = {
    "arize_otel": "arize",
    "datadog_llm_observability": "datadog",
    "datadog_llm_obs": "datadog",
    "langfuse_otel": "langfuse",
    "langsmith_otel": "langsmith",
    "phoenix": "arize_phoenix",
    "weave_otel": "weave",
}
_HERE = {
    "prometheus": "needs no callback here: the server has GET /metrics",
    "prometheus_system": "needs no callback here: the server has GET /metrics",
    "json": "needs no callback here: set DRAGOMAN_LOG_CALLS=1 for a line of JSON a call",
}
_LINES = (
    "is not there; with DRAGOMAN_LOG_CALLS=1 each call is a line of JSON on stderr, which whatever collects "
    "your logs takes there"
)
_SPEND = "is not there; usage, cost, key and end user are in each record: name a function that sends it"
_LIMITS = "needs no callback here: limits are rpm, tpm and max_parallel_requests of a deployment"
_GUARD = "judges or changes requests in LiteLLM, which dragoman does not: put it in front, or do without it"
_SAID_OF = {
    _LINES: "s3 s3_v2 gcs_bucket gcs_pubsub azure_storage azure_sentinel dynamodb aws_sqs sqs supabase "
    "elasticsearch sumologic splunk vector generic_api generic webhook",
    _SPEND: "cloudzero lago openmeter vantage posthog greenscale focus",
    _GUARD: "presidio lakera lakera_prompt_injection aporia bedrock_guardrails llamaguard_moderations "
    "llmguard_moderations google_text_moderation hide_secrets hide-secrets detect_prompt_injection "
    "openai_moderations banned_keywords blocked_user_check",
    _LIMITS: "dynamic_rate_limiter dynamic_rate_limiter_v3 parallel_request_limiter batch_redis_requests",
}
_REMEDIES: dict[str, str] = {
    **{name: says for says, names in _SAID_OF.items() for name in names.split()},
    "sentry": "is not there; failed calls are warnings of the logger dragoman.calls, which Sentry's own "
    "logging integration takes in an application, with DRAGOMAN_LOG_CALLS=1",
    "slack": "is not there; alert on dragoman_calls_total of GET /metrics",
    "email": "is not there; alert on dragoman_calls_total of GET /metrics",
}
_NO_TELEMETRY = "; install dragoman-otel, and set "
_METHODS = ("log_success_event", "async_log_success_event", "log_failure_event", "async_log_failure_event")


@dataclass(frozen=True, slots=True)
class Hearer:
    """A function that hears the records of calls with certain outcomes."""

    function: Callable[[Record], Awaitable[None] | None]
    outcomes: frozenset[str]

    def __call__(self, record: Record) -> Awaitable[None] | None:
        """Tell it."""
        return self.function(record) if record.outcome in self.outcomes else None


def read_callbacks(
    settings: Node | None, environment: Mapping[str, str], findings: Findings
) -> tuple[Hearer, ...]:
    """Return the functions that litellm_settings name as callbacks; say what has become of other names.

    Args:
        settings: litellm_settings.
        environment: the variables that the server will have.
        findings: hears of every name that is not such a function.
    """
    found: dict[object, frozenset[str]] = {}
    for key, name, node in _named(settings, findings):
        where = f"litellm_settings.{key}: {name!r}"
        if "." in name:
            function = _loaded(name, node, where, findings)
            if function is not None:
                found[function] = found.get(function, frozenset()) | CALLBACKS[key]
            continue
        folded = name.lower()
        backend = _OTLP.get(_SAME.get(folded, folded))
        if backend is not None:
            _say_otlp(backend, node, where, environment, findings)
        elif folded in _HERE:
            findings.add("notice", node.place, f"{where} {_HERE[folded]}")
        else:
            remedy = _REMEDIES.get(folded) or (
                "is not known here; backends that take OTLP are reached with dragoman-otel, a function of "
                "yours as module.function"
            )
            findings.warn(node.place, f"{where} {remedy}")
    return tuple(Hearer(function, outcomes) for function, outcomes in found.items())  # type: ignore[arg-type]


def _named(settings: Node | None, findings: Findings) -> Iterator[tuple[str, str, Node]]:
    """Yield key, name and place of each callback."""
    given = settings.value if settings is not None and isinstance(settings.value, dict) else {}
    for key in CALLBACKS:
        node = given.get(key)
        if node is None or node.value is None:
            continue
        for one in node.value if isinstance(node.value, list) else [node]:
            if isinstance(one.value, str) and one.value:
                yield key, one.value, one
            else:
                findings.error(one.place, f"litellm_settings.{key} must be names: [otel, my_module.function]")


def _say_otlp(
    backend: _Backend, node: Node, where: str, environment: Mapping[str, str], findings: Findings
) -> None:
    """Say how calls get to whoever takes OTLP: by the environment alone."""
    installed = importlib.util.find_spec("dragoman_otel") is not None
    addressed = any(value for name, value in environment.items() if name.startswith("OTEL_EXPORTER_OTLP_"))
    if installed and addressed:
        told = "needs no callback here: dragoman-otel sends traces and metrics where OTEL_EXPORTER_OTLP_* say"
        findings.add("notice", node.place, f"{where} {told}")
        return
    endpoint = backend.endpoint or f"<the OTLP endpoint of {backend.name}>"
    headers = f" OTEL_EXPORTER_OTLP_HEADERS={backend.headers}" if backend.headers else ""
    if not backend.endpoint:
        headers = " OTEL_EXPORTER_OTLP_HEADERS=<its key>"
    findings.warn(
        node.place,
        f"{where} is not loaded: traces go to {backend.name} by the environment{_NO_TELEMETRY}"
        f"OTEL_EXPORTER_OTLP_ENDPOINT={endpoint}{headers}",
    )


# ---- functions of one's own -----------------------------------------------------------------------------


def _loaded(name: str, node: Node, where: str, findings: Findings) -> object | None:
    """Return the function that a dotted path names; None where it is none, which is an error."""
    module_name, _, attribute = name.rpartition(".")
    try:
        found = getattr(_module(module_name, Path(node.place.file).parent), attribute)
    except Exception as problem:
        findings.error(node.place, f"{where} cannot be loaded: {type(problem).__name__}: {problem}")
        return None
    if any(hasattr(found, method) for method in _METHODS):
        findings.error(
            node.place,
            f"{where} is a CustomLogger of LiteLLM, whose methods get what LiteLLM knows; name a function of "
            "one dragoman.Record: def heard(record): ...",
        )
    elif not callable(found) or inspect.isclass(found) or not _takes_one(found):
        findings.error(node.place, f"{where} must be a function, sync or async, of one dragoman.Record")
    else:
        return found  # type: ignore[no-any-return]
    return None


def _module(name: str, folder: Path) -> Any:
    """Return a module: the file beside the config, as in LiteLLM, else an installed one."""
    if name in sys.modules:
        return sys.modules[name]
    file = folder.joinpath(*name.split(".")).with_suffix(".py")
    spec = importlib.util.spec_from_file_location(name, file) if file.is_file() else None
    if spec is None or spec.loader is None:
        return importlib.import_module(name)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _takes_one(function: Any) -> bool:
    try:
        inspect.signature(function).bind(object())
    except (TypeError, ValueError):
        return False
    return True
