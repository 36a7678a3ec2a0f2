"""Models that break off in the middle of a story, and go on behind the beginning that they are given."""

import json
from typing import Any, NamedTuple

import pytest
from core.tests.toys import Toy

from dragoman import APIError, Dragoman, hookimpl, providers
from dragoman.hookspecs import LocalAnswer
from dragoman.routing import journey
from dragoman.testing.legality import check_events

STORY = "Once upon a time there was  a\nunicorn. It was white."


class Storyteller(Toy):
    """Continues the story where it is given its beginning, and else tells another one after the first.

    What `refuses` a beginning, or `skips` letters behind it, tells the same story when asked for all
    of it. Each attempt breaks off after so many verbs, those that follow do not.
    """

    def __init__(self, cuts, *, width=3, refuses=False, skips=0, prefill=True, thinks=False, more=()):
        super().__init__()
        self.cuts, self.width, self.refuses, self.prefill = list(cuts), width, refuses, prefill
        self.more, self.thinks, self.skips = more, thinks, skips
        self.beginnings = []
        self.told = False  # whether anything of a story was

    @hookimpl
    def supports_prefill(self):
        return self.prefill

    @hookimpl
    def answer_locally(self):
        last = self.requests[-1]["input"][-1]
        beginning = last["content"][0]["text"] if last["role"] == "assistant" else ""
        self.beginnings.append(beginning)
        if beginning and self.refuses:
            return LocalAnswer(status=400, chunks=[b'{"toy": "no prefill here"}'])
        cut = self.cuts.pop(0) if self.cuts else None
        faithful = self.refuses or self.skips
        another = self.told and not beginning and not faithful
        skipped = self.skips if beginning else 0
        story = f"Another one ({len(self.beginnings)})." if another else STORY[len(beginning) + skipped :]
        pieces = [["text", story[at : at + self.width]] for at in range(0, len(story), self.width)]
        self.told = self.told or cut != 0
        usage = ["usage", {"input_tokens": 10, "output_tokens": len(story)}]
        verbs = [usage, *([["reasoning_summary", "Hm."]] if self.thinks else []), *pieces]
        return streamed(*(verbs[: cut + 1] if cut is not None else [*verbs, *self.more, ["finish"]]))


class Told(NamedTuple):
    """What a caller was told."""

    events: list[dict[str, Any]]
    error: APIError | None

    @property
    def response(self):
        return self.events[-1]["response"]

    @property
    def attempts(self):
        return self.response["dragoman"]["attempts"]

    @property
    def texts(self):
        """What was read, and what the last response holds."""
        read = [event["delta"] for event in self.events if event["type"] == "response.output_text.delta"]
        parts = [part for item in self.response["output"] for part in item.get("content", ())]
        return "".join(read), "".join(part["text"] for part in parts)


def streamed(*verbs):
    """Return verbs as a stream, which breaks off where there is no ``["finish"]``."""
    chunks = [b"data: %s\n\n" % json.dumps(verb).encode() for verb in verbs]
    return LocalAnswer(headers={"content-type": "text/event-stream"}, chunks=chunks)


@pytest.fixture
def storyteller():
    """Return the class, for plugins of a test's own."""
    return Storyteller


@pytest.fixture
def tell(monkeypatch):
    """Ask a storyteller, with retries; return what was told."""
    monkeypatch.setattr(providers, "_loaded", dict(providers._loaded))
    monkeypatch.setattr(journey, "_FIRST_WAIT", 0.0)

    def run(teller, *, num_retries=4, **options):
        providers.register_provider(teller)
        events, error = [], None
        with Dragoman(num_retries=num_retries) as client:
            try:
                stream = client.responses.create(model="toy/m", input="Hi", stream=True, **options)
                events.extend(event.model_dump(mode="json", exclude_unset=True) for event in stream)
            except APIError as problem:
                error = problem
        check_events(events)
        return Told(events, error)

    return run
