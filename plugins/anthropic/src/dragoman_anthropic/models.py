"""What differs between Claude's generations, in one table. An unknown model is treated as the newest."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Model", "model_named"]

_WITHOUT_XHIGH = ("low", "medium", "high", "max")
_EFFORTS = ("low", "medium", "high", "xhigh", "max")


class Model(NamedTuple):
    """What a generation of models takes."""

    output_limit: int = 128_000
    """The most that ``max_tokens`` may be."""
    default_output: int = 64_000
    """``max_tokens``, which the API demands, where the caller sets no limit."""
    thinking: str = "adaptive"
    """How it is asked to think: "adaptive" (by ``output_config.effort``), "budget" (of tokens), "none"."""
    efforts: tuple[str, ...] = _EFFORTS
    """The values of ``output_config.effort``."""
    structured: bool = True
    """Whether it has ``output_config.format`` and strict tools."""
    inline_system: bool = True
    """Whether messages of the role ``system`` may stand inside the conversation."""
    prefill: bool = False
    """Whether it goes on behind a last turn of the assistant's; from 4.6 on that is refused."""


_OLD = Model(4_096, 4_096, "none", (), structured=False, inline_system=False, prefill=True)
_BUDGET = Model(64_000, 64_000, "budget", (), structured=True, inline_system=False, prefill=True)

# The first pattern found in the model's name decides, wherever the name comes from:
# "claude-opus-4-1-20250805", "claude-opus-4-1@20250805", "anthropic.claude-opus-4-1-20250805-v1:0".
_MODELS: tuple[tuple[re.Pattern[str], Model], ...] = tuple(
    (re.compile(pattern), model)
    for pattern, model in (
        (r"claude-(2|instant)", _OLD),
        (r"claude-3-5", _OLD._replace(output_limit=8_192, default_output=8_192)),
        (r"claude-3-7", _BUDGET._replace(structured=False)),
        (r"claude-3-", _OLD),
        (
            r"opus-4(-[01])?(-2025|@|$)",
            _BUDGET._replace(output_limit=32_000, default_output=32_000, structured=False),
        ),
        (r"sonnet-4(-0)?(-2025|@|$)", _BUDGET._replace(structured=False)),
        (r"(opus|sonnet|haiku)-4-5", _BUDGET),
        (r"sonnet-4-6", Model(output_limit=64_000, efforts=_WITHOUT_XHIGH, inline_system=False)),
        (r"opus-4-6", Model(efforts=_WITHOUT_XHIGH, inline_system=False)),
        (r"opus-4-7", Model(inline_system=False)),
    )
)
_NEWEST = Model()


@lru_cache(maxsize=512)
def model_named(name: str) -> Model:
    """Return what the model of this name takes."""
    name = name.lower().replace(".", "-")
    return next((model for pattern, model in _MODELS if pattern.search(name)), _NEWEST)
