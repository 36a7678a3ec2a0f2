"""Reasoning of an answer: written as it comes, and sealed so that it can be given back as it was.

Hosts put it beside the text, as ``reasoning_content`` or ``reasoning``; into ``reasoning_details``, with
signatures and encrypted parts (OpenRouter); or among the parts of the content (Mistral).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.sealing import seal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.output import Output

__all__ = ["Reasoning"]

_FIELDS = ("reasoning_content", "reasoning")
_GROWING = ("text", "summary")


class Reasoning:
    """The reasoning of one answer, from delta to delta."""

    def __init__(self, output: Output, provider: str) -> None:
        """Write to `output`, and seal for `provider`."""
        self._output = output
        self._provider = provider
        self._state: dict[str, Any] = {}
        self._written = False
        self._late = False

    def take(self, delta: Mapping[str, Any], *, whole: bool) -> None:
        """Write what a message says of reasoning, or a delta, whose details may go on with earlier ones."""
        details = delta.get("reasoning_details")
        shown = False
        for detail in details if isinstance(details, list) else ():
            if isinstance(detail, dict):
                shown = self._detail(detail, grows=not whole) or shown
        for field in _FIELDS:
            text = delta.get(field)
            if isinstance(text, str) and text and not shown:
                self.write(text, field)
                shown = True  # vLLM says the same under both names
        if isinstance(delta.get("extra_content"), dict):  # Gemini's signatures
            self._state["extra_content"] = delta["extra_content"]

    def write(self, text: str, field: str) -> None:
        """Write raw reasoning; `field` is where it goes when it is given back."""
        if text:
            if "details" not in self._state:
                self._state["field"] = field
            self._written = True
            self._output.reasoning_text(text)

    def end(self) -> None:
        """Seal what came: something else follows, or nothing."""
        if self._state:
            if self._late:
                self._state["late"] = True  # it came behind text, but belongs to the same message
            sealed = seal(self._provider, self._state)
            if self._written:
                self._output.encrypted_reasoning(sealed)
                self._output.close()
            else:
                self._output.item({"type": "reasoning", "summary": [], "encrypted_content": sealed})
        self._state, self._written, self._late = {}, False, True

    def _detail(self, detail: dict[str, Any], *, grows: bool) -> bool:
        """Keep an entry of ``reasoning_details``; streamed ones come in pieces. True where it shows words."""
        self._state.pop("field", None)
        details = self._state.setdefault("details", [])
        last = details[-1] if details else {}
        if (
            grows
            and "data" not in detail
            and last.get("type") == detail.get("type")
            and last.get("index") == detail.get("index")
            and detail.get("id") in (None, last.get("id"))
        ):
            for name, value in detail.items():
                joined = name in _GROWING and isinstance(value, str) and isinstance(last.get(name), str)
                if value is not None or name not in last:
                    last[name] = last[name] + value if joined else value
        else:
            details.append(dict(detail))
        text, summary = detail.get("text"), detail.get("summary")
        if isinstance(text, str) and text:
            self._output.reasoning_text(text)
        elif isinstance(summary, str) and summary:
            self._output.reasoning_summary(summary)
        else:
            return False
        self._written = True
        return True
