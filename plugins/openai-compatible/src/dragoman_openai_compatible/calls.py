"""Calls of an answer: entries of ``tool_calls``, whole or in pieces, however carelessly they are numbered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dragoman.sealing import seal

if TYPE_CHECKING:
    from dragoman.output import ItemWriter, Output

__all__ = ["Calls"]


class _Call:
    """One call while its arguments arrive; it is announced when its name is known."""

    def __init__(self, key: tuple[str, int]) -> None:
        self.key = key
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []
        self.extra: dict[str, Any] = {}
        self.writer: ItemWriter | None = None

    @property
    def whole(self) -> bool:
        """Whether the arguments are finished JSON."""
        text = "".join(self.arguments).strip()
        try:
            json.loads(text)
        except ValueError:
            return False
        return True


class Calls:
    """The calls of one answer."""

    def __init__(self, output: Output, provider: str) -> None:
        """Write to `output`; what must come back verbatim is sealed for `provider`."""
        self._output = output
        self._provider = provider
        self._all: list[_Call] = []
        self._by_index: dict[Any, _Call] = {}

    def __len__(self) -> int:
        """Return how many calls there are so far."""
        return len(self._all)

    @property
    def whole(self) -> bool:
        """Whether every call is there to its end (one without arguments is)."""
        return all(call.whole or not "".join(call.arguments).strip() for call in self._all)

    def take(self, entry: Any) -> None:
        """Write an entry of ``tool_calls``; what calls no function is from the future."""
        function = entry.get("function") if isinstance(entry, dict) else None
        if not isinstance(function, dict):
            return
        name, id_ = _text(function.get("name")), _text(entry.get("id"))
        call = self._call(entry.get("index"), id_, name)
        call.id = call.id or id_
        call.name = call.name or name
        if isinstance(entry.get("extra_content"), dict):
            call.extra["extra_content"] = entry["extra_content"]
        arguments = function.get("arguments")
        if isinstance(arguments, dict):
            arguments = json.dumps(arguments, ensure_ascii=False)
        piece = arguments if isinstance(arguments, str) else ""
        call.arguments.append(piece)
        if call.writer is not None:
            call.writer.write(piece)
        elif call.name:
            self._announce(call)

    def take_whole(self, entries: Any) -> None:
        """Write a list of entries that are whole: whatever their numbers, each is a call of its own."""
        for entry in entries if isinstance(entries, list) else ():
            self._by_index.clear()
            if isinstance(entry, dict):
                self.take({**entry, "index": None})

    def finish(self) -> None:
        """Announce what never got a name."""
        for call in self._all:
            if call.writer is None:
                self._announce(call)

    def _call(self, index: Any, id_: str, name: str) -> _Call:
        """Return the call that an entry belongs to.

        Some servers leave out the number, or give every call the number 0; some repeat id and name on each
        piece. Another id with a name, or a name after finished arguments, is another call.
        """
        known = self._by_index.get(index)
        if known is None and index is None:
            known = next((call for call in reversed(self._all) if id_ and call.id == id_), None)
            if known is None and not id_ and not name and self._all:
                known = self._all[-1]
        if known is not None and name:
            other_id = bool(id_ and known.id and id_ != known.id)
            if other_id or (not id_ and known.whole):
                known = None
        if known is None:
            known = _Call(("call", len(self._all)))
            self._all.append(known)
        self._by_index[index] = known
        return known

    def _announce(self, call: _Call) -> None:
        fields = {"encrypted_content": seal(self._provider, call.extra)} if call.extra else {}
        call.writer = self._output.function_call(call.id or None, call.name, call.key, **fields)
        call.writer.write("".join(call.arguments))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
