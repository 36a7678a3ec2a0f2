"""What Azure adds to OpenAI's answers comes out as it came in."""

import json

import dragoman_azure
from dragoman.attempts.session import Session
from dragoman.events.batches import events_of
from dragoman.hookspecs import Target
from dragoman.providers import Provider

FILTERS = [
    {
        "blocked": False,
        "source_type": "completion",
        "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}},
        "field_of_next_month": [1],
    }
]
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []}],
}
DONE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "my-deployment",
    "output": [MESSAGE],
    "content_filters": FILTERS,
}


def run(body, *, stream):
    target = Target("azure", "d", {"api_key": "key-123456", "api_base": "https://here.test"})
    request = {"model": "azure/d", "input": "Hi", "stream": stream}
    session = Session(Provider("azure", dragoman_azure), target, request)
    session.prepare()
    content_type = "text/event-stream" if stream else "application/json"
    events = [*session.accept(200, {"content-type": content_type})]
    events += events_of(session.feed(body))
    events += session.close()
    return session.response, events


def test_content_filters_of_a_whole_answer():
    response, _ = run(json.dumps(DONE).encode(), stream=False)
    assert response["content_filters"] == FILTERS


def test_content_filters_of_every_event_that_has_them():
    begun = {**DONE, "status": "in_progress", "output": [], "content_filters": FILTERS[:0]}
    told = [
        {"type": "response.created", "response": begun},
        {"type": "response.output_item.added", "output_index": 0, "item": {**MESSAGE, "content": []}},
        {"type": "response.output_item.done", "output_index": 0, "item": MESSAGE},
        {"type": "response.completed", "response": DONE},
    ]
    wire = b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in told)
    response, events = run(wire, stream=True)
    found = {
        event["type"]: event["response"].get("content_filters") for event in events if "response" in event
    }
    assert found["response.created"] == []
    assert found["response.completed"] == response["content_filters"] == FILTERS
