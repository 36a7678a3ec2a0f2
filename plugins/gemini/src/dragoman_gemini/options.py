"""Options of a request: how long, how thoughtful, in which form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman_gemini.models import Model
    from dragoman_gemini.notes import Notes

__all__ = ["OWN_BODY", "OWN_GENERATION", "generation_config"]

Body = dict[str, Any]

_SAMPLING = {
    "max_output_tokens": "maxOutputTokens",
    "temperature": "temperature",
    "top_p": "topP",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
OWN_GENERATION = {
    "top_k": "topK",
    "seed": "seed",
    "stop_sequences": "stopSequences",
    "response_modalities": "responseModalities",
    "speech_config": "speechConfig",
    "image_config": "imageConfig",
    "media_resolution": "mediaResolution",
    "thinking_config": "thinkingConfig",
}
"""Parameters that only Gemini has, and their places in ``generationConfig``."""
OWN_BODY = {
    "safety_settings": "safetySettings",
    "cached_content": "cachedContent",
    "labels": "labels",
    "model_armor_config": "modelArmorConfig",
}
"""The same, for the body."""
_BUDGETS = {
    "none": 0,
    "minimal": 512,
    "low": 1_024,
    "medium": 8_192,
    "high": 24_576,
    "xhigh": 32_768,
    "max": 32_768,
}
_EFFORTS = tuple(_BUDGETS)


def generation_config(request: Mapping[str, Any], model: Model, notes: Notes) -> Body:
    """Return ``generationConfig``.

    Raises:
        BadRequestError: an effort that does not exist.
    """
    config: Body = {wire: request[name] for name, wire in _SAMPLING.items() if request.get(name) is not None}
    reasoning = request.get("reasoning") or {}
    own = request.get("thinking_config")
    if isinstance(own, dict) and own.keys() & {"thinkingBudget", "thinkingLevel"}:
        reasoning = {**reasoning, "effort": None}  # Google refuses a level beside a budget
    if thinking := _thinking(reasoning, model, notes):
        config["thinkingConfig"] = thinking
    form = (request.get("text") or {}).get("format") or {"type": "text"}
    if form["type"] != "text":
        config["responseMimeType"] = "application/json"
    if form["type"] == "json_schema":
        config["responseJsonSchema"] = form["schema"]
    wanted = request.get("top_logprobs")
    if wanted or "message.output_text.logprobs" in (request.get("include") or ()):
        config["responseLogprobs"] = True
        if wanted:
            config["logprobs"] = wanted
    if stop := request.get("stop"):
        config["stopSequences"] = [stop] if isinstance(stop, str) else stop
    for name, wire in OWN_GENERATION.items():
        if request.get(name) is not None:
            own = request[name]
            if isinstance(own, dict):
                own = {**config.get(wire, {}), **own}
            elif isinstance(own, list):
                own = [*config.get(wire, []), *own]
            config[wire] = own
    return config


def _thinking(reasoning: Mapping[str, Any], model: Model, notes: Notes) -> Body:
    effort = reasoning.get("effort")
    summary = reasoning.get("summary") or reasoning.get("generate_summary")
    if effort is not None and effort not in _EFFORTS:
        raise BadRequestError(
            f"reasoning.effort must be one of {', '.join(_EFFORTS)}", param="reasoning.effort"
        )
    if model.thinking == "none":
        if effort not in {None, "none"}:
            notes.warn("this model does not think; reasoning was left out", "reasoning.effort")
        return {}
    thinking: Body = {"includeThoughts": True} if summary else {}
    if effort is None:
        return thinking
    if model.thinking == "level":
        return thinking | {"thinkingLevel": _level(effort, model, notes)}
    return thinking | {"thinkingBudget": _budget(effort, model, notes)}


def _level(effort: str, model: Model, notes: Notes) -> str:
    """Return the model's level that is nearest: the next one up, or its highest."""
    place = _EFFORTS.index(effort)
    level = next((level for level in model.levels if _EFFORTS.index(level) >= place), model.levels[-1])
    if level != effort:
        notes.warn(f"this model has no effort {effort!r}; {level!r} was sent", "reasoning.effort")
    return level


def _budget(effort: str, model: Model, notes: Notes) -> int:
    if effort == "none" and not model.always_thinks:
        return 0
    if effort == "none":
        notes.warn("this model always thinks; its smallest budget was sent", "reasoning.effort")
    return max(model.least_budget, min(_BUDGETS[effort], model.most_budget))
