"""Both drivers over real sockets: limits, cuts, refusals, odd answers, and what happens to connections."""

from __future__ import annotations

import asyncio
import gzip
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import pytest

import dragoman
from dragoman import (
    APIConnectionError,
    APITimeoutError,
    AsyncDragoman,
    BadRequestError,
    Dragoman,
    InternalServerError,
    MalformedResponseError,
    RateLimitError,
    StreamInterruptedError,
    Timeout,
)
from dragoman.hookspecs import Credentials
from dragoman.testing.legality import check_events

pytest_plugins = ["core.tests.upstream"]
pytestmark = pytest.mark.usefixtures("nothing_left_open")

LIMIT = 0.2
PROMPT = 2.0  # what counts as prompt on a busy machine; the defaults are minutes


def silent(wire):
    wire.hold()


def silent_after_headers(wire):
    wire.head()
    wire.hold()


def silent_after_text(wire):
    wire.head()
    wire.event(text="Once upon")
    wire.hold()


def comments_after_text(wire):
    wire.head()
    wire.event(text="Once upon")
    wire.hold(comment=b": keep-alive\n\n")


def pings_after_text(wire):
    wire.head()
    wire.event(text="Once upon")
    wire.hold(comment=b'event: ping\ndata: {"ping": true}\n\n')


def comments_after_headers(wire):
    wire.head()
    wire.hold(comment=b": keep-alive\n\n")


def pings_after_headers(wire):
    wire.head()
    wire.hold(comment=b'event: ping\ndata: {"ping": true}\n\n')


def silent_json(wire):
    wire.head(content_type="application/json")
    wire.chunk(b'{"text":')
    wire.hold()


def dripping_json(wire):
    wire.head(content_type="application/json")
    wire.hold(comment=b" ")


def told(wire):
    wire.story("Once ", "upon ", "a time")


def told_whole(wire):
    wire.whole({"text": "Once upon a time"})


def check_failed_stream(outcome, text):
    """A stream that broke ends with `error` and `response.failed`, with what had arrived, and then raises."""
    check_events([event.to_dict() for event in outcome.events])
    assert outcome.types[-2:] == ["error", "response.failed"]
    assert outcome.events[-1].response.output_text == text
    assert outcome.error.response.output_text == text
    assert outcome.error.response.status == "failed"
    assert outcome.error.provider == "stub"


# ---- time limits ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
def test_silence_before_the_headers(ask, upstream, stream):
    upstream.answers(silent)
    outcome = ask(stream=stream, timeout=Timeout(first_event=LIMIT))
    assert isinstance(outcome.error, APITimeoutError)
    assert outcome.error.code == "timeout_first_event"
    assert "timeout.first_event" in outcome.error.message
    assert LIMIT <= outcome.seconds < PROMPT
    assert outcome.events == []
    upstream.wait_for_hangup()


@pytest.mark.parametrize("script", [silent_after_headers, comments_after_headers, pings_after_headers])
def test_silence_after_the_headers_of_a_stream(ask, upstream, script):
    upstream.answers(script)
    outcome = ask(stream=True, timeout=Timeout(first_event=LIMIT))
    assert isinstance(outcome.error, APITimeoutError)
    assert outcome.error.code == "timeout_first_event"
    assert LIMIT <= outcome.seconds < PROMPT
    check_failed_stream(outcome, "")
    upstream.wait_for_hangup()


@pytest.mark.parametrize("script", [silent_json, dripping_json])
def test_an_unstreamed_answer_counts_when_it_is_whole(ask, upstream, script):
    upstream.answers(script)
    outcome = ask(timeout=Timeout(first_event=LIMIT))
    assert isinstance(outcome.error, APITimeoutError)
    assert outcome.error.code == "timeout_first_event"
    assert LIMIT <= outcome.seconds < PROMPT
    upstream.wait_for_hangup()


@pytest.mark.parametrize("script", [silent_after_text, comments_after_text, pings_after_text])
@pytest.mark.parametrize("stream", [True, False])
def test_a_gap_between_events(ask, upstream, script, stream):
    upstream.answers(script)
    outcome = ask(stream=stream, timeout=Timeout(between_events=LIMIT))
    assert isinstance(outcome.error, APITimeoutError)
    assert outcome.error.code == "timeout_between_events"
    assert LIMIT <= outcome.seconds < PROMPT
    assert outcome.error.response.output_text == "Once upon"
    if stream:
        check_failed_stream(outcome, "Once upon")
    upstream.wait_for_hangup()


@pytest.mark.parametrize("script", [silent, silent_after_headers, silent_after_text, pings_after_text])
@pytest.mark.parametrize(
    ("limits", "code"), [(LIMIT, "timeout_attempt"), (Timeout(total=LIMIT), "timeout_total")]
)
def test_the_whole(ask, upstream, script, limits, code):
    upstream.answers(script)
    outcome = ask(stream=True, timeout=limits)
    assert isinstance(outcome.error, APITimeoutError)
    assert outcome.error.code == code
    assert LIMIT <= outcome.seconds < PROMPT
    upstream.wait_for_hangup()


def test_the_limit_for_the_first_event_ends_with_the_first_event(ask, upstream):
    def slow_then_silent(wire):
        wire.head()
        wire.event(text="Once")
        time.sleep(3 * LIMIT)
        wire.event(text=" upon", finish="completed", end=True)
        wire.end()

    upstream.answers(slow_then_silent)
    outcome = ask(stream=True, timeout=Timeout(first_event=LIMIT, between_events=PROMPT))
    assert outcome.error is None
    assert outcome.response.output_text == "Once upon"


def test_no_connection_within_the_limit(stub_provider):
    def late(request):
        raise httpx.ConnectTimeout("timed out", request=request)

    transport = httpx.MockTransport(late)
    options = {"model": "stub/m", "input": "Hello", "api_base": "http://stub", "timeout": Timeout(connect=3)}
    words = r"waited 3 s for a connection, the limit \(timeout.connect\)"

    async def main():
        async with httpx.AsyncClient(transport=transport) as client:
            await AsyncDragoman(http_client=client).responses.create(**options)

    with httpx.Client(transport=transport) as client, pytest.raises(APITimeoutError, match=words):
        Dragoman(http_client=client).responses.create(**options)
    with pytest.raises(APITimeoutError, match=words):
        asyncio.run(main())


def test_a_slow_reader_is_no_slow_upstream(upstream):
    limits = Timeout(first_event=LIMIT, between_events=LIMIT, total=2 * LIMIT)
    options = {"model": "stub/m", "input": "Hello", "api_base": upstream.url, "timeout": limits}
    upstream.answers(told)
    with Dragoman() as client, client.responses.stream(**options) as stream:
        for event in stream:
            if event.type in ("response.created", "response.output_text.delta"):
                time.sleep(1.5 * LIMIT)
        assert stream.get_final_response().output_text == "Once upon a time"

    async def main():
        async with AsyncDragoman() as client, client.responses.stream(**options) as stream:
            async for event in stream:
                if event.type in ("response.created", "response.output_text.delta"):
                    await asyncio.sleep(1.5 * LIMIT)
            assert (await stream.get_final_response()).output_text == "Once upon a time"

    asyncio.run(main())


# ---- the end of an answer ---------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_ends_with_its_end_mark_not_with_its_connection(ask, upstream, stream):
    def ended_but_open(wire):
        wire.head()
        wire.event(text="Once upon a time", finish="completed", end=True)
        wire.hold()

    upstream.answers(ended_but_open)
    outcome = ask(stream=stream)
    assert outcome.error is None
    assert outcome.response.output_text == "Once upon a time"
    assert outcome.seconds < PROMPT
    upstream.wait_for_hangup()


@pytest.mark.parametrize(
    "and_then",
    [
        lambda wire: wire.hold(),
        lambda wire: wire.hold(comment=b": keep-alive\n\n"),
        lambda wire: wire.close(),
        lambda wire: wire.reset(),
        lambda wire: wire.end(),
    ],
    ids=["silence", "comments", "close", "reset", "end of body"],
)
def test_without_an_end_mark_the_finish_reason_is_enough(ask, upstream, and_then):
    def finished(wire):
        wire.head()
        wire.event(text="Once upon a time")
        wire.event(finish="completed")
        and_then(wire)

    upstream.answers(finished)
    outcome = ask(stream=True, timeout=Timeout(between_events=LIMIT))
    assert outcome.error is None
    assert outcome.types[-1] == "response.completed"
    assert outcome.response.output_text == "Once upon a time"
    assert outcome.seconds < PROMPT


# ---- cuts and refusals ------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    "cut",
    [lambda wire: wire.close(), lambda wire: wire.reset(), lambda wire: wire.end()],
    ids=["close", "reset", "end of body"],
)
def test_a_stream_that_is_cut(ask, upstream, stream, cut):
    def told_in_part(wire):
        wire.head()
        wire.event(text="Once upon")
        cut(wire)

    upstream.answers(told_in_part)
    outcome = ask(stream=stream)
    assert type(outcome.error) is StreamInterruptedError
    assert outcome.error.retryable
    assert outcome.error.response.output_text in ("Once upon", "")  # a reset may overtake what was sent
    if stream:
        check_failed_stream(outcome, outcome.error.response.output_text)


@pytest.mark.parametrize("cut", ["close", "reset"])
def test_an_unstreamed_answer_that_is_cut(ask, upstream, cut):
    def told_in_part(wire):
        wire.whole(b'{"text": "Once up', content_length="100")
        getattr(wire, cut)()

    upstream.answers(told_in_part)
    outcome = ask()
    assert isinstance(outcome.error, APIConnectionError)
    assert outcome.error.retryable


@pytest.mark.parametrize("cut", ["close", "reset"])
def test_cut_before_any_byte(ask, upstream, cut):
    upstream.answers(lambda wire: getattr(wire, cut)())
    outcome = ask()
    assert type(outcome.error) is APIConnectionError
    assert outcome.error.retryable
    assert outcome.error.provider == "stub"
    assert outcome.error.model == "m"
    assert len(upstream.requests) == 1
    upstream.answers(lambda wire: getattr(wire, cut)(), told_whole)
    outcome = ask(num_retries=1)
    assert outcome.response.output_text == "Once upon a time"


def test_nobody_listens(ask, upstream):
    upstream.stop()
    outcome = ask()
    assert type(outcome.error) is APIConnectionError
    assert outcome.error.retryable
    assert "ConnectError" in outcome.error.message


def test_retries_wait_as_long_as_the_upstream_wishes(ask, upstream):
    def busy(wire):
        wire.whole({"error": {"message": "Too many"}}, status=429, retry_after_ms="10", retry_after="9")

    upstream.answers(busy, busy, told_whole)
    outcome = ask(num_retries=2)
    assert outcome.response.output_text == "Once upon a time"
    assert len(upstream.requests) == 3
    assert outcome.seconds < PROMPT
    upstream.answers(busy)
    outcome = ask(num_retries=1)
    assert type(outcome.error) is RateLimitError
    assert outcome.error.retry_after == 0.01
    assert len(upstream.requests) == 5


def test_a_refusal_keeps_its_status_though_its_body_breaks_off(ask, upstream):
    def refused(wire):
        wire.whole(b'{"error": {"mess', status=500, content_length="100")
        wire.reset()

    upstream.answers(refused)
    assert type(ask().error) is InternalServerError


@pytest.mark.parametrize("stream", [True, False])
def test_redirects_are_refused_because_they_carry_keys_elsewhere(ask, upstream, stream):
    upstream.answers(lambda wire: wire.whole(b"", status=307, location=f"{upstream.url}/elsewhere"))
    outcome = ask(stream=stream)
    assert isinstance(outcome.error, dragoman.APIStatusError)
    assert outcome.error.status_code == 307
    assert len(upstream.requests) == 1


def test_a_client_that_follows_redirects_does_not_here(upstream):
    upstream.answers(lambda wire: wire.whole(b"", status=307, location=f"{upstream.url}/elsewhere"))
    with httpx.Client(follow_redirects=True) as http_client, pytest.raises(dragoman.APIStatusError):
        Dragoman(http_client=http_client).responses.create(
            model="stub/m", input="Hello", api_base=upstream.url
        )
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("value", ["sk-stub\nsecret", "sk-stub“secret”", "sk-stub-secret "])
def test_a_key_that_no_header_can_hold_is_not_shown(ask, upstream, value):
    outcome = ask(extra_headers={"X-Extra-Key": value})
    assert type(outcome.error) is BadRequestError
    assert outcome.error.param == "x-extra-key"
    assert "secret" not in str(outcome.error)
    assert outcome.error.__cause__ is None
    assert upstream.requests == []


@pytest.mark.parametrize("address", ["ftp://stub", "stub", "http://", "http://stub:port"])
def test_an_address_that_is_none(ask, address):
    outcome = ask(api_base=address)
    assert isinstance(outcome.error, BadRequestError)
    assert outcome.error.param == "api_base"


# ---- odd answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("body", [b"{broken", b"", b"<html>hello</html>", b"[1"])
def test_an_answer_that_is_not_json(ask, upstream, stream, body):
    upstream.answers(lambda wire: wire.whole(body))
    outcome = ask(stream=stream)
    assert type(outcome.error) is MalformedResponseError
    assert outcome.error.response.status == "failed"
    if stream:
        check_failed_stream(outcome, "")


def test_an_event_that_is_not_json(ask, upstream):
    def broken(wire):
        wire.head()
        wire.event(text="Once upon")
        wire.chunk(b"data: {broken\n\n")
        wire.event(text=" a time", finish="completed", end=True)
        wire.end()

    upstream.answers(broken)
    outcome = ask(stream=True)
    assert type(outcome.error) is MalformedResponseError
    check_failed_stream(outcome, "Once upon")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_compressed_answers(ask, upstream, stream, coding, pack):
    def packed(wire):
        wire.head(content_encoding=coding)
        data = pack(b'data: {"text": "Once"}\n\ndata: {"finish": "completed", "end": true}\n\n')
        for position in range(0, len(data), 7):
            wire.chunk(data[position : position + 7])
        wire.end()

    upstream.answers(packed)
    assert ask(stream=stream).response.output_text == "Once"


@pytest.mark.parametrize("content_type", ["", "text/plain", "TEXT/EVENT-STREAM; charset=utf-8"])
def test_a_stream_under_another_name(ask, upstream, content_type):
    def story(wire):
        wire.head(content_type=content_type)
        wire.event(text="Once", finish="completed", end=True)
        wire.end()

    upstream.answers(story)
    assert ask(stream=True).response.output_text == "Once"


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json; charset=utf-8"])
def test_a_whole_answer_under_another_name(ask, upstream, content_type):
    upstream.answers(lambda wire: wire.whole({"text": "Once"}, content_type=content_type))
    assert ask().response.output_text == "Once"


def test_a_whole_answer_to_a_streaming_request(ask, upstream):
    upstream.answers(told_whole)
    outcome = ask(stream=True)
    check_events([event.to_dict() for event in outcome.events])
    assert outcome.response.output_text == "Once upon a time"


def test_a_stream_in_answer_to_a_request_for_a_whole_one(ask, upstream):
    upstream.answers(told)
    assert ask().response.output_text == "Once upon a time"


# ---- leaving early ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "stream"),
    [
        (silent, True),
        (silent, False),
        (silent_after_headers, True),
        (silent_after_text, True),
        (pings_after_text, True),
        (silent_json, False),
    ],
)
def test_cancelling_the_task_hangs_up_on_the_upstream(upstream, script, stream):
    upstream.answers(script)

    async def read(client):
        options = {"model": "stub/m", "input": "Hello", "api_base": upstream.url}
        if not stream:
            await client.responses.create(**options)
        async with client.responses.stream(**options) as events:
            async for _ in events:
                pass

    async def main():
        async with AsyncDragoman() as client:
            task = asyncio.create_task(read(client))
            await asyncio.to_thread(upstream.wait_for_hold)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(upstream.wait_for_hangup)  # while loop and client are still open

    asyncio.run(main())


def test_leaving_the_block_hangs_up_on_the_upstream(upstream):
    upstream.answers(pings_after_text)
    options = {"model": "stub/m", "input": "Hello", "api_base": upstream.url}
    with Dragoman() as client:
        with client.responses.stream(**options) as stream:
            for event in stream:
                if event.type == "response.output_text.delta":
                    break
        upstream.wait_for_hangup()
        stream = client.responses.create(**options, stream=True)
        next(stream)
        stream.close()
        upstream.wait_for_hangup()
        stream = client.responses.create(**options, stream=True)
        next(stream)
        del stream
        upstream.wait_for_hangup()

    async def main():
        async with AsyncDragoman() as client:
            async with client.responses.stream(**options) as stream:
                async for event in stream:
                    if event.type == "response.output_text.delta":
                        break
            await asyncio.to_thread(upstream.wait_for_hangup)
            stream = await client.responses.create(**options, stream=True)
            await anext(stream)
            await stream.close()
            await asyncio.to_thread(upstream.wait_for_hangup)
            stream = await client.responses.create(**options, stream=True)
            await anext(stream)
            del stream
            await asyncio.to_thread(upstream.wait_for_hangup)

    asyncio.run(main())


def test_a_stream_that_is_left_open_ends_with_its_loop(upstream):
    upstream.answers(silent_after_text)
    left = []

    async def main():
        options = {"model": "stub/m", "input": "Hello", "api_base": upstream.url}
        stream = await dragoman.aresponses(**options, stream=True)
        await anext(stream)
        left.append(stream)

    asyncio.run(main())
    upstream.wait_for_hangup()


# ---- connections ------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [True, False])
def test_connections_are_used_again(upstream, stream):
    def story_with_a_late_end(wire):
        wire.head()
        wire.event(text="Once upon a time", finish="completed", end=True)
        time.sleep(0.01)
        wire.end()

    options = {"model": "stub/m", "input": "Hello", "api_base": upstream.url}
    upstream.answers(story_with_a_late_end if stream else told_whole)
    with Dragoman() as client:
        for _ in range(3):
            with client.responses.stream(**options) as events:
                assert events.get_final_response().output_text == "Once upon a time"
    assert upstream.connections == 1

    async def main():
        async with AsyncDragoman() as client:
            for _ in range(3):
                async with client.responses.stream(**options) as events:
                    assert (await events.get_final_response()).output_text == "Once upon a time"

    asyncio.run(main())
    assert upstream.connections == 2


def test_a_reused_connection_waits_by_the_limits_of_the_call_that_uses_it(upstream):
    options = {"model": "stub/m", "input": "Hello", "api_base": upstream.url}
    upstream.answers(told, silent_after_text)
    with Dragoman() as client:
        client.responses.create(**options, timeout=Timeout(first_event=0.1, between_events=0.1))
        with pytest.raises(APITimeoutError, match=r"timeout\.attempt"):
            client.responses.create(**options, timeout=3 * LIMIT)
    assert upstream.connections == 1


def test_a_client_of_the_callers_is_used_and_left_open(upstream):
    options = {"model": "stub/m", "input": "Hello", "api_base": upstream.url}
    upstream.answers(told_whole)
    with httpx.Client(headers={"x-mine": "yes"}) as http_client:
        with Dragoman(http_client=http_client) as client:
            client.responses.create(**options)
        assert upstream.requests[-1]["headers"]["x-mine"] == "yes"
        assert not http_client.is_closed

    async def main():
        async with httpx.AsyncClient(headers={"x-mine": "yes"}) as http_client:
            async with AsyncDragoman(http_client=http_client) as client:
                await client.responses.create(**options)
            assert not http_client.is_closed

    asyncio.run(main())
    assert upstream.requests[-1]["headers"]["x-mine"] == "yes"


def test_one_loop_after_another(upstream):
    upstream.answers(told, told_whole)
    for stream in (True, False, True):

        async def main(stream=stream):
            answer = await dragoman.aresponses(
                model="stub/m", input="Hello", api_base=upstream.url, stream=stream
            )
            return await answer.get_final_response() if stream else answer

        assert asyncio.run(main()).output_text == "Once upon a time"


def test_many_threads_share_a_client(upstream):
    upstream.answers(told)
    with Dragoman() as client, ThreadPoolExecutor(16) as pool:

        def call(number):
            response = client.responses.create(
                model="stub/m", input="Hello", api_base=upstream.url, stream=bool(number % 2)
            )
            return (response.get_final_response() if number % 2 else response).output_text

        assert list(pool.map(call, range(64))) == ["Once upon a time"] * 64
    assert upstream.connections <= 16


def test_cookies_are_not_kept(ask, upstream):
    upstream.answers(lambda wire: wire.whole({"text": "Once"}, set_cookie="tenant=one; Path=/"))
    options = {"model": "stub/m", "input": "Hello", "api_base": upstream.url}
    with Dragoman() as client:
        client.responses.create(**options)
        client.responses.create(**options)
    assert "cookie" not in upstream.requests[-1]["headers"]


def test_calls_leave_no_threads(ask, upstream):
    before = set(threading.enumerate())
    upstream.answers(told)
    ask(stream=True, timeout=PROMPT)
    started = {thread for thread in threading.enumerate() if thread not in before}
    assert started <= set(upstream.threads)


# ---- credentials ------------------------------------------------------------------------------------


class TokenProvider:
    """A provider whose tokens come from a slow place."""

    def __init__(self, stub, lifetime):
        self._stub = stub
        self._lifetime = lifetime
        self.loaded_by = []

    @dragoman.hookimpl
    def provider_info(self):
        return replace(self._stub.info, name="token-stub")

    @dragoman.hookimpl
    def translate_request(self, request, target):
        return self._stub.translate_request(request, target)

    @dragoman.hookimpl
    def load_credentials(self, target):
        time.sleep(0.05)
        self.loaded_by.append(threading.get_ident())
        return Credentials(value=f"token-{len(self.loaded_by)}", expires_at=time.time() + self._lifetime)

    @dragoman.hookimpl
    def authorize(self, http, target, credentials):
        return http.with_headers({"authorization": f"Bearer {credentials.value}"})

    @dragoman.hookimpl
    def parse_response(self, payload, output, target):
        self._stub.parse_response(payload, output, target)

    @dragoman.hookimpl
    def handle_stream_event(self, event, output, target):
        self._stub.handle_stream_event(event, output, target)


async def _call_at_once(url, times):
    async with AsyncDragoman() as client:
        calls = [
            client.responses.create(model="token-stub/m", input="Hello", api_base=url) for _ in range(times)
        ]
        await asyncio.gather(*calls)


def test_credentials_are_loaded_once_and_never_on_the_loop(upstream, stub_provider):
    provider = TokenProvider(stub_provider, lifetime=3600)
    dragoman.register_provider(provider)
    upstream.answers(told_whole)
    asyncio.run(_call_at_once(upstream.url, 10))
    asyncio.run(_call_at_once(upstream.url, 2))
    assert len(provider.loaded_by) == 1
    assert provider.loaded_by != [threading.get_ident()]
    assert {request["headers"]["authorization"] for request in upstream.requests} == {"Bearer token-1"}


def test_credentials_are_loaded_again_when_they_expire(upstream, stub_provider):
    provider = TokenProvider(stub_provider, lifetime=1)  # within the margin: never good for a second call
    dragoman.register_provider(provider)
    upstream.answers(told_whole)
    with Dragoman() as client:
        for _ in range(2):
            client.responses.create(model="token-stub/m", input="Hello", api_base=upstream.url)
    assert [request["headers"]["authorization"] for request in upstream.requests] == [
        "Bearer token-1",
        "Bearer token-2",
    ]


def test_waiting_for_credentials_counts(upstream, stub_provider):
    dragoman.register_provider(TokenProvider(stub_provider, lifetime=3600))
    with pytest.raises(APITimeoutError, match=r"timeout\.attempt"):
        asyncio.run(
            dragoman.aresponses(model="token-stub/m", input="Hello", api_base=upstream.url, timeout=0.02)
        )
    assert upstream.requests == []


# ---- kept connections


def gone(wire):
    wire.close()


def gone_by_reset(wire):
    wire.reset()


def gone_after_headers(wire):
    wire.head()
    wire.close()


def once(wire):
    wire.story("Once")


@pytest.fixture(params=["sync", "async"])
def ask_twice(request, upstream):
    """Ask twice by one client, so that the second request finds the first one's connection."""

    def options():
        return {"model": "stub/m", "input": "Hi", "api_base": upstream.url}

    async def twice(**more):
        async with AsyncDragoman() as client:
            await client.responses.create(**options(), stream=False)
            stream = await client.responses.create(**options(), stream=True, **more)
            async with stream:
                return await stream.get_final_response()

    def ask(**more):
        if request.param == "async":
            return asyncio.run(twice(**more))
        with Dragoman() as client:
            client.responses.create(**options(), stream=False)
            with client.responses.create(**options(), stream=True, **more) as stream:
                return stream.get_final_response()

    return ask


@pytest.mark.parametrize("leave", [gone, gone_by_reset])
def test_a_kept_connection_that_closes_as_it_is_used_again_is_no_attempt(ask_twice, upstream, leave):
    upstream.answers(lambda wire: wire.whole({"text": "Hi"}), leave, once)
    response = ask_twice()
    assert response.output_text == "Once"
    assert len(response.dragoman.attempts) == 1
    assert (len(upstream.requests), upstream.connections) == (3, 2)


@pytest.mark.parametrize("leave", [gone, gone_by_reset])
def test_a_connection_made_for_it_that_closes_is_an_attempt(ask_twice, upstream, leave):
    upstream.answers(lambda wire: wire.whole({"text": "Hi"}, connection="close"), leave, once)
    with pytest.raises(APIConnectionError):
        ask_twice()
    assert len(upstream.requests) == 2
    upstream.answers(lambda wire: wire.whole({"text": "Hi"}), leave, leave, once)
    with pytest.raises(APIConnectionError):
        ask_twice()
    assert len(upstream.requests) == 2 + 3


def test_what_was_answered_is_not_sent_again(ask_twice, upstream):
    upstream.answers(lambda wire: wire.whole({"text": "Hi"}), gone_after_headers, once)
    with pytest.raises(StreamInterruptedError):
        ask_twice()
    assert len(upstream.requests) == 2
