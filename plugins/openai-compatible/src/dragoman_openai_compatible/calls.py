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
        self._by_index: dict[int | str | None, _Call] = {}

    def __len__(self) -> int:
        """Return how many calls there are so far."""
        return len(self._all)

    @property
    def whole(self) -> bool:
        """Whether every call is there to its end (one without arguments is)."""
        return all(call.whole or not "".join(call.arguments).strip() for call in self._all)

    def take(self, entry: Any, *, whole: bool) -> None:
        """Write an entry of ``tool_calls``: a call that is whole, or a piece of one.

        What calls no function is from the future: nobody has asked for it.
        """
        function = entry.get("function") if isinstance(entry, dict) else None
        if not isinstance(function, dict):
            return
        name, id_ = _text(function.get("name")), _text(entry.get("id"))
        index = entry.get("index")
        index = index if isinstance(index, int | str) else None
        call = self._new() if whole else self._call(index, id_, name, function.get("arguments"))
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

    def finish(self) -> None:
        """Announce what never got a name."""
        for call in self._all:
            if call.writer is None:
                self._announce(call)

    def _call(self, index: int | str | None, id_: str, name: str, arguments: Any) -> _Call:
        """Return the call that an entry belongs to.

        Some servers leave out the number, or give every call the number 0; some repeat id and name on each
        piece. Another id with a name is another call; without ids, so is a name with arguments of its own
        behind arguments that are finished.
        """
        known = self._by_index.get(index)
        if known is None and index is None:
            known = next((call for call in reversed(self._all) if id_ and call.id == id_), None)
            if known is None and not id_ and not name and self._all:
                known = self._all[-1]
        if known is not None and name:
            other_id = bool(id_ and known.id and id_ != known.id)
            if other_id or (not id_ and known.whole and (arguments or name != known.name)):
                known = None
        known = self._by_index[index] = known or self._new()
        return known

    def _new(self) -> _Call:
        call = _Call(("call", len(self._all)))
        self._all.append(call)
        return call

    def _announce(self, call: _Call) -> None:
        fields = {"encrypted_content": seal(self._provider, call.extra)} if call.extra else {}
        call.writer = self._output.function_call(call.id or None, call.name, call.key, **fields)
        call.writer.write("".join(call.arguments))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)
