"""The laws of translation, judged by real exchanges with Bedrock's Converse, ConverseStream and CountTokens.

1. Every recorded answer comes out whole.
2. Every recorded stream is a legal sequence, the same for any split of its bytes, and equal to the answer
   come whole.
3. Conversations survive the round trip: an answer given back as input becomes the blocks that it was.

The tests go through ``dragoman.attempts.session`` as calls do; the wire is read apart (`converse_wire`).
"""

from __future__ import annotations

import base64
import functools
import json
import random
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import botocore.session  # type: ignore[import-untyped]
import pytest
from botocore.validate import ParamValidator  # type: ignore[import-untyped]
from tests.converse_replay import Replay
from tests.converse_wire import end_of_message_stop, fold, frames, lost, model_of, plain_blocks, turns
from tests.judging import Judge, first_difference, pieces, single_bytes, without_chance
from tests.recordings import REAL, Recording, conversations, recordings
from tests.standard import official_types, standard

import dragoman_bedrock
from dragoman import errors
from dragoman.providers import load_provider
from dragoman.testing.legality import check_events

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Tally

WHOLE, STREAMED, COUNTED = "bedrock.converse", "bedrock.converse-stream", "bedrock.count-tokens"
STREAM_TYPE = "application/vnd.amazon.eventstream"
SETTINGS = {"api_key": "bedrock-test-key", "aws_region_name": "us-east-1"}
MODEL = "us.anthropic.claude-sonnet-4-6"

EXCEPTIONS: dict[str, str] = {}
"""Answers that may come out less than whole: {file: reason}."""

_FINISHED = {"end_turn", "tool_use", "stop_sequence"}
_CUT = {"max_tokens", "model_context_window_exceeded"}
_FILTERED = {"guardrail_intervened", "content_filtered"}
_CLASSES = {
    400: errors.BadRequestError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    429: errors.RateLimitError,
    503: errors.ServiceUnavailableError,
}


@functools.cache
def judge_of(model: str) -> Judge:
    return Judge("bedrock", model, SETTINGS, stream_type=STREAM_TYPE)


def judge_for(recording: Recording) -> Judge:
    return judge_of(model_of(recording) or MODEL)


def streams() -> list[Recording]:
    return [recording for recording in recordings(STREAMED) if recording.streamed]


def whole_streams() -> list[tuple[Recording, dict[str, Any]]]:
    """Return the streams that came to their end, folded."""
    return [
        (recording, fold(frames(recording.wire)))
        for recording in streams()
        if recording.fidelity in REAL and end_of_message_stop(recording.wire)
    ]


def all_answers() -> list[tuple[Recording, dict[str, Any]]]:
    whole = [
        (recording, recording.body)
        for recording in recordings(WHOLE, fidelity=REAL)
        if recording.status == 200 and isinstance(recording.body, dict)
    ]
    return whole + whole_streams()


# ---- 1: whole -------------------------------------------------------------------------------------------


def test_every_recorded_answer_comes_out_whole(tally: Callable[[str], Tally]) -> None:
    law = tally("Bedrock 1, every recorded answer comes out whole")
    for recording, body in all_answers():
        with law.case(recording.name):
            response = judge_for(recording).response_to(recording)
            problems = list(lost(body, response))
            assert not problems, problems[0]
            reason = (response["incomplete_details"] or {}).get("reason")
            stop = body["stopReason"]
            if stop in _FINISHED:
                assert response["status"] == "completed"
            elif stop in _CUT:
                assert reason == "max_output_tokens"
            else:
                assert reason == ("content_filter" if stop in _FILTERED else stop)
            check_usage(body.get("usage") or {}, response["usage"])
            if tier := (body.get("serviceTier") or {}).get("type"):
                assert response["service_tier"] == tier
    law.require(exceptions=EXCEPTIONS)


def check_usage(said: dict[str, Any], found: dict[str, Any] | None) -> None:
    if not said:
        assert found is None
        return
    assert found is not None
    assert found["total_tokens"] == said.get("totalTokens", found["total_tokens"])
    assert found["output_tokens"] == (said.get("outputTokens") or 0)
    assert found["input_tokens_details"]["cached_tokens"] == (said.get("cacheReadInputTokens") or 0)
    assert found["input_tokens_details"]["cache_write_tokens"] == (said.get("cacheWriteInputTokens") or 0)


def test_every_recorded_answer_is_a_valid_response(tally: Callable[[str], Tally]) -> None:
    law = tally("Bedrock 1, every Response is valid for Open Responses and for OpenAI's types")
    oracles = (standard(), official_types())
    for recording, _ in all_answers():
        with law.case(recording.name):
            response = judge_for(recording).response_to(recording)
            problems = [found for oracle in oracles for found in oracle.response_problems(response)]
            assert not problems, problems[0]
    law.require()


def test_every_recorded_refusal_is_the_right_error(tally: Callable[[str], Tally]) -> None:
    law = tally("Bedrock 1, every recorded refusal is the right error")
    for api in (WHOLE, STREAMED, COUNTED):
        for recording in recordings(api):
            status = recording.status
            if status < 400:
                continue
            with law.case(recording.name):
                with pytest.raises(errors.APIError) as caught:
                    judge_for(recording).run([recording.wire], status=status, headers=recording.headers)
                error = caught.value
                original = recording.body.get("originalStatusCode")
                fallback = (
                    errors.InternalServerError if (original or status) >= 500 else errors.APIStatusError
                )
                assert isinstance(error, _CLASSES.get(status, fallback))
                assert error.status_code in {status, original}
                assert recording.body["message"] in error.message
                assert error.retryable == (status in {408, 429} or (original or status) >= 500)
    law.require()


def test_every_recorded_count_is_read(tally: Callable[[str], Tally]) -> None:
    law = tally("Bedrock 1, every recorded count of tokens is asked for and read")
    for recording in recordings(COUNTED, fidelity=REAL):
        asked = (recording.request.get("input") or {}).get("converse")
        if recording.status != 200 or asked is None:
            continue
        with law.case(recording.name):
            target = load_provider("bedrock").target(str(model_of(recording)), SETTINGS)
            assert dragoman_bedrock.parse_token_count(recording.body, target) == recording.body["inputTokens"]
            replay = Replay(asked, [], lambda _: [], law.notes)
            request = {"input": replay.items, "stream": False, **replay.parameters}
            http = dragoman_bedrock.translate_token_count(request, target)
            assert http is not None
            assert urlsplit(http.url).path == path_of(recording)
            found = http.json["input"]["converse"]
            assert turns(found["messages"]) == turns(asked["messages"])
            named = {"system", "toolConfig", "additionalModelRequestFields"}
            assert {name: found[name] for name in named & found.keys()} == {
                name: asked[name] for name in named & asked.keys() if asked[name]
            }
    law.require()


def path_of(recording: Recording) -> str:
    """Return the path of a recorded request, the model's id encoded as AWS's own clients do."""
    head, _, method = urlsplit(recording.document["request"]["url"]).path.rpartition("/")
    return f"/model/{quote(str(model_of(recording)), safe='')}/{method}" if head else ""


# ---- 2: streams -----------------------------------------------------------------------------------------


def test_every_stream_is_legal_for_any_split_of_its_bytes(tally: Callable[[str], Tally]) -> None:
    law = tally("Bedrock 2, every stream is legal, and the same whole, in random chunks and byte by byte")
    for recording in streams():
        wire, judge = recording.wire, judge_for(recording)
        with law.case(recording.name):
            check_events(judge.events_of(recording))
            expected = without_chance(judge.events_of(recording))
            for seed in range(3):
                chunks = pieces(wire, random.Random(f"{recording.name} {seed}"))
                events = judge.run(chunks, stream=True)[1]
                assert without_chance(events) == expected, f"random chunks, seed {seed}"
            assert without_chance(judge.run(single_bytes(wire), stream=True)[1]) == expected, "byte by byte"
    law.require()


def test_every_stream_has_valid_events(tally: Callable[[str], Tally]) -> None:
    law = tally("Bedrock 2, every event is valid for Open Responses and for OpenAI's types")
    oracles = (standard(), official_types())
    for recording, _ in whole_streams():
        with law.case(recording.name):
            events = judge_for(recording).events_of(recording)
            problems = [
                found for event in events for oracle in oracles for found in oracle.event_problems(event)
            ]
            assert not problems, f"{len(problems)} problems, first {problems[0]}"
    law.require()


def test_every_stream_equals_the_same_answer_parsed_whole(tally: Callable[[str], Tally]) -> None:
    law = tally("Bedrock 2, every stream folds into what the whole answer gives")
    for recording, body in whole_streams():
        if body.get("cut"):
            law.notes["a call cut in the middle, whose input a whole answer leaves out"] += 1
            continue
        with law.case(recording.name):
            judge = judge_for(recording)
            mine = comparable(judge.response_to(recording))
            whole = comparable(judge.run([json.dumps(body).encode()])[0].response)
            assert mine == whole, first_difference(mine, whole)
    law.require()


def comparable(response: dict[str, Any]) -> Any:
    """Return a Response without ids and times, its calls' arguments in one spelling."""
    output = [
        {**item, "arguments": json.loads(item["arguments"] or "{}")}
        if item["type"] == "function_call"
        else item
        for item in response["output"]
    ]
    return without_chance({**response, "output": output})


def test_a_stream_that_is_cut_never_completes(tally: Callable[[str], Tally]) -> None:
    law = tally("Bedrock 2, no stream that is cut before the end of messageStop completes")
    for recording in streams():
        wire, judge = recording.wire, judge_for(recording)
        end = end_of_message_stop(wire)
        end = len(wire) if end is None else end - 1
        with law.case(recording.name):
            for length in {*range(0, end, max(1, end // 25)), *range(max(0, end - 75), end, 3), end}:
                session, events = judge.run([wire[:length]], stream=True)
                assert events[-1]["type"] == "response.failed", f"cut at {length} of {len(wire)}"
                assert session.response["status"] == "failed"
                assert session.error is not None
                check_events(events)
    law.require()


def test_a_damaged_stream_never_completes(tally: Callable[[str], Tally]) -> None:
    law = tally("Bedrock 2, no stream with a changed byte before the end of messageStop completes")
    for recording in streams():
        wire, judge = recording.wire, judge_for(recording)
        end = end_of_message_stop(wire)
        if end is None:
            continue
        with law.case(recording.name):
            chance = random.Random(recording.name)
            for place in (chance.randrange(end) for _ in range(25)):
                damaged = bytearray(wire)
                damaged[place] ^= 1 << chance.randrange(8)
                session, events = judge.run([bytes(damaged)], stream=True)
                assert session.response["status"] == "failed", f"a bit of byte {place} was turned"
                check_events(events)
    law.require()


def test_an_exception_in_the_stream_reaches_the_caller(tally: Callable[[str], Tally]) -> None:
    law = tally("Bedrock 2, an exception inside a stream fails the response in the provider's words")
    for recording in streams():
        if "cut" in recording.name:
            continue
        said = [payload for _, payload, failed in frames(recording.wire) if failed]
        if not said:
            continue
        with law.case(recording.name):
            error, failed = judge_for(recording).events_of(recording)[-2:]
            assert (error["type"], failed["type"]) == ("error", "response.failed")
            assert said[0]["message"] in error["error"]["message"]
            assert said[0]["message"] in failed["response"]["error"]["message"]
    law.require()


# ---- 3: conversations -----------------------------------------------------------------------------------


def sent(judge: Judge, items: list[dict[str, Any]], **request: Any) -> dict[str, Any]:
    """Return what goes to Bedrock for these items, which travel as JSON like any caller's."""
    session = judge.session(input=json.loads(json.dumps(items)), **request)
    body: dict[str, Any] = json.loads(session.prepare().body)
    return body


def test_every_answer_given_back_becomes_the_blocks_that_it_was(tally: Callable[[str], Tally]) -> None:
    law = tally("Bedrock 3, every recorded answer given back as input becomes its own blocks")
    hello = {"type": "message", "role": "user", "content": "Hello."}
    for recording, body in all_answers():
        if body.get("cut"):
            law.notes["a call cut in the middle"] += 1
            continue
        with law.case(recording.name):
            judge = judge_for(recording)
            blocks = plain_blocks(body["output"]["message"]["content"])
            kept = [block for block in blocks if not _is_unsigned(block)]
            if len(kept) != len(blocks):
                law.notes["unsigned reasoning is not sent back"] += 1
            found = turns(sent(judge, [hello, *judge.response_to(recording)["output"], hello])["messages"])
            said = [blocks for role, blocks in found if role == "assistant"]
            expected = [kept] if kept else []
            assert said == expected, first_difference(said, expected)
    law.require(exceptions=EXCEPTIONS)


def _is_unsigned(block: dict[str, Any]) -> bool:
    said = (block.get("reasoningContent") or {}).get("reasoningText")
    return said is not None and not said.get("signature")


def test_conversations_survive_the_round_trip(tally: Callable[[str], Tally]) -> None:
    law = tally("Bedrock 3, every recorded conversation's next request is reproduced")
    for api in (WHOLE, STREAMED):
        for talk in conversations(api, fidelity=REAL).values():
            for order, recording in sorted(talk.items()):
                if recording.reply_to is None or not isinstance(recording.request, dict):
                    continue
                if recording.status != 200:
                    law.notes["a request that Bedrock refused"] += 1
                    continue
                with law.case(recording.name):
                    before = [talk[place] for place in sorted(talk, reverse=True) if place < order]
                    check_reproduced(recording, [each for each in before if each.status == 200], law)
    law.require(0.95)


def test_every_recorded_request_is_reproduced(tally: Callable[[str], Tally]) -> None:
    law = tally("Bedrock 3, every recorded request is reproduced, every field of it")
    for api in (WHOLE, STREAMED):
        for recording in recordings(api, fidelity=REAL):
            request = recording.request
            if recording.status == 200 and isinstance(request, dict) and request.get("messages"):
                with law.case(recording.name):
                    check_reproduced(recording, [], law)
    law.require(0.95)


def check_reproduced(recording: Recording, earlier: list[Recording], law: Tally) -> None:
    judge = judge_for(recording)
    answers = []
    for each in earlier:
        body = fold(frames(each.wire)) if each.streamed else each.body
        blocks = plain_blocks(body["output"]["message"]["content"])
        answers.append((blocks, judge.response_to(each)["output"]))
    replay = Replay(recording.request, answers, lambda blocks: output_of(judge, blocks), law.notes)
    found = sent(judge, replay.items, **replay.parameters)
    report = ParamValidator().validate({**found, "modelId": judge.model}, converse_shape())
    assert not report.has_errors(), report.generate_report()
    mine = {**found, "messages": turns(found["messages"])}
    mine, theirs = comparable_body(mine), comparable_body(replay.expected)
    assert mine == theirs, first_difference(mine, theirs)


@functools.cache
def converse_shape() -> Any:
    """Return AWS's own description of a request to Converse."""
    service = botocore.session.get_session().get_service_model("bedrock-runtime")
    return service.operation_model("Converse").input_shape


def output_of(judge: Judge, blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what a model's turn that no recording answers would have become."""
    body = {"output": {"message": {"content": blocks}}, "stopReason": "end_turn"}
    found: list[dict[str, Any]] = judge.run([json.dumps(body).encode()])[0].response["output"]
    return found


def comparable_body(body: dict[str, Any]) -> dict[str, Any]:
    """Return a request's body in one spelling: defaults left out, names of documents as far as they are free,
    schemas as JSON with their objects closed, texts of documents as bytes.
    """
    plain: dict[str, Any] = json.loads(json.dumps(body))
    plain["messages"] = [[role, _with_plain_documents(blocks)] for role, blocks in plain["messages"]]
    config = plain.get("toolConfig") or {}
    if config.get("toolChoice") == {"auto": {}}:
        del config["toolChoice"]
    for tool in config.get("tools") or []:
        if "toolSpec" in tool:
            schema = tool["toolSpec"]["inputSchema"]["json"]
            tool["toolSpec"]["inputSchema"]["json"] = {"type": "object", "properties": {}, **schema}
            if not tool["toolSpec"].get("strict"):
                tool["toolSpec"].pop("strict", None)
    structure = plain.get("outputConfig", {}).get("textFormat", {}).get("structure", {}).get("jsonSchema")
    if structure:
        structure.setdefault("name", "response")
        structure["schema"] = _closed(json.loads(structure["schema"]))
    return plain


def _with_plain_documents(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for block in blocks:
        if "toolResult" in block:
            _with_plain_documents(block["toolResult"]["content"])
        document = block.get("document")
        if document is None:
            continue
        document["name"] = re.sub(r"( \d+)+$", "", re.sub(r"[_-]+", "-", document["name"]))
        if "text" in document["source"]:
            document["source"] = {"bytes": base64.b64encode(document["source"]["text"].encode()).decode()}
    return blocks


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(entry) for entry in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    if closed.get("type") == "object" and "properties" in closed:
        closed.setdefault("additionalProperties", False)
    return closed
