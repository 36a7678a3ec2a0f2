"""The provider behind the plugin: takes a request of echo's wire, answers in bytes.

An answer is a list of blocks. Whole, it is ``{"blocks": [...]}``; streamed, each block is an SSE event named
after its `type`, texts in pieces of a word. ``{"type": "end"}`` is the end mark of both. A refusal is a
status >= 400 with ``{"error": {...}}``. A token is a word.
"""

from __future__ import annotations

import json
import re
from itertools import dropwhile, takewhile
from typing import TYPE_CHECKING, Any

from dragoman.hookspecs import LocalAnswer
from dragoman_echo.samples import sample
from dragoman_echo.scripts import BadScriptError, Block, find_script, read_steps, reasoning_state

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["answer"]

_ENDINGS = frozenset({"error", "cut", "malformed"})
_WORD = re.compile(r"\s*\S+|\s+")  # the joined matches are the text
_NAME = re.compile(r"[\w-]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")  # in a name like getWeather


class _RefusedError(Exception):
    """The request cannot be answered: a 400."""

    def __init__(self, message: str, *, param: str, code: str | None = None) -> None:
        super().__init__(message)
        self.error = {"status": 400, "message": message, "param": param, "code": code}


def answer(asked: dict[str, Any]) -> LocalAnswer:
    """Return the answer to a request (see ``dragoman_echo.requests`` for its fields)."""
    try:
        *blocks, ending = _compose(asked)
    except _RefusedError as refused:
        blocks, ending = [], {"type": "error", "error": refused.error}
    begun = any(block["type"] not in {"start", "pause"} for block in blocks)
    if ending["type"] == "error" and not (begun and asked["stream"]):
        return _refusal(ending["error"], blocks)
    if asked["stream"]:
        return LocalAnswer(
            headers={"content-type": "text/event-stream"},
            chunks=_streamed(blocks, ending, asked.get("logprobs")),
        )
    return LocalAnswer(chunks=[*_pauses(blocks), _whole(blocks, ending, asked.get("logprobs"))])


# ---- what to say ------------------------------------------------------------------------------------


def _compose(asked: dict[str, Any]) -> list[Block]:
    """Return all blocks of the answer, the last being how it ends: `end`, or one of ``_ENDINGS``."""
    _check_states(asked["turns"])
    speaker, text = _heard(asked["turns"])
    tools = {tool["name"]: tool.get("parameters") for tool in asked["tools"]}
    if speaker == "user" and asked.get("may_call"):
        asked = {**asked, "call": _named(text, list(tools))}
    script = None
    try:
        script = find_script(text) if speaker == "user" else None
        blocks = read_steps(_own_steps(asked, text) if script is None else script, tools)
    except BadScriptError as error:
        own = script is None and asked.get("call") is not None  # then only the tool's schema can be wrong
        raise _RefusedError(str(error), param="tools" if own else "input") from None
    _name_calls(blocks, sum(turn["from"] == "call" for turn in asked["turns"]))
    spoken = [asked.get("instructions") or "", *(turn["text"] for turn in asked["turns"])]
    start = {"type": "start", "model": asked["model"], "input_tokens": sum(map(_count, spoken))}
    return [start, *_ended(blocks, start["input_tokens"], asked.get("limit"))]


def _heard(turns: list[dict[str, Any]]) -> tuple[str | None, str]:
    """Return who is to be answered, and what they said: the user's last message, or tools' outputs after it.

    In a conversation without user and tools it is whoever spoke last.
    """
    back = turns[::-1]
    origins = [turn["from"] for turn in back]
    speaker = next((origin for origin in origins if origin in {"user", "tool"}), origins[0] if back else None)
    run = takewhile(
        lambda turn: turn["from"] == speaker, dropwhile(lambda turn: turn["from"] != speaker, back)
    )
    texts = [turn["text"] for turn in run]
    return speaker, "\n".join(reversed(texts)) if speaker == "tool" else "".join(texts[:1])


def _named(text: str, names: list[str]) -> str | None:
    """Return the first function whose name the user says: all of it, or its last word (`weather`)."""
    said = set(_NAME.findall(text.lower()))
    for name in names:
        if {name.lower(), _HUMP.sub("_", name).lower().rpartition("_")[2]} & said:
            return name
    return None


def _own_steps(asked: dict[str, Any], text: str) -> list[dict[str, Any]]:
    """Return the script that echo writes itself where the user gave none."""
    steps: list[dict[str, Any]] = []
    if asked["think"]:
        steps.append({"reasoning": f"The user said {_count(text)} words."})
    if asked.get("call"):
        return [*steps, {"call": asked["call"]}]
    return [*steps, {"text": _formatted(text, asked.get("format") or {})}]


def _formatted(text: str, form: dict[str, Any]) -> str:
    match form.get("type"):
        case "json_object":
            return json.dumps({"echo": text}, ensure_ascii=False)
        case "json_schema":
            try:
                return json.dumps(sample(form["schema"]), ensure_ascii=False)
            except ValueError as error:
                raise _RefusedError(
                    f"nothing fulfils this schema: {error}", param="text.format.schema"
                ) from None
        case _:
            return text


def _check_states(turns: list[dict[str, Any]]) -> None:
    for index, turn in enumerate(turns):
        state = turn.get("state")
        if state is None:
            continue
        if not isinstance(state, dict) or state != reasoning_state(str(state.get("text"))):
            raise _RefusedError(
                f"the reasoning of input[{index}] was changed; send it back as it came, or leave it out",
                param=f"input[{index}].encrypted_content",
                code="invalid_encrypted_content",
            )


def _name_calls(blocks: list[Block], known: int) -> None:
    for number, block in enumerate((block for block in blocks if block["type"] == "call"), known + 1):
        block["id"] = block["id"] or f"call_echo_{number}"


def _ended(blocks: list[Block], input_tokens: int, limit: int | None) -> Iterator[Block]:
    """Yield the blocks until the limit or their own ending, then how the answer ends."""
    usage = {"input_tokens": input_tokens, "cached_tokens": 0, "output_tokens": 0, "reasoning_tokens": 0}
    scripted: dict[str, int] = {}
    reason: str | None = "completed"
    for block in blocks:
        type_, text = block["type"], block.get("text", "")
        if type_ in _ENDINGS:
            yield block
            return
        left = None if limit is None else limit - usage["output_tokens"]
        cut = left is not None and (_count(text) > left or (type_ == "call" and left == 0))
        if cut:
            text = "".join(_WORD.findall(text)[:left])
        usage["output_tokens"] += _count(text)
        if type_ == "reasoning":
            usage["reasoning_tokens"] += _count(text)
        if cut:
            if text:
                yield {**block, "text": text}
            reason = "max_output_tokens"
            break
        yield block
        if type_ == "finish":
            reason = None
        elif type_ == "usage":
            scripted |= block["usage"]
    if reason is not None:
        yield {"type": "finish", "reason": reason}
    yield {"type": "usage", "usage": usage | scripted}
    yield {"type": "end"}


def _count(text: str) -> int:
    return len(text.split())


# ---- how to say it ----------------------------------------------------------------------------------


def _refusal(error: dict[str, Any], blocks: list[Block]) -> LocalAnswer:
    headers = {"content-type": "application/json"}
    if error.get("retry_after") is not None:
        headers["retry-after"] = f"{error['retry_after']:g}"
    told = {name: error.get(name) for name in ("message", "type", "code", "param")}
    return LocalAnswer(
        status=error["status"], headers=headers, chunks=[*_pauses(blocks), _encoded({"error": told})]
    )


def _pauses(blocks: list[Block]) -> list[bytes | float]:
    return [block["seconds"] for block in blocks if block["type"] == "pause"]


def _whole(blocks: list[Block], ending: Block, logprobs: int | None) -> bytes:
    spoken = [_with_logprobs(block, logprobs) for block in (*blocks, ending) if block["type"] != "pause"]
    body = _encoded({"blocks": spoken})
    match ending["type"]:
        case "cut":
            return body[: len(body) // 2]
        case "malformed":
            return body[:-1] + b",]"
        case _:
            return body


def _streamed(blocks: list[Block], ending: Block, logprobs: int | None) -> Iterator[bytes | float]:
    for block in blocks:
        if block["type"] == "pause":
            yield block["seconds"]
            continue
        for piece in _pieces(block):
            yield _event(_with_logprobs(piece, logprobs))
    match ending["type"]:
        case "cut":
            return
        case "malformed":
            yield b'event: text\ndata: {"type": "text", "text\n\n'
        case _:
            yield _event(ending)


def _pieces(block: Block) -> Iterator[Block]:
    if "text" not in block:
        yield block
        return
    for word in _WORD.findall(block["text"]):
        yield {**block, "text": word}


def _with_logprobs(block: Block, candidates: int | None) -> Block:
    """Return a text with the probability of each word: echo is always certain."""
    if candidates is None or block["type"] != "text":
        return block
    tokens: list[dict[str, Any]] = [
        {"token": word, "bytes": list(word.encode(errors="replace")), "logprob": 0.0}
        for word in _WORD.findall(block["text"])
    ]
    return {**block, "logprobs": [{**token, "top_logprobs": [token][:candidates]} for token in tokens]}


def _event(block: Block) -> bytes:
    return f"event: {block['type']}\n".encode() + b"data: " + _encoded(block) + b"\n\n"


def _encoded(value: Any) -> bytes:
    return json.dumps(value).encode()
