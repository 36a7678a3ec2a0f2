"""The keys of a config.yaml: LiteLLM's, what becomes of each here, and dragoman's own."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, NamedTuple

from dragoman.routing.settings import UNUSED
from dragoman_server import config_ignored
from dragoman_server.gateway import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman_server.config_findings import Level

__all__ = [
    "ASKED_BY_RESPONSES",
    "BARE_MODELS",
    "CHAT_ONLY",
    "CHAT_PARAMETERS",
    "CREDENTIAL",
    "LITELLM_PARAMS",
    "MISPLACED",
    "MODEL_ENTRY",
    "MODEL_INFO",
    "PER_REQUEST",
    "PROVIDERS",
    "SECTIONS",
    "SETTINGS",
    "TOP",
    "Key",
    "is_model_fact",
]


class Key(NamedTuple):
    """A key that is known."""

    kind: str = "any"
    """See ``dragoman_server.config_values``."""
    level: Level | None = None
    """None: it is used. Else how loud it is said that it is not."""
    says: str = ""
    """What becomes of it."""
    inner: Mapping[str, Key] | None = None
    """The keys of its own that it may have; None: any."""


_NOTHING = "is LiteLLM's; dragoman does nothing with it"


def _used(kind: str, names: str) -> dict[str, Key]:
    return {name: Key(kind) for name in names.split()}


def _section(names: str, inner: Mapping[str, Key]) -> dict[str, Key]:
    return {name: Key("mapping", inner=inner) for name in names.split()}


def _nothing(names: str, says: str = _NOTHING) -> dict[str, Key]:
    return {name: Key("any", "warning", says) for name in names.split()}


def _same(names: str) -> dict[str, tuple[str, ...]]:
    return {name: (name,) for name in names.split()}


def _without_remedy(names: str) -> dict[str, str]:
    return dict.fromkeys(names.split(), "")


def _refused(names: str, says: str) -> dict[str, Key]:
    return {name: Key("any", "error", says) for name in names.split()}


_FAILURES = (
    "BadRequestError",
    "AuthenticationError",
    "TimeoutError",
    "RateLimitError",
    "ContentPolicyViolationError",
    "InternalServerError",
    "ServiceUnavailableError",
)
_RETRIES = _used("whole", " ".join(f"{failure}Retries" for failure in _FAILURES))
_ALLOWED_FAILS = _used("whole", " ".join(f"{failure}AllowedFails" for failure in _FAILURES))
_STRATEGY = _used("any", "ttl lowest_latency_buffer rolling_window_size max_latency_list_size")
_FALLBACKS = {
    **_used("list", "fallbacks context_window_fallbacks content_policy_fallbacks default_fallbacks"),
    **_used("whole", "allowed_fails"),
    **_used("number", "cooldown_time"),
}
_NO_AUTHENTICATION = (
    "decides who may call in LiteLLM, and is not there in dragoman: without it everyone with the master_key "
    "may. Take it out once that is right"
)
_OF_A_MODEL = "does nothing here: write it in each model's litellm_params, or set the provider's variable"
_BACKGROUND = "is not needed: background responses work on every provider, kept in dragoman_settings.store"

# ---- sections ---------------------------------------------------------------------------------------

_ROUTER = {
    **_used("whole", "num_retries"),
    **_used("positive", "timeout stream_timeout total_timeout"),
    **_used("mapping", "model_group_alias"),
    **_FALLBACKS,
    **_used("text", "routing_strategy stream_recovery"),
    **_section("routing_strategy_args", _STRATEGY),
    **_section("retry_policy", _RETRIES),
    **_section("allowed_fails_policy", _ALLOWED_FAILS),
    **_used("number", "retry_after"),
    **_used("whole", "max_fallbacks max_attempts"),
    **_used("flag", "disable_cooldowns enable_tag_filtering tag_filtering_match_any"),
    **_nothing(" ".join(UNUSED)),
}

_LITELLM = {
    **_used("flag", "drop_params"),
    **_used("positive", "request_timeout"),
    **_used("number", "max_budget"),
    **_used("text", "budget_duration"),
    **_used("whole", "num_retries max_fallbacks"),
    **_FALLBACKS,
    **_used("any", "callbacks success_callback failure_callback"),
    **_nothing(
        "service_callback service_callbacks audit_log_callbacks input_callback post_call_rules "
        "pre_call_rules custom_provider_map store_audit_logs",
        "is LiteLLM's logging; dragoman calls nothing from it. callbacks may name functions of yours",
    ),
    **_nothing(config_ignored.LITELLM_SETTINGS),
    **_nothing(config_ignored.KEYS_OF_PROVIDERS, _OF_A_MODEL),
    **_nothing(
        "api_base api_key api_version organization project vertex_project vertex_location", _OF_A_MODEL
    ),
    **_nothing("headers", "does nothing here: write extra_headers, in each model's litellm_params"),
    **_nothing("num_retries_per_request", "does nothing here: write num_retries"),
    "turn_off_message_logging": Key(
        "any",
        "notice",
        "is so here: prompts and answers are in no log or trace, unless a variable asks for it",
    ),
    "enable_azure_ad_token_refresh": Key(
        "any", "notice", "is always so here: without a key Entra ID is asked"
    ),
    **_nothing("responses background_mode polling_via_cache", _BACKGROUND),
}

_GENERAL = {
    **_used("text", "master_key database_url"),
    **_used("positive", "max_request_size_mb"),
    **_used("flag", "allow_requests_on_db_unavailable"),
    **_refused(
        "custom_auth enable_jwt_auth enable_oauth2_auth enable_oauth2_proxy_auth litellm_jwtauth allowed_ips "
        "custom_auth_settings custom_auth_run_common_checks allowed_routes litellm_key_header_name "
        "enforce_rbac",
        _NO_AUTHENTICATION,
    ),
    **_nothing(config_ignored.GENERAL_SETTINGS),
    **_nothing(
        "responses_websocket_session_limit_seconds",
        "is dragoman_settings.limits.connection here",
    ),
    "cancel_on_disconnect": Key(
        "any", "notice", "is always so here: a caller that leaves cancels the call, whatever this says"
    ),
}

_LIMITS = {limit.name: Key("count" if limit.type == "int" else "positive") for limit in fields(Limits)}
_DRAGOMAN = {
    **_used("text", "store host"),
    **_used("days", "retention_days ledger_days"),
    **_used("port", "port"),
    "limits": Key("mapping", inner=_LIMITS),
}

SECTIONS: dict[str, Mapping[str, Key]] = {
    "router_settings": _ROUTER,
    "litellm_settings": _LITELLM,
    "general_settings": _GENERAL,
    "dragoman_settings": _DRAGOMAN,
}
"""Section -> its keys."""

TOP: dict[str, Key] = {
    **_used("mapping", " ".join(SECTIONS)),
    **_used("mapping", "environment_variables"),
    **_used("list", "model_list credential_list include"),
    **_nothing(config_ignored.TOP),
}
"""The keys at the top of a config."""

MISPLACED: dict[str, str] = {
    "fallback": "Write fallbacks: a list such as [{claude: [gpt]}], in router_settings",
    "api_keys": "Write api_key, in each model's litellm_params",
    "models": "Write model_list",
    "timeout_seconds": "Write timeout, in seconds",
    "max_retry": "Write num_retries",
    "retries": "Write num_retries",
    "retry": "Write num_retries",
    "storage": "Write store, in dragoman_settings",
    "params": "Write litellm_params",
    "model_info": "It stands beside litellm_params, not in it",
    "headers": "Write extra_headers",
}
"""Keys that people write where, or as, they are not known -> what to write."""

# ---- models -----------------------------------------------------------------------------------------

MODEL_ENTRY: dict[str, Key] = {
    **_used("text", "model_name"),
    **_used("mapping", "litellm_params model_info"),
    **_nothing("tpm rpm", "belongs into litellm_params; here it does nothing"),
}

CREDENTIAL: dict[str, Key] = {
    **_used("text", "credential_name"),
    **_used("mapping", "credential_values"),
    "credential_info": Key(),
}

LITELLM_PARAMS: dict[str, Key] = {
    **_used("text", "model custom_llm_provider litellm_credential_name mock_response"),
    **_used("positive", "timeout stream_timeout total_timeout"),
    **_used("whole", "num_retries max_retries"),
    **_used("flag", "drop_params"),
    **_used("text map", "extra_headers"),
    **_used("mapping", "extra_body extra_query"),
    **_used("texts", "allowed_openai_params"),
    **_used("number", "weight cooldown_time"),
    **_used("count", "rpm tpm max_parallel_requests"),
    **_used("whole", "order"),
    **_used("texts", "tags"),
    **_used("text", "stream_recovery base_model"),
    **_nothing(config_ignored.LITELLM_PARAMS),
    **_nothing("itpm otpm", "does nothing here: write tpm, which counts input and output together"),
}
"""litellm_params that are no setting of a provider, no price and no parameter of a request."""

SETTINGS: dict[str, tuple[str, ...]] = {
    "base_url": ("api_base",),
    "api_base": ("api_base",),
    "api_key": ("api_key",),
    "api_version": ("api_version",),
    "organization": ("organization",),
    "organization_id": ("organization",),
    "project": ("project",),
    "vertex_project": ("vertex_project",),
    "vertex_location": ("vertex_location",),
    "vertex_credentials": ("vertex_credentials",),
    "vertex_ai_project": ("vertex_project",),
    "vertex_ai_location": ("vertex_location",),
    "vertex_ai_credentials": ("vertex_credentials",),
    "aws_region": ("aws_region_name",),
    "aws_region_name": ("aws_region_name",),
    "azure_tenant_id": ("tenant_id",),
    "azure_client_id": ("client_id",),
    "azure_client_secret": ("client_secret",),
    **_same(
        "aws_access_key_id aws_secret_access_key aws_session_token aws_profile_name aws_role_name "
        "aws_session_name aws_external_id aws_web_identity_token aws_sts_endpoint "
        "aws_bedrock_runtime_endpoint model_id azure_ad_token azure_scope azure_username azure_password "
        "tenant_id client_id client_secret auth_token watsonx_region_name"
    ),
}
"""LiteLLM's settings of providers -> what a plugin may call them, the first that it has is taken."""

CHAT_PARAMETERS: dict[str, tuple[str, ...]] = {
    "max_tokens": ("max_output_tokens",),
    "max_completion_tokens": ("max_output_tokens",),
    "reasoning_effort": ("reasoning", "effort"),
    "verbosity": ("text", "verbosity"),
}
"""Parameters of Chat Completions -> their place in the Responses API."""

CHAT_ONLY: dict[str, str] = {
    "response_format": "text.format is its place",
    "functions": "tools is their place",
    "function_call": "tool_choice is its place",
    "web_search_options": "tools is their place",
    "thinking": "reasoning.effort is its place",
    "logprobs": "top_logprobs is its place",
    **_without_remedy(
        "stop stop_sequences seed n logit_bias modalities audio prediction top_k min_p top_a "
        "repetition_penalty best_of suffix"
    ),
}
"""Parameters of Chat Completions and its dialects that the Responses API has not -> what to do."""

PER_REQUEST: dict[str, Level] = {
    "input": "error",
    "previous_response_id": "error",
    "conversation": "error",
    "messages": "error",
    "stream": "warning",
    "background": "warning",
    "stream_options": "warning",
}
"""What each request says for itself: as a default of all requests it would break them, or their callers."""

BARE_MODELS: tuple[tuple[str, str], ...] = (
    ("gpt-", "openai"),
    ("chatgpt-", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("codex-", "openai"),
    ("claude-", "anthropic"),
    ("gemini-", "vertex_ai"),
)
"""How a model begins that LiteLLM knows without a prefix -> its provider there."""

PROVIDERS: dict[str, str] = {
    "ollama_chat": "ollama",
    "openai_like": "openai_compatible",
    "custom_openai": "openai_compatible",
    "vertex_ai_beta": "vertex_ai",
}
"""LiteLLM's names of providers -> dragoman's, where they differ."""

ASKED_BY_RESPONSES = ("openai/responses/", "azure/responses/")
"""How a model begins there that is to be asked by ``POST /responses``, as every model is here."""

MODEL_INFO: dict[str, Key] = {
    **_used("text", "id mode"),
    **_used("text", "base_model"),
    **_used("mapping", "metadata"),
    **_used(
        "any",
        "description max_tokens max_input_tokens max_output_tokens supported_endpoints "
        "supported_modalities supported_output_modalities supported_environments access_groups key "
        "litellm_provider db_model team_id team_public_model_name tier health_check_model "
        "health_check_timeout disable_background_health_check source deprecation_date knowledge_cutoff "
        "created_at updated_at created_by updated_by version tpm rpm output_vector_size access_windows "
        "prompt_cache_min_tokens supported_audio_formats supported_regions",
    ),
}


def is_model_fact(name: str) -> bool:
    """Tell whether a key of model_info says what a model can do."""
    return name.startswith("supports_") or name in MODEL_INFO
