"""What core and users know of echo before it is called."""

from __future__ import annotations

from dragoman.hookspecs import ProviderInfo
from dragoman.parameters import policies

__all__ = ["INFO"]

_HOSTED = "offered; called only where a script has it as an item"
_NO_SAMPLING = "nothing is drawn at random"
_NO_CACHE = "nothing is cached"
_NOBODY = "nothing leaves this process"

INFO = ProviderInfo(
    name="echo",
    spec_version=1,
    wire="echo",
    documentation="the README of dragoman-echo",
    models=("echo",),
    parameters=policies(
        native="instructions tools.function tool_choice.auto tool_choice.required tool_choice.function "
        "text.format.json_object text.format.json_schema max_output_tokens "
        "reasoning.effort top_logprobs include.message.output_text.logprobs",
        mapped={"tool_choice.custom": "the function that stands for the tool"},
        emulated={
            "tool_choice.none": "echo calls only what it must",
            "parallel_tool_calls": "one call a turn, unless a script has more",
            "max_tool_calls": "limits hosted tools, which only scripts call",
            "reasoning.summary": "one sentence, whatever is asked for",
            "reasoning.generate_summary": "one sentence, whatever is asked for",
            "truncation": "there is no limit to truncate at",
            "tools.web_search": _HOSTED,
            "tools.web_search_preview": _HOSTED,
            "tools.file_search": _HOSTED,
            "tools.code_interpreter": _HOSTED,
            "tools.image_generation": _HOSTED,
            "tools.mcp": _HOSTED,
        },
        warned={
            "reasoning.context": "all turns are read alike",
            "reasoning.mode": "there is one mode",
            "text.verbosity": "the answer is as long as the question",
            "temperature": _NO_SAMPLING,
            "top_p": _NO_SAMPLING,
            "presence_penalty": _NO_SAMPLING,
            "frequency_penalty": _NO_SAMPLING,
            "service_tier": "there is one tier",
            "prompt_cache_key": _NO_CACHE,
            "prompt_cache_options": _NO_CACHE,
            "prompt_cache_retention": _NO_CACHE,
            "image": "images are named, not seen",
            "safety_identifier": _NOBODY,
            "user": _NOBODY,
        },
        rejected={
            "moderation": "nothing is moderated",
            "access_programs": "there are none",
        },
    ),
)
