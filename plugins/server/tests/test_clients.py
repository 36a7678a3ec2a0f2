"""OpenAI's own client, unmodified, sync and async."""

from __future__ import annotations

import asyncio

import openai
import pytest
from pydantic import BaseModel

from dragoman_echo import script

MODEL = "echo/gpt-5"
LAST = {"response.completed", "response.failed", "response.incomplete", "error"}
TOOL = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
}


class Person(BaseModel):
    name: str
    age: int


class Client:
    """Both clients behind one face: what returns a coroutine is run, what iterates is read."""

    def __init__(self, kind, url):
        self._runner = asyncio.Runner()
        self._client = kind(base_url=url, api_key="none", max_retries=0)
        self.responses = self._client.responses
        self.conversations = self._client.conversations

    def __call__(self, method, *arguments, **options):
        return self._result(method(*arguments, **options))

    def read(self, stream):
        """Read a stream to its end."""
        if hasattr(stream, "__iter__"):
            return list(stream)

        async def read():
            return [event async for event in stream]

        return self._runner.run(read())

    def final(self, manager):
        """Read a ``responses.stream`` to its end; return its events and the final response."""
        if hasattr(manager, "__enter__"):
            with manager as stream:
                return list(stream), stream.get_final_response()

        async def read():
            async with manager as stream:
                return [event async for event in stream], await stream.get_final_response()

        return self._runner.run(read())

    def talk(self, *turns, **options):
        """Carry out turns over a WebSocket; return the events of each.

        A turn is what to ask, or a function that makes it of the events so far.
        """
        manager = self.responses.connect(**options)

        def asked(turn, told):
            return {"model": MODEL, **(turn(told) if callable(turn) else turn)}

        if hasattr(manager, "__enter__"):
            with manager as connection:
                told = []
                for turn in turns:
                    connection.response.create(**asked(turn, told))
                    told.append([connection.recv()])
                    while told[-1][-1].type not in LAST:
                        told[-1].append(connection.recv())
                return told

        async def talk():
            async with manager as connection:
                told = []
                for turn in turns:
                    await connection.response.create(**asked(turn, told))
                    told.append([await connection.recv()])
                    while told[-1][-1].type not in LAST:
                        told[-1].append(await connection.recv())
                return told

        return self._runner.run(talk())

    def close(self):
        self._result(self._client.close())
        self._runner.close()

    def _result(self, value):
        async def awaited():
            return await value

        return self._runner.run(awaited()) if hasattr(value, "__await__") else value


@pytest.fixture(params=[openai.OpenAI, openai.AsyncOpenAI], ids=["sync", "async"])
def client(request, server):
    made = Client(request.param, f"{server.url}/v1")
    yield made
    made.close()


def test_create_continue_retrieve_delete(client):
    first = client(client.responses.create, model=MODEL, input="One two")
    assert (first.output_text, first.usage.output_tokens) == ("One two", 2)
    second = client(client.responses.create, model=MODEL, input="Three", previous_response_id=first.id)
    assert second.usage.input_tokens == 5  # one two, one two, three
    assert client(client.responses.retrieve, second.id) == second
    listed = client(client.responses.input_items.list, second.id)
    assert [item.content[0].text for item in listed.data] == ["Three"]
    client(client.responses.delete, first.id)
    with pytest.raises(openai.NotFoundError):
        client(client.responses.retrieve, first.id)
    with pytest.raises(openai.BadRequestError) as refusal:
        client(client.responses.create, model=MODEL, input="Four", previous_response_id=second.id)
    assert refusal.value.code == "previous_response_not_found"


def test_tools_and_their_answers(client):
    play = script({"call": "get_weather", "arguments": {"city": "Paris"}})
    first = client(client.responses.create, model=MODEL, input=play, tools=[TOOL])
    call = first.output[0]
    assert (call.name, call.arguments) == ("get_weather", '{"city": "Paris"}')
    answered = [{"type": "function_call_output", "call_id": call.call_id, "output": "Sunny"}]
    second = client(
        client.responses.create, model=MODEL, input=answered, tools=[TOOL], previous_response_id=first.id
    )
    assert second.output_text == "Sunny"


def test_streams(client):
    events = client.read(client(client.responses.create, model=MODEL, input="One two", stream=True))
    assert "".join(event.delta for event in events if event.type.endswith("text.delta")) == "One two"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    events, final = client.final(client.responses.stream(model=MODEL, input="One two"))
    assert final.output_text == "One two"
    assert events[-1].type == "response.completed"


@pytest.mark.filterwarnings("ignore:connect:DeprecationWarning")  # how openai opens a connection
def test_a_websocket(client):
    def going_on(text, **more):
        return lambda told: {
            "input": text,
            "store": False,
            "previous_response_id": told[-1][-1].response.id,
            **more,
        }

    play = script({"call": "get_weather", "arguments": {"city": "Paris"}})
    answer = {"type": "function_call_output", "call_id": "call_echo_1", "output": "Sunny"}
    *turns, failed = client.talk(
        {"input": "One two", "generate": False, "store": False},
        going_on("Three"),
        going_on(play, tools=[TOOL]),
        going_on([answer], tools=[TOOL], stream_id="side"),
        going_on("Four", temperature=0.5, store=True),
        {"input": "Five", "previous_response_id": "resp_0"},
    )
    *said, kept = [events[-1].response for events in turns]
    assert [response.output_text for response in said] == ["", "Three", "", "Sunny"]
    assert (kept.output_text, kept.usage.input_tokens) == ("Four", 16)
    assert [event.type for event in turns[0]] == ["response.created", "response.completed"]
    assert {event.stream_id for event in turns[3]} == {"side"}
    for events in turns:
        assert [event.sequence_number for event in events] == list(range(len(events)))
    (refused,) = failed
    assert (refused.status, refused.error.code) == (400, "previous_response_not_found")
    assert client(client.responses.retrieve, kept.id) == kept


def test_parse(client):
    parsed = client(client.responses.parse, model=MODEL, input="Ada", text_format=Person)
    assert parsed.output_parsed == Person(name="text", age=1)


def test_background_polled_until_it_is_done(client):
    play = script({"pause": 0.1}, {"text": "Done"})
    response = client(client.responses.create, model=MODEL, input=play, background=True)
    assert response.status == "queued"
    while response.status in {"queued", "in_progress"}:
        response = client(client.responses.retrieve, response.id)
    assert (response.status, response.output_text) == ("completed", "Done")


def test_background_streamed_and_resumed(client):
    play = script({"text": "One"}, {"pause": 0.2}, {"text": " two"})
    asked = {"model": MODEL, "input": play, "background": True, "stream": True}
    events = client.read(client(client.responses.create, **asked))
    response = events[0].response
    for after in (0, 4):
        resumed = client.read(
            client(client.responses.retrieve, response.id, stream=True, starting_after=after)
        )
        assert resumed == events[after + 1 :]
    _, final = client.final(client.responses.stream(response_id=response.id))
    assert final.output_text == "One two"


def test_a_resumed_stream_is_followed_to_its_end(client):
    play = script({"text": "One"}, {"pause": 0.3}, {"text": " two"})
    response = client(client.responses.create, model=MODEL, input=play, background=True, stream=False)
    events = client.read(client(client.responses.retrieve, response.id, stream=True))
    assert events[-1].response.output_text == "One two"


def test_cancel(client):
    play = script({"text": "One"}, {"pause": 60})
    response = client(client.responses.create, model=MODEL, input=play, background=True)
    cancelled = client(client.responses.cancel, response.id)
    assert cancelled.status == "cancelled"
    assert client(client.responses.retrieve, response.id) == cancelled


def test_conversations(client):
    opening = [{"role": "developer", "content": "Rhyme."}]
    conversation = client(client.conversations.create, items=opening, metadata={"topic": "sea"})
    response = client(client.responses.create, model=MODEL, input="One", conversation=conversation.id)
    assert response.conversation.id == conversation.id
    listed = client(client.conversations.items.list, conversation.id, order="asc")
    assert [item.role for item in listed.data] == ["developer", "user", "assistant"]
    added = client(
        client.conversations.items.create, conversation.id, items=[{"role": "user", "content": "More"}]
    )
    item = added.data[0]
    found = client(client.conversations.items.retrieve, item.id, conversation_id=conversation.id)
    assert found.content[0].text == "More"
    client(client.conversations.items.delete, item.id, conversation_id=conversation.id)
    changed = client(client.conversations.update, conversation.id, metadata={"topic": "land"})
    assert client(client.conversations.retrieve, conversation.id) == changed
    assert client(client.conversations.delete, conversation.id).deleted
    with pytest.raises(openai.NotFoundError):
        client(client.conversations.retrieve, conversation.id)


def test_input_tokens_are_estimated_where_nobody_counts(client):
    short = client(client.responses.input_tokens.count, model=MODEL, input="Hello there")
    long = client(client.responses.input_tokens.count, model=MODEL, input="Hello there " * 100)
    assert (short.object, short.estimated) == ("response.input_tokens", True)
    assert 2 <= short.input_tokens <= 15
    assert 200 <= long.input_tokens <= 400
    image = {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 100_000}
    seen = client(
        client.responses.input_tokens.count, model=MODEL, input=[{"role": "user", "content": [image]}]
    )
    assert seen.input_tokens < 2000
    first = client(client.responses.create, model=MODEL, input="Hello there " * 100)
    after = client(
        client.responses.input_tokens.count, model=MODEL, input="Hi", previous_response_id=first.id
    )
    assert after.input_tokens > 2 * long.input_tokens - 50


def test_compact(client):
    first = client(client.responses.create, model=MODEL, input="My name is Ada.")
    items = [{"role": "developer", "content": "Rhyme."}, {"role": "user", "content": "Who am I?"}]
    compacted = client(client.responses.compact, model=MODEL, input=items, previous_response_id=first.id)
    assert compacted.object == "response.compaction"
    rule, compaction = compacted.output
    assert rule.content[0].text == "Rhyme."
    assert compaction.type == "compaction"
    assert compacted.usage.output_tokens > 0
    again = client(
        client.responses.compact,
        model=MODEL,
        input=[compaction.model_dump(exclude_none=True), {"role": "user", "content": "Go on"}],
    )
    assert len(again.output) == 1


def test_a_compacted_conversation_goes_on(client):
    compacted = client(client.responses.compact, model=MODEL, input="My name is Ada.")
    window = [item.model_dump(exclude_none=True) for item in compacted.output]
    asked = [*window, {"role": "user", "content": "Who am I?"}]
    answer = client(client.responses.create, model=MODEL, input=asked)
    assert answer.output_text == "Who am I?"
    assert answer.usage.input_tokens > 6  # what was before is there, too


def test_models(client):
    models = client(client._client.models.retrieve, MODEL)
    assert (models.id, models.owned_by) == (MODEL, "echo")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, openai.BadRequestError), (401, openai.AuthenticationError), (404, openai.NotFoundError),
        (429, openai.RateLimitError), (500, openai.InternalServerError), (529, openai.InternalServerError),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.usefixtures("hurried")
def test_each_refusal_is_the_class_of_its_status(client, status, kind, stream):
    play = script({"error": {"status": status, "message": "No.", "code": "some_code"}})
    with pytest.raises(kind) as refusal:
        client(client.responses.create, model=MODEL, input=play, stream=stream)
    assert (refusal.value.status_code, refusal.value.code) == (status, "some_code")
    assert refusal.value.request_id.startswith("req_")
