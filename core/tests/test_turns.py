"""Memory: chains, forks, conversations, owners; what is kept, and what is never answered without it."""

import asyncio
import json
from functools import partial

import httpx
import pytest

from dragoman import AsyncDragoman, BadRequestError, Dragoman, NotFoundError
from dragoman.hookspecs import HTTPRequest, ProviderInfo, Setting, hookimpl
from dragoman.memory.keeper import Keeper
from dragoman.memory.memory_store import MemoryStore
from dragoman.network import drivers
from dragoman.providers import register_provider
from dragoman.routing import Deployment, Fleet
from dragoman.turns.turn import Memory

pytest_plugins = ["core.tests.toys", "core.tests.clients"]


def test_a_chain_carries_all_that_was_said_and_nothing_else(call, answering):
    client = call.kind()
    first = call(client.responses.create, model="toy/m", input="One", instructions="Be brief.")
    answering("Bye")
    second = call(client.responses.create, model="toy/m", input="Two", previous_response_id=first.id)
    call(client.responses.create, model="toy/m", input="Three", previous_response_id=second.id)
    assert call.texts(answering.requests[-1]) == [
        ("user", "One"), ("assistant", "Hello"), ("user", "Two"), ("assistant", "Bye"), ("user", "Three")
    ]  # fmt: skip
    assert "instructions" not in answering.requests[-1]
    assert "previous_response_id" not in answering.requests[-1]
    assert (second.previous_response_id, second.store) == (first.id, True)


def test_a_fork_sees_its_own_past(call, answering):
    client = call.kind()
    root = call(client.responses.create, model="toy/m", input="Root")
    call(client.responses.create, model="toy/m", input="Left", previous_response_id=root.id)
    call(client.responses.create, model="toy/m", input="Right", previous_response_id=root.id)
    assert call.texts(answering.requests[-1]) == [("user", "Root"), ("assistant", "Hello"), ("user", "Right")]


@pytest.mark.parametrize(
    "missing", ["never made", "deleted", "deleted before it", "not stored", "another owner's"]
)
def test_an_answer_is_never_given_without_its_history(call, answering, missing):
    store = MemoryStore()
    client = call.kind(store=store)
    first = call(client.responses.create, model="toy/m", input="One", store=missing != "not stored")
    last = first
    match missing:
        case "never made":
            last = first.model_copy(update={"id": "resp_0"})
        case "deleted":
            call(client.responses.delete, first.id)
        case "deleted before it":
            last = call(client.responses.create, model="toy/m", input="Two", previous_response_id=first.id)
            call(client.responses.delete, first.id)
        case "another owner's":
            client.responses._memory = Memory(keeper=Keeper(store), owner="somebody else")
    asked = len(answering.requests)
    with pytest.raises(BadRequestError) as refusal:
        call(client.responses.create, model="toy/m", input="Three", previous_response_id=last.id)
    assert refusal.value.code == "previous_response_not_found"
    assert refusal.value.param == "previous_response_id"
    assert len(answering.requests) == asked


def test_a_tools_answer_belongs_to_a_call_of_the_conversation(call, toy):
    plugin = toy(toy.whole(["call", "call_1", "look", ["{}"]], ["finish"]))
    client, look = call.kind(), {"type": "function", "name": "look", "parameters": {"type": "object"}}
    first = call(client.responses.create, model="toy/m", input="Look!", tools=[look])
    room = call(client.conversations.create)
    go_on = partial(client.responses.create, model="toy/m")

    def answer(call_id):
        return {"type": "function_call_output", "call_id": call_id, "output": "A door."}

    for history in ({"previous_response_id": first.id}, {"conversation": room["id"]}):
        with pytest.raises(BadRequestError) as refusal:
            call(go_on, input=[{"role": "user", "content": "Hm"}, answer("call_2")], **history)
        assert refusal.value.param == "input[1].call_id"
    assert len(plugin.requests) == 1
    plugin.answer = toy.whole(["text", "I see."], ["finish"])
    second = call(go_on, input=[answer("call_1")], previous_response_id=first.id)
    call(go_on, input="And?", previous_response_id=second.id)
    asked = {"type": "function_call", "call_id": "call_2", "name": "look", "arguments": "{}"}
    call(go_on, input=[asked, answer("call_2")], conversation=room["id"])


def test_what_is_stored_is_found_listed_and_deleted(call, answering):
    client = call.kind()
    made = call(client.responses.create, model="toy/m", input=["A", "B"] and [
        {"role": "user", "content": "A"}, {"role": "user", "content": "B"}
    ])  # fmt: skip
    assert call(client.responses.retrieve, made.id).model_dump() == made.model_dump()
    page = call(client.responses.input_items.list, made.id, limit=1)
    assert [item["content"][0]["text"] for item in page["data"]] == ["B"]
    assert page["has_more"] is True
    rest = call(client.responses.input_items.list, made.id, after=page["last_id"])
    assert [item["content"][0]["text"] for item in rest["data"]] == ["A"]
    assert rest["has_more"] is False
    call(client.responses.delete, made.id)
    for gone in (client.responses.retrieve, client.responses.delete, client.responses.input_items.list):
        with pytest.raises(NotFoundError):
            call(gone, made.id)


def test_a_conversation_grows_with_each_turn_in_it(call, answering):
    client = call.kind()
    opening = [{"role": "developer", "content": "Rhyme."}]
    conversation = call(client.conversations.create, items=opening, metadata={"topic": "sea"})
    first = call(client.responses.create, model="toy/m", input="One", conversation=conversation["id"])
    assert first.conversation.id == conversation["id"]
    call(client.responses.create, model="toy/m", input="Two", conversation={"id": conversation["id"]})
    assert call.texts(answering.requests[-1]) == [
        ("developer", "Rhyme."), ("user", "One"), ("assistant", "Hello"), ("user", "Two")
    ]  # fmt: skip
    listed = call(client.conversations.items.list, conversation["id"], order="asc")
    assert [item["role"] for item in listed["data"]] == [
        "developer",
        "user",
        "assistant",
        "user",
        "assistant",
    ]
    second = listed["data"][1]
    assert (
        call(client.conversations.items.retrieve, second["id"], conversation_id=conversation["id"]) == second
    )
    call(client.conversations.items.delete, second["id"], conversation_id=conversation["id"])
    call(client.conversations.items.create, conversation["id"], items=[{"role": "user", "content": "More"}])
    call(client.responses.create, model="toy/m", input="Last", conversation=conversation["id"])
    assert call.texts(answering.requests[-1])[1:3] == [("assistant", "Hello"), ("user", "Two")]
    changed = call(client.conversations.update, conversation["id"], metadata={"topic": "land"})
    assert call(client.conversations.retrieve, conversation["id"]) == changed
    assert changed["metadata"] == {"topic": "land"}
    assert call(client.conversations.delete, conversation["id"])["deleted"] is True
    with pytest.raises(NotFoundError):
        call(client.responses.create, model="toy/m", input="Gone", conversation=conversation["id"])


def test_a_client_without_a_store_says_so(call, answering):
    client = call.kind(store=False)
    response = call(client.responses.create, model="toy/m", input="One")
    assert response.store is False
    with pytest.raises(BadRequestError, match="nothing is kept here"):
        call(client.responses.create, model="toy/m", input="Two", previous_response_id=response.id)
    with pytest.raises(BadRequestError, match="store=False"):
        call(client.responses.retrieve, response.id)


# ---- upstreams that speak the Responses API --------------------------------------------------------------


class Native:
    """An upstream with ids and a memory of its own."""

    def __init__(self):
        self.bodies = []

    @hookimpl
    def provider_info(self):
        return ProviderInfo(name="native", spec_version=1, wire="responses")

    @hookimpl
    def translate_request(self, request, target):
        return HTTPRequest(url="https://native.example/responses", json={**request, "model": target.model})

    def answer(self, http):
        self.bodies.append(json.loads(http.content))
        item = {
            "id": f"msg_upstream{len(self.bodies)}",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}],
        }
        response = {
            "id": f"resp_upstream{len(self.bodies)}", "object": "response", "created_at": 1, "model": "m",
            "status": "completed", "output": [item], "previous_response_id": None, "store": False,
        }  # fmt: skip
        if not self.bodies[-1].get("stream"):
            return httpx.Response(200, json=response)
        events = [
            {"type": "response.created", "response": {**response, "status": "in_progress", "output": []}},
            {"type": "response.completed", "response": response},
        ]
        sse = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
        return httpx.Response(200, text=sse, headers={"content-type": "text/event-stream"})


@pytest.fixture
def native(toy):
    plugin = Native()
    register_provider(plugin)  # the toy's fixture forgets it afterwards
    return plugin


def http_client(kind, plugin):
    transport = httpx.MockTransport(plugin.answer)
    return (httpx.AsyncClient if kind is AsyncDragoman else httpx.Client)(transport=transport)


@pytest.mark.parametrize("stream", [False, True])
def test_on_a_native_upstream_ids_and_history_are_dragomans(call, native, stream):
    client = call.kind(http_client=http_client(call.kind, native))

    def create(**options):
        made = call(client.responses.create, model="native/m", stream=stream, **options)
        return call(made.get_final_response) if stream else made

    first = create(input="One")
    assert first.id.startswith("resp_")
    assert "upstream" not in first.id
    assert first.store is True
    assert first.created_at > 1  # when the turn began, whatever the upstream's clock says
    assert call(client.responses.retrieve, first.id).created_at == first.created_at
    second = create(input="Two", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    body = native.bodies[-1]
    assert "previous_response_id" not in body
    assert [(item["role"], item.get("id")) for item in body["input"]] == [
        ("user", None), ("assistant", "msg_upstream1"), ("user", None)
    ]  # fmt: skip


def test_an_id_that_only_the_upstream_knows_is_left_to_it(call, native):
    client = call.kind(http_client=http_client(call.kind, native))
    response = call(
        client.responses.create, model="native/m", input="Two", previous_response_id="resp_theirs"
    )
    assert native.bodies[-1]["previous_response_id"] == "resp_theirs"
    assert response.id == "resp_upstream1"  # which the upstream can continue


def test_a_server_leaves_nothing_to_the_upstream(native):
    client = Dragoman(http_client=http_client(Dragoman, native))
    client.responses._memory = Memory(keeper=Keeper(MemoryStore()))
    with pytest.raises(BadRequestError, match="not found"):
        client.responses.create(model="native/m", input="Two", previous_response_id="resp_theirs")
    assert native.bodies == []


class Accounts(Native):
    """An upstream with two accounts; each encrypts its reasoning for itself."""

    broken = None

    @hookimpl
    def provider_info(self):
        settings = (Setting(name="api_base"),)
        return ProviderInfo(name="native", spec_version=1, wire="responses", settings=settings)

    @hookimpl
    def translate_request(self, request, target):
        url = f"{target.get('api_base')}/responses"
        return HTTPRequest(url=url, json={**request, "model": target.model})

    def answer(self, http):
        account = http.url.host
        if account == self.broken:
            return httpx.Response(503, json={"error": {"message": "down"}})
        answer = super().answer(http)
        body = answer.json()
        body["output"].insert(
            0, {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": f"for {account}"}
        )
        return httpx.Response(200, json=body)


def test_a_chain_stays_with_the_account_that_encrypts_its_reasoning(call, toy):
    plugin = Accounts()
    register_provider(plugin)
    hosts = ("a.example", "b.example", "c.example")
    fleet = Fleet(
        [
            Deployment(id=host, name="m", model="native/m", arguments={"api_base": f"https://{host}"})
            for host in hosts
        ]
    )
    client = call.kind(http_client=http_client(call.kind, plugin), fleet=fleet)

    def ask(**options):
        made = call(client.responses.create, model="m", input="Go on", **options)
        return made, made.dragoman.attempts[-1].deployment

    made, home = ask()
    for _ in range(8):
        made, where = ask(previous_response_id=made.id)
        assert where == home
        assert not made.dragoman.warnings
        reasoning = [item for item in plugin.bodies[-1]["input"] if item["type"] == "reasoning"]
        assert {item["encrypted_content"] for item in reasoning} == {f"for {home}"}
    plugin.broken = home
    made, where = ask(previous_response_id=made.id)
    assert where != home
    assert not [item for item in plugin.bodies[-1]["input"] if item["type"] == "reasoning"]
    (warning,) = made.dragoman.warnings
    assert "encrypted for another account" in warning.message


# ---- the store of this process ---------------------------------------------------------------------------


def test_memory_is_bounded_and_what_is_used_stays(answering):
    client = Dragoman(store=MemoryStore(max_responses=3))
    create = partial(client.responses.create, model="toy/m", input="Hi")
    first = create()
    others = [create() for _ in range(2)]
    create(previous_response_id=first.id)
    assert client.responses.retrieve(first.id).id == first.id
    with pytest.raises(NotFoundError):
        client.responses.retrieve(others[0].id)


def test_a_blocking_call_never_waits_for_a_loop():
    async def waits():
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="event loop"):
        drivers.at_once(waits())
