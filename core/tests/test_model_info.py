"""One prefix, several wires: each model has its own table, its own author, and may even be relayed."""

import json
from dataclasses import replace

import httpx
import pytest

import dragoman
from dragoman import BadRequestError, Dragoman, UnsupportedParameterError
from dragoman.hookspecs import HTTPRequest, hookimpl
from dragoman.parameters import policies
from dragoman.providers import register_provider
from dragoman.sealing import seal, sealed_by

pytest_plugins = ["core.tests.toys"]

RESPONSE = {
    "id": "resp_upstream", "object": "response", "created_at": 1, "model": "m", "status": "completed",
    "output": [], "field_of_next_month": 1,
}  # fmt: skip


@pytest.fixture
def many(toy):
    """A provider of three families; those that only think, and those that speak the Responses API."""

    class Many(type(toy())):
        @hookimpl
        def model_info(self, target):
            family = target.model.partition("-")[0]
            if family == "thinker":
                table = policies(native="instructions", rejected={"temperature": "it only thinks"})
                return replace(self.provider_info(), author="toy.thinker", parameters=table)
            if family == "native":
                return replace(self.provider_info(), wire="responses", parameters={})
            if family == "no":
                raise BadRequestError(f"there is no {target.model}", param="model", code="model_not_found")
            return None

        @hookimpl
        def translate_request(self, request, target):
            self.requests.append((target.author, request))
            return HTTPRequest(url="https://toy.example/ask", json={"model": target.model})

        @hookimpl
        def parse_response(self, payload, output, target):
            output.encrypted_reasoning(seal(target.author, payload["verbs"]))
            output.text("Hello")
            output.finish()

    plugin = Many()
    register_provider(plugin)  # the toy's fixture forgets it afterwards
    return plugin


def client(body):
    answer = httpx.MockTransport(lambda request: httpx.Response(200, json=body))
    return Dragoman(http_client=httpx.Client(transport=answer))


def test_each_model_has_its_own_table(many):
    assert dragoman.supported_params("toy")["temperature"].support == "native"
    assert dragoman.supported_params("toy/plain")["temperature"].support == "native"
    assert dragoman.supported_params("toy/thinker-1")["temperature"].support == "rejected"
    assert dragoman.supported_params("toy/native-1")["truncation"].support == "native"
    with pytest.raises(UnsupportedParameterError, match="it only thinks"):
        client({}).responses.create(model="toy/thinker-1", input="Hi", temperature=1)
    answer = client({"verbs": 1}).responses.create(
        model="toy/thinker-1", input="Hi", temperature=1, unsupported="warn"
    )
    assert [warning.param for warning in answer.dragoman.warnings] == ["temperature"]


def test_what_one_wire_sealed_another_does_not_get(many):
    first = client({"verbs": 1}).responses.create(model="toy/thinker-1", input="Hi")
    (reasoning, message) = first.to_dict()["output"]
    assert sealed_by(reasoning["encrypted_content"]) == "toy.thinker"
    for model, expected in (("thinker-2", ["reasoning", "message"]), ("plain", ["message"])):
        answer = client({"verbs": 1}).responses.create(model=f"toy/{model}", input=[reasoning, message])
        _, request = many.requests[-1]
        assert [item["type"] for item in request["input"]] == expected
        assert len(answer.dragoman.warnings) == 2 - len(expected)
    assert [author for author, _ in many.requests] == ["toy.thinker", "toy.thinker", "toy"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_model_may_speak_the_responses_api_itself(many, stream):
    sse = f"data: {json.dumps({'type': 'response.completed', 'response': RESPONSE})}\n\n"
    headers = {"content-type": "text/event-stream"}
    said = {"text": sse, "headers": headers} if stream else {"json": RESPONSE}
    answer = httpx.MockTransport(lambda request: httpx.Response(200, **said))
    with Dragoman(http_client=httpx.Client(transport=answer)) as relayed:
        made = relayed.responses.create(
            model="toy/native-1", input="Hi", stream=stream, parameter_of_next_month=True
        )
        response = made.get_final_response() if stream else made
    assert response.to_dict()["field_of_next_month"] == 1
    assert many.requests[-1][1]["parameter_of_next_month"] is True


def test_a_model_that_there_is_not_is_refused_before_any_traffic(many):
    for ask in (
        lambda: client({}).responses.create(model="toy/no-1", input="Hi"),
        lambda: dragoman.supported_params("toy/no-1"),
    ):
        with pytest.raises(BadRequestError, match="there is no no-1"):
            ask()
