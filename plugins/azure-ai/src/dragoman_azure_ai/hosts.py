"""Models behind Chat Completions, as the hosts that ``dragoman_openai_compatible`` translates for."""

from __future__ import annotations

import re
from dataclasses import replace

from dragoman_openai_compatible import Host

__all__ = ["ANY_MODEL", "host_for"]

ANY_MODEL = Host(
    name="azure_ai",
    title="Microsoft Foundry",
    documentation="https://learn.microsoft.com/azure/foundry/foundry-models/concepts/endpoints",
    own="top_k min_p repetition_penalty chat_template_kwargs thinking safe_prompt modalities audio "
    "prediction",
)
"""What Foundry's models have in common; those that lack a parameter say so themselves."""

_REASONS_AT_OPENAI = re.compile(r"(?:^|[-_/])(?:gpt-?5|o[134](?![a-z0-9]))")
_OPENAI = replace(ANY_MODEL, limit="max_completion_tokens", developer_role="developer")


def host_for(model: str) -> Host:
    """Return what the model of this name takes: OpenAI's reasoning models refuse `max_tokens`."""
    return _OPENAI if _REASONS_AT_OPENAI.search(model.lower()) else ANY_MODEL
