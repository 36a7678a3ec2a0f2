"""What core and users must know of a host before it is called: made from its row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.hookspecs import ProviderInfo, Setting
from dragoman.parameters import policies
from dragoman_openai.info import PARAMETERS as RESPONSES_PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.parameters import Policy
    from dragoman_openai_compatible.hosts import Host

__all__ = ["NATIVE", "OPTIONAL", "chat_info", "chat_parameters", "responses_info"]

NATIVE = "temperature top_p presence_penalty frequency_penalty parallel_tool_calls user seed stop logit_bias"
"""Parameters of Chat Completions that are taken everywhere (a row's `lacks` names exceptions)."""
OPTIONAL = {
    "service_tier": "this host has no tiers",
    "safety_identifier": "this host does not take it",
    "prompt_cache_key": "this host finds prefixes by their content",
    "prompt_cache_retention": "this host decides itself",
    "prompt_cache_options": "this host decides itself",
    "text.verbosity": "ask for it in the instructions",
}
"""Parameters of OpenAI's that other hosts refuse as unknown; a row's `takes` names those that it takes."""

_SEARCH_TYPES = (
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
)
_SEARCH = {
    "tool": "the host's own search tool",
    "options": "web_search_options",
    "always": "every call searches; filters as search_domain_filter",
}
_EFFORT = {
    "reasoning_effort": "reasoning_effort",
    "reasoning": "reasoning.effort",
    "thinking": "thinking, and reasoning_effort",
}
_NO_SUCH_TOOL = "Chat Completions has no such tool"
_NOT_REPORTED = "Chat Completions does not report it"


def chat_parameters(host: Host) -> dict[str, Policy]:
    """Return the parameter table of a host that speaks Chat Completions."""
    taken = {name for name in host.takes.split() if name != "text.verbosity"}
    mapped = {
        "instructions": "a system message",
        "max_output_tokens": host.limit,
        "top_logprobs": "logprobs, top_logprobs",
        "include.message.output_text.logprobs": "logprobs",
        "tools.function": "tools[].function",
        "tool_choice.auto": "auto",
        "tool_choice.none": "none",
        "tool_choice.required": host.forced_choice,
        "tool_choice.function": "function",
        "reasoning.effort": _EFFORT[host.effort],
    }
    emulated = {
        "reasoning.summary": "reasoning is shown as the host gives it",
        "reasoning.generate_summary": "reasoning is shown as the host gives it",
    }
    if "text.verbosity" in host.takes:
        mapped["text.verbosity"] = "verbosity"
    by_level = mapped if host.structured == "json_schema" else emulated
    by_level["text.format.json_schema"] = (
        "response_format"
        if host.structured == "json_schema"
        else "response_format json_object, the schema told in words"
    )
    mapped["text.format.json_object"] = "response_format"
    rejected = {
        "moderation": "moderation is OpenAI's",
        "access_programs": "there are none",
        "max_tool_calls": "the host calls no tools of its own",
        "context_management": "Chat Completions does not compact",
        **{
            f"tools.{name}": _NO_SUCH_TOOL
            for name in ("file_search", "code_interpreter", "image_generation", "mcp", "tool_search")
        },
        **{
            f"tools.{name}": _NO_SUCH_TOOL
            for name in ("computer", "computer_use_preview", "local_shell", "shell", "apply_patch")
        },
    }
    for name in _SEARCH_TYPES:
        if host.web_search == "always":
            emulated[f"tools.{name}"] = _SEARCH["always"]
        elif host.web_search:
            mapped[f"tools.{name}"] = _SEARCH[host.web_search]
        else:
            rejected[f"tools.{name}"] = "this host does not search the web"
    if host.web_search:
        emulated["include.web_search_call.action.sources"] = "always included, as annotations"
        rejected["max_tool_calls"] = "searches are not counted here"
    own_tools = " tools.*" if host.tool_prefix else ""
    return policies(
        native=" ".join([*(name for name in NATIVE.split() if name not in host.lacks), *sorted(taken)])
        + f" {host.own}{own_tools}",
        mapped=mapped,
        emulated=emulated,
        warned={
            **{name: why for name, why in OPTIONAL.items() if name not in host.takes.split()},
            **host.lacks,
            "reasoning.context": "what is sent back is kept",
            "reasoning.mode": "there is one mode",
            "truncation": "too long an input is the host's to judge",
            "image": "images are sent as they are",
            **{
                f"include.{name}": _NOT_REPORTED
                for name in (
                    "web_search_call.results",
                    "file_search_call.results",
                    "code_interpreter_call.outputs",
                    "computer_call_output.output.image_url",
                    *(() if host.web_search else ("web_search_call.action.sources",)),
                )
            },
        },
        rejected=rejected,
    )


def chat_info(host: Host) -> ProviderInfo:
    """Return what is to be known of a host that speaks Chat Completions."""
    return _info(host, "chat", chat_parameters(host))


def responses_info(host: Host) -> ProviderInfo:
    """Return what is to be known of a host that speaks the Responses API."""
    return _info(host, "responses", RESPONSES_PARAMETERS)


def _info(host: Host, wire: str, parameters: Mapping[str, Policy]) -> ProviderInfo:
    return ProviderInfo(
        name=host.name,
        spec_version=1,
        wire=wire,
        documentation=host.documentation,
        models=host.models,
        request_id_headers=("x-request-id", "request-id", "x-groq-request-id", "x-generation-id"),
        settings=(
            Setting(
                name="api_key",
                env=host.key_variables,
                required=host.key_required,
                secret=True,
                description="sent as a bearer token" + ("" if host.key_required else ", if there is one"),
            ),
            Setting(
                name="api_base",
                env=host.base_variables,
                default=host.base,
                required=host.base is None,
                description=f"where /{'responses' if host.native else 'chat/completions'} stands",
            ),
        ),
        parameters=parameters,
    )
