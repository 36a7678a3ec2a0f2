"""What core and users know of Anthropic before it is called: settings and the parameter policy."""

from __future__ import annotations

from dragoman.hookspecs import ProviderInfo, Setting
from dragoman.parameters import policies

__all__ = ["INFO"]

_OWN_PARAMETERS = (
    "thinking top_k stop_sequences mcp_servers container cache_control output_config betas inference_geo"
)
_SEARCH = "web_search_20250305"
_NO_SUCH_TOOL = "Anthropic has no such tool"
_NOT_REPORTED = "Claude does not report it"

# Of tools.*, Anthropic's own are sent as they are (their types end in the date of a version), others refused.
INFO = ProviderInfo(
    name="anthropic",
    spec_version=1,
    wire="messages",
    documentation="https://docs.claude.com/en/api/messages",
    models=(
        "claude-opus-5",
        "claude-sonnet-5",
        "claude-opus-4-8",
        "claude-opus-4-6",
        "claude-sonnet-4-6",
        "claude-sonnet-4-5",
        "claude-haiku-4-5",
    ),
    request_id_headers=("request-id", "x-request-id"),
    settings=(
        Setting(name="api_key", env=("ANTHROPIC_API_KEY",), secret=True, description="sent as x-api-key"),
        Setting(
            name="auth_token",
            env=("ANTHROPIC_AUTH_TOKEN",),
            secret=True,
            description="sent as a bearer token where there is no api_key",
        ),
        Setting(
            name="api_base",
            env=("ANTHROPIC_API_BASE", "ANTHROPIC_BASE_URL"),
            default="https://api.anthropic.com",
            description="the bare host; /v1 is added",
        ),
    ),
    parameters=policies(
        native=f"temperature top_p {_OWN_PARAMETERS} tools.*",
        mapped={
            "instructions": "system",
            "max_output_tokens": "max_tokens; without it the model's default, which the API demands",
            "tools.function": "tools[].input_schema",
            "tools.web_search": _SEARCH,
            "tools.web_search_2025_08_26": _SEARCH,
            "tools.web_search_preview": _SEARCH,
            "tools.web_search_preview_2025_03_11": _SEARCH,
            "tools.code_interpreter": "code_execution_20250825; its file_ids as container_upload blocks",
            "tools.mcp": 'mcp_servers and mcp_toolset; require_approval must be "never"',
            "tools.tool_search": "tool_search_tool_bm25_20251119",
            "tool_choice.auto": "auto",
            "tool_choice.none": "none",
            "tool_choice.required": "any",
            "tool_choice.function": "tool",
            "tool_choice.custom": "tool",
            "tool_choice.web_search": "tool",
            "tool_choice.web_search_2025_08_26": "tool",
            "tool_choice.web_search_preview": "tool",
            "tool_choice.web_search_preview_2025_03_11": "tool",
            "tool_choice.code_interpreter": "tool",
            "tool_choice.tool_search": "tool",
            "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
            "max_tool_calls": "max_uses of web search and web fetch; a warning where there is neither",
            "reasoning.effort": "output_config.effort and adaptive thinking; before 4.6 a budget of tokens",
            "reasoning.summary": "thinking.display on models that think adaptively, else always shown",
            "reasoning.generate_summary": "as reasoning.summary",
            "service_tier": "auto and default (standard_only); others are left out with a warning",
            "safety_identifier": "metadata.user_id",
            "user": "metadata.user_id",
            "prompt_cache_options": "mode implicit: cache_control of the request; with a ttl: 1h",
            "context_management": "compact_20260112; Anthropic's own edits pass as entries of the list",
            "stop": "stop_sequences",
        },
        emulated={
            "text.format.json_schema": "output_config.format; before 4.5 a tool whose input is the answer",
            "text.format.json_object": "an instruction to answer in JSON alone",
            "include.web_search_call.action.sources": "always included",
            "include.code_interpreter_call.outputs": "always included",
        },
        warned={
            "reasoning.context": "Claude keeps what is sent back",
            "reasoning.mode": "there is one mode",
            "text.verbosity": "ask for it in the instructions",
            "top_logprobs": _NOT_REPORTED,
            "include.message.output_text.logprobs": _NOT_REPORTED,
            "include.web_search_call.results": "only the sources can be read",
            "include.file_search_call.results": _NO_SUCH_TOOL,
            "include.computer_call_output.output.image_url": "input is not returned",
            "presence_penalty": "Claude has none",
            "frequency_penalty": "Claude has none",
            "truncation": "too long an input is an error; see context_management",
            "prompt_cache_key": "prefixes are found by their content",
            "prompt_cache_retention": "use prompt_cache_options or cache_control",
            "image": "images are sent as they are",
        },
        rejected={
            "moderation": "Anthropic has no such service",
            "access_programs": "there are none",
            "tools.file_search": _NO_SUCH_TOOL,
            "tools.image_generation": _NO_SUCH_TOOL,
            "tools.computer": "use Anthropic's own computer_20251124",
            "tools.computer_use_preview": "use Anthropic's own computer_20251124",
            "tools.local_shell": "use Anthropic's own bash_20250124",
            "tools.shell": "use Anthropic's own bash_20250124 or code_interpreter",
            "tools.apply_patch": "use Anthropic's own text_editor_20250728",
            "tools.programmatic_tool_calling": "use code_execution_20260120 and allowed_callers",
            "tool_choice.mcp": "one tool of an MCP server cannot be demanded",
            "tool_choice.file_search": _NO_SUCH_TOOL,
            "tool_choice.image_generation": _NO_SUCH_TOOL,
            "tool_choice.apply_patch": _NO_SUCH_TOOL,
            "tool_choice.shell": _NO_SUCH_TOOL,
        },
    ),
)
