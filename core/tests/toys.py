"""What the tests of core share: a provider of no consequence, and the standard's schema."""

import json
import os
from pathlib import Path

import jsonschema
import pytest

from dragoman import providers
from dragoman.errors import ProviderError
from dragoman.hookspecs import HTTPRequest, LocalAnswer, ProviderInfo, Setting, hookimpl
from dragoman.parameters import policies

OPEN_RESPONSES = Path(
    os.environ.get("DRAGOMAN_OPENRESPONSES") or Path(__file__).parents[2].parent / "shared" / "openresponses"
)


class Toy:
    """A provider whose answers are calls of Output's verbs, as JSON: ``["text", "Hello"]``.

    A whole answer is ``{"verbs": [...]}``, a stream has one verb in each event. It answers in this process
    with `answer` (of a list with one after the other), or over HTTP where that is None.
    """

    def __init__(self, answer=None, *, name="toy", **parameters):
        self.answer = answer
        self.name = name
        self.parameters = parameters or {"native": "instructions temperature tools.function tool_choice.*"}
        self.requests = []

    @hookimpl
    def provider_info(self):
        return ProviderInfo(
            name=self.name,
            spec_version=1,
            wire="verbs",
            settings=(
                Setting(name="api_key", env=("TOY_API_KEY",), secret=True),
                Setting(name="api_base", default="https://toy.example/v1"),
                Setting(name="toy_region"),
            ),
            parameters=policies(**self.parameters),
            request_id_headers=("toy-request-id",),
        )

    @hookimpl
    def translate_request(self, request, target):
        self.requests.append(request)
        headers = {"authorization": f"Bearer {target.get('api_key')}"}
        return HTTPRequest(url=f"{target.get('api_base')}/ask", json={"model": target.model}, headers=headers)

    @hookimpl
    def answer_locally(self):
        answer = self.answer.pop(0) if isinstance(self.answer, list) else self.answer
        if answer is None:
            return None
        streamed = answer.startswith((b"data:", b"event:"))
        content_type = "text/event-stream" if streamed else "application/json"
        return LocalAnswer(headers={"content-type": content_type}, chunks=[answer])

    @hookimpl
    def parse_response(self, payload, output):
        for verb in payload["verbs"]:
            perform(verb, output)

    @hookimpl
    def handle_stream_event(self, event, output, target):
        perform(event.data, output)

    @hookimpl
    def parse_error(self, status, body):
        try:
            return ProviderError(message=json.loads(body)["toy"], status=status)
        except (ValueError, KeyError, TypeError):
            return None


def perform(verb, output):
    name, *arguments = verb
    if name == "fail":
        output.fail(ProviderError(message=arguments[0], status=arguments[1]))
    elif name == "call":
        call_id, tool, pieces = arguments
        writer = output.function_call(call_id, tool)
        for piece in pieces:
            writer.write(piece)
    elif name == "usage":
        output.usage(**arguments[0])
    else:
        getattr(output, name)(*arguments)


@pytest.fixture
def toy(monkeypatch):
    """The class of a provider, which is known to dragoman for this test as ``toy``: ``toy(answer)``."""
    monkeypatch.setattr(providers, "_loaded", dict(providers._loaded))
    monkeypatch.delenv("TOY_API_KEY", raising=False)

    def make(answer=None, **options):
        plugin = Toy(answer, **options)
        providers.register_provider(plugin)
        return plugin

    make.whole = lambda *verbs: json.dumps({"verbs": verbs}).encode()
    make.stream = lambda *verbs: b"".join(b"data: %s\n\n" % json.dumps(verb).encode() for verb in verbs)
    return make


@pytest.fixture(scope="session")
def conforms():
    """A function that checks a value against a shape of the standard: ``conforms(value, "ErrorPayload")``."""
    path = OPEN_RESPONSES / "openapi.json"
    if not path.is_file():
        pytest.skip("no schema of Open Responses: set DRAGOMAN_OPENRESPONSES to its folder")
    document = json.loads(path.read_text(encoding="utf-8"))
    schemas = document["components"]["schemas"]
    validators = {}

    def check(value, name):
        if name not in validators:
            schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
            validators[name] = jsonschema.Draft202012Validator(schema)
        error = jsonschema.exceptions.best_match(validators[name].iter_errors(value))
        assert error is None, f"{error.json_path}: {error.message}"

    check.event_schemas = {
        schema["properties"]["type"]["enum"][0]: name
        for name, schema in schemas.items()
        if name.endswith("StreamingEvent")
    }
    check.item_types = {"message", "function_call", "reasoning", "compaction"}
    check.required = schemas["ResponseResource"]["required"]
    return check
