"""Checks of the way back: the same answer, however its bytes come."""

from __future__ import annotations

import contextlib
import json
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from dragoman.errors import APIError
from dragoman.models import parse_event
from dragoman.testing.declarations import Declarations, fail_for, sent
from dragoman.testing.legality import check_events
from dragoman.testing.running import Run, normalised, run_async, run_sync
from dragoman.testing.surprises import (
    same_but_surprises,
    with_unknown_blocks,
    with_unknown_events,
    with_unknown_fields,
    with_unknown_fields_in_stream,
)
from dragoman.testing.upstream import FakeUpstream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dragoman.testing.exchanges import Exchange

__all__ = ["AnswerChecks", "said"]

_SPLITS = 5
_LONGEST_BYTEWISE = 20_000


class AnswerChecks(Declarations):
    """Whole or streamed, in one piece or in many, read by sync or async code: one answer."""

    def test_answers_say_what_they_should(self) -> None:
        """Text, calls, reasoning, usage and status of each exchange come out, of its body and of its stream.

        Troubleshooting: what the exchange does not declare must not come out; text without a `key` belongs
        to one message until something else is written.
        """
        problems = []
        for name, form, exchange, run in self._runs():
            if run.error is not None:
                problems.append(f"{name}, {form}: failed: {run.error}")
                continue
            expected = {
                "text": exchange.text,
                "calls": [(called, arguments) for called, arguments in exchange.calls],
                "reasoning": exchange.reasoning,
                "usage": exchange.usage,
                "status": exchange.status,
            }
            found = said(run.response)
            problems += [
                f"{name}, {form}: {what} should be {wanted!r}, is {found[what]!r}"
                for what, wanted in expected.items()
                if found[what] != wanted
            ]
        fail_for(problems, "answers:")

    def test_tokens_are_counted(self) -> None:
        """The upstream's counter is asked about the input, and what it says is understood.

        Troubleshooting: declare ``token_count = (body, number)``, an answer of the counter; for a model that
        has none, translate_token_count returns None.
        """
        counting = self.counting()
        if self.token_count is None:
            with contextlib.suppress(APIError):
                counting.prepare()
                pytest.fail("translate_token_count asks, but no answer is declared: `token_count`")
            return
        body, expected = self.token_count
        plain = sent(counting.prepare())
        if plain == sent(self.counting(input="Hello, and how are you?").prepare()):
            pytest.fail("the counter is asked the same whatever the input is")
        counting.accept(200, {"content-type": "application/json"})
        counting.feed(body)
        counting.close()
        if counting.input_tokens != expected:
            pytest.fail(f"{counting.input_tokens} tokens are counted, not {expected}")

    def test_a_window_is_compacted(self) -> None:
        """The upstream is given the input to compact, and its items come back exactly as it gave them.

        Troubleshooting: declare ``compaction = (body, items)``, an answer of the endpoint; where there is
        none for a model, translate_compaction returns None.
        """
        compacting = self.compacting()
        if self.compaction is None:
            with contextlib.suppress(APIError):
                compacting.prepare()
                pytest.fail("translate_compaction asks, but no answer is declared: `compaction`")
            return
        body, items = self.compaction
        if sent(compacting.prepare()) == sent(self.compacting(input="Hello, and how are you?").prepare()):
            pytest.fail("compaction is asked for the same whatever the input is")
        compacting.accept(200, {"content-type": "application/json"})
        compacting.feed(body)
        compacting.close()
        if compacting.compacted.output != list(items):
            pytest.fail(f"the window is {compacting.compacted.output!r}, not {list(items)!r}")

    def test_events_are_legal(self) -> None:
        """The events of each exchange are what clients rely on, and each fits the typed models.

        Troubleshooting: on a translated wire ``Output`` writes the events; what an item holds beside it comes
        from you. The rules stand in ``dragoman.testing.legality``.
        """
        problems = []
        for name, form, _, run in self._runs():
            try:
                check_events(run.events)
                for event in run.events:
                    parse_event(event)
            except Exception as problem:
                problems.append(f"{name}, {form}: {problem}")
        fail_for(problems, "illegal events:")

    def test_a_stream_says_the_same_as_a_whole_answer(self) -> None:
        """The response of a stream is that of the whole answer, ids and times aside.

        Troubleshooting: let parse_response and handle_stream_event share the code that reads a block; the
        exchange's `body` and `stream` must have the same ids of calls and the same usage.
        """
        problems = []
        for name, exchange in self.declared().items():
            whole = _comparable(self.whole(exchange).response)
            streamed = _comparable(self.streamed(exchange).response)
            problems += [
                f"{name}: {field} is {whole.get(field)!r} of the body, {streamed.get(field)!r} of the stream"
                for field in sorted(whole.keys() | streamed.keys())
                if whole.get(field) != streamed.get(field)
            ]
        fail_for(problems, "stream and whole answer differ:")

    def test_any_split_of_the_bytes_gives_the_same_events(self) -> None:
        """A stream gives the same events byte by byte, in random chunks and in one piece.

        Troubleshooting: keep what one event must remember for the next in ``output.state``, nowhere else.
        """
        problems = []
        for name, exchange in self.declared().items():
            expected = normalised(self.streamed(exchange).events)
            for how, chunks in _splits(exchange.stream):
                if normalised(self.streamed(exchange, *chunks).events) != expected:
                    problems.append(f"{name}: other events when the bytes come {how}")
        fail_for(problems, "the split of the bytes shows:")

    def test_sync_and_async_give_the_same_events(self) -> None:
        """Both drivers, over httpx, give the events that the session gives without I/O.

        Troubleshooting: hooks must not care on which thread or loop they run; an address must be one that
        httpx takes.
        """
        problems = []
        for name, exchange in self.declared().items():
            for form in ("whole", "streamed"):
                request = {**self.asking(exchange), "stream": form == "streamed"}
                session = self.session(**request)
                sync_upstream, async_upstream = _answering(exchange, form), _answering(exchange, form)
                local = session.answer_locally(session.prepare()) is not None
                runs = {
                    "sync": run_sync(self.session(**request), sync_upstream),
                    "async": run_async(self.session(**request), async_upstream),
                }
                if not local:
                    runs["session"] = self.streamed(exchange) if form == "streamed" else self.whole(exchange)
                    asked = len(sync_upstream.requests), len(async_upstream.requests)
                    if asked != (1, 1):
                        problems.append(f"{name}, {form}: {asked} requests were sent, not one each")
                events = {kind: normalised(run.events) for kind, run in runs.items()}
                problems += [
                    f"{name}, {form}: {kind} gives other events than sync"
                    for kind, found in events.items()
                    if found != events["sync"]
                ]
        fail_for(problems, "the drivers differ:")

    def test_the_unknown_changes_nothing(self) -> None:
        """Fields, blocks and events that the upstream adds next month leave the answer as it is.

        Troubleshooting: look for what you know and let the rest be; do not iterate over what may grow. A
        native wire passes the unknown on instead.
        """
        native = self.info(self.loaded()).native
        problems = []
        for name, exchange in self.declared().items():
            whole, streamed = self.whole(exchange), self.streamed(exchange)
            known = [dict(arguments) for _, arguments in exchange.calls if not isinstance(arguments, str)]
            surprised = {"fields": self.whole(exchange, with_unknown_fields(exchange.body, known))}
            if not native:
                surprised["blocks"] = self.whole(exchange, with_unknown_blocks(exchange.body, known))
            problems += [
                f"{name}, whole: unknown {what} change {_changed(run, whole)}"
                for what, run in surprised.items()
                if same_but_surprises(run.response) != same_but_surprises(whole.response)
            ]
            surprised = {
                "fields": self.streamed(
                    exchange, with_unknown_fields_in_stream(exchange.stream, exchange.stream_type, known)
                ),
                "events": self.streamed(exchange, with_unknown_events(exchange.stream, exchange.stream_type)),
            }
            problems += [
                f"{name}, streamed: unknown {what} change {_changed(run, streamed)}"
                for what, run in surprised.items()
                if same_but_surprises(run.events) != same_but_surprises(streamed.events)
            ]
        fail_for(problems, "next month's answer:")

    def _runs(self) -> Iterator[tuple[str, str, Exchange, Run]]:
        for name, exchange in self.declared().items():
            yield name, "whole", exchange, self.whole(exchange)
            yield name, "streamed", exchange, self.streamed(exchange)


def said(response: dict[str, Any]) -> dict[str, Any]:
    """Return what a caller reads of a response: text, calls, reasoning, usage, status."""
    texts: dict[str, list[str]] = {"output_text": [], "reasoning_text": [], "summary_text": []}
    calls: list[tuple[str, Any]] = []
    for item in response["output"]:
        for part in (*(item.get("content") or ()), *(item.get("summary") or ())):
            if part["type"] in texts:
                texts[part["type"]].append(part["text"])
        if item["type"] == "function_call":
            calls.append((item["name"], _parsed(item["arguments"])))
        elif item["type"] == "custom_tool_call":
            calls.append((item["name"], item["input"]))
    usage = response.get("usage")
    return {
        "text": "".join(texts["output_text"]),
        "calls": calls,
        "reasoning": "".join(texts["summary_text"] + texts["reasoning_text"]),
        "usage": usage and (usage["input_tokens"], usage["output_tokens"]),
        "status": response["status"],
    }


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return f"no JSON: {arguments}"


def _comparable(response: dict[str, Any]) -> dict[str, Any]:
    """Return a response without its ids: `call_id` stays, since the next request depends on it."""
    output = [{name: value for name, value in item.items() if name != "id"} for item in response["output"]]
    rest = {
        name: value for name, value in response.items() if name not in {"id", "created_at", "completed_at"}
    }
    return normalised({**rest, "output": output})


def _splits(stream: bytes) -> Iterator[tuple[str, list[bytes]]]:
    if len(stream) <= _LONGEST_BYTEWISE:
        yield "byte by byte", [stream[at : at + 1] for at in range(len(stream))]
    yield "line by line", stream.splitlines(keepends=True)
    for seed in range(_SPLITS):
        random = Random(seed)  # noqa: S311 - the same splits every time
        places = sorted(random.randrange(len(stream) + 1) for _ in range(random.randrange(1, 40)))
        edges = [0, *places, len(stream)]
        yield f"cut at {places}", [stream[start:end] for start, end in pairwise(edges)]


def _answering(exchange: Exchange, form: str) -> FakeUpstream:
    streamed = form == "streamed"
    body = exchange.stream if streamed else exchange.body
    return FakeUpstream(
        [body[at : at + 100] for at in range(0, len(body), 100)],
        headers={"content-type": exchange.stream_type if streamed else exchange.body_type},
    )


def _changed(run: Run, before: Run) -> str:
    if run.error is not None:
        return f"it into a failure: {run.error}"
    found, expected = said(run.response), said(before.response)
    names = [name for name in expected if found[name] != expected[name]]
    return ", ".join(names) or "its events or its output"
