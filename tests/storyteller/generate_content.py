"""generateContent: as many responses as calls, right after them, and each call with its signature."""

from __future__ import annotations

from typing import Any

from tests.storyteller.model import SIGNATURE, THOUGHT, Answer, Heard, Turn, Wire, call, demand, known

from dragoman.testing import sse_stream

__all__ = ["WIRE"]

_PARAMETERS = (
    "model contents systemInstruction tools toolConfig generationConfig safetySettings cachedContent labels"
)


def _hear(body: dict[str, Any]) -> Heard:
    known(body, _PARAMETERS, "")
    config = body.get("generationConfig") or {}
    turns = [Turn("system", part["text"]) for part in (body.get("systemInstruction") or {}).get("parts", ())]
    due: list[str] = []
    for number, content in enumerate(body["contents"]):
        parts = content["parts"]
        results = [part["functionResponse"]["name"] for part in parts if "functionResponse" in part]
        demand(results == due, "the number of function responses is not that of the function calls before")
        calls = [part for part in parts if "functionCall" in part]
        due = [part["functionCall"]["name"] for part in calls]
        demand(
            not calls or calls[0].get("thoughtSignature") == SIGNATURE,
            f"Function call is missing a thought_signature in content block {number}",
        )
        role = {"model": "assistant"}.get(content["role"], content["role"])
        turns += [_turn(part, role) for part in parts if not part.get("thought")]
    demand(not due, f"calls without responses: {due}")
    functions = [tool for given in body.get("tools") or () for tool in given.get("functionDeclarations", ())]
    mode = (body.get("toolConfig") or {}).get("functionCallingConfig", {}).get("mode")
    return Heard(
        turns,
        {tool["name"]: tool.get("parametersJsonSchema") or tool.get("parameters") for tool in functions},
        config.get("responseJsonSchema"),
        mode == "ANY",
        bool(config.get("thinkingConfig", {}).get("includeThoughts")),
    )


def _turn(part: dict[str, Any], role: str) -> Turn:
    if "functionCall" in part:
        return call(part["functionCall"]["name"], part["functionCall"].get("args", {}))
    if "functionResponse" in part:
        return Turn("result", str(part["functionResponse"]["response"]["output"]))
    return Turn(role, part["text"])


def _payload(answer: Answer, parts: list[dict[str, Any]], finish: str | None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": answer.input_tokens,
            "candidatesTokenCount": answer.output_tokens,
            "totalTokenCount": answer.input_tokens + answer.output_tokens,
        },
        "modelVersion": "gemini-3-pro-preview",
        "responseId": "r1",
    }


def _parts(answer: Answer) -> list[dict[str, Any]]:
    thoughts = [{"text": THOUGHT, "thought": True}] if answer.thinks else []
    if answer.call:
        called = {"name": answer.call[0], "args": answer.call[1]}
        return [*thoughts, {"functionCall": called, "thoughtSignature": SIGNATURE}]
    return [*thoughts, *({"text": piece} for piece in answer.pieces)]


def _whole(answer: Answer) -> dict[str, Any]:
    return _payload(answer, _parts(answer), "STOP")


def _stream(answer: Answer) -> bytes:
    *begin, last = ([part] for part in _parts(answer))
    return sse_stream(*(_payload(answer, part, None) for part in begin), _payload(answer, last, "STOP"))


def _refusal(message: str) -> dict[str, Any]:
    return {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}


WIRE = Wire(_hear, _whole, _stream, _refusal)
