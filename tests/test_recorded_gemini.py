"""The laws of translation, judged by real exchanges with Google's generateContent.

1. Every recorded answer comes out whole.
2. Every recorded stream is a legal sequence, the same for any split of its bytes, and equal to the answer
   come whole.
3. Conversations survive the round trip: an answer given back as input becomes the parts that it was.

The tests go through ``dragoman.attempts.session`` as calls do; the wire is read apart (`gemini_wire`).
Vertex AI speaks the same wire, so its recordings judge the same translator.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from tests.gemini_replay import Replay
from tests.gemini_wire import Answer, chunks_of, first_finish, lost, plain_parts, turns
from tests.judging import Judge, first_difference, pieces, single_bytes, without_chance
from tests.recordings import REAL, Recording, conversations, recordings
from tests.standard import official_types, standard

from dragoman import errors
from dragoman.testing.legality import check_events

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Tally

WHOLE = ("gemini.generateContent", "vertex.generateContent")
STREAMED = ("gemini.streamGenerateContent", "vertex.streamGenerateContent")
JUDGE = Judge("gemini", "gemini-2.5-flash", {"api_key": "gemini-test-key"})

EXCEPTIONS: dict[str, str] = {}
"""Answers that may come out less than whole: {file: reason}."""
NO_JSON = {
    "vertex.streamGenerateContent/vertexai-sdk-test-data__vertexai_streaming-failure-invalid-json__0.json",
}
"""Streams that are not in the wire's format: they must fail."""

_FILTERED = {
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MODEL_ARMOR",
    "IMAGE_SAFETY",
    3,
}
_CLASSES = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    429: errors.RateLimitError,
    503: errors.ServiceUnavailableError,
}


def all_answers() -> list[tuple[Recording, Answer]]:
    """Return what was answered, whole or streamed, but for answers that failed in the middle."""
    found = []
    for api in (*WHOLE, *STREAMED):
        for recording in recordings(api, fidelity=REAL):
            if recording.status != 200 or recording.name in NO_JSON:
                continue
            chunks = chunks_of(recording)
            if not any("error" in chunk for chunk in chunks):
                found.append((recording, Answer(chunks)))
    return found


def streams() -> list[Recording]:
    return [each for api in STREAMED for each in recordings(api) if each.streamed]


# ---- 1: whole -------------------------------------------------------------------------------------------


def test_every_recorded_answer_comes_out_whole(tally: Callable[[str], Tally]) -> None:
    law = tally("Gemini 1, every recorded answer comes out whole")
    for recording, answer in all_answers():
        with law.case(recording.name):
            check_whole(answer, JUDGE.response_to(recording))
    law.require(exceptions=EXCEPTIONS)


def check_whole(answer: Answer, response: dict[str, Any]) -> None:
    problems = list(lost(answer, response))
    assert not problems, problems[0]
    assert response["model"] == (answer.model or JUDGE.model)
    reason = (response["incomplete_details"] or {}).get("reason")
    if answer.finish in {"STOP", 1}:
        assert response["status"] == "completed"
    elif answer.finish in {"MAX_TOKENS", 2}:
        assert reason == "max_output_tokens"
    elif answer.finish in _FILTERED or answer.blocked:
        assert reason == "content_filter"
    elif answer.finish:
        assert reason == answer.finish
    else:
        assert response["status"] == "failed", "nothing says that the model had finished"
    check_usage(answer.usage, response["usage"])


def check_usage(said: dict[str, Any], found: dict[str, Any] | None) -> None:
    if found is None:
        assert not said.get("totalTokenCount")
        return
    assert found["input_tokens"] == (said.get("promptTokenCount") or 0) + (
        said.get("toolUsePromptTokenCount") or 0
    )
    thoughts = said.get("thoughtsTokenCount") or 0
    assert found["output_tokens"] == (said.get("candidatesTokenCount") or 0) + thoughts
    assert found["output_tokens_details"]["reasoning_tokens"] == thoughts
    cached = said.get("cachedContentTokenCount") or 0
    assert found["input_tokens_details"]["cached_tokens"] == min(cached, found["input_tokens"])


def test_every_recorded_answer_is_a_valid_response(tally: Callable[[str], Tally]) -> None:
    law = tally("Gemini 1, every Response is valid for Open Responses and for OpenAI's types")
    oracles = (standard(), official_types())
    for recording, _ in all_answers():
        with law.case(recording.name):
            response = JUDGE.response_to(recording)
            problems = [found for oracle in oracles for found in oracle.response_problems(response)]
            assert not problems, problems[0]
    law.require()


def test_every_recorded_refusal_is_the_right_error(tally: Callable[[str], Tally]) -> None:
    law = tally("Gemini 1, every recorded refusal is the right error")
    for api in (*WHOLE, *STREAMED):
        for recording in recordings(api):
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
                body = recording.body
                if isinstance(body, list):
                    (body,) = body
                if isinstance(body, dict):
                    assert body["error"]["message"] in error.message
                    delays = [
                        d["retryDelay"] for d in body["error"].get("details") or [] if "retryDelay" in d
                    ]
                    if delays and "retry-after" not in recording.headers:
                        assert error.retry_after == float(delays[0].removesuffix("s"))
                assert error.retryable == (status in {408, 409, 429} or status >= 500)
    law.require()


# ---- 2: streams -----------------------------------------------------------------------------------------


def test_every_stream_is_legal_for_any_split_of_its_bytes(tally: Callable[[str], Tally]) -> None:
    law = tally("Gemini 2, every stream is legal, and the same whole, in random chunks and byte by byte")
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
    law = tally("Gemini 2, every event is valid for Open Responses and for OpenAI's types")
    oracles = (standard(), official_types())
    for recording in streams():
        if recording.fidelity not in REAL:
            continue
        with law.case(recording.name):
            events = JUDGE.events_of(recording)
            problems = [
                found for event in events for oracle in oracles for found in oracle.event_problems(event)
            ]
            assert not problems, f"{len(problems)} problems, first {problems[0]}"
    law.require()


def test_every_stream_equals_the_same_answer_parsed_whole(tally: Callable[[str], Tally]) -> None:
    law = tally("Gemini 2, every stream folds into what the whole answer gives")
    for recording, answer in all_answers():
        if not recording.streamed:
            continue
        with law.case(recording.name):
            candidate: dict[str, Any] = {}
            for said in answer.candidates:
                candidate.update(said)
            if answer.candidates:
                candidate |= {"content": {"parts": answer.parts}, "finishReason": answer.finish}
                cited = answer.metadata("citationMetadata")
                sources = [source for each in cited for name in each for source in each[name]]
                candidate["citationMetadata"] = {"citationSources": sources}
            body = {
                "candidates": [candidate] if candidate else [],
                "usageMetadata": answer.usage,
                "modelVersion": answer.model,
                "promptFeedback": {"blockReason": "OTHER"} if answer.blocked else None,
            }
            mine = comparable(JUDGE.response_to(recording))
            whole = comparable(JUDGE.run([json.dumps(body).encode()])[0].response)
            assert mine == whole, first_difference(mine, whole)
    law.require()


def comparable(response: dict[str, Any]) -> Any:
    """Return a Response without ids, times and warnings, its calls' arguments in one spelling."""
    output = [
        {**item, "arguments": json.loads(item["arguments"])} if item["type"] == "function_call" else item
        for item in response["output"]
    ]
    return without_chance({**response, "output": output, "dragoman": None})


def test_a_stream_that_is_cut_never_completes(tally: Callable[[str], Tally]) -> None:
    law = tally("Gemini 2, no stream that is cut before its finish reason completes")
    for recording in streams():
        wire = recording.wire
        end = first_finish(wire)
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
    law = tally("Gemini 2, an error inside a stream fails the response in the provider's words")
    for recording in streams():
        if recording.name in NO_JSON:
            continue
        said = [chunk["error"]["message"] for chunk in chunks_of(recording) if "error" in chunk]
        if not said:
            continue
        with law.case(recording.name):
            error, failed = JUDGE.events_of(recording)[-2:]
            assert (error["type"], failed["type"]) == ("error", "response.failed")
            assert error["error"]["message"] == said[0]
            assert failed["response"]["error"]["message"] == said[0]
    law.require()


# ---- 3: conversations -----------------------------------------------------------------------------------


def sent(items: list[dict[str, Any]], **request: Any) -> dict[str, Any]:
    """Return what goes to Google for these items, which travel as JSON like any caller's."""
    session = JUDGE.session(input=json.loads(json.dumps(items)), **request)
    body: dict[str, Any] = json.loads(session.prepare().body)
    return body


def output_of(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what a model's turn that no recording answers would have become."""
    body = {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP"}]}
    found: list[dict[str, Any]] = JUDGE.run([json.dumps(body).encode()])[0].response["output"]
    return found


def test_every_answer_given_back_becomes_the_parts_that_it_was(tally: Callable[[str], Tally]) -> None:
    law = tally("Gemini 3, every recorded answer given back as input becomes its own parts")
    hello = {"type": "message", "role": "user", "content": "Hello."}
    for recording, answer in all_answers():
        with law.case(recording.name):
            found = turns(sent([hello, *JUDGE.response_to(recording)["output"], hello])["contents"])
            said = [plain_parts(parts) for role, parts in found if role == "model"]
            expected = [answer.parts] if answer.parts else []
            assert said == expected, first_difference(said, expected)
    law.require(exceptions=EXCEPTIONS)


@pytest.mark.parametrize("model", ["gemini-2.5-flash", "gemini-3-flash-preview"])
def test_conversations_survive_the_round_trip(tally: Callable[[str], Tally], model: str) -> None:
    law = tally(f"Gemini 3, every recorded conversation's next request is reproduced for {model}")
    for api in (*WHOLE, *STREAMED):
        for talk in conversations(api, fidelity=REAL).values():
            for order, recording in sorted(talk.items()):
                if recording.reply_to is None or not (recording.request or {}).get("contents"):
                    continue
                if recording.status != 200:
                    law.notes["a request that Google refused"] += 1
                    continue
                with law.case(recording.name):
                    before = [talk[place] for place in sorted(talk, reverse=True) if place < order]
                    earlier = [each for each in before if each.status == 200]
                    check_reproduced(recording.request, earlier, law, model)
    law.require(0.95)


def test_every_recorded_request_is_reproduced(tally: Callable[[str], Tally]) -> None:
    law = tally("Gemini 3, every recorded request's contents are reproduced")
    for api in (*WHOLE, *STREAMED):
        for recording in recordings(api, fidelity=REAL):
            if recording.status == 200 and (recording.request or {}).get("contents"):
                with law.case(recording.name):
                    check_reproduced(recording.request, [], law, JUDGE.model)
    law.require(0.95)


def check_reproduced(request: dict[str, Any], earlier: list[Recording], law: Tally, model: str) -> None:
    answers = [(Answer(chunks_of(each)).parts, JUDGE.response_to(each)["output"]) for each in earlier]
    replay = Replay(request, answers, output_of, law.notes, new=model.startswith("gemini-3"))
    found = sent(replay.items, model=f"gemini/{model}")
    mine = [(role, plain_parts(parts)) for role, parts in turns(found["contents"])]
    for _, parts in mine:
        for part in parts:
            if part.get("thoughtSignature") == "skip_thought_signature_validator":
                law.notes["calls without any signature, which newer models refuse"] += 1
                del part["thoughtSignature"]
    assert mine == replay.expected, first_difference(mine, replay.expected)
    system = [part["text"] for part in (found.get("systemInstruction") or {"parts": []})["parts"]]
    assert system == replay.system


def test_every_recorded_count_of_tokens_is_read(tally: Callable[[str], Tally]) -> None:
    law = tally("Gemini, every recorded count of tokens is read, every refusal raised (gemini.countTokens)")
    for recording in recordings("gemini.countTokens", fidelity=REAL):
        with law.case(recording.name):
            counting = JUDGE.counting()
            counting.prepare()
            counting.accept(recording.status, recording.headers)
            counting.feed(recording.wire)
            if recording.status < 300:
                counting.close()
                assert counting.input_tokens == recording.body["totalTokens"] > 0
            else:
                with pytest.raises(errors.APIStatusError) as caught:
                    counting.close()
                assert caught.value.status_code == recording.status
                assert caught.value.message in recording.wire.decode()
    law.require()
