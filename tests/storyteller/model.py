"""What the storyteller hears and answers, whatever the wire."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman_echo.samples import sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = [
    "SIGNATURE", "STORY", "THOUGHT", "WAIT", "Answer", "Heard", "RefusedError", "Turn", "Wire", "answer",
    "call", "demand", "known", "recited", "words",
]  # fmt: skip

STORY = "Once upon a time there was a unicorn."
THOUGHT = "Let me see."
SIGNATURE = "c2lnbmVk"
"""Comes with every thought that a wire can sign, and must come back with it."""
WAIT = "Wait."
"""Whoever says so is not answered before they leave."""
_NUMBERS = count(1)
_WEATHER = {"city": "Paris"}


class RefusedError(Exception):
    """A request that a provider would answer with 400."""


class Turn(NamedTuple):
    """Something that was said: by "system", "user" or "assistant", or a "call" and its "result"."""

    who: str
    text: str


class Heard(NamedTuple):
    """A request, in no wire any more."""

    turns: list[Turn]
    tools: dict[str, Any]
    """The schema of each function's arguments."""
    schema: dict[str, Any] | None = None
    """The answer must fulfil it."""
    forced: bool = False
    """Whether a function must be called."""
    thinks: bool = False


class Answer(NamedTuple):
    """One turn of the model: a text or a call, after a thought where it was asked to think."""

    input_tokens: int
    text: str = ""
    call: tuple[str, dict[str, Any]] | None = None
    thinks: bool = False
    number: int = 0
    """Makes its ids its own."""

    @property
    def output_tokens(self) -> int:
        return words(self.text)

    @property
    def pieces(self) -> tuple[str, str]:
        """The text as it is streamed."""
        middle = len(self.text) // 2
        return self.text[:middle], self.text[middle:]

    @property
    def arguments(self) -> tuple[str, str]:
        """Those of the call as they are streamed."""
        text = json.dumps(self.call[1]) if self.call else ""
        return text[:4], text[4:]


class Wire(NamedTuple):
    """An API: how it is read and written."""

    hear: Callable[[dict[str, Any]], Heard]
    whole: Callable[[Answer], dict[str, Any]]
    stream: Callable[[Answer], bytes]
    refusal: Callable[[str], dict[str, Any]]
    stream_type: str = "text/event-stream"


def answer(heard: Heard) -> Answer:
    """Return what the model says: a story at first, all that it has heard where there is more.

    It calls a function when it must, or when somebody asks for the weather and there is one; it counts words.
    """
    asked = Answer(words(*(turn.text for turn in heard.turns)), thinks=heard.thinks, number=next(_NUMBERS))
    demand(heard.turns, "there is nothing to answer")
    if heard.forced:
        demand(heard.tools, "a call is demanded, and there is no function")
        name, schema = list(heard.tools.items())[-1]
        return asked._replace(call=(name, sample(schema)))
    if heard.schema is not None:
        return asked._replace(text=json.dumps(sample(heard.schema)))
    said = [turn for turn in heard.turns if turn.who != "system"]
    if said[-1].who == "user" and "weather" in said[-1].text and "get_weather" in heard.tools:
        return asked._replace(call=("get_weather", _WEATHER))
    return asked._replace(text=STORY if heard.turns == said[:1] else recited(heard.turns))


def recited(turns: Iterable[Turn]) -> str:
    """Return what the model says of what it has heard."""
    return json.dumps([f"{turn.who}: {turn.text}" for turn in turns], ensure_ascii=False)


def words(*texts: str) -> int:
    """Count them: a token is a word."""
    return sum(len(text.split()) for text in texts)


def call(name: str, arguments: Any) -> Turn:
    """Return the turn of a call, its arguments parsed or not."""
    if isinstance(arguments, str):
        arguments = json.loads(arguments)
    demand(isinstance(arguments, dict), f"the arguments of {name} are no object")
    return Turn("call", f"{name} {json.dumps(arguments)}")


def demand(fulfilled: object, complaint: str) -> None:
    """Refuse a request that is not as it must be."""
    if not fulfilled:
        raise RefusedError(complaint)


def known(given: dict[str, Any], names: str, where: str) -> None:
    """Refuse fields that the provider does not know."""
    unknown = given.keys() - set(names.split())
    demand(not unknown, f"Unknown parameter: {where}{sorted(unknown)}")
