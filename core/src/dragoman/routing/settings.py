"""How a fleet routes: retries, fallbacks, circuits, limits. By LiteLLM's names, where it has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

from dragoman.errors import BadRequestError
from dragoman.routing.checks import flag, nearest, number, seconds, section, text, whole, wrong
from dragoman.routing.deployments import StreamRecovery
from dragoman.routing.limits import time_limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dragoman.network.timeouts import Timeout

__all__ = ["ERROR_CLASSES", "Fallback", "RoutingSettings"]

Fallback = str | Mapping[str, Any]
"""A model name, or a mapping with `model` and the arguments that the fallback changes."""

ERROR_CLASSES = (
    "BadRequestError",
    "AuthenticationError",
    "TimeoutError",
    "RateLimitError",
    "ContentPolicyViolationError",
    "InternalServerError",
    "ServiceUnavailableError",
)
"""What retry_policy and allowed_fails_policy tell apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingSettings:
    """Settings of a fleet; times are seconds."""

    strategy: str = "simple-shuffle"
    """How one of a group's deployments is chosen (see ``dragoman.routing.strategies``)."""
    strategy_arguments: Mapping[str, Any] = field(default_factory=dict)
    num_retries: int = 2
    """How often a passing failure is tried again, for each model that is asked, on whichever deployment."""
    retry_after: float = 0.0
    """The least wait before a retry of the same deployment."""
    timeout: Timeout | float | None = None
    """Limits of one attempt where neither caller nor deployment says; a number is the whole of it."""
    stream_timeout: float | None = None
    """Until the first event of a stream."""
    total_timeout: float | None = None
    """What a call may take altogether, waits and fallbacks included, where nobody says otherwise."""
    max_attempts: int | None = None
    """Attempts of one call altogether. None: what retries and fallbacks come to."""
    allowed_fails: int = 3
    """Failures in a minute after which the circuit opens, if they are at least half of what was tried."""
    cooldown_time: float = 5.0
    """How long a circuit stays open before one call may probe."""
    disable_cooldowns: bool = False
    fallbacks: Mapping[str, tuple[Fallback, ...]] = field(default_factory=dict)
    """Model name -> where to go when it fails; "*" is for every name that has none of its own."""
    context_window_fallbacks: Mapping[str, tuple[Fallback, ...]] = field(default_factory=dict)
    """The same for inputs that are too long; without one the general fallbacks are taken."""
    content_policy_fallbacks: Mapping[str, tuple[Fallback, ...]] = field(default_factory=dict)
    """The same for what a content policy refuses: nothing else is tried then."""
    default_fallbacks: tuple[Fallback, ...] = ()
    """General fallbacks of every model that has none of its own."""
    max_fallbacks: int = 5
    """How many fallbacks one call may go to."""
    model_group_alias: Mapping[str, str] = field(default_factory=dict)
    """Another name -> the model name that it means."""
    hidden_aliases: frozenset[str] = frozenset()
    """Those that are not listed."""
    retry_policy: Mapping[str, int] = field(default_factory=dict)
    """Class of error (``ERROR_CLASSES``) -> retries, in place of num_retries. What no resend can mend is
    not sent again whatever this says."""
    allowed_fails_policy: Mapping[str, int] = field(default_factory=dict)
    """Class of error -> allowed fails, in place of allowed_fails."""
    enable_tag_filtering: bool = False
    tag_filtering_match_any: bool = True
    """Whether one of a call's tags is enough; else a deployment needs all of them."""
    stream_recovery: StreamRecovery = "continue"

    @classmethod
    def of(cls, settings: Mapping[str, Any], *, where: str = "router_settings") -> RoutingSettings:
        """Return what LiteLLM's router_settings mean; what does nothing here is passed over.

        Raises:
            BadRequestError: a key is not known, or its value is wrong; `param` names it.
        """
        values: dict[str, Any] = {}
        for name, value in settings.items():
            full = f"{where}.{name}"
            if name in _READERS:
                target, read = _READERS[name]
                if value is not None and (name == target or target not in settings):
                    values[target] = read(full, value)
            elif name not in UNUSED:
                raise _unknown(full, name, [*_READERS, *UNUSED])
        aliases = values.pop("model_group_alias", {})
        return cls(
            model_group_alias={alias: name for alias, (name, _) in aliases.items()},
            hidden_aliases=frozenset(alias for alias, (_, hidden) in aliases.items() if hidden),
            **values,
        )


_UNUSED_NAMES = (
    "alerting_config assistants_config auto_router_capability_limit background_health_check_model_groups "
    "cache_kwargs cache_responses caching_groups client_ttl custom_cooldown_policy debug_level "
    "default_litellm_params default_max_parallel_requests default_priority "
    "deployment_affinity_ttl_seconds enable_health_check_routing enable_pre_call_checks "
    "enable_weighted_failover fallback_access_check fallback_budget_check guardrail_list "
    "health_check_ignore_transient_errors health_check_staleness_threshold ignore_invalid_deployments "
    "model_group_affinity_config model_group_retry_policy optional_pre_call_checks plugins "
    "polling_interval provider_budget_config redis_db redis_host redis_password redis_port "
    "redis_startup_nodes redis_url router_general_settings routing_groups search_tools set_verbose "
    "tag_routing_prefix"
)
UNUSED = frozenset(_UNUSED_NAMES.split())
"""Keys of router_settings that mean nothing to routing here."""


# ---- readers: field and value -> what is meant


def _unknown(field: str, name: str, known: Iterable[str]) -> BadRequestError:
    hint = nearest(name, known)
    return BadRequestError(f"{field} is not known{hint and f'; {hint}'}", param=field, code="unknown_setting")


def _fallback(field: str, value: object) -> Fallback:
    if isinstance(value, dict):
        text(f"{field}.model", section(field, value).get("model"))
        return value
    if not isinstance(value, str) or not value:
        raise wrong(field, "a model name, or a mapping with model and what else changes", value)
    return value


def fallback_list(field: str, value: object) -> tuple[Fallback, ...]:
    """Return fallbacks: names, or mappings with `model`; one alone need not be in a list."""
    given = value if isinstance(value, list | tuple) else [value]
    return tuple(_fallback(f"{field}[{place}]", one) for place, one in enumerate(given))


def _fallbacks(field: str, value: object) -> dict[str, tuple[Fallback, ...]]:
    """Return name -> fallbacks, from a mapping or from LiteLLM's list of mappings."""
    parts = value if isinstance(value, list | tuple) else [value]
    found: dict[str, tuple[Fallback, ...]] = {}
    for place, part in enumerate(parts):
        where = f"{field}[{place}]" if parts is value else field
        if not isinstance(part, dict):
            raise wrong(where, "a mapping such as {claude: [gpt]}", part)
        for name, targets in section(where, part).items():
            found[name] = (*found.get(name, ()), *fallback_list(f"{where}.{name}", targets))
    return found


def _aliases(field: str, value: object) -> dict[str, tuple[str, bool]]:
    found = {}
    for alias, meant in section(field, value).items():
        where = f"{field}.{alias}"
        details = section(where, meant) if isinstance(meant, dict) else {"model": meant}
        found[alias] = text(f"{where}.model", details.get("model")), details.get("hidden") is True
    return found


def _policy(suffix: str) -> Callable[[str, object], dict[str, int]]:
    def read(field: str, value: object) -> dict[str, int]:
        found = {}
        for name, count in section(field, value).items():
            kind = name.removesuffix(suffix)
            if kind not in ERROR_CLASSES or kind == name:
                known = [f"{known}{suffix}" for known in ERROR_CLASSES]
                raise _unknown(f"{field}.{name}", f"{kind}{suffix}", known)
            if count is not None:
                found[kind] = whole(f"{field}.{name}", count)
        return found

    return read


def recovery(field: str, value: object) -> StreamRecovery:
    """Return what becomes of broken streams."""
    known: tuple[StreamRecovery, ...] = get_args(StreamRecovery)
    for one in known:
        if one == value:
            return one
    raise wrong(field, " or ".join(known), value)


_READERS: dict[str, tuple[str, Callable[[str, object], Any]]] = {
    "routing_strategy": ("strategy", text),
    "routing_strategy_args": ("strategy_arguments", section),
    "num_retries": ("num_retries", whole),
    "max_retries": ("num_retries", whole),
    "retry_after": ("retry_after", number),
    "timeout": ("timeout", time_limits),
    "stream_timeout": ("stream_timeout", seconds),
    "total_timeout": ("total_timeout", seconds),
    "max_attempts": ("max_attempts", lambda field, value: whole(field, value, least=1)),
    "allowed_fails": ("allowed_fails", whole),
    "cooldown_time": ("cooldown_time", number),
    "disable_cooldowns": ("disable_cooldowns", flag),
    "fallbacks": ("fallbacks", _fallbacks),
    "context_window_fallbacks": ("context_window_fallbacks", _fallbacks),
    "content_policy_fallbacks": ("content_policy_fallbacks", _fallbacks),
    "default_fallbacks": ("default_fallbacks", fallback_list),
    "max_fallbacks": ("max_fallbacks", whole),
    "model_group_alias": ("model_group_alias", _aliases),
    "retry_policy": ("retry_policy", _policy("Retries")),
    "allowed_fails_policy": ("allowed_fails_policy", _policy("AllowedFails")),
    "enable_tag_filtering": ("enable_tag_filtering", flag),
    "tag_filtering_match_any": ("tag_filtering_match_any", flag),
    "stream_recovery": ("stream_recovery", recovery),
}
"""LiteLLM's name -> the field that it sets, and how it is read."""
