"""The API that people call: functions, clients, streams; the same sync and async."""

import asyncio
import json
import math
from types import SimpleNamespace

import httpx
import pytest
from pydantic import BaseModel

import dragoman
from dragoman import (
    APIConnectionError,
    AsyncDragoman,
    AuthenticationError,
    BadRequestError,
    Dragoman,
    InternalServerError,
    MalformedResponseError,
    NotFoundError,
    RateLimitError,
    StreamInterruptedError,
    Timeout,
    UnknownProviderError,
    UnsupportedParameterError,
)
from dragoman.models import ResponseTextDeltaEvent
from dragoman.network import drivers
from dragoman.routing import Deployment, Fleet, fleet, journey
from dragoman.testing.legality import check_events

pytest_plugins = ["core.tests.toys"]

STORY = [
    ["text", "Once "],
    ["text", "upon a time"],
    ["usage", {"input_tokens": 3, "output_tokens": 4}],
    ["finish"],
    ["end"],
]
MOCK = {"model": "toy/m", "input": "hi", "mock_response": "Once upon a time"}


class Sync:
    """Calls of the sync API, by the names that the async one has."""

    client = Dragoman
    function = staticmethod(dragoman.responses)

    @staticmethod
    def http(handler):
        return httpx.Client(transport=httpx.MockTransport(handler))

    @staticmethod
    def run(step):
        return step()

    def create(self, client, **options):
        with client:
            return client.responses.create(**options)

    def parse(self, client, **options):
        with client:
            return client.responses.parse(**options)

    def events(self, client, *, leave_after=None, **options):
        """Return the events, and what came after them: the response, or the error."""
        events = []
        with client, client.responses.stream(**options) as stream:
            try:
                for event in stream:
                    events.append(event)
                    if len(events) == leave_after:
                        break
            except dragoman.APIError as error:
                return events, error
        return events, caught(stream.get_final_response)


class Async:
    """The same, async."""

    client = AsyncDragoman

    @staticmethod
    def function(*arguments, **options):
        return asyncio.run(dragoman.aresponses(*arguments, **options))

    @staticmethod
    def http(handler):
        return httpx.AsyncClient(transport=httpx.MockTransport(handler))

    def create(self, client, **options):
        async def main():
            async with client:
                return await client.responses.create(**options)

        return asyncio.run(main())

    def parse(self, client, **options):
        async def main():
            async with client:
                return await client.responses.parse(**options)

        return asyncio.run(main())

    def events(self, client, *, leave_after=None, **options):
        async def main():
            events = []
            async with client, client.responses.stream(**options) as stream:
                try:
                    async for event in stream:
                        events.append(event)
                        if len(events) == leave_after:
                            break
                except dragoman.APIError as error:
                    return events, error
            try:
                return events, await stream.get_final_response()
            except dragoman.APIError as error:
                return events, error

        return asyncio.run(main())


def caught(call):
    try:
        return call()
    except dragoman.APIError as error:
        return error


@pytest.fixture(params=[Sync, Async])
def api(request):
    return request.param()


@pytest.fixture
def no_waiting(monkeypatch):
    """Retries at once; returns the waits."""
    waits = []

    async def sleep(_, seconds):
        waits.append(seconds)

    for driver in (drivers.BlockingDriver, drivers.AsyncDriver):
        monkeypatch.setattr(driver, "sleep", sleep)
    monkeypatch.setattr(fleet, "time", SimpleNamespace(monotonic=lambda: sum(waits)))
    return waits


class Upstream:
    """Answers in turn; notes what was asked."""

    def __init__(self, *answers):
        self.answers = answers
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        answer = self.answers[min(len(self.requests), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        status, body, headers = answer
        kind = "text/event-stream" if body.startswith(b"data:") else "application/json"
        return httpx.Response(status, headers={"content-type": kind, **headers}, content=body)


def ok(toy):
    return 200, toy.whole(*STORY), {}


# ---- functions -----------------------------------------------------------------------------------------


def test_input_and_model_may_be_given_by_place(api):
    response = api.function("hi", "toy/m", mock_response="Once")
    assert (response.output_text, response.model, response.status) == ("Once", "m", "completed")
    assert api.function(model="toy/m", input="hi", mock_response="Once").output_text == "Once"
    assert response.dragoman.provider == "toy"


def test_supported_params_of_a_model_or_provider(toy):
    toy(warned={"top_p": "no"})
    assert dragoman.supported_params("toy/m")["top_p"] == ("warned", "no")
    assert dragoman.supported_params("toy") == dragoman.supported_params("toy/m")


# ---- keywords ------------------------------------------------------------------------------------------


def test_litellms_keywords_are_understood(api, toy):
    plugin = toy(toy.whole(*STORY))
    options = {"model": "m", "input": "hi", "custom_llm_provider": "toy", "litellm_metadata": {"a": object()}}
    with pytest.raises(UnsupportedParameterError) as refusal:
        api.create(api.client(), **options, top_p=0.5)
    assert refusal.value.param == "top_p"
    dropped = api.create(api.client(), **options, top_p=0.5, drop_params=True)
    assert [warning.param for warning in dropped.dragoman.warnings] == ["top_p"]
    passed = api.create(api.client(), **options, top_p=0.5, allowed_openai_params=["top_p"])
    assert passed.dragoman.warnings == []
    assert ["top_p" in request for request in plugin.requests] == [False, True]
    with pytest.raises(UnsupportedParameterError):
        api.create(api.client(), **options, top_p=0.5, drop_params=True, unsupported="error")
    instead = api.create(api.client(), **options, top_p=0.5, fallbacks=["toy/other"], drop_params=True)
    assert instead.dragoman.model == "m"


def test_a_mock_takes_everything_and_asks_nobody(api):
    response = api.create(
        api.client(), **MOCK, top_p=1, some_region="x", settings={"y": 1}, tools=[{"type": "web_search"}],
        reasoning={"effort": "low"}, extra_body={"z": 1},
    )  # fmt: skip
    assert (response.output_text, response.dragoman.warnings) == ("Once upon a time", [])
    events, final = api.events(api.client(), **MOCK)
    check_events([event.model_dump(mode="json", exclude_unset=True) for event in events])
    assert (
        "".join(event.delta for event in events if isinstance(event, ResponseTextDeltaEvent))
        == final.output_text
    )


@pytest.mark.parametrize("error", [RateLimitError("slow down"), ValueError("mine")])
def test_a_mock_may_be_an_error(api, error):
    for call in (api.create, api.events):
        with pytest.raises(type(error), match=str(error)):
            call(api.client(), **{**MOCK, "mock_response": error})


@pytest.mark.parametrize(
    ("options", "param", "kind"),
    [
        ({"model": None}, "model", BadRequestError),
        ({"model": 7}, "model", BadRequestError),
        ({"model": "gpt-4o"}, "model", UnknownProviderError),
        ({"model": "nobody/m"}, "model", UnknownProviderError),
        ({"input": None}, "input", BadRequestError),
        ({"input": [{"role": "nobody", "content": "x"}]}, "input[0].role", BadRequestError),
        ({"temperature": 3}, "temperature", BadRequestError),
        ({"temprature": 1}, "temprature", BadRequestError),
        ({"timeout": "soon"}, "timeout", BadRequestError),
        ({"timeout": True}, "timeout", BadRequestError),
        ({"timeout": 0}, "timeout", BadRequestError),
        ({"timeout": math.inf}, "timeout", BadRequestError),
        ({"timeout": httpx.Timeout(5)}, "timeout", BadRequestError),
        ({"timeout": Timeout(connect=-1)}, "timeout.connect", BadRequestError),
        ({"timeout": Timeout(total=math.nan)}, "timeout.total", BadRequestError),
        ({"num_retries": "2"}, "num_retries", BadRequestError),
        ({"num_retries": -1}, "num_retries", BadRequestError),
        ({"unsupported": "ignore"}, "unsupported", BadRequestError),
        ({"text_format": dict}, "text_format", BadRequestError),
        ({"settings": {"toy_regoin": "eu"}}, "toy_regoin", BadRequestError),
        ({"previous_response_id": "resp_1"}, "previous_response_id", BadRequestError),
        ({"conversation": {"id": "conv_1"}}, "conversation", NotFoundError),
        ({"background": True}, "background", BadRequestError),
    ],
)
def test_a_wrong_argument_is_named_before_any_traffic(api, toy, options, param, kind):
    plugin = toy(toy.whole(*STORY))
    for call in (api.create, api.events, api.parse):
        with pytest.raises((BadRequestError, NotFoundError, UnknownProviderError)) as refusal:
            call(api.client(), **{"model": "toy/m", "input": "hi", **options})
        assert isinstance(refusal.value, kind)
        assert refusal.value.param == param
    assert plugin.requests == []


# ---- clients -------------------------------------------------------------------------------------------


def test_what_a_client_was_made_with_holds_unless_a_call_says_otherwise(api, toy, monkeypatch):
    toy()
    upstream = Upstream(ok(toy))

    def sent(defaults, **options):
        http = {"http_client": api.http(upstream)}
        api.create(api.client(**http, **defaults), model="toy/m", input="hi", **options)
        request = upstream.requests[-1]
        return request.headers["authorization"].removeprefix("Bearer "), request

    monkeypatch.setenv("TOY_API_KEY", "from-env")
    providers = {"toy": {"api_key": "for-toy", "toy_region": "eu"}, "other": {"api_key": "for-other"}}
    assert sent({})[0] == "from-env"
    assert sent({"api_key": "for-all"})[0] == "for-all"
    assert sent({"api_key": "for-all", "providers": providers})[0] == "for-toy"
    assert sent({"api_key": "for-all", "providers": providers}, api_key="mine")[0] == "mine"
    assert sent({"providers": providers}, settings={"api_key": "mine"}, toy_region="us")[0] == "mine"
    headers = {"X-Team": "a", "X-Trace": "client"}
    _, request = sent({"extra_headers": headers}, extra_headers={"x-trace": "call", "x-new": "1"})
    assert [request.headers[name] for name in ("x-team", "x-trace", "x-new")] == ["a", "call", "1"]
    _, request = sent({"api_base": "https://b.example"}, extra_query={"q": 1}, extra_body={"b": 2})
    assert str(request.url) == "https://b.example/ask?q=1"
    assert json.loads(request.content) == {"model": "m", "b": 2}


def test_one_call_may_bring_its_own_http_client(api, toy):
    toy()
    upstream, other = Upstream(ok(toy)), Upstream(ok(toy))
    client = api.client(http_client=api.http(upstream))
    response = api.create(client, model="toy/m", input="hi", http_client=api.http(other), extra_headers=None)
    assert (response.output_text, len(upstream.requests), len(other.requests)) == ("Once upon a time", 0, 1)
    with pytest.raises(BadRequestError) as refusal:
        api.create(api.client(), model="toy/m", input="hi", http_client="a proxy")
    assert refusal.value.param == "http_client"


def test_no_client_shows_its_keys(api):
    client = api.client(api_key="sk-do-not-show", providers={"toy": {"api_key": "sk-nor-this"}})
    assert "sk-" not in repr(client) + repr(vars(client)) + repr(client._defaults)


def test_a_missing_key_names_where_it_was_looked_for(api, toy, monkeypatch):
    from dataclasses import replace

    class Strict(type(toy())):
        def provider_info(self):
            info = super().provider_info()
            return replace(info, settings=tuple(replace(one, required=one.secret) for one in info.settings))

        provider_info = dragoman.hookimpl(provider_info)

    dragoman.register_provider(Strict())
    with pytest.raises(
        AuthenticationError, match="the argument api_key, the environment variable TOY_API_KEY"
    ):
        api.create(api.client(), model="toy/m", input="hi")


# ---- streams -------------------------------------------------------------------------------------------


def test_a_stream_and_a_whole_answer_say_the_same(api, toy):
    toy(toy.stream(*STORY))
    events, final = api.events(api.client(), model="toy/m", input="hi")
    check_events([event.model_dump(mode="json", exclude_unset=True) for event in events])
    toy(toy.whole(*STORY))
    whole = api.create(api.client(), model="toy/m", input="hi")
    assert final.output_text == whole.output_text == "Once upon a time"
    assert final.usage == whole.usage
    assert final.usage.total_tokens == 7


def test_create_with_stream_is_a_stream(toy):
    toy(toy.stream(*STORY))
    options = {"model": "toy/m", "input": "hi", "stream": True}
    stream = dragoman.responses(**options)
    assert [event.type for event in stream][-1] == "response.completed"
    assert list(stream) == []  # read once
    assert stream.get_final_response().output_text == "Once upon a time"
    assert dragoman.responses(**options).until_done().get_final_response().status == "completed"

    async def main():
        stream = await dragoman.aresponses(**options)
        return [event.type async for event in stream], await stream.get_final_response()

    types, final = asyncio.run(main())
    assert (types[-1], final.output_text) == ("response.completed", "Once upon a time")


@pytest.mark.parametrize(
    ("ending", "kind"),
    [
        ([["fail", "overloaded", 503]], InternalServerError),
        ([["fail", "slow down", 429]], RateLimitError),
        ([], StreamInterruptedError),
        ([["nonsense"]], MalformedResponseError),
    ],
)
def test_a_stream_that_fails_raises_after_its_last_event_with_what_had_arrived(
    api, toy, ending, kind, monkeypatch
):
    monkeypatch.setattr(journey, "_FIRST_WAIT", 0.0)
    toy(toy.stream(["text", "Once"], ["usage", {"input_tokens": 3}], *ending))
    events, error = api.events(api.client(), model="toy/m", input="hi", num_retries=3)
    assert isinstance(error, kind)
    assert [event.type for event in events][-2:] == ["error", "response.failed"]
    assert error.response.output_text == "Once"
    assert (error.response.status, error.response.usage.input_tokens) == ("failed", 3)
    with pytest.raises(kind) as problem:
        api.create(api.client(), model="toy/m", input="hi")
    assert problem.value.response.output_text == "Once"


def test_a_stream_that_was_left_has_no_final_response(api, toy):
    toy(toy.stream(*STORY))
    events, error = api.events(api.client(), model="toy/m", input="hi", leave_after=6)
    assert len(events) == 6
    assert isinstance(error, StreamInterruptedError)
    assert "closed before its end" in error.message


# ---- structured output ---------------------------------------------------------------------------------


class City(BaseModel):
    name: str
    people: int | None = None


def test_the_form_that_is_asked_for_is_strict(api, toy):
    plugin = toy(
        toy.whole(["text", '{"name": "Paris", "people": 2}'], ["finish"]), native="text.format.json_schema"
    )
    for call in (api.parse, api.create):
        response = call(
            api.client(), model="toy/m", input="hi", text_format=City, text={"format": {"type": "text"}}
        )
        assert response.output_parsed == City(name="Paris", people=2)
    form = plugin.requests[0]["text"]["format"]
    assert (form["type"], form["name"], form["strict"]) == ("json_schema", "City", True)
    assert form["schema"]["required"] == ["name", "people"]
    assert form["schema"]["additionalProperties"] is False
    _, final = api.events(api.client(), model="toy/m", input="hi", text_format=City)
    assert final.output_parsed.name == "Paris"


def test_a_name_that_no_upstream_takes_is_made_one_that_all_take():
    class Page(BaseModel):
        pass

    Page.__name__ = "Page[City, Städte]" + "x" * 99
    name = dragoman.sdk.structured.json_schema_format(Page)["name"]
    assert name.startswith("Page_City__St_dte_x")
    assert len(name) == 64


@pytest.mark.parametrize(
    ("verbs", "status"),
    [
        ([["text", '{"name"'], ["finish", "max_output_tokens"]], "incomplete"),
        ([["refusal", "I will not."], ["finish"]], "completed"),
        ([["call", "call_1", "f", ["{}"]], ["finish"]], "completed"),
    ],
)
def test_what_is_no_whole_answer_is_parsed_as_nothing(api, toy, verbs, status):
    toy(toy.whole(*verbs), native="text.format.json_schema")
    response = api.parse(api.client(), model="toy/m", input="hi", text_format=City)
    assert (response.output_parsed, response.status) == (None, status)


def test_an_answer_of_another_form_is_an_error_that_holds_it(api, toy):
    toy(toy.whole(["text", '{"people": "many"}'], ["finish"]), native="text.format.json_schema")
    with pytest.raises(MalformedResponseError, match="not a valid City") as problem:
        api.parse(api.client(), model="toy/m", input="hi", text_format=City)
    assert problem.value.response.output_text == '{"people": "many"}'


# ---- retries -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "waits"),
    [
        ((429, b"{}", {"retry-after-ms": "20"}), [0.02, 0.02]),
        ((503, b"{}", {}), [(0.25, 0.5), (0.5, 1.0)]),
        (httpx.ConnectError("refused"), [(0.25, 0.5), (0.5, 1.0)]),
        ((400, b"{}", {"x-should-retry": "true", "retry-after": "1"}), [1, 1]),
    ],
)
def test_what_may_pass_is_tried_again(api, toy, no_waiting, failure, waits):
    toy()
    upstream = Upstream(failure, failure, ok(toy))
    client = api.client(http_client=api.http(upstream), num_retries=2)
    _, final = api.events(client, model="toy/m", input="hi")
    assert final.output_text == "Once upon a time"
    assert len(upstream.requests) == 3
    for waited, expected in zip(no_waiting, waits, strict=True):
        low, high = expected if isinstance(expected, tuple) else (expected, expected)
        assert low <= waited <= high


@pytest.mark.parametrize(
    ("failure", "tries"),
    [
        ((429, b"{}", {}), (0, 1)),
        ((429, b"{}", {}), (2, 3)),
        ((429, b"{}", {"retry-after": "3600"}), (2, 1)),  # longer than anybody waits
        ((429, b'{"error": {"message": "m", "code": "insufficient_quota"}}', {}), (2, 1)),
        ((500, b"{}", {"x-should-retry": "false"}), (2, 1)),
        ((400, b"{}", {}), (2, 1)),
        (httpx.ConnectError("refused"), (1, 2)),
    ],
)
def test_what_cannot_pass_is_not_tried_again(api, toy, no_waiting, failure, tries):
    toy()
    retries, attempts = tries
    upstream = Upstream(failure)
    with pytest.raises(dragoman.APIError) as problem:
        api.create(api.client(http_client=api.http(upstream)), model="toy/m", input="hi", num_retries=retries)
    assert len(upstream.requests) == attempts
    assert len(no_waiting) == attempts - 1
    assert (problem.value.provider, problem.value.model) == ("toy", "m")
    if isinstance(failure, Exception):
        assert isinstance(problem.value, APIConnectionError)


def test_a_call_that_is_too_large_for_a_deployments_tokens_passes_it_over(api, toy):
    toy(toy.whole(*STORY))
    served = Fleet(
        [
            Deployment(id="small", name="m", model="toy/m", order=0, tpm=100),
            Deployment(id="large", name="m", model="toy/m", order=1, tpm=100_000),
        ]
    )
    client = api.client(fleet=served)
    asked = [api.create(client, model="m", input="word " * words) for words in (5, 200)]
    assert [made.dragoman.attempts[-1].deployment for made in asked] == ["small", "large"]
    with pytest.raises(RateLimitError) as refusal:
        api.create(client, model="m", input="word " * 200_000)
    assert refusal.value.code == "rate_limit_exceeded"


def test_calls_share_what_is_known_of_a_model_that_nobody_has_set_up(toy):
    down = toy(toy.whole(["fail", "down", 503]))
    toy(toy.whole(["text", "up"], ["finish"]), name="other")
    asked = {"model": "toy/m", "input": "Hi", "fallbacks": ["other/m"]}
    with Dragoman() as client:
        for _ in range(8):
            assert client.responses.create(**asked, toy_region="north").output_text == "up"
        assert len(down.requests) == 4  # then its circuit was open
        client.responses.create(**asked, toy_region="south")
        client.responses.create(**asked, toy_region="north", api_key="sk-another")
        client.responses.create(**asked, toy_region="north", temperature=0.5)
    assert len(down.requests) == 6
