"""``responses.compact``: by the upstream where it can, else by a summary; and where its items go."""

import json

import httpx
import pytest

from dragoman import BadRequestError, PluginError, RateLimitError, UnsupportedParameterError
from dragoman.hookspecs import Compacted, HTTPRequest, ProviderInfo, hookimpl
from dragoman.providers import Provider, register_provider

pytest_plugins = ["core.tests.toys", "core.tests.clients"]

OPAQUE = {"id": "cmp_theirs", "type": "compaction", "encrypted_content": "gAAAAB-opaque", "made": [1.5, None]}
MESSAGE = {"id": "msg_theirs", "type": "message", "role": "user", "status": "completed",
           "content": [{"type": "input_text", "text": "Kept"}]}  # fmt: skip
USAGE = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}


class Native:
    """An upstream that speaks the Responses API and compacts."""

    status = 200
    without = False
    output = (OPAQUE,)

    def __init__(self):
        self.asked = []

    @hookimpl
    def provider_info(self):
        return ProviderInfo(name="native", spec_version=1, wire="responses")

    @hookimpl
    def translate_request(self, request, target):
        return HTTPRequest(url="https://native.example/responses", json={**request, "model": target.model})

    @hookimpl
    def translate_compaction(self, request, target):
        if self.without:
            return None
        return HTTPRequest(url="https://native.example/responses/compact", json=request)

    @hookimpl
    def parse_compaction(self, payload, target):
        return Compacted(output=payload["output"], usage=payload["usage"])

    def answer(self, http):
        path, body = http.url.path, json.loads(http.content)
        self.asked.append((path, body))
        if path.endswith("compact"):
            answer = {"id": "resp_theirs", "object": "response.compaction", "created_at": 1,
                      "output": [MESSAGE, OPAQUE], "usage": USAGE}  # fmt: skip
            return httpx.Response(self.status, json=answer if self.status == 200 else {"error": {}})
        content = [{"type": "output_text", "text": "In short: Ada.", "annotations": []}]
        message = {"id": "msg_a", "type": "message", "role": "assistant", "status": "completed",
                   "content": content}  # fmt: skip
        output = [message] if "instructions" in body else [*self.output, message]
        return httpx.Response(
            200, json={"id": "resp_theirs", "object": "response", "created_at": 1, "model": "m",
                       "status": "completed", "output": output, "usage": USAGE},
        )  # fmt: skip


@pytest.fixture
def native(toy):
    toy(toy.whole(["text", "Hello"], ["finish"]))
    plugin = Native()
    register_provider(plugin)  # the toy's fixture forgets it afterwards
    return plugin


@pytest.fixture
def client(call, native):
    return call.kind(http_client=call.http_client(native.answer))


def test_the_upstreams_own_window_comes_back_verbatim(call, client, native):
    first = call(client.responses.create, model="native/m", input="My name is Ada.")
    window = call(
        client.responses.compact,
        model="native/m", input="And mine is Bob.", previous_response_id=first.id, instructions="Briefly.",
    )  # fmt: skip
    path, body = native.asked[-1]
    assert path == "/responses/compact"
    assert sorted(body) == ["input", "instructions", "model"]
    assert [item.get("role", item["type"]) for item in body["input"]] == ["compaction", "assistant", "user"]
    assert window.object == "response.compaction"
    assert window.id != "resp_theirs"
    assert window.usage.total_tokens == 10
    assert [item.model_dump(mode="json", exclude_unset=True) for item in window.output] == [MESSAGE, OPAQUE]
    call(client.responses.create, model="native/m", input=window.output)
    assert native.asked[-1][1]["input"] == [MESSAGE, OPAQUE]


@pytest.mark.parametrize("how", ["404", "405", "no such endpoint for the model"])
def test_where_the_upstream_has_no_endpoint_the_model_writes_a_summary(call, client, native, how):
    native.without = not how.isdigit()
    native.status = int(how) if how.isdigit() else 200
    window = call(
        client.responses.compact,
        model="native/m",
        input=[{"role": "developer", "content": "Rhyme."}, {"role": "user", "content": "I am Ada."}],
    )
    path, body = native.asked[-1]
    assert path == "/responses"
    assert body["store"] is False
    assert "I am Ada." in body["input"][0]["content"]
    rule, compaction = window.output
    assert rule.content[0].text == "Rhyme."
    assert window.usage.total_tokens == 10
    call(client.responses.create, model="toy/m", input=[compaction])  # every provider reads it


def test_another_refusal_is_the_callers_to_hear(call, client, native):
    native.status = 429
    with pytest.raises(RateLimitError):
        call(client.responses.compact, model="native/m", input="Hi")
    assert len(native.asked) == 1


@pytest.mark.parametrize(
    ("options", "param"), [({}, "input"), ({"input": []}, "input"), ({"input": "x", "tools": []}, "tools")]
)
def test_what_cannot_be_compacted_is_named(call, client, options, param):
    with pytest.raises(BadRequestError) as refusal:
        call(client.responses.compact, model="toy/m", **options)
    assert refusal.value.param == param


def test_a_question_without_an_answer_is_a_defect_of_the_plugin(toy):
    class Half(type(toy())):
        @hookimpl
        def translate_compaction(self):
            return None

    with pytest.raises(PluginError, match="parse_compaction"):
        Provider("toy", Half())


# ---- where opaque items go ------------------------------------------------------------------------------


def test_a_compaction_in_a_chain_takes_the_place_of_what_was_before_it(call, client, native):
    """Its author is spared the rest; another provider is given the rest in its place."""
    rule = {"role": "developer", "content": "Rhyme."}
    first = call(client.responses.create, model="native/m", input=[rule, {"role": "user", "content": "One"}])
    call(client.responses.create, model="native/m", input="Two", previous_response_id=first.id)
    assert [item.get("role", item["type"]) for item in native.asked[-1][1]["input"]] == [
        "developer",
        "compaction",
        "assistant",
        "user",
    ]
    assert native.asked[-1][1]["input"][1] == OPAQUE
    moved = call(client.responses.create, model="toy/m", input="Two", previous_response_id=first.id)
    (warning,) = moved.dragoman.warnings
    assert "cannot read this compaction" in warning.message
    assert warning.param == "previous_response_id"


def test_a_compaction_that_stands_for_what_is_nowhere_else_cannot_be_left_out(call, client, native):
    native.output = ()
    first = call(client.responses.create, model="native/m", input=[MESSAGE, OPAQUE])
    with pytest.raises(UnsupportedParameterError) as refusal:
        call(client.responses.create, model="toy/m", input="Two", previous_response_id=first.id)
    assert (refusal.value.code, refusal.value.param) == ("foreign_compaction", "previous_response_id")
    assert "input[" not in refusal.value.message
    call(client.responses.create, model="native/m", input="Two", previous_response_id=first.id)
    assert [item.get("role", item["type"]) for item in native.asked[-1][1]["input"]] == [
        "user",
        "compaction",
        "assistant",
        "user",
    ]
