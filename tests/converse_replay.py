"""Recorded requests to Converse in the Responses API's words: what a caller would have sent to dragoman.

The reverse of the plugin's job, written for the tests alone. A model's turn is not converted but taken from
the Response that the recorded answer became; one that was never recorded is made an answer first.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

from tests.converse_wire import plain_blocks, turns

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable

__all__ = ["Replay"]

Block = dict[str, Any]
Item = dict[str, Any]
Answers = list[tuple[list[Block], list[Item]]]

_MARK = {"cache_control": {"type": "ephemeral"}}
_MEDIA_TYPES = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "txt": "text/plain",
    "md": "text/markdown",
    "html": "text/html",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
_SAMPLING = {
    "maxTokens": "max_output_tokens",
    "temperature": "temperature",
    "topP": "top_p",
    "stopSequences": "stop",
}
_SAME = (
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "guardrailConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
)


class Replay:
    """One recorded request: what a caller would have asked for, and the body that must come out."""

    def __init__(
        self,
        request: dict[str, Any],
        answers: Answers,
        output_of: Callable[[list[Block]], list[Item]],
        notes: Counter[str],
    ) -> None:
        """Convert.

        Args:
            request: the recorded one.
            answers: earlier answers of the conversation: their blocks, and the items they became.
            output_of: makes items of a model's turn that was not recorded as an answer.
            notes: counts what could not be compared, and why.
        """
        self.parameters: dict[str, Any] = {}
        self.items: list[Item] = []
        self.expected: dict[str, Any] = {"messages": []}
        self._notes = notes
        self._answers = answers
        self._output_of = output_of
        self._system(request.get("system") or [])
        for role, blocks in turns(request["messages"]):
            if role == "assistant":
                self._assistant(blocks)
            else:
                self._user(blocks)
        self._tools(request.get("toolConfig") or {})
        self._options(request)

    # ---- what is said -----------------------------------------------------------------------------------

    def _system(self, blocks: list[Block]) -> None:
        blocks = [block for block in blocks if block.get("text", "x").strip()]
        if blocks:
            self.items.append(_message("system", self._parts(blocks)))
            self.expected["system"] = blocks

    def _assistant(self, blocks: list[Block]) -> None:
        found = next((answer for answer in self._answers if answer[0] == blocks), None)
        if found is None:
            marks = _marks(blocks)
            found = next((answer for answer in self._answers if _marks(answer[0]) & marks), None)
            if found is not None:
                self._notes[f"the client changed the answer ({_change(found[0], blocks)})"] += 1
        if found is None:
            self._notes["a model's turn that the client wrote"] += 1
            found = (blocks, self._output_of(blocks))
        expected, items = found
        kept = [block for block in expected if not _is_unsigned(block)]
        if len(kept) != len(expected):
            self._notes["unsigned reasoning is not sent back"] += 1
        self.items += items
        self.expected["messages"].append(("assistant", kept))

    def _user(self, blocks: list[Block]) -> None:
        results: list[Block] = []
        rest: list[Block] = []
        for block in blocks:
            mark_of_results = "cachePoint" in block and results and not rest
            (results if "toolResult" in block or mark_of_results else rest).append(block)
        for block in results:
            if "cachePoint" in block:
                self.items[-1].update(_MARK)
                continue
            result = block["toolResult"]
            item: Item = {
                "type": "function_call_output",
                "call_id": result["toolUseId"],
                "output": self._parts(result["content"]),
            }
            if result.get("status") == "error":
                item["status"] = "incomplete"
            self.items.append(item)
        if rest:
            self.items.append(_message("user", self._parts(rest)))
        if [*results, *rest] != blocks:
            self._notes["results that stood behind other blocks come first"] += 1
        expected = plain_blocks([*results, *rest])
        if any("document" in block for block in expected) and not any("text" in block for block in expected):
            self._notes["a document without text beside it is given some"] += 1
        self.expected["messages"].append(("user", expected))

    def _parts(self, blocks: list[Block]) -> list[Block]:
        parts: list[Block] = []
        for block in blocks:
            if "cachePoint" in block:
                parts[-1].update(_MARK)
            else:
                (kind,) = block
                parts.append(self._part(kind, block[kind]))
        return parts

    def _part(self, kind: str, value: Any) -> Block:
        if kind == "text":
            return {"type": "input_text", "text": value}
        if kind == "json":
            return {"type": "json", "json": value}
        if kind in {"guardContent", "searchResult"}:
            return {"type": {"guardContent": "guard_content", "searchResult": "search_result"}[kind], **value}
        if kind == "document" and "content" in value["source"]:
            return {"type": "document", **value}
        source, format_ = value["source"], value["format"]
        media_type = _MEDIA_TYPES[format_] if kind == "document" else f"{kind}/{format_}"
        if "s3Location" in source:
            part = {"file_id": source["s3Location"]["uri"]}
        else:
            data = source.get("bytes") or base64.b64encode(source["text"].encode()).decode()
            part = {"file_data": f"data:{media_type};base64,{data}"}
        if kind == "image":
            url = part.pop("file_data", None)
            return {"type": "input_image", "detail": "auto", **({"image_url": url} if url else part)}
        extra = {name: value[name] for name in ("context", "citations") if name in value}
        name = f"{value['name']}.{format_}" if kind == "document" else f"film.{format_}"
        return {"type": "input_file", "filename": name, **part, **extra}

    # ---- what is asked for --------------------------------------------------------------------------------

    def _tools(self, config: dict[str, Any]) -> None:
        tools: list[Block] = []
        for tool in config.get("tools") or []:
            if "cachePoint" in tool:
                tools[-1].update(_MARK)
            elif "systemTool" in tool:
                tools.append({"type": "system_tool", "name": tool["systemTool"]["name"]})
            else:
                spec = tool["toolSpec"]
                parameters = spec["inputSchema"]["json"]
                kept = {name: spec[name] for name in ("description", "strict") if spec.get(name) is not None}
                tools.append({"type": "function", "name": spec["name"], "parameters": parameters, **kept})
        if tools:
            self.parameters["tools"] = tools
            self.expected["toolConfig"] = config
        choice = config.get("toolChoice") or {}
        if "any" in choice:
            self.parameters["tool_choice"] = "required"
        elif "tool" in choice:
            self.parameters["tool_choice"] = {"type": "function", "name": choice["tool"]["name"]}

    def _options(self, request: dict[str, Any]) -> None:
        config = request.get("inferenceConfig") or {}
        self.parameters |= {_SAMPLING[name]: value for name, value in config.items()}
        if config:
            self.expected["inferenceConfig"] = config
        for name in _SAME:
            if request.get(name):
                self.parameters[name] = self.expected[name] = request[name]
        if tier := request.get("serviceTier"):
            self.parameters["service_tier"] = tier["type"]
            self.expected["serviceTier"] = tier
        if "outputConfig" in request:
            given = request["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
            form = {**given, "type": "json_schema", "schema": json.loads(given["schema"])}
            self.parameters["text"] = {"format": {"name": "response", **form}}
            self.expected["outputConfig"] = request["outputConfig"]


def _message(role: str, content: list[Block]) -> Item:
    return {"type": "message", "role": role, "content": content}


def _is_unsigned(block: Block) -> bool:
    reasoning = block.get("reasoningContent") or {}
    return "reasoningText" in reasoning and not reasoning["reasoningText"].get("signature")


def _marks(blocks: list[Block]) -> set[str]:
    """Return what makes a turn recognisable though a client changed it: ids, texts, signatures."""
    found = {block["text"] for block in blocks if "text" in block}
    found |= {block["toolUse"]["toolUseId"] for block in blocks if "toolUse" in block}
    return found | {json.dumps(block) for block in blocks if "citationsContent" in block}


def _change(answered: list[Block], replayed: list[Block]) -> str:
    missing = [sorted(block) for block in answered if block not in replayed]
    return f"not the same {missing[0][0]}" if missing else "added blocks"
