"""Checks of what may not be seen: secrets in exceptions, reprs and logs."""

from __future__ import annotations

import json
import logging
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from dragoman.decoding import RawEvent
from dragoman.errors import APIError
from dragoman.testing.declarations import Declarations, fail_for
from dragoman.testing.frames import join_frames, split_frames
from dragoman.testing.inputs import BAD_INPUTS
from dragoman.testing.running import run_async, run_sync
from dragoman.testing.upstream import FakeUpstream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dragoman.testing.running import Run

__all__ = ["SecrecyChecks"]

_SHORTEST_SECRET = 6  # what is shorter is not taken for one
_CREDENTIAL_WORDS = ("auth", "key", "token", "secret", "cookie", "signature")


class SecrecyChecks(Declarations):
    """A secret goes to the upstream and nowhere else."""

    def test_secrets_never_show(self) -> None:
        """No secret is in any exception, repr or log record, even where the upstream repeats it.

        Troubleshooting: declare the setting ``secret=True``, and send a key in a header rather than in the
        address: httpx logs addresses.
        """
        provider = self.loaded()
        target = self.target(provider)
        session = self.session(provider)
        with _captured_log() as log:
            http = session.authorize(session.prepare(), session.load_credentials())
        secrets = {secret for secret in target.secrets if len(secret) >= _SHORTEST_SECRET}
        declared = [setting.name for setting in provider.info.settings if setting.secret]
        if declared and not secrets:
            pytest.fail(f"give `settings` a value for one of {', '.join(declared)}, of 6 characters or more")
        secrets |= _secrets_in(http.headers)
        if not secrets:
            pytest.skip("the provider has no secrets")
        shown = {"the target": repr(target), "the request": repr(http), "the log": log.getvalue()}
        shown |= {"the session": repr(session), "the provider": repr(provider)}
        for what, texts in self._provoked("; ".join(sorted(secrets))):
            shown[what] = shown.get(what, "") + texts
        fail_for(
            [
                f"a secret stands in {what}"
                for what, text in shown.items()
                if any(word in text for word in secrets)
            ],
            "secrets show:",
        )

    def _provoked(self, words: str) -> Iterator[tuple[str, str]]:
        """Yield what can be read of failures in which the upstream repeats these words."""
        exchange = self.declared()["text"]
        bodies = [
            b"bad key " + words.encode(),
            json.dumps({"error": {"message": words, "code": words}}).encode(),
        ]
        for case in self.errors:
            said = case.message.encode()
            bodies.append(case.body.replace(said, said + words.encode()) if said else case.body)
        for body in bodies:
            yield "a refusal", _everything_about(self.refusal(401, body))
        yield "a malformed answer", _everything_about(self.whole(exchange, b"{" + words.encode()).error)
        frames = split_frames(exchange.stream, exchange.stream_type)
        malformed = RawEvent(frames[0].type, b"{" + words.encode())
        run = self.streamed(exchange, join_frames([frames[0], malformed], exchange.stream_type))
        yield "a malformed stream", _everything_about(run.error) + json.dumps([run.events, run.response])
        for _, request, _ in BAD_INPUTS:
            try:
                self.session(**request).prepare()
            except Exception as error:
                yield "a bad request", _everything_about(error)
        with _captured_log() as log:
            for run_over in (run_sync, run_async):
                yield "a refusal over httpx", self._over_http(run_over, bodies[1])
        yield "the log", log.getvalue()

    def _over_http(self, run: Callable[..., Run], body: bytes) -> str:
        try:
            run(self.session(), FakeUpstream([body], status=401))
        except Exception as error:
            return _everything_about(error)
        return ""  # a provider that answers by itself


def _secrets_in(headers: Mapping[str, str]) -> set[str]:
    values = {
        value for name, value in headers.items() if any(word in name.lower() for word in _CREDENTIAL_WORDS)
    }
    values |= {value.rpartition(" ")[2] for value in values}
    return {value for value in values if len(value) >= _SHORTEST_SECRET}


def _everything_about(error: BaseException | None) -> str:
    if error is None:
        return ""
    told = [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
    if isinstance(error, APIError):
        told.append(json.dumps(error.to_dict()))
    return "\n".join(told)


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())

    def getvalue(self) -> str:
        """Return all messages."""
        return "\n".join(self.lines)


@contextmanager
def _captured_log() -> Iterator[_Log]:
    """Hear every logger, as somebody does who looks for a fault."""
    log, root = _Log(), logging.getLogger()
    level = root.level
    root.addHandler(log)
    root.setLevel(logging.DEBUG)
    try:
        yield log
    finally:
        root.setLevel(level)
        root.removeHandler(log)
