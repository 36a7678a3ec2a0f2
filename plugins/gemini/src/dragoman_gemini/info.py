"""What core and users know of Gemini before it is called: settings and the parameter policy."""

from __future__ import annotations

from dragoman.hookspecs import ProviderInfo, Setting
from dragoman.parameters import Policy, policies
from dragoman_gemini.options import OWN_BODY, OWN_GENERATION

__all__ = ["INFO", "parameters"]

_OWN_PARAMETERS = " ".join([*OWN_GENERATION, *OWN_BODY])
_OWN_TOOLS = (
    "tools.code_execution tools.computer_use tools.enterprise_web_search tools.google_maps "
    "tools.google_search tools.google_search_retrieval tools.retrieval tools.url_context"
)
_NO_SUCH_TOOL = "Gemini has no such tool"
_FUNCTIONS_ALONE = "functions alone can be demanded"
_VERTEX_ALONE = Policy("rejected", "Vertex AI alone has it")


def parameters() -> dict[str, Policy]:
    """Return the policy table of the wire, which is the same wherever Gemini is reached."""
    return policies(
        native=f"temperature {_OWN_PARAMETERS} {_OWN_TOOLS}",
        mapped={
            "instructions": "systemInstruction",
            "max_output_tokens": "maxOutputTokens",
            "top_p": "topP",
            "presence_penalty": "presencePenalty",
            "frequency_penalty": "frequencyPenalty",
            "stop": "stopSequences",
            "top_logprobs": "responseLogprobs, logprobs",
            "include.message.output_text.logprobs": "responseLogprobs",
            "text.format.json_schema": "responseMimeType, responseJsonSchema",
            "text.format.json_object": "responseMimeType",
            "reasoning.effort": "thinkingLevel; Gemini 2.5: thinkingBudget",
            "reasoning.summary": "includeThoughts",
            "reasoning.generate_summary": "includeThoughts",
            "tools.function": "functionDeclarations; strict: mode VALIDATED",
            "tools.web_search": "googleSearch",
            "tools.web_search_2025_08_26": "googleSearch",
            "tools.web_search_preview": "googleSearch",
            "tools.web_search_preview_2025_03_11": "googleSearch",
            "tools.code_interpreter": "codeExecution",
            "tools.file_search": "fileSearch; vector_store_ids are names of file search stores",
            "tools.image_generation": "responseModalities; the model itself must make images",
            "tool_choice.auto": "mode AUTO",
            "tool_choice.none": "mode NONE",
            "tool_choice.required": "mode ANY",
            "tool_choice.function": "mode ANY, allowedFunctionNames",
            "tool_choice.custom": "mode ANY, allowedFunctionNames",
            "service_tier": "standard (default), flex, priority; others are left out with a warning",
        },
        emulated={
            "include.web_search_call.action.sources": "always included",
            "include.code_interpreter_call.outputs": "always included",
        },
        warned={
            "parallel_tool_calls": "Gemini decides how many calls it makes at once",
            "max_tool_calls": "Gemini has no such limit",
            "reasoning.context": "Gemini keeps what is sent back",
            "reasoning.mode": "there is one mode",
            "text.verbosity": "ask for it in the instructions",
            "include.web_search_call.results": "only the sources can be read",
            "include.file_search_call.results": "only what is cited can be read",
            "include.computer_call_output.output.image_url": "input is not returned",
            "truncation": "too long an input is an error",
            "safety_identifier": "Gemini has no field for it",
            "user": "Gemini has no field for it",
            "prompt_cache_key": "prefixes are found by their content",
            "prompt_cache_options": "caching is automatic; see cached_content",
            "prompt_cache_retention": "caching is automatic; see cached_content",
            "image": "images are sent as they are",
        },
        rejected={
            "moderation": "see safety_settings",
            "access_programs": "there are none",
            "tools.mcp": _NO_SUCH_TOOL,
            "tools.tool_search": _NO_SUCH_TOOL,
            "tools.computer": "use Gemini's own computer_use",
            "tools.computer_use_preview": "use Gemini's own computer_use",
            "tools.local_shell": _NO_SUCH_TOOL,
            "tools.shell": "use code_interpreter",
            "tools.apply_patch": _NO_SUCH_TOOL,
            "tools.programmatic_tool_calling": _NO_SUCH_TOOL,
            "tool_choice.mcp": _NO_SUCH_TOOL,
            "tool_choice.web_search": _FUNCTIONS_ALONE,
            "tool_choice.web_search_2025_08_26": _FUNCTIONS_ALONE,
            "tool_choice.web_search_preview": _FUNCTIONS_ALONE,
            "tool_choice.web_search_preview_2025_03_11": _FUNCTIONS_ALONE,
            "tool_choice.file_search": _FUNCTIONS_ALONE,
            "tool_choice.code_interpreter": _FUNCTIONS_ALONE,
            "tool_choice.image_generation": _FUNCTIONS_ALONE,
            "tool_choice.apply_patch": _NO_SUCH_TOOL,
            "tool_choice.shell": _NO_SUCH_TOOL,
        },
    )


INFO = ProviderInfo(
    name="gemini",
    spec_version=1,
    wire="generateContent",
    documentation="https://ai.google.dev/api/generate-content",
    models=(
        "gemini-3.5-flash",
        "gemini-3.1-pro-preview",
        "gemini-3-flash-preview",
        "gemini-2.5-pro",
        "gemini-2.5-flash",
        "gemini-2.5-flash-lite",
        "gemini-2.5-flash-image",
    ),
    request_id_headers=("x-request-id", "x-goog-request-id"),
    settings=(
        Setting(
            name="api_key",
            env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
            secret=True,
            description="sent as x-goog-api-key",
        ),
        Setting(
            name="api_base",
            env=("GEMINI_API_BASE",),
            default="https://generativelanguage.googleapis.com/v1beta",
            description="with the version",
        ),
    ),
    parameters={
        **parameters(),
        "labels": _VERTEX_ALONE,
        "model_armor_config": _VERTEX_ALONE,
        "tools.enterprise_web_search": _VERTEX_ALONE,
        "tools.retrieval": _VERTEX_ALONE,
    },
)
