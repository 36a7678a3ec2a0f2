"""Parts of an answer, written to the output: one method for each kind, whole and streamed alike.

Neighbouring pieces of text are one text, so a stream and a whole answer cannot disagree. What must come back
unchanged (signatures, ids, the results of Google's own tools) is sealed into the item that it belongs to.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dragoman.sealing import seal
from dragoman_gemini.arguments import PartialArguments
from dragoman_gemini.hosted import call_fields, call_type, response_fields, stage_of
from dragoman_gemini.signatures import Signed

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.output import ItemWriter, Output

__all__ = ["Parts", "TextRun"]

Part = dict[str, Any]


class TextRun(Signed):
    """A message of the answer: its text so far."""

    def __init__(self, writer: ItemWriter, key: tuple[str, int]) -> None:
        """Begin with no text."""
        super().__init__()
        self.writer = writer
        self.key = key
        self.pieces: list[str] = []
        self.open = True


class _Waiting:
    """A call that Google carries out, before its result."""

    def __init__(self, writer: ItemWriter, kind: str, part: Part, queries: list[str] | None) -> None:
        self.writer = writer
        self.queries = queries  # None: no search
        self.kind = kind
        self.part = part

    def answered_by(self, kind: str, result: Part) -> bool:
        call = self.part[self.kind]
        return _RESULT_OF[self.kind] == kind and call.get("id") == result.get("id")


_RESULT_OF = {"executableCode": "codeExecutionResult", "toolCall": "toolResponse"}


class Parts:
    """The parts of one answer."""

    def __init__(self, output: Output, provider: str) -> None:
        """Write to `output`; what must come back verbatim is sealed for `provider`."""
        self.output = output
        self.provider = provider
        self.texts: list[TextRun] = []
        """All messages so far, for the citations that come behind them."""
        self.called: set[str] = set()
        """The kinds of hosted items that calls of their own have opened."""
        self.searches: list[tuple[ItemWriter, list[str]]] = []
        """Searches that the model has shown, and their queries: what they found is told at the end."""
        self._text: TextRun | None = None
        self._thought: Signed | None = None
        self._waiting: _Waiting | None = None
        self._call: tuple[ItemWriter, PartialArguments] | None = None

    def add(self, part: Any) -> None:
        """Write one part; an empty one says nothing."""
        if not isinstance(part, dict) or not part:
            return
        kind = next((kind for kind in _KINDS if isinstance(part.get(kind), dict)), None)
        if kind is not None:
            _KINDS[kind](self, part)
        elif isinstance(part.get("text"), str) or part.keys() <= {"thought", "thoughtSignature"}:
            self._write_text(part)
        else:
            self._opaque(part)

    def logprobs(self, tokens: list[dict[str, Any]]) -> None:
        """Attach log probabilities to the text that was written last."""
        if tokens and self.texts and self.texts[-1].open:
            self.output.text("", self.texts[-1].key, logprobs=tokens)

    def finish(self, *, whole: bool) -> None:
        """Say that the model has stopped: if of its own will, a call whose end was never told is `whole`."""
        if whole:
            self._end_call()
        elif self._call is not None:
            # Left open, and its JSON without an end: nobody shall run it.
            writer, arguments = self._call
            self._call = None
            writer.write(json.dumps(arguments.value, ensure_ascii=False)[:-1])

    def seal(self, state: Any) -> str:
        """Return `state` as only this provider reads it."""
        return seal(self.provider, state)

    def end_runs(self) -> None:
        """End what only neighbours continue: something else is about to be written."""
        self._text = None
        if self._thought is not None:
            self._thought = None
            self.output.close("thought")
        if self._waiting is not None:
            self._end_hosted(self._waiting)
            self._waiting = None
        self._end_call()

    # ---- text and thoughts ----------------------------------------------------------------------------

    def _write_text(self, part: Part) -> None:
        text, signature = part.get("text") or "", part.get("thoughtSignature")
        if not text and not signature:
            return
        if part.get("thought") and "text" in part:
            self._write_thought(text, signature)
        elif text or (self._text is not None and "text" in part):
            self._write_answer(text, signature)
        else:  # an empty part that carries a signature
            self.end_runs()
            sealed = self.seal({"parts": [part]})
            self.output.item({"type": "reasoning", "summary": [], "encrypted_content": sealed})

    def _write_answer(self, text: str, signature: Any) -> None:
        run = self._text
        if run is None:
            self.end_runs()
            key = ("text", len(self.texts))
            message = {"type": "message", "role": "assistant", "content": []}
            run = self._text = TextRun(self.output.open_item(message, key), key)
            self.texts.append(run)
        self.output.text(text, run.key)
        run.pieces.append(text)
        if run.add(text, signature):
            run.writer.update(encrypted_content=self.seal({"signed": run.spans}))

    def _write_thought(self, text: str, signature: Any) -> None:
        run = self._thought
        if run is None:
            self.end_runs()
            run = self._thought = Signed()
            self.output.open_item({"type": "reasoning", "summary": []}, "thought")
        run.add(text, signature)
        self.output.encrypted_reasoning(self.seal({"signed": run.spans}), "thought")
        self.output.reasoning_summary(text, "thought")

    # ---- calls of the caller's functions --------------------------------------------------------------

    def _function_call(self, part: Part) -> None:
        call = part["functionCall"]
        if "name" not in call:
            if self._call is not None:
                self._call[1].add(call.get("partialArgs"))
                if not call.get("willContinue"):
                    self._end_call()
            return
        if self._thought is not None and part.get("thoughtSignature"):
            # With the thought as well: many clients keep of a call only the fields that they know.
            state = {"signed": self._thought.spans, "call": part["thoughtSignature"]}
            self.output.encrypted_reasoning(self.seal(state), "thought")
        self.end_runs()
        self._close_texts()
        kept: dict[str, Any] = {name: value for name, value in part.items() if name != "functionCall"}
        own = {name: value for name, value in call.items() if name not in _CALL_FIELDS}
        if own:
            kept["functionCall"] = own
        sealed = {"encrypted_content": self.seal({"part": kept})} if kept else {}
        writer = self.output.function_call(call.get("id"), str(call["name"]), "call", **sealed)
        arguments = PartialArguments()
        arguments.value.update(call["args"] if isinstance(call.get("args"), dict) else {})
        arguments.add(call.get("partialArgs"))
        self._call = (writer, arguments)
        if not call.get("willContinue"):
            self._end_call()

    def _end_call(self) -> None:
        if self._call is not None:
            writer, arguments = self._call
            self._call = None
            writer.write(json.dumps(arguments.value, ensure_ascii=False))
            writer.close()

    def _close_texts(self) -> None:
        """Close what was said before a call: who runs it wants the items in their order."""
        for run in self.texts:
            if run.open:
                run.open = False
                run.writer.close()

    # ---- what Google carries out ----------------------------------------------------------------------

    def _hosted_call(self, part: Part) -> None:
        kind = "executableCode" if isinstance(part.get("executableCode"), dict) else "toolCall"
        self.end_runs()
        call = part[kind]
        type_ = call_type(kind, call, self.provider)
        self.called.add(type_)
        sealed = self.seal({"parts": [part]})
        item = {"type": type_, **call_fields(kind, call), "encrypted_content": sealed}
        writer = self.output.open_item(item, object())  # a key of its own: a search stays open beside others
        if stage := stage_of(type_):
            writer.announce(stage)
        self._waiting = _Waiting(writer, kind, part, item.get("action", {}).get("queries"))

    def _hosted_result(self, part: Part) -> None:
        code = isinstance(part.get("codeExecutionResult"), dict)
        kind = "codeExecutionResult" if code else "toolResponse"
        result = part[kind]
        waiting = self._waiting
        if waiting is None or not waiting.answered_by(kind, result):
            self._opaque(part)
            return
        self._waiting = None
        sealed = self.seal({"parts": [waiting.part, part]})
        self._end_hosted(waiting, **response_fields(kind, result), encrypted_content=sealed)

    def _end_hosted(self, waiting: _Waiting, **fields: Any) -> None:
        if waiting.queries is None:
            waiting.writer.close(**fields)
        else:
            waiting.writer.update(**fields)
            self.searches.append((waiting.writer, waiting.queries))

    def _media(self, part: Part) -> None:
        blob = part["inlineData"]
        media_type = str(blob.get("mimeType") or "")
        if not media_type.startswith("image/") or part.get("thought"):
            self._opaque(part)
            return
        self.end_runs()
        rest = {name: value for name, value in blob.items() if name != "data"}
        self.output.item(
            {
                "type": "image_generation_call",
                "result": blob.get("data") or "",
                "output_format": media_type.removeprefix("image/"),
                "encrypted_content": self.seal({"part": {**part, "inlineData": rest}}),
            }
        )

    def _opaque(self, part: Part) -> None:
        """Write a part that has no counterpart, or one from the future: kept as it is."""
        self.end_runs()
        kind = next((name for name in part if name not in {"thought", "thoughtSignature"}), "part")
        sealed = self.seal({"whole": True})
        self.output.item({"type": f"{self.provider}:{kind}", "part": part, "encrypted_content": sealed})


_CALL_FIELDS = frozenset({"name", "args", "partialArgs", "willContinue"})
_KINDS: dict[str, Callable[[Parts, Part], None]] = {
    "functionCall": Parts._function_call,
    "executableCode": Parts._hosted_call,
    "codeExecutionResult": Parts._hosted_result,
    "toolCall": Parts._hosted_call,
    "toolResponse": Parts._hosted_result,
    "inlineData": Parts._media,
}
