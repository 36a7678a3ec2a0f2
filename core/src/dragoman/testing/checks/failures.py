"""Checks of what goes wrong: cut and malformed answers, refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dragoman.decoding import RawEvent
from dragoman.errors import (
    APIError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InternalServerError,
    MalformedResponseError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestTooLargeError,
    ServiceUnavailableError,
    StreamInterruptedError,
    UnprocessableEntityError,
)
from dragoman.testing.declarations import Declarations, fail_for
from dragoman.testing.frames import join_frames, split_frames
from dragoman.testing.legality import check_events

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.testing.exchanges import ErrorCase
    from dragoman.testing.running import Run
    from dragoman.types import Event

__all__ = ["FailureChecks"]

_CUTS = 200
_STATUSES: Mapping[int, type[APIError]] = {
    302: APIStatusError,
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    408: APITimeoutError,
    409: ConflictError,
    413: RequestTooLargeError,
    418: APIStatusError,
    422: UnprocessableEntityError,
    429: RateLimitError,
    500: InternalServerError,
    502: InternalServerError,
    503: ServiceUnavailableError,
    504: InternalServerError,
    529: ServiceUnavailableError,
}
_FOREIGN_BODIES = (
    b"",
    b"<html><head><title>502 Bad Gateway</title></head></html>",
    b"upstream connect error",
    b"\xff\xfe\x00",
    b"null",
    b"[]",
    b"{}",
    b"7",
    b'{"error": null}',
    b'{"error": "words"}',
    b'{"error": {"message": null}}',
    b'{"error": [1]}',
    b'{"message": "words"}',
)
_WRONG_SHAPES = (b"null", b"[]", b'"words"', b"7", b"{}")
_MALFORMED = "malformed_stream"


class FailureChecks(Declarations):
    """A failure is one typed error that says what happened; what had arrived stays."""

    def test_a_cut_stream_fails(self) -> None:
        """Wherever a stream breaks off, the response fails with what had arrived, or has all of it.

        Troubleshooting: call ``output.finish`` only where the upstream says why it stopped: without it the
        answer counts as cut. Never fill in what has not arrived.
        """
        problems: list[str] = []
        for name, exchange in self.declared().items():
            stream, whole = exchange.stream, self.streamed(exchange)
            broken = StreamInterruptedError("the connection broke", code="stream_interrupted")
            for at in range(0, len(stream), len(stream) // _CUTS + 1):
                for broken_by in (None, broken) if at % 8 == 0 else (None,):
                    try:
                        run = self.streamed(exchange, stream[:at], broken_by=broken_by)
                        problem = _wrong_end(run, whole)
                    except Exception as error:
                        problem = f"{type(error).__name__}: {error}"
                    if problem:
                        problems.append(f"{name}, cut after {at} bytes of {len(stream)}: {problem}")
        fail_for(problems[:10], "cut streams:")

    def test_malformed_answers_fail(self) -> None:
        """What is not the provider's own format fails as such: never a completed response, never a crash.

        Troubleshooting: core finds what is not JSON; JSON of another shape is yours to survive. Do not
        swallow exceptions, and do not call ``output.finish`` on a guess.
        """
        problems = []
        exchange = self.declared()["text"]
        first, *rest = split_frames(exchange.stream, exchange.stream_type)
        for data in (b'{"type": "tex', *_WRONG_SHAPES):
            stream = join_frames([first, RawEvent(first.type, data), *rest], exchange.stream_type)
            try:
                run = self.streamed(exchange, stream)
            except Exception as crash:
                problems.append(f"the event {data!r}: {type(crash).__name__}: {crash}")
                continue
            problem = _wrong_end(run, self.streamed(exchange))
            if problem is None and data not in _WRONG_SHAPES and getattr(run.error, "code", "") != _MALFORMED:
                problem = f"the error should be {_MALFORMED}, is {run.error!r}"
            problems += [f"the event {data!r}: {problem}"] if problem else []
        bodies = (b"", b"<html></html>", exchange.body[: len(exchange.body) // 2])
        for body, expected in [
            *((body, MalformedResponseError) for body in bodies),
            *((body, APIError) for body in _WRONG_SHAPES),
        ]:
            try:
                error = self.whole(exchange, body).error
            except APIError as raised:
                error = raised
            except Exception as crash:
                problems.append(f"the body {body[:30]!r}: {type(crash).__name__}: {crash}")
                continue
            if not isinstance(error, expected):
                problems.append(f"the body {body[:30]!r}: {error!r}, not a {expected.__name__}")
        fail_for(problems, "malformed answers:")

    def test_refusals_have_the_right_class(self) -> None:
        """Every status becomes its exception, whatever body a gateway sends with it.

        Troubleshooting: parse_error returns None for a body that is not the provider's, whatever it is; core
        reads the common ones.
        """
        problems = []
        provider = self.loaded()
        for body in _FOREIGN_BODIES:
            try:
                provider.parse_error(502, {}, body, self.target(provider))
            except Exception as crash:
                problems.append(f"parse_error fails on {body[:30]!r}: {type(crash).__name__}: {crash}")
        for status, expected in _STATUSES.items():
            for body in _FOREIGN_BODIES:
                error = self.refusal(status, body)
                if type(error) is not expected or error.status_code != status:
                    problems.append(f"{status} with {body[:30]!r}: {error!r}, not a {expected.__name__}")
        fail_for(problems, "refusals:")

    def test_refusals_say_when_to_come_back(self) -> None:
        """`retry-after` and the provider's request id stand on the exception.

        Troubleshooting: name the header in ``ProviderInfo.request_id_headers``, in lower case.
        """
        named = self.loaded().info.request_id_headers[:1]
        headers = {"retry-after": "7", **dict.fromkeys(named, "req-0123")}
        problems = []
        for status in (429, 503):
            error = self.refusal(status, b"", headers)
            expected = {
                "retry_after": 7.0,
                "retryable": True,
                "request_id": "req-0123" if named else None,
            }
            problems += [
                f"{name} of a {status} is {getattr(error, name, None)!r}, not {value!r}"
                for name, value in expected.items()
                if getattr(error, name, None) != value
            ]
        fail_for(problems, f"a refusal with the headers {headers}:")

    def test_the_providers_own_errors(self) -> None:
        """Each declared refusal becomes its exception, over HTTP and in mid-stream.

        Troubleshooting: the class follows from the status, or from `code` (`context_length_exceeded`,
        `content_policy_violation`) of what parse_error returns or ``output.fail`` is given.
        """
        if not self.errors:
            pytest.skip("no `errors` are declared")
        problems = []
        for case in self.errors:
            problems += _differences(case, self.refusal(case.status, case.body, case.headers), "")
            if case.stream:
                exchange = self.declared()["text"]
                run = self.streamed(exchange, case.stream)
                problem = _wrong_failure(run.events)
                problems += [f"{_label(case)}, streamed: {problem}"] if problem else []
                problems += _differences(case, run.error, ", streamed")
        fail_for(problems, "the provider's errors:")


def _wrong_end(run: Run, whole: Run) -> str | None:
    """Return what is wrong with the end of a stream that broke: it has all of the answer, or it failed."""
    try:
        check_events(run.events)
    except AssertionError as illegal:
        return str(illegal)
    if run.error is None:
        done = [_content(item) for item in run.response["output"]]
        if done != [_content(item) for item in whole.response["output"]]:
            return f"the response is {run.response['status']} without the whole answer"
        return None
    partial, output = run.response["output"], whole.response["output"]
    if len(partial) > len(output):
        return "it has more items than the whole answer"
    for index, (item, full) in enumerate(zip(partial, output, strict=False)):
        (kind, text), (full_kind, full_text) = _content(item), _content(full)
        if kind != full_kind or not full_text.startswith(text):
            whole_item = f"{full_kind} {full_text[:40]!r}"
            return f"output[{index}] is {kind} {text[:40]!r}, not the beginning of {whole_item}"
    return _wrong_failure(run.events)


def _wrong_failure(events: list[Event]) -> str | None:
    ending = [event["type"] for event in events[-2:]]
    if ending != ["error", "response.failed"]:
        return f"it should end with error and response.failed, ends with {' and '.join(ending)}"
    return None


def _content(item: Mapping[str, Any]) -> tuple[str, str]:
    """Return an item's type and all of its words."""
    parts = [*(item.get("summary") or ()), *(item.get("content") or ())]
    words = [str(part.get("text", part.get("refusal", ""))) for part in parts]
    words += [str(item.get(field) or "") for field in ("arguments", "input", "code")]
    return str(item["type"]), "".join(words)


def _label(case: ErrorCase) -> str:
    return f"{case.status} with {case.body[:60]!r}"


def _differences(case: ErrorCase, error: Exception | None, form: str) -> list[str]:
    if type(error) is not case.raises:
        return [f"{_label(case)}{form}: {error!r}, not a {case.raises.__name__}"]
    problems = []
    if case.message not in str(error):
        problems.append(f"{_label(case)}{form}: {case.message!r} is not in {str(error)!r}")
    for name in ("code", "param") if form else ("code", "param", "retry_after"):
        expected = getattr(case, name)
        if expected is not None and getattr(error, name) != expected:
            problems.append(f"{_label(case)}{form}: {name} is {getattr(error, name)!r}, not {expected!r}")
    return problems
