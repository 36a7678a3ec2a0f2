"""Acme through dragoman, as a user calls it: what is sent, what comes back. A function plays Acme."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import dragoman_acme
from dragoman import Dragoman, register_provider
from dragoman.errors import BadRequestError, ContextWindowExceededError, RateLimitError
from dragoman.testing.legality import check_events

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.hookspecs import ProviderModule

    Upstream = Callable[..., tuple[Dragoman, list[Any]]]

register_provider(dragoman_acme)

QUESTION = [{"role": "user", "content": "Weather in Paris?"}]
CALL = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Paris"}'}
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": True}
BLOCKS = [
    {"kind": "text", "text": "Let me see."},
    {"kind": "call", "id": "c1", "name": "weather", "arguments": '{"city": "Paris"}'},
]
STOP = {"kind": "stop", "stop": "done", "tokens": {"in": 12, "out": 5}}
ANSWER = {"model": "large-2", "blocks": BLOCKS, "stop": "done", "tokens": {"in": 12, "out": 5}}
STREAM = [
    {"kind": "start", "model": "large-2"},
    {"kind": "text", "text": "Let me"},
    {"kind": "text", "text": " see."},
    BLOCKS[1],
    {"kind": "some future block"},
    STOP,
]


@pytest.fixture
def upstream() -> Upstream:
    """Return a client whose upstream gives one answer, and a list that gets the requests it sees."""

    def answering(body: Any, status: int = 200, **headers: str) -> tuple[Dragoman, list[Any]]:
        seen: list[Any] = []

        def answer(request: httpx.Request) -> httpx.Response:
            seen.append((str(request.url), request.headers["authorization"], json.loads(request.content)))
            if isinstance(body, list):
                content = "".join(f"data: {json.dumps(event)}\n\n" for event in body)
                return httpx.Response(status, text=content, headers={"content-type": "text/event-stream"})
            return httpx.Response(status, json=body, headers=headers)

        client = httpx.Client(transport=httpx.MockTransport(answer))
        return Dragoman(http_client=client, api_key="secret", num_retries=0), seen

    return answering


def test_the_module_fits_the_contract() -> None:
    plugin: ProviderModule = dragoman_acme
    assert plugin.provider_info().name == "acme"


def test_what_is_sent(upstream: Upstream) -> None:
    client, seen = upstream(ANSWER)
    output = {"type": "function_call_output", "call_id": "c1", "output": "sunny"}
    client.responses.create(
        model="acme/large",
        input=[*QUESTION, CALL, output],
        instructions="Be brief.",
        tools=[TOOL],
        max_output_tokens=99,
    )
    assert seen == [
        (
            "https://api.acme.example/v1/generate",
            "Bearer secret",
            {
                "model": "large",
                "stream": False,
                "system": "Be brief.",
                "max_tokens": 99,
                "messages": [
                    {"role": "user", "text": "Weather in Paris?"},
                    {
                        "role": "assistant",
                        "call": {"id": "c1", "name": "weather", "arguments": '{"city": "Paris"}'},
                    },
                    {"role": "tool", "id": "c1", "text": "sunny"},
                ],
                "tools": [{"name": "weather", "purpose": "", "schema": {"type": "object"}}],
            },
        )
    ]


def test_a_whole_answer(upstream: Upstream) -> None:
    client, _ = upstream(ANSWER)
    response = client.responses.create(model="acme/large", input=QUESTION, tools=[TOOL])
    assert [item.type for item in response.output] == ["message", "function_call"]
    assert response.output_text == "Let me see."
    call = response.output[1].model_dump()
    assert (call["call_id"], call["name"], call["arguments"]) == ("c1", "weather", '{"city": "Paris"}')
    assert (response.status, response.model) == ("completed", "large-2")
    assert response.usage is not None
    assert (response.usage.input_tokens, response.usage.output_tokens) == (12, 5)


def test_a_stream_says_the_same(upstream: Upstream) -> None:
    client, _ = upstream(STREAM)
    stream = client.responses.create(model="acme/large", input=QUESTION, tools=[TOOL], stream=True)
    events = list(stream)
    check_events([event.model_dump(exclude_unset=True) for event in events])
    assert [event.delta for event in events if event.type == "response.output_text.delta"] == [
        "Let me",
        " see.",
    ]
    whole = upstream(ANSWER)[0].responses.create(model="acme/large", input=QUESTION, tools=[TOOL])
    assert stream.get_final_response().output_text == whole.output_text
    assert [item.type for item in stream.get_final_response().output] == [item.type for item in whole.output]
    assert stream.get_final_response().usage == whole.usage


def test_a_cut_answer(upstream: Upstream) -> None:
    client, _ = upstream({**ANSWER, "stop": "length"})
    response = client.responses.create(model="acme/large", input=QUESTION)
    assert response.status == "incomplete"
    assert response.incomplete_details is not None
    assert response.incomplete_details.reason == "max_output_tokens"


def test_a_failure_on_the_way(upstream: Upstream) -> None:
    failure = {"kind": "error", "status": 429, "error": {"message": "too busy"}}
    client, _ = upstream([*STREAM[:2], failure])
    stream = client.responses.create(model="acme/large", input=QUESTION, stream=True)
    with pytest.raises(RateLimitError, match="too busy") as caught:
        list(stream)
    assert caught.value.response is not None
    assert caught.value.response.output_text == "Let me"


def test_refusals(upstream: Upstream) -> None:
    client, _ = upstream(
        {"error": {"message": "slower, please"}}, 429, **{"retry-after": "7", "acme-request-id": "r1"}
    )
    with pytest.raises(RateLimitError, match="slower, please") as caught:
        client.responses.create(model="acme/large", input=QUESTION)
    assert (caught.value.retry_after, caught.value.request_id) == (7, "r1")
    client, _ = upstream({"error": {"message": "too long", "code": "prompt_too_long"}}, 400)
    with pytest.raises(ContextWindowExceededError):
        client.responses.create(model="acme/large", input=QUESTION)


def test_what_acme_cannot_carry_is_named(upstream: Upstream) -> None:
    client, seen = upstream(ANSWER)
    picture = {"type": "input_image", "image_url": "https://example.com/cat.png", "detail": "auto"}
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(model="acme/large", input=[{"role": "user", "content": [picture]}])
    assert caught.value.param == "input[0].content[0]"
    with pytest.raises(BadRequestError) as caught:
        client.responses.create(model="acme/large", input="x", tool_choice="required", tools=[TOOL])
    assert caught.value.param == "tool_choice"
    assert seen == []
