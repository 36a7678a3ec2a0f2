"""Session: one attempt, without network: what goes out, what comes in, what went wrong, and no secrets."""

import json
import time
from email.utils import formatdate
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman.attempts.attempt import Extras
from dragoman.attempts.secrecy import Redactor
from dragoman.attempts.session import Session
from dragoman.errors import (
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ContextWindowExceededError,
    InternalServerError,
    MalformedResponseError,
    RateLimitError,
    StreamInterruptedError,
)
from dragoman.events.batches import events_of
from dragoman.hookspecs import HTTPRequest, ProviderInfo, hookimpl
from dragoman.providers import Provider
from dragoman.refusals import retry_after_seconds
from dragoman.testing.legality import check_events

pytest_plugins = ["core.tests.toys"]

SECRET = "sk-very/secret+value"
SSE = {"content-type": "text/event-stream; charset=utf-8"}
JSON = {"content-type": "application/json"}
STORY = [
    ["model", "m-2"],
    ["reasoning_summary", "Hm. "],
    ["text", "It "],
    ["text", "rains."],
    ["call", "call_1", "look", ["{", "}"]],
    ["usage", {"input_tokens": 3, "output_tokens": 2}],
    ["finish", "completed"],
]


def a_session(toy, *, request=None, plugin=None, stream=True, **options):
    provider = Provider("toy", plugin or toy())
    target = provider.target("m", {"api_key": SECRET})
    request = {"model": "toy/m", "input": "hi", "stream": stream, **(request or {})}
    return Session(provider, target, request, **options)


def answered(session, body, headers=SSE, *, status=200, cuts=()):
    """Return all events of an answer that comes in these pieces."""
    session.prepare()
    events = [*session.accept(status, headers)]
    places = [0, *sorted(cuts), len(body)]
    for start, end in pairwise(places):
        events += events_of(session.feed(body[start:end]))
    return [*events, *events_of(session.close())]


def told(response):
    """What a response says, without what chance and the clock put into it."""
    own = {"id", "created_at", "completed_at", "output"}
    items = [{name: value for name, value in item.items() if name != "id"} for item in response["output"]]
    return {**{name: value for name, value in response.items() if name not in own}, "output": items}


# ---- the request ---------------------------------------------------------------------------------------


def test_a_translator_meets_one_form_of_everything(toy):
    plugin = toy()
    tools = [{"type": "custom", "name": "shell"}]
    session = a_session(toy, plugin=plugin, request={"tools": tools, "stream": None})
    http = session.prepare()
    (request,) = plugin.requests
    assert request["stream"] is False
    assert request["tools"][0]["type"] == "function"
    assert request["input"][0]["content"] == [{"type": "input_text", "text": "hi"}]
    assert json.loads(http.body) == {"model": "m"}
    assert session.response["tools"] == tools  # the caller sees what the caller sent
    assert session.response["model"] == "m"


def test_extras_are_merged_into_what_is_sent(toy):
    extras = Extras(
        {"Authorization": "Bearer mine", "X-New": "1", "x-none": None},
        {"beta": "yes", "tag": ["a", "b"]},
        {"model": "other", "of_next_month": {"a": 1}},
    )
    http = a_session(toy, extras=extras).prepare()
    assert http.url == "https://toy.example/v1/ask?beta=yes&tag=a&tag=b"
    assert json.loads(http.body) == {"model": "other", "of_next_month": {"a": 1}}
    assert http.headers["authorization"] == "Bearer mine"
    assert http.headers["x-new"] == "1"
    assert http.headers["accept"] == "text/event-stream"
    assert "x-none" not in http.headers


def test_what_is_no_json_is_refused_before_it_is_sent(toy):
    with pytest.raises(BadRequestError, match="cannot be written as JSON"):
        a_session(toy, extras=Extras(body={"x": object()})).prepare()


@pytest.mark.parametrize("name", ["previous_response_id", "conversation", "background"])
def test_state_that_is_not_kept_is_refused_by_name_before_any_traffic(toy, name):
    plugin = toy()
    with pytest.raises(BadRequestError, match="nothing is kept here") as refusal:
        a_session(toy, plugin=plugin, request={name: True if name == "background" else "id_1"}).prepare()
    assert (refusal.value.param, refusal.value.status_code) == (name, 400)
    assert plugin.requests == []


def test_every_warning_stands_in_the_response(toy):
    foreign = {"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"}
    request = {
        "input": [foreign, {"role": "user", "content": "hi"}],
        "stream_options": {"include_obfuscation": True},
    }
    session = a_session(toy, request=request)
    answered(session, toy.stream(["warn", "from the answer"], ["finish"]))
    warnings = session.response["dragoman"]["warnings"]
    assert [warning["param"] for warning in warnings] == ["stream_options", "input[0]", None]


def test_an_error_names_the_callers_own_place_though_items_before_it_were_left_out(toy):
    class Refuses(type(toy())):
        @hookimpl
        def translate_request(self, request):
            raise BadRequestError("input[1].content[0] is no text", param="input[1].content[0]")

    foreign = {"type": "reasoning", "summary": [], "encrypted_content": "gAAAA"}
    request = {"input": [{"role": "user", "content": "hi"}, foreign, {"role": "user", "content": "ho"}]}
    with pytest.raises(BadRequestError) as refusal:
        a_session(toy, plugin=Refuses(), request=request).prepare()
    assert refusal.value.param == "input[2].content[0]"
    assert refusal.value.message == "input[2].content[0] is no text"


# ---- answers -------------------------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_however_an_answer_comes_it_says_the_same(toy, data):
    body = b"".join(b"data: %s\r\n\r\n" % json.dumps(verb).encode() for verb in STORY)
    cuts = data.draw(st.lists(st.integers(0, len(body)), max_size=12))
    streamed, whole = a_session(toy), a_session(toy)
    events = answered(
        streamed, body + data.draw(st.sampled_from([b"", b"data: [DONE]\n\n", b": bye\n\n"])), cuts=cuts
    )
    check_events(events)
    answered(whole, json.dumps({"verbs": STORY}).encode(), JSON)
    assert told(streamed.response) == told(whole.response)
    assert streamed.response["output"][1]["content"][0]["text"] == "It rains."
    assert streamed.error is whole.error is None


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("headers", "as_stream"),
    [(SSE, True), (JSON, False), ({"content-type": "application/x-ndjson"}, None), ({}, ...)],
)
def test_the_answers_own_form_counts_not_the_one_that_was_asked_for(toy, stream, headers, as_stream):
    if as_stream is ...:
        as_stream = stream  # an upstream that does not say what it sends is taken to send what was asked for
    body = {True: toy.stream(*STORY), False: toy.whole(*STORY)}.get(
        as_stream, b"".join(b"%s\n" % json.dumps(verb).encode() for verb in STORY)
    )
    session = a_session(toy, stream=stream)
    check_events(answered(session, body, headers))
    assert session.response["output"][1]["content"][0]["text"] == "It rains."


@pytest.mark.parametrize(
    ("verbs", "ended"),
    [
        ([["finish"], "[DONE]"], True),
        ([["end"]], True),
        (["[DONE]"], False),  # an end mark without a reason is no end
        ([["finish"]], False),
    ],
)
def test_the_wires_own_end_mark_ends_the_answer(toy, verbs, ended):
    session = a_session(toy)
    session.prepare()
    session.accept(200, SSE)
    for verb in verbs:
        session.feed(
            b"data: %s\n\n" % (verb.encode() if isinstance(verb, str) else json.dumps(verb).encode())
        )
    assert session.ended is ended


def test_after_the_end_nothing_is_read(toy):
    session = a_session(toy)
    body = toy.stream(["text", "a"], ["finish"], ["end"], ["text", "late"]) + b"data: {broken\n\n"
    check_events(answered(session, body))
    assert session.response["output"][0]["content"][0]["text"] == "a"
    assert (session.close(), session.abort(APIConnectionError("late"))) == ([], [])


@pytest.mark.parametrize(
    ("body", "headers", "kind", "message"),
    [
        (b"", SSE, StreamInterruptedError, "before the provider's end mark"),
        (b'data: ["text", "a"]\n\n', SSE, StreamInterruptedError, "before the provider's end mark"),
        (b'data: ["text", "a"]\n\ndata: {broken\n\n', SSE, MalformedResponseError, "not JSON: {broken"),
        (b'data: ["nonsense"]\n\n', SSE, MalformedResponseError, "handle_stream_event (AttributeError"),
        (b'data: ["fail", "overloaded", 503]\n\n', SSE, InternalServerError, "overloaded"),
        (
            b"<html>busy</html>",
            JSON,
            MalformedResponseError,
            "toy answered with something that is not JSON: <html>",
        ),
        (b"", JSON, MalformedResponseError, "not JSON: nothing"),
        (b'{"other": 1}', JSON, MalformedResponseError, "parse_response (KeyError: 'verbs')"),
    ],
)
def test_an_answer_that_breaks_ends_as_failed_and_says_why(toy, body, headers, kind, message):
    session = a_session(toy, stream=headers is SSE)
    events = answered(session, body, headers)
    check_events(events)
    assert events[-2]["type"] == "error"
    assert session.response["status"] == "failed"
    assert message in session.response["error"]["message"]
    error = session.error
    assert isinstance(error, kind)
    assert message in error.message
    assert (error.provider, error.model) == ("toy", "m")
    if b'"text"' in body:
        assert session.response["output"][0]["content"][0]["text"] == "a"
        assert session.response["output"][0]["status"] == "incomplete"


@pytest.mark.parametrize("hook", ["translate_request", "authorize", "load_credentials", "answer_locally"])
def test_a_defect_of_a_plugin_names_the_plugin_and_the_hook(toy, hook):
    plugin = toy()

    class Broken(type(plugin)):
        pass

    def fails(self):
        raise KeyError(f"choices {SECRET}")

    setattr(Broken, hook, hookimpl(fails))
    session = a_session(toy, plugin=Broken())

    def attempt():
        http = session.authorize(session.prepare(), session.load_credentials())
        session.answer_locally(http)

    with pytest.raises(MalformedResponseError) as problem:
        attempt()
    assert hook in str(problem.value)
    assert not problem.value.retryable
    assert "Broken" in str(problem.value)
    assert "KeyError" in str(problem.value)
    assert SECRET not in str(problem.value)


def test_an_error_that_a_plugin_raises_over_a_stream_ends_it(toy):
    class Raises(type(toy())):
        @hookimpl
        def handle_stream_event(self, event, output):
            output.text("a")
            raise ContextWindowExceededError("too long", code="context_length_exceeded")

    session = a_session(toy, plugin=Raises())
    check_events(answered(session, b"data: {}\n\n"))
    assert isinstance(session.error, ContextWindowExceededError)


# ---- refusals ------------------------------------------------------------------------------------------


def refused(toy, body, *, status=400, plugin=None, **headers):
    session = a_session(toy, plugin=plugin)
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(APIStatusError) as problem:
        answered(
            session, body, {name.replace("_", "-"): value for name, value in headers.items()}, status=status
        )
    return problem.value


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        ({"toy": "said so"}, "said so", None),
        ({"error": {"message": "bad", "code": 7, "type": "t"}}, "bad", "7"),
        ({"error": "bad", "code": "c"}, "bad", "c"),
        ({"message": "bad"}, "bad", None),
        ({"Message": "bad"}, "bad", None),
        ({"detail": "bad"}, "bad", None),
        ([{"error": {"message": "bad"}}], "bad", None),
        (
            b"<!DOCTYPE html><html><head><TITLE>502 Bad &amp; ugly</TITLE></head></html>",
            "HTTP 502: 502 Bad & ugly",
            None,
        ),
        (b"upstream  is\n busy", "HTTP 502: upstream is busy", None),
        (b"x" * 9999, f"HTTP 502: {'x' * 500}...", None),
        (b"\xff", "HTTP 502: \ufffd", None),
        (b"", "HTTP 502: no further details", None),
        ({"odd": 1}, 'HTTP 502: {"odd": 1}', None),
    ],
)
def test_a_refusal_in_any_dialect_keeps_its_words(toy, body, message, code):
    error = refused(toy, body, status=502, toy_request_id="req_1", x_should_retry="false")
    assert (error.message, error.code, error.status_code) == (message, code, 502)
    assert (error.provider, error.model, error.request_id) == ("toy", "m", "req_1")
    assert isinstance(error, InternalServerError)
    assert error.retryable is False


def test_a_parser_of_errors_that_fails_does_not_hide_the_refusal(toy):
    class Broken(type(toy())):
        @hookimpl
        def parse_error(self):
            raise KeyError("error")

    error = refused(toy, {"message": "slow down"}, status=429, plugin=Broken(), retry_after="3")
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 3
    assert "slow down" in error.message
    assert "parse_error" in error.message


@pytest.mark.parametrize(
    ("status", "hint", "retryable"),
    [
        (429, None, True),
        (429, "false", False),
        (400, "true", True),
        (400, None, False),
        (503, "TRUE", True),
        (418, "", False),
    ],
)
def test_the_upstream_says_whether_to_retry(toy, status, hint, retryable):
    headers = {} if hint is None else {"x_should_retry": hint}
    assert refused(toy, {}, status=status, **headers).retryable is retryable


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7),
        ({"retry-after-ms": "0", "retry-after": "1"}, 1),
        ({"retry-after-ms": "0"}, 0),
        ({"retry-after": formatdate(0, usegmt=True)}, 0),
        ({"retry-after": "-3"}, 0),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after_in_all_its_forms(headers, seconds):
    assert retry_after_seconds(headers) == seconds


def test_retry_after_as_a_date():
    assert 50 < retry_after_seconds({"retry-after": formatdate(time.time() + 60, usegmt=True)}) <= 60


# ---- secrets -------------------------------------------------------------------------------------------


def everything(error):
    return " ".join(map(str, (error, repr(error), error.args, vars(error), error.to_dict())))


@pytest.mark.parametrize("secret", [SECRET, "sk-very%2Fsecret%2Bvalue", "added-by-authorize", "caller-added"])
def test_a_secret_that_the_upstream_repeats_comes_out_nowhere(toy, secret):
    class Signs(type(toy())):
        @hookimpl
        def authorize(self, http):
            return http.with_headers({"x-signature": "added-by-authorize"})

    said = {
        "error": {
            "message": f"bad key {secret}",
            "code": secret,
            "param": secret,
            "type": secret,
            "x": [secret],
        }
    }
    extras = Extras({"X-Api-Token": "caller-added"})
    session = a_session(toy, plugin=Signs(), extras=extras)
    session.authorize(session.prepare(), None)
    session.accept(401, JSON)
    session.feed(json.dumps(said).encode())
    with pytest.raises(AuthenticationError) as problem:
        session.close()
    assert secret not in everything(problem.value)
    assert "[secret]" in problem.value.message
    assert problem.value.body["error"]["x"] == ["[secret]"]

    for body in (toy.stream(["fail", f"bad key {secret}", 401]), f"data: {{broken {secret}\n\n".encode()):
        session = a_session(toy, plugin=Signs(), extras=extras)
        session.authorize(session.prepare(), None)
        events = [*session.accept(200, SSE), *session.feed(body), *session.close()]
        assert secret not in json.dumps(events)
        assert secret not in everything(session.error)


@pytest.mark.parametrize("nested", [True, False])
def test_a_native_upstreams_errors_hold_no_secrets_either(nested):
    class Native:
        @hookimpl
        def provider_info(self):
            return ProviderInfo(name="native", spec_version=1, wire="responses")

        @hookimpl
        def translate_request(self):
            return HTTPRequest(
                url="https://n.example", json={}, headers={"authorization": f"Bearer {SECRET}"}
            )

    provider = Provider("native", Native())
    said = {"message": f"bad key {SECRET}", "code": "invalid_api_key", "param": None}
    error = {"type": "error", "error": {"type": "t", **said}} if nested else {"type": "error", **said}
    created = {
        "type": "response.created",
        "response": {"id": "resp_1", "output": [], "status": "in_progress"},
    }
    failed = {
        "type": "response.failed",
        "response": {"id": "resp_1", "output": [], "status": "failed", "error": said},
    }
    for script in ([created, error], [created, failed], [created, error, failed], [error]):
        session = Session(
            provider, provider.target("m", {}), {"model": "native/m", "input": "hi", "stream": True}
        )
        body = b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in script)
        events = answered(session, body)
        check_events(events)
        assert SECRET not in json.dumps(events)
        assert SECRET not in everything(session.error)
        assert SECRET not in json.dumps(session.response)


def test_a_request_shows_neither_keys_nor_addresses_with_keys():
    http = HTTPRequest(url=f"https://a.example/x?key={SECRET}", headers={"authorization": SECRET}, json={})
    assert repr(http) == "HTTPRequest(POST https://a.example/x, headers=['authorization'])"


@given(st.text(min_size=6), st.text(), st.text())
def test_redaction_is_by_value_wherever_it_stands(secret, before, after):
    redact = Redactor([secret])
    assert secret not in redact(f"{before}{secret}{after}").replace("[secret]", "")
    assert secret not in redact.json({"a": [f"{before}{secret}"], "b": 1})["a"][0].replace("[secret]", "")


def test_what_is_too_short_to_be_a_secret_stays():
    assert Redactor(["key", ""])("the key") == "the key"
