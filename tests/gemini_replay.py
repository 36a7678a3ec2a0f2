"""Recorded Gemini conversations in the Responses API's words: what a caller would have sent to dragoman.

The reverse of the plugin's job, written for the tests alone. A model's turn is not converted but taken from
the Response that the recorded answer became; one that was never recorded is made an answer first.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.gemini_wire import camel, plain_parts, turns

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

__all__ = ["Replay"]

Part = dict[str, Any]
Item = dict[str, Any]


class Replay:
    """One recorded request, as input items, and the turns that must come out of them."""

    def __init__(
        self,
        request: dict[str, Any],
        answers: list[tuple[list[Part], list[Item]]],
        output_of: Callable[[list[Part]], list[Item]],
        notes: Counter[str],
        *,
        new: bool,
    ) -> None:
        """Convert.

        Args:
            request: the recorded one.
            answers: earlier answers of the conversation: their parts, and the items they became.
            output_of: makes items of a model's turn that was not recorded as an answer.
            notes: counts what could not be compared, and why.
            new: whether the model takes media inside the results of functions.
        """
        self.items: list[Item] = []
        self.expected: list[tuple[str, list[Part]]] = []
        self.system: list[str] = []
        self._notes = notes
        self._new = new
        self._calls: list[tuple[str, Part]] = []
        instruction = camel(request).get("systemInstruction")
        for _, parts in turns(instruction) if instruction else []:
            self.system += [part["text"] for part in parts if part.get("text")]
            self.items += [_message("system", [{"type": "input_text", "text": text}]) for text in self.system]
        for role, parts in turns(request["contents"]):
            if role == "model":
                self._model(plain_parts(parts), answers, output_of)
            else:
                self._user(parts)

    def _model(
        self,
        parts: list[Part],
        answers: list[tuple[list[Part], list[Item]]],
        output_of: Callable[[list[Part]], list[Item]],
    ) -> None:
        found = next((answer for answer in answers if answer[0] == parts), None)
        if found is None:
            marks = _marks(parts)
            found = max(answers, key=lambda answer: len(_marks(answer[0]) & marks), default=None)
            if found is not None and not _marks(found[0]) & marks:
                found = None
            if found is not None:
                self._notes[f"the client changed the answer ({_change(found[0], parts)})"] += 1
        if found is None:
            self._notes["a model's turn that the client wrote"] += 1
            found = (parts, output_of(parts))
        expected, items = found
        self.items += items
        ids = [item["call_id"] for item in items if item["type"] == "function_call"]
        calls = [part["functionCall"] for part in expected if "functionCall" in part]
        self._calls += zip(ids, calls, strict=True)
        if expected:
            self.expected.append(("model", expected))

    def _user(self, parts: list[Part]) -> None:
        results: list[tuple[int, Part, list[Part]]] = []
        rest: list[Part] = []
        for given in parts:
            part = given
            for name in ("videoMetadata", "thought", "mediaResolution"):
                if name in part:
                    self._notes[f"{name} of a user's part"] += 1
                    part = {key: value for key, value in part.items() if key != name}
            if "functionResponse" in part:
                results.append(self._result(part["functionResponse"]))
            elif part and part != {"text": ""}:
                rest.append(self._expressible(part))
        contents = [_part(part) for part in rest]
        if contents:
            self.items.append(_message("user", contents))
        results.sort(key=lambda result: result[0])
        media = [part for _, _, others in results for part in others]
        both = plain_parts([*(result for _, result, _ in results), *media, *rest])
        if both:
            self.expected.append(("user", both))

    def _expressible(self, part: Part) -> Part:
        if "inlineData" in part:
            return {"inlineData": {name: part["inlineData"][name] for name in ("mimeType", "data")}}
        if "fileData" in part and "mimeType" in part["fileData"]:
            self._notes["the media type of a file at an address"] += 1
            return {"fileData": {"fileUri": part["fileData"]["fileUri"]}}
        return part

    def _result(self, result: Part) -> tuple[int, Part, list[Part]]:
        place = next(
            (
                place
                for place, (_, call) in enumerate(self._calls)
                if call["name"] == result["name"] and call.get("id", result.get("id")) == result.get("id")
            ),
            None,
        )
        if place is None:
            named = (n for n, (_, call) in enumerate(self._calls) if call["name"] == result["name"])
            place = next(named, None)
            assert place is not None, f"the result of {result['name']} follows no call of it"
            self._notes["a result whose id the client made up"] += 1
        call_id, call = self._calls[place]
        self._calls[place] = (call_id, {**call, "name": ""})  # answered
        media = [self._expressible(part) for part in result.get("parts") or []]
        output: list[Part] = [{"type": "input_text", "text": json.dumps(result.get("response") or {})}]
        output += [_part(part) for part in media]
        self.items.append({"type": "function_call_output", "call_id": call_id, "output": output})
        expected = {"name": result["name"], "response": result.get("response") or {}}
        if "id" in call:
            expected["id"] = call["id"]
        elif "id" in result:
            self._notes["an id for a call that had none"] += 1
        if media and self._new:
            expected["parts"] = media
        return place, {"functionResponse": expected}, [] if self._new else media


def _message(role: str, content: list[Part]) -> Item:
    return {"type": "message", "role": role, "content": content}


def _part(part: Part) -> Part:
    if "text" in part:
        return {"type": "input_text", "text": part["text"]}
    if "inlineData" in part:
        media_type = part["inlineData"]["mimeType"]
        url = f"data:{media_type};base64,{part['inlineData']['data']}"
        if media_type.startswith("image/"):
            return {"type": "input_image", "image_url": url, "detail": "auto"}
        return {"type": "input_file", "file_data": url}
    return {"type": "input_file", "file_id": part["fileData"]["fileUri"]}


def _marks(parts: list[Part]) -> set[str]:
    """Return what makes a turn recognisable though a client changed it: signatures, calls, texts."""
    found = {_standard(part["thoughtSignature"]) for part in parts if "thoughtSignature" in part}
    found |= {part["text"] for part in parts if part.get("text") and not part.get("thought")}
    found |= {
        json.dumps([part["functionCall"]["name"], part["functionCall"]["args"]], sort_keys=True)
        for part in parts
        if "functionCall" in part
    }
    return found


def _change(answered: list[Part], replayed: list[Part]) -> str:
    mine, theirs = _without_ids(answered), _without_ids(replayed)
    if mine == theirs:
        return "ids of its own for calls, or signatures in base64url"
    missing = [sorted(part) for part in mine if part not in theirs]
    return f"not the same {' with '.join(missing[0])}" if missing else "added parts"


def _without_ids(parts: list[Part]) -> list[Part]:
    found = []
    for given in parts:
        part = dict(given)
        if "functionCall" in part:
            part["functionCall"] = {k: v for k, v in part["functionCall"].items() if k != "id"}
        if "thoughtSignature" in part:
            part["thoughtSignature"] = _standard(part["thoughtSignature"])
        found.append(part)
    return found


def _standard(signature: str) -> str:
    return signature.replace("-", "+").replace("_", "/")
