"""What differs between the families of models behind Converse, in one table.

The model's id decides, wherever it stands: in a plain id, behind a region's prefix (``us.``), in the ARN of
an inference profile. A model that is not in the table is sent what Converse itself defines, and nothing of a
family's own.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["Model", "model_named"]

_WITHOUT_XHIGH = ("low", "medium", "high", "max")
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_THREE = ("low", "medium", "high")


class Model(NamedTuple):
    """What a family of models takes, as far as requests differ by it."""

    family: str = ""
    """"claude" and "nova" have fields and tools of their own; "" are all others."""
    thinking: str = "unknown"
    """How it is asked to think; see ``thinking``. "always" and "none" leave no choice."""
    efforts: tuple[str, ...] = ()
    """The levels that it is asked for, the lowest first."""
    output_limit: int = 64_000
    """The most that ``maxTokens`` may be where a budget for thinking is added to it (Claude)."""
    structured: bool = True
    """Whether it has ``outputConfig.textFormat`` and strict tools."""
    demands: tuple[str, ...] = ("any", "tool")
    """The values of ``toolChoice`` that make it call."""
    raw_reasoning: bool = False
    """Whether its reasoning is shown as it is, not summed up."""
    inline_system: bool = False
    """Whether messages of the role ``system`` may stand inside the conversation."""
    counts: bool = False
    """Whether CountTokens knows it."""
    system_tools: bool = False
    """Whether it has ``nova_grounding`` and ``nova_code_interpreter``."""
    prefill: bool = False
    """Whether it goes on behind a last turn of the assistant's: Claude before 4.6."""


_CLAUDE = Model("claude", "adaptive", _EFFORTS, 128_000, inline_system=True, counts=True)
_BUDGET = _CLAUDE._replace(
    thinking="budget", efforts=(), output_limit=64_000, inline_system=False, prefill=True
)
_OLD_CLAUDE = Model("claude", "none", structured=False, prefill=True)
_NOVA = Model("nova", "none", structured=False)
_OPEN = Model(raw_reasoning=True)
_PLAIN = Model(thinking="none", structured=False, demands=())

# The first pattern that is found decides. Dots are hyphens here: ``us-anthropic-claude-opus-4-1-...``.
_MODELS: tuple[tuple[re.Pattern[str], Model], ...] = tuple(
    (re.compile(pattern), model)
    for pattern, model in (
        (r"claude-(v2|v1|instant|2)", _OLD_CLAUDE._replace(demands=())),
        (r"claude-3-5", _OLD_CLAUDE._replace(counts=True)),
        (r"claude-3-7", _BUDGET._replace(structured=False)),
        (r"claude-3-", _OLD_CLAUDE),
        (r"claude-opus-4(-[01])?(-2025|-v|:|$)", _BUDGET._replace(output_limit=32_000, structured=False)),
        (r"claude-sonnet-4(-0)?(-2025|-v|:|$)", _BUDGET._replace(structured=False)),
        (r"claude-(opus|sonnet|haiku)-4-5", _BUDGET),
        (r"claude-(opus|sonnet)-4-6", _CLAUDE._replace(efforts=_WITHOUT_XHIGH, inline_system=False)),
        (r"claude-opus-4-7", _CLAUDE._replace(inline_system=False)),
        (r"claude", _CLAUDE),
        (r"nova-premier", _NOVA._replace(system_tools=True)),
        (r"nova-(micro|lite|pro)", _NOVA),
        (r"nova", _NOVA._replace(thinking="nova", efforts=_THREE, system_tools=True)),
        (r"titan", _PLAIN),
        (r"gpt-oss", _OPEN._replace(thinking="reasoning_effort", efforts=_THREE)),
        (r"openai-gpt", Model(thinking="reasoning.effort", efforts=("none", *_EFFORTS))),
        (r"kimi", _OPEN._replace(thinking="reasoning_effort", efforts=_THREE)),
        (r"qwen", _OPEN._replace(thinking="reasoning_config", efforts=_THREE)),
        (r"deepseek-r1", _PLAIN._replace(thinking="always", raw_reasoning=True)),
        (r"deepseek|minimax|nemotron|glm|gemma|magistral|ministral|mistral-large-3|devstral|voxtral", _OPEN),
        (r"mistral-large|pixtral", _PLAIN._replace(demands=("any",))),
        (r"mistral|mixtral|meta-llama|cohere|ai21|jamba|writer|palmyra", _PLAIN),
    )
)
_UNKNOWN = Model()


def model_named(name: str) -> Model:
    """Return what the model of this name takes; Claude that is newer than this table is like the newest."""
    name = name.lower().replace(".", "-")
    return next((model for pattern, model in _MODELS if pattern.search(name)), _UNKNOWN)
