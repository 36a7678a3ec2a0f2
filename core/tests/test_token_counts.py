"""Counting the tokens of an input by the provider's own counter, sync and async."""

import asyncio
import json

import httpx
import pytest

from dragoman import (
    AsyncDragoman,
    BadRequestError,
    Dragoman,
    MalformedResponseError,
    PluginError,
    RateLimitError,
)
from dragoman.hookspecs import HTTPRequest, hookimpl
from dragoman.providers import Provider, register_provider

pytest_plugins = ["core.tests.toys"]


def sync_count(handler, **options):
    with httpx.Client(transport=httpx.MockTransport(handler)) as http, Dragoman(http_client=http) as client:
        return client.responses.input_tokens.count(**options)


def async_count(handler, **options):
    async def main():
        transport = httpx.MockTransport(handler)
        async with httpx.AsyncClient(transport=transport) as http, AsyncDragoman(http_client=http) as client:
            return await client.responses.input_tokens.count(**options)

    return asyncio.run(main())


@pytest.fixture(params=[sync_count, async_count])
def count(request, toy):
    class Counting(type(toy())):
        """A toy whose upstream counts, but not for every model."""

        @hookimpl
        def translate_token_count(self, request, target):
            if target.model == "old":
                return None
            self.requests.append(request)
            return HTTPRequest(url="https://toy.example/v1/count", json={"items": len(request["input"])})

        @hookimpl
        def parse_token_count(self, payload, target):
            return payload["tokens"]

    plugin = Counting()
    register_provider(plugin)  # the toy's fixture forgets it afterwards

    def ask(status=200, body=b'{"tokens": 12}', **options):
        asked = []

        def answer(http):
            asked.append(json.loads(http.content))
            return httpx.Response(status, content=body, headers={"retry-after": "3"})

        counted = request.param(answer, **{"model": "toy/m", "input": "Hello", **options})
        return counted, asked, plugin.requests

    return ask


def test_the_upstream_counts_what_a_call_would_send(count):
    counted, asked, requests = count(tools=[{"type": "custom", "name": "shell"}])
    assert counted.model_dump() == {"object": "response.input_tokens", "input_tokens": 12}
    assert asked == [{"items": 1}]
    (request,) = requests
    assert request["tools"][0]["type"] == "function"  # as in a call: the translator meets one form
    assert request["input"][0]["content"] == [{"type": "input_text", "text": "Hello"}]


def test_a_refusal_is_the_error_that_a_call_would_raise(count):
    with pytest.raises(RateLimitError, match="slowly") as caught:
        count(429, b'{"toy": "slowly"}')
    assert caught.value.retry_after == 3


@pytest.mark.parametrize("body", [b"", b"twelve", b'{"tokens": "12"}', b'{"tokens": true}', b"{}"])
def test_an_answer_without_a_count_is_malformed(count, body):
    with pytest.raises(MalformedResponseError):
        count(200, body)


def test_a_model_without_a_counter_is_an_error_that_says_so(count):
    with pytest.raises(BadRequestError, match="toy has no token counter for 'old'") as caught:
        count(model="toy/old")
    assert (caught.value.param, caught.value.code) == ("model", "no_token_counter")


def test_a_provider_without_a_counter_is_the_same_error(toy):
    toy()
    with Dragoman() as client, pytest.raises(BadRequestError, match="no token counter"):
        client.responses.input_tokens.count(model="toy/m", input="Hello")


def test_bad_input_is_refused_as_in_a_call(count):
    with pytest.raises(BadRequestError) as caught:
        count(truncation="auto", input=[{"type": "unheard_of"}])
    assert caught.value.param


def test_a_question_without_an_answer_is_a_defect_of_the_plugin(toy):
    class Half(type(toy())):
        @hookimpl
        def translate_token_count(self):
            return None

    with pytest.raises(PluginError, match="parse_token_count"):
        Provider("toy", Half())


@pytest.mark.parametrize("kind", [Dragoman, AsyncDragoman])
def test_what_came_before_is_counted_too(kind, count, toy):
    _, _, requests = count()  # the counting toy is known from here on

    async def later(client):
        return await client.responses.input_tokens.count(**asked)

    transport = httpx.MockTransport(
        lambda request: httpx.Response(200, content=b'{"tokens": 3, "verbs": []}')
    )
    asynchronous = kind is AsyncDragoman
    http = (httpx.AsyncClient if asynchronous else httpx.Client)(transport=transport)
    client = kind(http_client=http)
    opened = {"items": [{"role": "user", "content": "Before"}]}
    made = client.conversations.create(**opened)
    conversation = asyncio.run(made) if asynchronous else made
    asked = {"model": "toy/m", "input": "Now", "conversation": conversation["id"]}
    counted = asyncio.run(later(client)) if asynchronous else client.responses.input_tokens.count(**asked)
    assert counted.input_tokens == 3
    assert [item["content"][0]["text"] for item in requests[-1]["input"]] == ["Before", "Now"]
