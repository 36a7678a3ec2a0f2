"""How a model is asked to think: each family has its own fields, in ``additionalModelRequestFields``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dragoman_bedrock.models import Model
    from dragoman_bedrock.notes import Notes

__all__ = ["think"]

Body = dict[str, Any]

_LEAST_BUDGET = 1_024
_BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 32_768, "max": 63_000}
_EFFORTS = ("none", *_BUDGETS)


def think(request: Mapping[str, Any], model: Model, config: Body, notes: Notes) -> None:
    """Carry `reasoning`, or Claude's `thinking`, in the way of the model's family.

    `config` is the request's ``inferenceConfig``, of which thinking may add to or take from.

    Raises:
        BadRequestError: an effort that does not exist.
    """
    if request.get("thinking") is not None:
        notes.add_fields({"thinking": request["thinking"]})
        return
    reasoning = request.get("reasoning") or {}
    effort = reasoning.get("effort")
    summary = reasoning.get("summary") or reasoning.get("generate_summary")
    if effort is not None and effort not in _EFFORTS:
        raise BadRequestError(
            f"reasoning.effort must be one of {', '.join(_EFFORTS)}", param="reasoning.effort"
        )
    if effort is None and not (summary and model.thinking == "adaptive"):
        return
    _THINKING[model.thinking](effort, summary, model, config, notes)


def _adaptive(effort: str | None, summary: Any, model: Model, config: Body, notes: Notes) -> None:  # noqa: ARG001
    if effort == "none":
        notes.add_fields({"thinking": {"type": "disabled"}})
        return
    notes.add_fields({"thinking": {"type": "adaptive", **({"display": "summarized"} if summary else {})}})
    if effort is not None:
        notes.add_fields({"output_config": {"effort": _nearest(effort, model, notes)}})


def _budget(effort: str, summary: Any, model: Model, config: Body, notes: Notes) -> None:  # noqa: ARG001
    """Add a budget of tokens for thinking, on top of the room for the answer, up to the model's limit."""
    if effort == "none":
        return
    budget = _BUDGETS[effort]
    limit = config.get("maxTokens")
    most = model.output_limit
    if limit:
        config["maxTokens"] = most = max(limit, min(limit + budget, model.output_limit))
    room = min(limit or _LEAST_BUDGET, _LEAST_BUDGET)  # the budget must leave some for the answer
    budget = max(_LEAST_BUDGET, min(budget, most - room))
    notes.add_fields({"thinking": {"type": "enabled", "budget_tokens": budget}})


def _nova(effort: str, summary: Any, model: Model, config: Body, notes: Notes) -> None:  # noqa: ARG001
    if effort == "none":
        notes.add_fields({"reasoningConfig": {"type": "disabled"}})
        return
    level = _nearest(effort, model, notes)
    if level == "high" and "maxTokens" in config:
        notes.warn(
            "Nova thinks with effort 'high' only without max_output_tokens; 'medium' was sent",
            "reasoning.effort",
        )
        level = "medium"
    if level == "high":
        for name, wire in (("temperature", "temperature"), ("top_p", "topP")):
            if config.pop(wire, None) is not None:
                notes.warn(f"Nova takes no {name} beside effort 'high'; it was left out", name)
    notes.add_fields({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": level}})


def _flat(name: str) -> Callable[[str, Any, Model, Body, Notes], None]:
    def think(effort: str, summary: Any, model: Model, config: Body, notes: Notes) -> None:  # noqa: ARG001
        if effort == "none" and name == "reasoning_config":
            return  # does not think unless asked
        notes.add_fields({name: _nearest(effort, model, notes)})

    return think


def _nested(effort: str, summary: Any, model: Model, config: Body, notes: Notes) -> None:  # noqa: ARG001
    notes.add_fields({"reasoning": {"effort": _nearest(effort, model, notes)}})


def _no_levels(effort: str, summary: Any, model: Model, config: Body, notes: Notes) -> None:  # noqa: ARG001
    if effort != "none" or model.thinking == "always":
        why = {
            "always": "this model always thinks",
            "none": "this model does not think",
            "unknown": "it is not known how this model is made to think; use additionalModelRequestFields",
        }[model.thinking]
        notes.warn(f"{why}; reasoning.effort was left out", "reasoning.effort")


_THINKING: dict[str, Callable[[Any, Any, Model, Body, Notes], None]] = {
    "adaptive": _adaptive,
    "budget": _budget,
    "nova": _nova,
    "reasoning_effort": _flat("reasoning_effort"),
    "reasoning_config": _flat("reasoning_config"),
    "reasoning.effort": _nested,
    "always": _no_levels,
    "none": _no_levels,
    "unknown": _no_levels,
}


def _nearest(effort: str, model: Model, notes: Notes) -> str:
    """Return the model's level that is nearest: the highest that is not above, or its lowest."""
    place = _EFFORTS.index("low" if effort == "minimal" else effort)
    levels = [level for level in model.efforts if _EFFORTS.index(level) <= place]
    level = levels[-1] if levels else model.efforts[0]
    if effort not in {level, "minimal"}:
        notes.warn(f"this model has no effort {effort!r}; {level!r} was sent", "reasoning.effort")
    return level
