"""What core and users must know of a host before it is called: made from its row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.hookspecs import ProviderInfo, Setting
from dragoman.parameters import Policy, policies
from dragoman_openai.info import PARAMETERS as RESPONSES_PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman_openai_compatible.host import Host

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
    "always": "every call searches; filters as search_domain_filter",
}
_EFFORT = {
    "reasoning_effort": "reasoning_effort",
    "reasoning": "reasoning.effort",
    "thinking": "thinking, and reasoning_effort",
}
_NO_SUCH_TOOLS = (
    "file_search", "code_interpreter", "image_generation", "mcp", "tool_search", "computer",
    "computer_use_preview", "local_shell", "shell", "apply_patch",
)  # fmt: skip
_NOT_REPORTED = (
    "web_search_call.results",
    "file_search_call.results",
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
)
_DEMANDS = ("tool_choice.required", "tool_choice.function", "tool_choice.custom")
_WITH_FUNCTIONS = ("tools.function", "tools.custom", "tools.namespace", "tool_choice.allowed_tools")
_SOURCES = "web_search_call.action.sources"


def chat_parameters(host: Host) -> dict[str, Policy]:
    """Return the parameter table of a host that speaks Chat Completions."""
    taken = host.takes.split()
    native = [*NATIVE.split(), *(name for name in taken if name != "text.verbosity"), *host.own.split()]
    if host.tool_prefix:
        native.append("tools.*")
    mapped = {
        "instructions": "a system message",
        "max_output_tokens": host.limit,
        "top_logprobs": "logprobs, top_logprobs",
        "include.message.output_text.logprobs": "logprobs",
        "tools.function": "tools[].function",
        "tool_choice.auto": "auto",
        "reasoning.effort": _EFFORT[host.effort] + (host.efforts and f": the nearest of {host.efforts}"),
        "text.format.json_object": "response_format",
    }
    emulated = {
        "reasoning.summary": "reasoning is shown as the host gives it",
        "reasoning.generate_summary": "reasoning is shown as the host gives it",
    }
    warned = {
        **{name: why for name, why in OPTIONAL.items() if name not in taken},
        "reasoning.context": "what is sent back is kept",
        "reasoning.mode": "there is one mode",
        "truncation": "too long an input is the host's to judge",
        "image": "images are sent as they are",
        **{f"include.{name}": "Chat Completions does not report it" for name in _NOT_REPORTED},
    }
    rejected = {
        "moderation": "moderation is OpenAI's",
        "access_programs": "there are none",
        "max_tool_calls": "the host calls no tools of its own",
        **{f"tools.{name}": "Chat Completions has no such tool" for name in _NO_SUCH_TOOLS},
    }
    if "text.verbosity" in taken:
        mapped["text.verbosity"] = "verbosity"
    if host.structured == "json_schema":
        mapped["text.format.json_schema"] = "response_format"
    else:
        emulated["text.format.json_schema"] = "response_format json_object, the schema told in words"
    if host.forced_choice:
        mapped |= {"tool_choice.none": "none", "tool_choice.function": "function"}
        mapped["tool_choice.required"] = host.forced_choice
    else:
        emulated["tool_choice.none"] = "the tools are not sent"
        rejected |= dict.fromkeys(_DEMANDS, "this host cannot demand a call")
    if not host.functions:
        rejected |= dict.fromkeys(_WITH_FUNCTIONS, "this host calls no functions")
    searches = {f"tools.{name}": _SEARCH.get(host.web_search, "") for name in _SEARCH_TYPES}
    if host.web_search:
        (mapped if host.web_search == "tool" else emulated).update(searches)
        emulated[f"include.{_SOURCES}"] = "always included, as annotations"
        rejected["max_tool_calls"] = "searches are not counted here"
    else:
        warned[f"include.{_SOURCES}"] = "Chat Completions does not report it"
        rejected |= dict.fromkeys(searches, "this host does not search the web")
    return policies(
        native=" ".join(native),
        mapped=mapped,
        emulated=emulated,
        warned={**warned, **host.lacks},
        rejected=rejected,
    )


def chat_info(host: Host) -> ProviderInfo:
    """Return what is to be known of a host that speaks Chat Completions."""
    return _info(host, "chat", chat_parameters(host))


def responses_info(host: Host) -> ProviderInfo:
    """Return what is to be known of a host that speaks the Responses API."""
    lacked = {name: Policy("warned", why) for name, why in host.lacks.items()}
    return _info(host, "responses", {**RESPONSES_PARAMETERS, **lacked})


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
