"""The laws of translation, judged by real exchanges with Anthropic's Messages API.

1. Every recorded answer comes out whole.
2. Every recorded stream is a legal sequence, the same for any split of its bytes, and equal to the answer
   come whole.
3. Conversations survive the round trip: an answer given back as input becomes the blocks that it was.

The tests go through ``dragoman.attempts.session`` as calls do; the wire is read apart (`messages_wire`).
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from tests.judging import Judge, first_difference, pieces, single_bytes, without_chance
from tests.messages_replay import Answer, Replay, caller_tools, outputs_for
from tests.messages_wire import Folded, end_mark, fold, lost, same_turns, turns
from tests.recordings import REAL, Recording, conversations, recordings
from tests.standard import official_types, standard

from dragoman import errors
from dragoman.testing.legality import check_events

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Tally

API = "anthropic.messages"
MODEL = "claude-sonnet-4-5"
JUDGE = Judge("anthropic", MODEL, {"api_key": "sk-ant-test"})

EXCEPTIONS: dict[str, str] = {}
"""Answers that may come out less than whole: {file: reason}."""

_OUTCOMES: dict[str, tuple[str, set[str] | None]] = {
    "end_turn": ("completed", None),
    "tool_use": ("completed", None),
    "stop_sequence": ("completed", None),
    "max_tokens": ("incomplete", {"max_output_tokens"}),
    "model_context_window_exceeded": ("incomplete", {"max_output_tokens", "model_context_window_exceeded"}),
    "refusal": ("incomplete", {"content_filter"}),
    "pause_turn": ("incomplete", {"pause_turn"}),
}
"""By stop reason: the Response's status, and the reasons that an incomplete one may give."""
_CLASSES = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    413: errors.RequestTooLargeError,
    422: errors.UnprocessableEntityError,
    429: errors.RateLimitError,
    503: errors.ServiceUnavailableError,
    529: errors.ServiceUnavailableError,
}


def whole_answers() -> list[Recording]:
    return [each for each in recordings(API, fidelity=REAL) if each.status == 200 and not each.streamed]


def streams(fidelity: frozenset[str] | None = None) -> list[Recording]:
    return [each for each in recordings(API, fidelity=fidelity) if each.streamed]


def whole_streams(law: Tally) -> list[tuple[Recording, Folded]]:
    """Return the real streams that tell one answer to its end, folded."""
    found = []
    for recording in streams(REAL):
        if end_mark(recording.wire) is None:
            law.notes["a stream without its end"] += 1
            continue
        folded = fold(recording.wire.decode())
        if folded.restarted:
            law.notes["a second message before the first stopped"] += 1
            continue
        found.append((recording, folded))
    return found


# ---- 1: whole -------------------------------------------------------------------------------------------


def test_every_recorded_answer_comes_out_whole(tally: Callable[[str], Tally]) -> None:
    law = tally("Anthropic 1, every recorded whole answer comes out whole")
    for recording in whole_answers():
        with law.case(recording.name):
            check_whole(recording.body, JUDGE.response_to(recording))
    law.require(exceptions=EXCEPTIONS)


def test_every_recorded_stream_comes_out_whole(tally: Callable[[str], Tally]) -> None:
    law = tally("Anthropic 1, every recorded stream comes out whole")
    for recording, folded in whole_streams(law):
        with law.case(recording.name):
            body = {**folded.body, "content": list(folded.body["content"])}
            for index, text in folded.cut_inputs.items():
                body["content"][index] = {**body["content"][index], "input": text}
            check_whole(body, JUDGE.response_to(recording))
    law.require(exceptions=EXCEPTIONS)


def check_whole(body: dict[str, Any], response: dict[str, Any]) -> None:
    assert not list(lost(body, response))
    assert response["model"] == body["model"]
    stop = body["stop_reason"]
    status, reasons = _OUTCOMES.get(stop, ("incomplete", {stop}))
    assert response["status"] == status, f"{stop} became {response['status']}"
    if reasons is not None:
        reason = response["incomplete_details"]["reason"]
        assert reason in reasons, f"{stop} became incomplete because of {reason}"
    explanation = (body.get("stop_details") or {}).get("explanation")
    assert not explanation or explanation in json.dumps(response, ensure_ascii=False)
    check_usage(body["usage"], response)


def check_usage(usage: dict[str, Any], response: dict[str, Any]) -> None:
    """Every figure is found; input counts are inclusive, and the tokens of a compaction may be added."""
    found = response["usage"]
    figures = [_figures([usage]), _figures([step for step in usage.get("iterations") or [] if _own(step)])]
    assert (
        found["input_tokens"],
        found["input_tokens_details"]["cached_tokens"],
        found["input_tokens_details"]["cache_write_tokens"],
        found["output_tokens"],
    ) in figures, f"usage is {found}, of {usage}"
    thinking = (usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0
    assert found["output_tokens_details"]["reasoning_tokens"] == thinking
    assert found["total_tokens"] == found["input_tokens"] + found["output_tokens"]
    searches = (usage.get("server_tool_use") or {}).get("web_search_requests")
    assert not searches or response["tool_usage"]["web_search"]["num_requests"] == searches


def _own(step: dict[str, Any]) -> bool:
    return step.get("type") in {"message", "compaction"}  # an advisor's tokens are another model's


def _figures(parts: list[dict[str, Any]]) -> tuple[int, int, int, int]:
    def total(name: str) -> int:
        return sum(part.get(name) or 0 for part in parts)

    cached, written = total("cache_read_input_tokens"), total("cache_creation_input_tokens")
    return total("input_tokens") + cached + written, cached, written, total("output_tokens")


def test_every_recorded_answer_is_a_valid_response(tally: Callable[[str], Tally]) -> None:
    law = tally("Anthropic 1, every Response is valid for Open Responses and for OpenAI's types")
    oracles = (standard(), official_types())
    for recording in [*whole_answers(), *streams(REAL)]:
        with law.case(recording.name):
            response = JUDGE.response_to(recording)
            problems = [found for oracle in oracles for found in oracle.response_problems(response)]
            assert not problems, problems[0]
    law.require()


def test_every_recorded_refusal_is_the_right_error(tally: Callable[[str], Tally]) -> None:
    law = tally("Anthropic 1, every recorded refusal is the right error")
    for recording in recordings(API):
        status = recording.status
        if status < 400:
            continue
        with law.case(recording.name):
            with pytest.raises(errors.APIError) as caught:
                JUDGE.run([recording.wire], status=status, headers=recording.headers)
            error = caught.value
            fallback = errors.InternalServerError if status >= 500 else errors.APIStatusError
            assert isinstance(error, _CLASSES.get(status, fallback))
            assert error.status_code == status
            assert recording.body["error"]["message"] in error.message
            hint = recording.headers.get("x-should-retry")
            assert error.retryable == (hint == "true" if hint else status in {408, 409, 429} or status >= 500)
            assert error.request_id == recording.headers.get("request-id", error.request_id)
    law.require()


# ---- 2: streams -----------------------------------------------------------------------------------------


def test_every_stream_is_legal_for_any_split_of_its_bytes(tally: Callable[[str], Tally]) -> None:
    law = tally("Anthropic 2, every stream is legal, and the same whole, in random chunks and byte by byte")
    for recording in streams():
        wire = recording.wire
        with law.case(recording.name):
            check_events(JUDGE.events_of(recording))
            expected = without_chance(JUDGE.events_of(recording))
            for seed in range(3):
                chunks = pieces(wire, random.Random(f"{recording.name} {seed}"))
                events = JUDGE.run(chunks, stream=True)[1]
                assert without_chance(events) == expected, f"random chunks, seed {seed}"
            assert without_chance(JUDGE.run(single_bytes(wire), stream=True)[1]) == expected, "byte by byte"
    law.require()


def test_every_stream_has_valid_events(tally: Callable[[str], Tally]) -> None:
    law = tally("Anthropic 2, every event is valid for Open Responses and for OpenAI's types")
    oracles = (standard(), official_types())
    for recording in streams(REAL):
        with law.case(recording.name):
            events = JUDGE.events_of(recording)
            problems = [
                found for event in events for oracle in oracles for found in oracle.event_problems(event)
            ]
            assert not problems, f"{len(problems)} problems, first {problems[0]}"
    law.require()


def test_every_stream_equals_the_same_answer_parsed_whole(tally: Callable[[str], Tally]) -> None:
    law = tally("Anthropic 2, every stream folds into what the whole answer gives")
    for recording, folded in whole_streams(law):
        if folded.cut_inputs:
            law.notes["a call cut in the middle, whose input a whole answer leaves out"] += 1
            continue
        with law.case(recording.name):
            mine = comparable(JUDGE.response_to(recording))
            whole = comparable(JUDGE.run([json.dumps(folded.body).encode()])[0].response)
            assert mine == whole, first_difference(mine, whole)
    law.require()


def comparable(response: dict[str, Any]) -> Any:
    """Return a Response without ids and times, its calls' arguments in one spelling."""
    output = [
        {**item, "arguments": json.loads(item["arguments"])}
        if item["type"] in {"function_call", "mcp_call"}
        else item
        for item in response["output"]
    ]
    return without_chance({**response, "output": output})


def test_a_stream_that_is_cut_never_completes(tally: Callable[[str], Tally]) -> None:
    law = tally("Anthropic 2, no stream that is cut before its end mark completes")
    for recording in streams():
        wire = recording.wire
        end = end_mark(wire)
        if end is None:
            end = len(wire)
        with law.case(recording.name):
            for length in {*range(0, end, max(1, end // 25)), *range(max(0, end - 75), end, 3), end}:
                session, events = JUDGE.run([wire[:length]], stream=True)
                assert events[-1]["type"] == "response.failed", f"cut at {length} of {len(wire)}"
                assert session.response["status"] == "failed"
                assert session.error is not None
                check_events(events)
    law.require()


def test_an_error_in_the_stream_reaches_the_caller(tally: Callable[[str], Tally]) -> None:
    law = tally("Anthropic 2, an error inside a stream fails the response in the provider's words")
    for recording in recordings(API, tags=["error-in-stream"]):
        with law.case(recording.name):
            said = recording.wire.decode().rpartition("event: error")[2].partition("data:")[2].splitlines()[0]
            message = json.loads(said)["error"]["message"]
            error, failed = JUDGE.events_of(recording)[-2:]
            assert (error["type"], failed["type"]) == ("error", "response.failed")
            assert error["error"]["message"] == message
            assert failed["response"]["error"]["message"] == message
    law.require()


# ---- 3: conversations -----------------------------------------------------------------------------------


def sent(items: list[dict[str, Any]], **request: Any) -> dict[str, Any]:
    """Return what goes to Anthropic for these items, which travel as JSON like any caller's."""
    session = JUDGE.session(input=json.loads(json.dumps(items)), **request)
    body: dict[str, Any] = json.loads(session.prepare().body)
    return body


def recorded_answer(recording: Recording, body: dict[str, Any] | None = None) -> Answer:
    body = body or (fold(recording.wire.decode()).body if recording.streamed else recording.body)
    said = turns([{"role": "assistant", "content": body["content"]}])
    container = (body.get("container") or {}).get("id")
    return Answer(said[0][1] if said else [], JUDGE.response_to(recording)["output"], container)


def unrecorded_answer(blocks: list[dict[str, Any]]) -> Answer:
    """Return an assistant's turn that a client wrote, as if it had been an answer."""
    calls = any(block["type"] == "tool_use" for block in blocks)
    body = {
        "id": "msg_0",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": blocks,
        "stop_reason": "tool_use" if calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    return Answer(blocks, JUDGE.run([json.dumps(body).encode()])[0].response["output"])


def test_every_answer_given_back_becomes_the_blocks_that_it_was(tally: Callable[[str], Tally]) -> None:
    law = tally("Anthropic 3, every recorded answer given back as input becomes its own blocks")
    whole = [(recording, Folded(recording.body)) for recording in whole_answers()]
    hello = {"type": "message", "role": "user", "content": "Hello."}
    for recording, folded in [*whole, *whole_streams(law)]:
        if folded.cut_inputs:
            law.notes["a call cut in the middle"] += 1
            continue
        if folded.body["stop_reason"] == "refusal":
            law.notes["a refusal, whose explanation is part of the answer"] += 1
            continue
        with law.case(recording.name):
            answer = recorded_answer(recording, folded.body)
            found = turns(sent([hello, *answer.output, *outputs_for(answer.blocks), hello])["messages"])
            said = [turn for turn in found if turn[0] == "assistant"]
            same_turns(said, [("assistant", answer.blocks)] if answer.blocks else [])
    law.require(exceptions=EXCEPTIONS)


def test_conversations_survive_the_round_trip(tally: Callable[[str], Tally]) -> None:
    law = tally("Anthropic 3, every recorded conversation's next request is reproduced")
    for talk in conversations(API, fidelity=REAL).values():
        for order, recording in sorted(talk.items()):
            if recording.reply_to is None or not recording.request:
                continue
            if recording.status != 200:
                law.notes["a request that Anthropic refused"] += 1
                continue
            with law.case(recording.name):
                before = [place for place in sorted(talk, reverse=True) if place < order]
                earlier = [recorded_answer(talk[place]) for place in before if talk[place].status == 200]
                check_reproduced(recording.request, earlier, law)
    law.require(0.95)


def test_every_recorded_request_is_reproduced(tally: Callable[[str], Tally]) -> None:
    law = tally("Anthropic 3, every recorded request's messages are reproduced")
    for recording in recordings(API, fidelity=REAL):
        if recording.status == 200 and (recording.request or {}).get("messages"):
            with law.case(recording.name):
                check_reproduced(recording.request, [], law)
    law.require(0.95)


def check_reproduced(request: dict[str, Any], earlier: list[Answer], law: Tally) -> None:
    replay = Replay(request["messages"], earlier, unrecorded_answer, law.notes)
    thinks = (request.get("thinking") or {}).get("type") in {"enabled", "adaptive"}
    found = sent(
        replay.items,
        model=request["model"],
        tools=caller_tools(request.get("tools") or []),
        reasoning={"effort": "medium"} if thinks else None,
    )
    same_turns(turns(found["messages"]), turns(replay.expected))
    container = request.get("container")
    if isinstance(container, str) and container in {answer.container for answer in earlier}:
        blocks = [block for answer in earlier for block in answer.blocks]
        if any((block.get("caller") or {}).get("tool_id") for block in blocks):
            assert found.get("container") == container, "a program waits in that container"
        elif "container" not in found:
            law.notes["a container in which no program waits was not named"] += 1
