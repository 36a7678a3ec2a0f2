"""Hosts that speak the Responses API themselves, with the oddities of their streams."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

import json

import pytest


def response(*output, status="completed"):
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": "grok-4",
        "output": list(output),
    }


def message(text, id="msg_1"):  # noqa: A002
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    return {"id": id, "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def call(id="fc_1", call_id="call_0"):  # noqa: A002
    named = {"id": id, "call_id": call_id, "name": "f", "arguments": '{"x": 1}'}
    return {"type": "function_call", "status": "completed", **named}


def wire(*events, name_lines=False):
    """Return a stream; most of these hosts leave out the `event:` lines."""
    numbered = ({**event, "sequence_number": number} for number, event in enumerate(events))
    head = (lambda event: f"event: {event['type']}\n") if name_lines else (lambda _: "")
    return "".join(f"{head(event)}data: {json.dumps(event)}\n\n" for event in numbered).encode()


def streamed(item, *between, added=None, done=None):
    return (
        {"type": "response.output_item.added", "output_index": 0, "item": added or item},
        *({"output_index": 0, "content_index": 0, **event} for event in between),
        {"type": "response.output_item.done", "output_index": 0, "item": done or item},
    )


CREATED = {"type": "response.created", "response": response(status="in_progress")}
EMPTY = {**message(""), "content": [], "status": "in_progress"}
DELTA = {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "Hi"}


def text_of(answer):
    return answer["output"][-1]["content"][0]["text"]


def test_there_may_be_no_event_lines_but_comments_and_a_done_at_the_end(server):
    completed = {"type": "response.completed", "response": response(message("Hi"))}
    events = wire(CREATED, *streamed(message("Hi"), DELTA, added=EMPTY), completed)
    _, answer = server.fed([b": OPENROUTER PROCESSING\n\n", events, b"data: [DONE]\n\n"], "xai")
    assert (answer["status"], text_of(answer)) == ("completed", "Hi")


def test_ids_may_change_with_every_event(server):
    items = streamed(
        message("Hi"),
        {**DELTA, "item_id": "msg_b"},
        added={**EMPTY, "id": "msg_a"},
        done=message("Hi", "msg_c"),
    )
    completed = {"type": "response.completed", "response": {**response(message("Hi", "d")), "id": "resp_2"}}
    events, answer = server.fed([wire(CREATED, *items, completed)], "xai")
    assert {event["item_id"] for event in events if "item_id" in event} == {"msg_a"}
    assert (answer["id"], answer["output"][0]["id"]) == ("resp_1", "msg_a")


def test_the_final_response_may_list_nothing_of_what_streamed(server):
    completed = {"type": "response.completed", "response": response()}
    _, answer = server.fed([wire(CREATED, *streamed(message("Hi"), DELTA, added=EMPTY), completed)], "xai")
    assert text_of(answer) == "Hi"


def test_an_item_without_an_id_gets_one(server):
    nameless = {name: value for name, value in call().items() if name != "id"}
    answer = server.whole(response({**nameless, "item_id": "fc_9"}), "lm_studio")
    assert answer["output"][0]["id"]
    assert answer["output"][0]["arguments"] == '{"x": 1}'


def test_reasoning_may_be_raw_text(server):
    thought = {"type": "reasoning_text", "text": "Hm"}
    done = {"id": "rs_1", "type": "reasoning", "summary": [], "content": [thought]}
    place = {"item_id": "rs_1", "content_index": 0}
    part = {"type": "response.reasoning_part.added", **place, "part": {**thought, "text": ""}}
    delta = {"type": "response.reasoning_text.delta", **place, "delta": "Hm"}
    items = streamed(done, part, delta, added={**done, "content": []})
    completed = {"type": "response.completed", "response": response(done)}
    _, answer = server.fed([wire(CREATED, *items, completed)], "xai")
    assert answer["output"][0]["content"] == [thought]


def test_arguments_may_come_at_once(server):
    completed = {"type": "response.completed", "response": response(call())}
    added = {**call(), "arguments": "", "status": "in_progress"}
    events, _ = server.fed([wire(CREATED, *streamed(call(), added=added), completed)], "lm_studio")
    assert "".join(event["delta"] for event in events if "delta" in event) == '{"x": 1}'


def test_a_stream_without_its_terminal_event_failed_whatever_done_says(server):
    events = wire(CREATED, *streamed(message("Hi"), DELTA, added=EMPTY))
    _, answer = server.fed([events, b"data: [DONE]\n\n"], "xai")
    assert (answer["status"], text_of(answer)) == ("failed", "Hi")


@pytest.mark.parametrize("name", ["xai", "lm_studio"])
def test_requests_go_out_as_they_are(server, name):
    given = {"input": [{"role": "user", "content": "Hi"}], "search_parameters": {"mode": "auto"}}
    body = server.body(name, **given)
    assert {field: body[field] for field in given} == given
