"""The keys of a config.yaml: LiteLLM's, what becomes of each here, and dragoman's own."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, NamedTuple

from dragoman_server.gateway import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman_server.config_findings import Level

__all__ = [
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
    **_nothing(
        "model_group_retry_policy provider_budget_config default_max_parallel_requests default_priority "
        "enable_pre_call_checks optional_pre_call_checks"
    ),
    **_nothing(
        "redis_host redis_port redis_password redis_url redis_db cache_responses cache_kwargs caching_groups "
        "client_ttl polling_interval default_litellm_params set_verbose debug_level assistants_config "
        "alerting_config ignore_invalid_deployments search_tools guardrail_list router_general_settings "
        "deployment_affinity_ttl_seconds custom_cooldown_policy"
    ),
}

_LITELLM = {
    **_used("flag", "drop_params"),
    **_used("positive", "request_timeout"),
    **_used("number", "max_budget"),
    **_used("text", "budget_duration"),
    **_used("whole", "num_retries"),
    **_FALLBACKS,
    **_used("any", "callbacks success_callback failure_callback"),
    **_nothing(
        "service_callback service_callbacks audit_log_callbacks input_callback post_call_rules "
        "pre_call_rules custom_provider_map store_audit_logs",
        "is LiteLLM's logging; dragoman calls nothing from it. callbacks may name functions of yours",
    ),
    **_nothing(
        "cache cache_params turn_off_message_logging redact_user_api_key_info langfuse_default_tags "
        "s3_callback_params gcs_callback_params datadog_params prometheus_metrics_config "
        "prometheus_initialize_budget_metrics custom_prometheus_metadata_labels custom_prometheus_tags "
        "set_verbose json_logs suppress_debug_info telemetry modify_params "
        "enable_preview_features enable_json_schema_validation enable_key_alias_format_validation "
        "default_internal_user_params default_team_settings default_team_params default_key_generate_params "
        "upperbound_key_generate_params key_generation_settings "
        "max_internal_user_budget internal_user_budget_duration max_end_user_budget max_ui_session_budget "
        "tag_budget_config force_ipv4 ssl_verify ssl_certificate ssl_security_level aiohttp_trust_env "
        "add_function_to_prompt add_user_information_to_llm_headers forward_traceparent_to_llm_provider "
        "drop_unsupported disable_end_user_cost_tracking disable_end_user_cost_tracking_prometheus_only "
        "disable_hf_tokenizer_download disable_add_transform_inline_image_block disable_streaming_logging "
        "disable_copilot_system_to_assistant use_chat_completions_url_for_anthropic_messages "
        "LITELLM_DISABLE_STOP_SEQUENCE_LIMIT mcp_aliases model_alias_map model_group_settings guardrails "
        "public_model_groups public_model_groups_links cost_discount_config cost_margin_config "
        "return_response_headers include_cost_in_streaming_usage user_url_validation extra_spend_tag_headers "
        "default_max_internal_user_budget default_redis_ttl vector_store_registry api_base api_key"
    ),
    **_nothing("responses background_mode polling_via_cache", _BACKGROUND),
}

_GENERAL = {
    **_used("text", "master_key database_url"),
    **_used("positive", "max_request_size_mb"),
    **_used("flag", "allow_requests_on_db_unavailable"),
    **_refused(
        "custom_auth enable_jwt_auth enable_oauth2_auth enable_oauth2_proxy_auth litellm_jwtauth allowed_ips "
        "custom_auth_settings custom_auth_run_common_checks allowed_routes litellm_key_header_name",
        _NO_AUTHENTICATION,
    ),
    **_nothing(
        "store_model_in_db store_prompts_in_spend_logs disable_spend_logs disable_spend_updates "
        "background_health_checks health_check_interval health_check_details use_shared_health_check "
        "health_check_concurrency max_parallel_requests global_max_parallel_requests completion_model "
        "image_generation_model embedding_model moderation_model alerting alerting_threshold alerting_args "
        "alert_types alert_to_webhook_url spend_report_frequency forward_client_headers_to_llm_api "
        "forward_openai_org_id forward_llm_provider_auth_headers max_response_size_mb "
        "disable_master_key_return disable_reset_budget disable_adding_master_key_hash_to_db "
        "disable_retry_on_max_parallel_request_limit_error disable_responses_id_security "
        "disable_prisma_schema_update "
        "enforce_user_param enforced_params reject_clientside_metadata_tags key_management_system "
        "key_management_settings use_azure_key_vault use_google_kms database_type database_args "
        "database_connection_pool_limit database_connection_timeout database_connection_pool_timeout "
        "proxy_batch_write_at proxy_batch_polling_interval "
        "proxy_budget_rescheduler_min_time proxy_budget_rescheduler_max_time infer_model_from_keys "
        "public_routes admin_only_routes use_x_forwarded_for service_account_settings supported_db_objects "
        "user_mcp_management_mode custom_key_generate custom_key_update custom_sso "
        "custom_ui_sso_sign_in_handler "
        "default_team_disabled user_api_key_cache_ttl allow_user_auth allow_client_side_credentials "
        "ui_access_mode litellm_license oauth2_config_mappings pass_through_endpoints "
        "use_client_credentials_pass_through_routes maximum_spend_logs_retention_period "
        "maximum_spend_logs_retention_interval use_redis_transaction_buffer proxy_logging_obj "
        "role_permissions "
        "role_mappings user_header_name user_header_mappings coordination_redis_params "
        "allow_public_model_hub "
        "always_include_stream_usage token_rate_limit_type control_plane_url use_aiohttp_transport "
        "mcp_internal_ip_ranges store_responses_in_spend_logs"
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
    **_nothing(
        "callback_settings guardrails mcp_servers mcp_tools mcp_aliases mcp_semantic_tool_filter policies "
        "policy_attachments prompts search_tools agent_list agents vector_store_registry assistant_settings "
        "files_settings finetune_settings default_vertex_config litellm_license sso_settings worker_registry"
    ),
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
}
"""Keys that are nowhere right, but often written -> what to write."""

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
    **_nothing("max_budget budget_duration priority fallbacks tag_regex"),
    **_nothing(
        "additional_drop_params merge_reasoning_content_in_choices use_in_pass_through use_litellm_proxy "
        "litellm_trace_id configurable_clientside_auth_params ssl_verify cache no-log "
        "supports_system_message "
        "hf_model_name custom_prompt_dict roles initial_prompt_value final_prompt_value bos_token eos_token "
        "cache_control_injection_points guardrails prompt_id prompt_variables region_name "
        "max_file_size_mb default_api_key_rpm_limit default_api_key_tpm_limit use_chat_completions_api "
        "tag_budget litellm_session_id mock_timeout mock_testing_fallbacks mode fastest_response "
        "preset_cache_key enable_json_schema_validation disable_add_transform_inline_image_block "
        "auto_router_config auto_router_config_path auto_router_default_model auto_router_embedding_model "
        "vertex_ai_beta s3_bucket_name gcs_bucket_name complexity_router_config keepalive_timeout"
    ),
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
        "created_at updated_at created_by updated_by version tpm rpm output_vector_size",
    ),
}


def is_model_fact(name: str) -> bool:
    """Tell whether a key of model_info says what a model can do."""
    return name.startswith("supports_") or name in MODEL_INFO
