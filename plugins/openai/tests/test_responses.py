"""What OpenAI's answers are like at times: passed on as they are, but for what would break clients."""

import json

import pytest

import dragoman_openai
from dragoman.attempts.session import Session
from dragoman.errors import AuthenticationError
from dragoman.events.batches import events_of
from dragoman.hookspecs import Target
from dragoman.providers import Provider
from dragoman.testing import check_events, sse_stream

TARGET = Target("openai", "gpt-5.4", {"api_key": "sk-test-123456", "api_base": "https://here.test/v1"})
RESPONSE = {"id": "resp_1", "object": "response", "created_at": 1, "model": "gpt-5.4", "output": []}


def session(**request):
    attempt = Session(Provider("openai", dragoman_openai), TARGET, {"model": "openai/gpt-5.4", **request})
    return attempt, attempt.prepare()


def streamed(*events, ending="completed", **final):
    """Return the events that come out for those of one response, and the response that they end in."""
    begun = {"type": "response.created", "response": {**RESPONSE, "status": "in_progress"}}
    ended = {"type": f"response.{ending}", "response": {**RESPONSE, "status": ending, **final}}
    numbered = [{**event, "sequence_number": n} for n, event in enumerate([begun, *events, ended])]
    attempt, _ = session(input="Hi", stream=True)
    told = attempt.accept(200, {"content-type": "text/event-stream"})
    told += events_of(attempt.feed(sse_stream(*numbered, named_by="type")))
    told += attempt.close()
    check_events(told)
    return told, attempt.response


def item(begun, done, *between):
    return [
        {"type": "response.output_item.added", "output_index": 0, "item": begun},
        *({**event, "item_id": begun["id"], "output_index": 0} for event in between),
        {"type": "response.output_item.done", "output_index": 0, "item": done},
    ]


def test_of_encrypted_reasoning_the_last_counts():
    """The item that is added has other encrypted content than the one that is done; only that one is good."""
    begun = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAAAfirst"}
    done = {**begun, "encrypted_content": "gAAAAlast"}
    _, response = streamed(*item(begun, done), output=[done])
    assert response["output"] == [done]


def test_reasoning_without_a_summary_is_sent_back():
    reasoning = {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAAA"}
    _, http = session(input=[reasoning, {"role": "user", "content": "Go on"}])
    assert json.loads(http.body)["input"][0] == reasoning


def test_a_call_that_is_cut_off_has_arguments_that_are_no_json():
    begun = {
        "id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "add", "arguments": "",
        "status": "in_progress",
    }  # fmt: skip
    done = {**begun, "arguments": '{"x":48151', "status": "incomplete"}
    stem = "response.function_call_arguments"
    told, response = streamed(
        *item(
            begun,
            done,
            {"type": f"{stem}.delta", "delta": '{"x":48151'},
            {"type": f"{stem}.done", "name": "add", "arguments": '{"x":48151'},
        ),
        ending="incomplete",
        output=[done],
        incomplete_details={"reason": "max_output_tokens"},
    )
    assert told[-1]["type"] == "response.incomplete"
    assert response["output"] == [done]


def test_a_refusal_streams_inside_a_message():
    part = {"type": "refusal", "refusal": "I'm sorry, I can't."}
    begun = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    done = {**begun, "status": "completed", "content": [part]}
    place = {"content_index": 0}
    told, response = streamed(
        *item(
            begun,
            done,
            {"type": "response.content_part.added", **place, "part": {**part, "refusal": ""}},
            {"type": "response.refusal.delta", **place, "delta": "I'm sorry, I can't."},
            {"type": "response.refusal.done", **place, "refusal": "I'm sorry, I can't."},
            {"type": "response.content_part.done", **place, "part": part},
        ),
        output=[done],
    )
    assert [event["delta"] for event in told if event["type"] == "response.refusal.delta"] == [
        part["refusal"]
    ]
    assert response["output"] == [done]


def test_a_failure_in_a_stream_has_its_details_inside_and_failed_behind_it():
    error = {"type": "server_error", "code": "server_error", "message": "Oops.", "param": None}
    told, response = streamed(
        {"type": "error", "error": error},
        ending="failed",
        error={"code": "server_error", "message": "Oops."},
    )
    assert [event["type"] for event in told[-2:]] == ["error", "response.failed"]
    assert told[-2]["error"] == error
    assert (told[-2]["message"], told[-2]["code"]) == ("Oops.", "server_error")
    assert response["status"] == "failed"


def test_items_interleave_and_some_never_close():
    calls = [
        {"id": f"mcp_{n}", "type": "mcp_list_tools", "server_label": f"server {n}", "tools": []}
        for n in range(3)
    ]
    added = [{"type": "response.output_item.added", "output_index": n, "item": calls[n]} for n in range(3)]
    last = {"type": "response.output_item.done", "output_index": 2, "item": calls[2]}
    told, response = streamed(*added, last, output=calls)
    closed = [event["item"]["id"] for event in told if event["type"] == "response.output_item.done"]
    assert sorted(closed) == ["mcp_0", "mcp_1", "mcp_2"]
    assert response["output"] == calls


def test_a_bad_key_is_told_as_plain_text_that_is_json():
    said = {"error": {"message": "Incorrect API key.", "type": "invalid_request_error"}, "status": 401}
    attempt, _ = session(input="Hi")
    attempt.accept(401, {"content-type": "text/plain; charset=utf-8"})
    attempt.feed(json.dumps(said).encode())
    with pytest.raises(AuthenticationError, match="Incorrect API key"):
        attempt.close()
