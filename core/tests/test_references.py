"""Input items that are only referred to: found in the store, or refused by their place."""

import json

import httpx
import pytest

from dragoman import BadRequestError, NotFoundError
from dragoman.hookspecs import HTTPRequest, ProviderInfo, hookimpl
from dragoman.memory.keeper import Keeper
from dragoman.memory.memory_store import MemoryStore
from dragoman.providers import register_provider
from dragoman.turns.turn import Memory

pytest_plugins = ["core.tests.toys", "core.tests.clients"]


def reference(item_id):
    return {"type": "item_reference", "id": item_id}


def test_an_item_that_is_referred_to_stands_where_its_reference_stood(call, answering):
    client = call.kind()
    conversation = call(client.conversations.create, items=[{"role": "user", "content": "Kept"}])
    kept = call(client.conversations.items.list, conversation["id"])["data"][0]
    first = call(client.responses.create, model="toy/m", input="One")
    asked = call(client.responses.input_items.list, first.id)["data"][0]
    made = call(
        client.responses.create,
        model="toy/m",
        input=[
            reference(asked["id"]),
            {"id": first.output[0].id},  # the type may be left out
            reference(kept["id"]),
            {"role": "user", "content": "Two"},
        ],
    )
    said = [("user", "One"), ("assistant", "Hello"), ("user", "Kept"), ("user", "Two")]
    assert call.texts(answering.requests[-1]) == said
    # Once it is answered the turn needs them no more: they are its own.
    call(client.responses.delete, first.id)
    call(client.conversations.delete, conversation["id"])
    call(client.responses.create, model="toy/m", input="Three", previous_response_id=made.id)
    assert call.texts(answering.requests[-1]) == [*said, ("assistant", "Hello"), ("user", "Three")]


def test_a_call_that_is_referred_to_can_be_answered(call, toy):
    plugin = toy(toy.whole(["call", "call_1", "add", ["{}"]], ["finish"]))
    client = call.kind()
    first = call(client.responses.create, model="toy/m", input="Add")
    answer = {"type": "function_call_output", "call_id": "call_1", "output": "5"}
    call(client.responses.create, model="toy/m", input=[reference(first.output[0].id), answer])
    assert [item["type"] for item in plugin.requests[-1]["input"]] == [
        "function_call",
        "function_call_output",
    ]


@pytest.mark.parametrize("missing", ["never made", "deleted", "not stored", "another owner's"])
def test_what_is_not_there_is_named_by_its_place(call, answering, missing):
    store = MemoryStore()
    client = call.kind(store=store)
    made = call(client.responses.create, model="toy/m", input="One", store=missing != "not stored")
    item_id = "msg_0" if missing == "never made" else made.output[0].id
    if missing == "deleted":
        call(client.responses.delete, made.id)
    if missing == "another owner's":
        client.responses._memory = Memory(keeper=Keeper(store), owner="somebody else")
    asked = len(answering.requests)
    with pytest.raises(NotFoundError, match=item_id) as refusal:
        call(
            client.responses.create,
            model="toy/m",
            input=[{"role": "user", "content": "Hi"}, reference(item_id)],
        )
    assert refusal.value.param == "input[1]"
    assert len(answering.requests) == asked


def test_what_is_in_the_history_already_is_not_said_twice(call, answering):
    client = call.kind()
    made = call(client.responses.create, model="toy/m", input="One")
    with pytest.raises(BadRequestError, match="already") as refusal:
        call(
            client.responses.create,
            model="toy/m",
            input=[reference(made.output[0].id)],
            previous_response_id=made.id,
        )
    assert (refusal.value.param, refusal.value.code) == ("input[0]", "duplicate_item")


def test_without_a_store_a_reference_is_refused(call, answering):
    client = call.kind(store=False)
    with pytest.raises(BadRequestError, match="nothing is kept here") as refusal:
        call(client.responses.create, model="toy/m", input=[reference("msg_1")])
    assert refusal.value.param == "input[0]"


@pytest.mark.parametrize("call_id", ["call_2", "call_1 "])
def test_an_answer_to_no_call_of_the_history_is_refused(call, toy, call_id):
    toy(toy.whole(["call", "call_1", "add", ["{}"]], ["finish"]))
    client = call.kind()
    first = call(client.responses.create, model="toy/m", input="Add")
    answers = [
        {"type": "function_call_output", "call_id": known, "output": "5"} for known in ("call_1", call_id)
    ]
    call(client.responses.create, model="toy/m", input=answers[:1], previous_response_id=first.id)
    with pytest.raises(BadRequestError, match=call_id) as refusal:
        call(client.responses.create, model="toy/m", input=answers, previous_response_id=first.id)
    assert refusal.value.param == "input[1].call_id"


class Native:
    """An upstream that speaks the Responses API, and has items of its own."""

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
        content = [{"type": "output_text", "text": "Hello", "annotations": []}]
        item = {"id": f"msg_theirs{len(self.bodies)}", "type": "message", "role": "assistant",
                "status": "completed", "content": content}  # fmt: skip
        return httpx.Response(
            200, json={"id": "resp_theirs", "object": "response", "created_at": 1, "model": "m",
                       "status": "completed", "output": [item]},
        )  # fmt: skip


@pytest.fixture
def native(toy):
    plugin = Native()
    register_provider(plugin)  # the toy's fixture forgets it afterwards
    return plugin


def test_on_a_native_upstream_what_is_kept_here_is_sent_and_the_rest_is_the_upstreams(call, native):
    client = call.kind(http_client=call.http_client(native.answer))
    first = call(client.responses.create, model="native/m", input="One")
    theirs = reference("msg_elsewhere")
    call(client.responses.create, model="native/m", input=[reference(first.output[0].id), theirs])
    item, kept = native.bodies[-1]["input"]
    assert (item["type"], item["id"], item["content"][0]["text"]) == ("message", "msg_theirs1", "Hello")
    assert kept == theirs


def test_a_server_leaves_no_reference_to_the_upstream(call, native):
    client = call.kind(http_client=call.http_client(native.answer))
    client.responses._memory = Memory(keeper=Keeper(MemoryStore()))
    with pytest.raises(NotFoundError, match="msg_elsewhere"):
        call(client.responses.create, model="native/m", input=[reference("msg_elsewhere")])
    assert native.bodies == []
