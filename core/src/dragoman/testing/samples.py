"""Sample values: something to send for every parameter of a request, and every feature inside some of them.

A provider overrides the value of a parameter or feature where this one does not show what it can do::

    samples = {"service_tier": "priority", "tools.acme_search": {"type": "acme_search", "region": "eu"}}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "FUNCTION",
    "GROUPS",
    "SAMPLES",
    "Sample",
    "merged",
    "sample_for",
]

GROUPS = ("include", "reasoning", "text", "tool_choice", "tools")
"""Parameters that a policy table lists by their features."""

_SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
FUNCTION = {
    "type": "function",
    "name": "get_weather",
    "description": "Tells the weather.",
    "parameters": _SCHEMA,
    "strict": True,
}
_CUSTOM = {"type": "custom", "name": "run_code", "description": "Runs code."}

SAMPLES: Mapping[str, Any] = {
    "model": "another-model",
    "input": "Another question",
    "instructions": "Be brief.",
    "previous_response_id": "resp_0123456789",
    "conversation": "conv_0123456789",
    "store": True,
    "stream": True,
    "stream_options": {"include_obfuscation": True},
    "background": True,
    "background_options": {"completion_window": "2h"},
    "parallel_tool_calls": False,
    "max_tool_calls": 3,
    "max_output_tokens": 1234,
    "temperature": 0.25,
    "top_p": 0.75,
    "top_logprobs": 2,
    "truncation": "auto",
    "metadata": {"trace": "a1"},
    "service_tier": "default",
    "prompt": {"id": "pmpt_0123456789"},
    "prompt_cache_key": "chat-1",
    "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
    "prompt_cache_retention": "24h",
    "context_management": [{"type": "compaction", "compact_threshold": 50_000}],
    "moderation": {"policy": {"input": {"mode": "score"}}},
    "access_programs": {"cyber": {}},
    "image": {"context_compression": "auto"},
    "safety_identifier": "user-1",
    "user": "user-1",
    "presence_penalty": 0.5,
    "frequency_penalty": 0.5,
    "client_metadata": {"session": "1"},
    "reasoning.effort": "high",
    "reasoning.summary": "auto",
    "reasoning.generate_summary": "auto",
    "reasoning.context": "all_turns",
    "reasoning.mode": "pro",
    "text.verbosity": "low",
    "text.format.text": {"type": "text"},
    "text.format.json_object": {"type": "json_object"},
    "text.format.json_schema": {"type": "json_schema", "name": "weather", "schema": _SCHEMA, "strict": True},
    "include.reasoning.encrypted_content": "reasoning.encrypted_content",
    "include.message.output_text.logprobs": "message.output_text.logprobs",
    "include.message.input_image.image_url": "message.input_image.image_url",
    "include.web_search_call.action.sources": "web_search_call.action.sources",
    "include.code_interpreter_call.outputs": "code_interpreter_call.outputs",
    "include.file_search_call.results": "file_search_call.results",
    "include.computer_call_output.output.image_url": "computer_call_output.output.image_url",
    "tools.function": FUNCTION,
    "tools.custom": _CUSTOM,
    "tools.namespace": {
        "type": "namespace",
        "name": "crm",
        "description": "Customers.",
        "tools": [FUNCTION],
    },
    "tools.web_search": {"type": "web_search"},
    "tools.web_search_preview": {"type": "web_search_preview"},
    "tools.file_search": {"type": "file_search", "vector_store_ids": ["vs_1"]},
    "tools.code_interpreter": {"type": "code_interpreter", "container": {"type": "auto"}},
    "tools.image_generation": {"type": "image_generation"},
    "tools.mcp": {
        "type": "mcp",
        "server_label": "maps",
        "server_url": "https://maps.example/mcp",
        "require_approval": "never",
    },
    "tools.computer_use_preview": {
        "type": "computer_use_preview",
        "display_width": 800,
        "display_height": 600,
        "environment": "linux",
    },
    "tools.local_shell": {"type": "local_shell"},
    "tools.shell": {"type": "shell"},
    "tools.apply_patch": {"type": "apply_patch"},
    "tools.tool_search": {"type": "tool_search"},
    "tool_choice.auto": "auto",
    "tool_choice.none": "none",
    "tool_choice.required": "required",
    "tool_choice.function": {"type": "function", "name": "get_weather"},
    "tool_choice.custom": {"type": "custom", "name": "run_code"},
    "tool_choice.mcp": {"type": "mcp", "server_label": "maps"},
    "tool_choice.allowed_tools": {
        "type": "allowed_tools",
        "mode": "auto",
        "tools": [{"type": "function", "name": "get_weather"}],
    },
}
"""A value for each parameter, and for each feature inside some of them, by its name in the policy table."""

# What else a request must ask for, lest the feature mean nothing.
_BESIDE: Mapping[str, tuple[str, ...]] = {
    "stream_options": ("stream",),
    "background_options": ("background",),
    "parallel_tool_calls": ("tools.function",),
    "max_tool_calls": ("tools.function", "tools.web_search"),
    "top_logprobs": ("include.message.output_text.logprobs",),
    "reasoning.summary": ("reasoning.effort",),
    "reasoning.generate_summary": ("reasoning.effort",),
    "tool_choice.auto": ("tools.function",),
    "tool_choice.none": ("tools.function",),
    "tool_choice.required": ("tools.function",),
    "tool_choice.function": ("tools.function",),
    "tool_choice.custom": ("tools.custom",),
    "tool_choice.allowed_tools": ("tools.function", "tools.custom"),
}
# What is so without being asked for: a request may look the same with and without it.
_DEFAULTS = frozenset({"tool_choice.auto", "text.format.text"})


class Sample(NamedTuple):
    """A use of one parameter or feature."""

    request: Mapping[str, Any]
    """The parameters that ask for it."""
    param: str
    """What an error or a warning about it must name."""
    beside: tuple[str, ...] = ()
    """Other features that it needs to mean anything."""
    is_default: bool = False
    """Whether it asks for what happens anyway."""


def sample_for(name: str, values: Mapping[str, Any]) -> Sample | None:
    """Return a use of the parameter or feature `name`; None where there is no value to be had.

    Args:
        name: as in the policy table: ``temperature``, ``reasoning.effort``, ``tools.web_search``.
        values: values that come before those of ``SAMPLES``.
    """
    head, _, rest = name.partition(".")
    value = values.get(name, SAMPLES.get(name))
    form = rest.removeprefix("format.")
    if value is None:
        value = {"include": rest, "tools": {"type": rest}, "tool_choice": {"type": rest}}.get(head)
        value = {"type": form} if head == "text" and form != rest else value
    if value is None:
        return None
    beside = _BESIDE.get(name, ())
    if head == "tool_choice" and not beside:
        beside = (f"tools.{rest}",)
    if not rest:
        use = Sample({head: value}, head, beside)
    elif head in {"include", "tools"}:
        use = Sample({head: [value]}, f"{head}[0]", beside)
    elif head == "tool_choice":
        use = Sample({head: value}, head, beside)
    else:
        key = "format" if form != rest else rest
        use = Sample({head: {key: value}}, f"{head}.{key}", beside)
    return use._replace(is_default=name in _DEFAULTS)


def merged(*requests: Mapping[str, Any]) -> dict[str, Any]:
    """Return one request that asks for all of it: lists of tools and the like are joined, objects merged."""
    result: dict[str, Any] = {}
    for request in requests:
        for name, value in request.items():
            known = result.get(name)
            if isinstance(known, list) and isinstance(value, list):
                result[name] = [*known, *(entry for entry in value if entry not in known)]
            elif isinstance(known, dict) and isinstance(value, dict) and name in GROUPS:
                result[name] = {**known, **value}
            else:
                result[name] = value
    return result
