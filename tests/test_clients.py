"""Clients that others wrote, unmodified, against ``dragoman serve``, on every provider.

Behind the server is a storyteller that repeats all it has heard, read from the provider's own wire, and
counts it: what a client is told in the end is what has reached the provider. echo answers the last words, and
counts all of them. No client may warn of anything: warnings are errors in these tests.
"""

from __future__ import annotations

import openai
import pytest
from tests.client_drivers import CLIENTS, INSTRUCTIONS, WEATHER, Connections, Person
from tests.storyteller.model import STORY, WAIT, Turn, recited, words

from dragoman_echo import script

MODELS = [
    "openai/gpt-5.2",
    "azure/my-deployment",
    "anthropic/claude-sonnet-4-5",
    "gemini/gemini-3-pro-preview",
    "vertex_ai/gemini-3-pro-preview",
    "vertex_ai/claude-sonnet-4-5",
    "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "bedrock/us.amazon.nova-lite-v1:0",
    "azure_ai/my-deployment",
    "azure_ai/claude-sonnet-4-5",
    "azure_ai/responses/my-deployment",
    "groq/llama-3.3-70b-versatile",
    "openai_compatible/some-model",
    "echo/echo",
]
CALLED = "get_weather", {"city": "Paris"}
WITHOUT_THOUGHTS = ("echo/", "bedrock/us.amazon", "groq/")


@pytest.fixture(params=MODELS)
def model(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def streamed(request):
    return request.param


@pytest.fixture(scope="module")
def connections(served):
    connections = Connections(served)
    yield connections
    connections.close()


@pytest.fixture(params=CLIENTS)
def talk(request, connections, model, streamed):
    effort = "none" if model.startswith(WITHOUT_THOUGHTS) else "low"
    return CLIENTS[request.param](connections, model, streamed=streamed, effort=effort)


def check(said, history, model):
    """Everything has reached the provider, in order, and its answer the client."""
    assert said.text == (history[-1].text if model.startswith("echo/") else recited(history))
    assert said.input_tokens == words(*(turn.text for turn in history))


def test_a_talk_with_a_tool_and_a_second_turn(talk, model):
    question = "How is the weather in Paris?"
    if model.startswith("echo/"):
        question = script({"call": CALLED[0], "arguments": CALLED[1]})
    history = [
        Turn("system", INSTRUCTIONS),
        Turn("user", question),
        Turn("call", 'get_weather {"city": "Paris"}'),
        Turn("result", WEATHER),
    ]
    first = talk.say(question)
    check(first, history, model)
    history += [Turn("assistant", first.text), Turn("user", "And what was my question?")]
    check(talk.say("And what was my question?"), history, model)


@pytest.mark.parametrize("talk", ["openai", "openai-async", "agents", "langchain"], indirect=True)
def test_structured_output(talk):
    assert talk.parse("Who is it?") == Person(name="text", age=1)


# ---- what only OpenAI's own clients ask for ---------------------------------------------------------------


@pytest.fixture(params=["openai", "openai-async"])
def client(request, connections, model):
    return CLIENTS[request.param](connections, model)


def test_a_response_is_kept_until_it_is_deleted(client):
    asked = {"model": client.model, "instructions": INSTRUCTIONS}
    first = client(client.responses.create, input="My name is Ada.", **asked)
    second = client(client.responses.create, input="Who am I?", previous_response_id=first.id, **asked)
    said = (INSTRUCTIONS, "My name is Ada.", first.output_text, "Who am I?")
    assert second.usage.input_tokens == words(*said)
    assert client(client.responses.retrieve, second.id) == second
    listed = client(client.responses.input_items.list, second.id)
    assert [item.content[0].text for item in listed.data] == ["Who am I?"]
    client(client.responses.delete, second.id)
    with pytest.raises(openai.NotFoundError):
        client(client.responses.retrieve, second.id)
    with pytest.raises(openai.BadRequestError) as refusal:
        client(client.responses.create, input="And now?", previous_response_id=second.id, **asked)
    assert refusal.value.code == "previous_response_not_found"


def test_tokens_are_counted_with_the_history(client):
    count = client.responses.input_tokens.count
    story = "A long story. " * 50
    first = client(client.responses.create, model=client.model, input=story)
    alone = client(count, model=client.model, input="Go on.")
    both = client(count, model=client.model, input="Go on.", previous_response_id=first.id)
    assert both.input_tokens > alone.input_tokens + words(story)
    if not getattr(alone, "estimated", False):
        assert alone.input_tokens == words("Go on.")


def test_a_background_response_is_polled_to_its_end(client):
    response = client(client.responses.create, model=client.model, input="A story.", background=True)
    assert response.status in {"queued", "in_progress"}
    while response.status in {"queued", "in_progress"}:
        response = client(client.responses.retrieve, response.id)
    assert response.status == "completed"
    assert response.output_text == ("A story." if client.model.startswith("echo/") else STORY)


def test_a_background_stream_is_resumed_where_it_broke_off(client):
    asked = {"model": client.model, "input": "A story.", "background": True}
    begun = client.first(3, **asked)
    response_id = begun[0].response.id
    resumed = {"stream": True, "starting_after": begun[-1].sequence_number}
    rest = client(client.responses.retrieve, response_id, **resumed)
    events = begun + rest
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events == client(client.responses.retrieve, response_id, stream=True)
    final = client.final(client.responses.stream(response_id=response_id))
    assert final.output_text == events[-1].response.output_text != ""
    assert final.id == response_id


def test_a_background_response_is_cancelled(client):
    wait = script({"pause": 60}) if client.model.startswith("echo/") else WAIT
    response = client(client.responses.create, model=client.model, input=wait, background=True)
    assert client(client.responses.cancel, response.id).status == "cancelled"
    assert client(client.responses.cancel, response.id).status == "cancelled"
    assert client(client.responses.retrieve, response.id).status == "cancelled"


def test_a_conversation_is_told_whole(client):
    opening = [{"role": "user", "content": "My name is Ada."}, {"role": "assistant", "content": "Hello Ada."}]
    conversation = client(client.client.conversations.create, items=opening, metadata={"topic": "names"})
    said = ["My name is Ada.", "Hello Ada."]
    for question in ("Who am I?", "Who?"):
        said.append(question)
        asked = {"model": client.model, "input": question, "conversation": conversation.id}
        response = client(client.responses.create, **asked)
        assert response.conversation.id == conversation.id
        assert response.usage.input_tokens == words(*said)
        said.append(response.output_text)
    items = client.client.conversations.items
    listed = client(items.list, conversation.id, order="asc")
    assert [item.content[0].text for item in listed.data] == said
    client(items.delete, listed.data[0].id, conversation_id=conversation.id)
    assert len(client(items.list, conversation.id).data) == len(said) - 1
    assert client(client.client.conversations.delete, conversation.id).deleted


def test_a_compacted_talk_goes_on(client):
    first = client(client.responses.create, model=client.model, input="My name is Ada.")
    compacted = client(client.responses.compact, model=client.model, previous_response_id=first.id)
    window = [item.model_dump(exclude_none=True) for item in compacted.output]
    assert "compaction" in [item["type"] for item in window]
    asked = {"model": client.model, "input": [*window, {"role": "user", "content": "Who am I?"}]}
    response = client(client.responses.create, **asked)
    assert response.usage.input_tokens > words("Who am I?")
    if not client.model.startswith("echo/"):
        assert "My name is Ada." in response.output_text
