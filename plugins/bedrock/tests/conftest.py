"""What the tests speak to: the plugin as core drives it, and servers that stand for AWS on real sockets."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import hmac
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import botocore.session  # type: ignore[import-untyped]
import pytest
from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]
from botocore.validate import ParamValidator  # type: ignore[import-untyped]

import dragoman_bedrock as plugin
from dragoman.attempts.session import Session
from dragoman.events.batches import events_of
from dragoman.models import validate_request
from dragoman.providers import Provider
from dragoman.testing.frames import aws_stream
from dragoman.testing.legality import check_events

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dragoman.hookspecs import HTTPRequest

CLAUDE = "us.anthropic.claude-sonnet-4-6"
NOVA = "us.amazon.nova-2-lite-v1:0"
SETTINGS = {
    "aws_region_name": "us-east-1",
    "aws_access_key_id": "AKIDEXAMPLE123456",
    "aws_secret_access_key": "secret-key-of-the-example-123456",
}
STREAM = {"content-type": "application/vnd.amazon.eventstream"}
USAGE = {"inputTokens": 3, "outputTokens": 5, "totalTokens": 8}


@functools.cache
def converse_shape() -> Any:
    """Return AWS's own description of a request to Converse."""
    service = botocore.session.get_session().get_service_model("bedrock-runtime")
    return service.operation_model("Converse").input_shape


class Bedrock:
    """The plugin as core drives it, without a network."""

    def session(self, model: str = CLAUDE, settings: Any = None, **request: Any) -> Session:
        provider = Provider("bedrock", plugin)
        body = validate_request({"model": f"bedrock/{model}", "input": "Hi", **request})
        return Session(provider, provider.target(model, SETTINGS if settings is None else settings), body)

    def http(self, model: str = CLAUDE, settings: Any = None, **request: Any) -> HTTPRequest:
        """Return what is sent; AWS's own description of the API must allow it."""
        http = self.session(model, settings, **request).prepare()
        report = ParamValidator().validate({**json.loads(http.body), "modelId": model}, converse_shape())
        assert not report.has_errors(), report.generate_report()
        return http

    def body(self, model: str = CLAUDE, **request: Any) -> Any:
        return json.loads(self.http(model, **request).body)

    def messages(self, *items: Any, model: str = CLAUDE, **request: Any) -> Any:
        return self.body(model, input=list(items), **request)["messages"]

    def warned(self, model: str = CLAUDE, **request: Any) -> list[str]:
        """Return what the caller is warned of: the names of the parameters."""
        session = self.session(model, **request)
        session.prepare()
        return [warning["param"] for warning in session.response["dragoman"]["warnings"]]

    def whole(self, payload: Any, model: str = CLAUDE, **request: Any) -> dict[str, Any]:
        """Return the response that a whole answer becomes."""
        return self._run(self.session(model, **request), [json.dumps(payload).encode()], {})

    def answer(
        self, *content: Any, stop: str = "end_turn", model: str = CLAUDE, **more: Any
    ) -> dict[str, Any]:
        """Return the response for an answer with these blocks."""
        message = {"message": {"role": "assistant", "content": list(content)}}
        return self.whole({"output": message, "stopReason": stop, "usage": USAGE, **more}, model)

    def stream(
        self, *events: tuple[str, Any], model: str = CLAUDE, step: int = 0, **request: Any
    ) -> dict[str, Any]:
        """Return the response that these events become, sent in pieces of `step` bytes."""
        raw = aws_stream(*events)
        return self.raw_stream(raw, model=model, step=step, **request)

    def raw_stream(self, raw: bytes, model: str = CLAUDE, step: int = 0, **request: Any) -> dict[str, Any]:
        step = step or len(raw)
        pieces = [raw[start : start + step] for start in range(0, len(raw), step)]
        return self._run(self.session(model, stream=True, **request), pieces, STREAM)

    def _run(self, session: Session, pieces: list[bytes], headers: dict[str, str]) -> dict[str, Any]:
        session.prepare()
        batches = [session.accept(200, headers or {"content-type": "application/json"})]
        batches += [session.feed(piece) for piece in pieces]
        batches.append(session.close())
        check_events([event for batch in batches for event in events_of(batch)])
        return session.response


@pytest.fixture(scope="session")
def bedrock() -> Bedrock:
    return Bedrock()


# ---- AWS, without AWS -------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Hide this machine's own AWS configuration; nobody asks a metadata service."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


class FakeAWS:
    """Bedrock and STS on one port: Bedrock answers only who signs right, both remember what came."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.secrets = {SETTINGS["aws_access_key_id"]: SETTINGS["aws_secret_access_key"]}
        """The keys that are known: id -> secret."""
        self.tokens: dict[str, str] = {}
        """The session tokens that belong to temporary keys."""
        self.bearers: set[str] = set()
        self.asked: list[dict[str, Any]] = []
        self.roles: list[dict[str, str]] = []
        self.expires = "2099-01-01T00:00:00Z"

    def refusal(self, method: str, path: str, headers: dict[str, str], body: bytes) -> str | None:
        """Return why a request is not let in: the signature is computed anew from what arrived."""
        said = headers.get("authorization", "")
        if said.startswith("Bearer "):
            return None if said[7:] in self.bearers else "unknown API key"
        found = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=(\w+)/(\d{8})/([\w-]+)/(\w+)/aws4_request, "
            r"SignedHeaders=([\w;-]+), Signature=([0-9a-f]{64})",
            said,
        )
        if found is None:
            return f"no signature: {said[:40]}"
        key, _, region, service, names, signature = found.groups()
        if service != "bedrock" or key not in self.secrets:
            return f"{service} of {key}"
        if headers.get("x-amz-security-token") != self.tokens.get(key):
            return "another session token"
        request = AWSRequest(
            method=method,
            url=f"http://{headers['host']}{path}",
            data=body,
            headers={name: headers[name] for name in names.split(";")},
        )
        request.context["timestamp"] = headers["x-amz-date"]
        auth = SigV4Auth(
            Credentials(key, self.secrets[key], headers.get("x-amz-security-token")), service, region
        )
        text = auth.string_to_sign(request, auth.canonical_request(request))
        return None if hmac.compare_digest(auth.signature(text, request), signature) else "wrong signature"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        if not handler.path.startswith("/model/"):
            self._assume(handler, {name: value for name, (value, *_) in parse_qs(body.decode()).items()})
            return
        self.asked.append({"path": handler.path, "headers": headers, "body": json.loads(body)})
        refusal = self.refusal(handler.command, handler.path, headers, body)
        if refusal is not None:
            type_ = "InvalidSignatureException:http://internal.amazon.com/coral/"
            _send(handler, json.dumps({"message": refusal}).encode(), 403, {"x-amzn-errortype": type_})
        elif handler.path.endswith("/converse-stream"):
            events: list[tuple[str, dict[str, Any]]] = [
                ("messageStart", {"role": "assistant"}),
                ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Hello"}}),
                ("contentBlockStop", {"contentBlockIndex": 0}),
                ("messageStop", {"stopReason": "end_turn"}),
                ("metadata", {"usage": USAGE}),
            ]
            _send(handler, aws_stream(*events), 200, STREAM)
        else:
            message = {"message": {"role": "assistant", "content": [{"text": "Hello"}]}}
            answer = {"output": message, "stopReason": "end_turn", "usage": USAGE}
            _send(handler, json.dumps(answer).encode(), 200, {"content-type": "application/json"})

    def _assume(self, handler: BaseHTTPRequestHandler, asked: dict[str, str]) -> None:
        self.roles.append(asked)
        if "forbidden" in asked["RoleArn"]:
            said = "<Error><Code>AccessDenied</Code><Message>not you</Message></Error>"
            error = f"<ErrorResponse>{said}</ErrorResponse>"
            _send(handler, error.encode(), 403, {"content-type": "text/xml"})
            return
        number = len(self.roles)
        key, secret, token = f"ASIAROLE{number}", f"role-secret-{number}", f"role/token+{number}=="
        self.secrets[key], self.tokens[key] = secret, token
        action = asked["Action"]
        xml = (
            f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>'
            f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>"
            f"<SessionToken>{token}</SessionToken><Expiration>{self.expires}</Expiration>"
            f"</Credentials></{action}Result></{action}Response>"
        )
        _send(handler, xml.encode(), 200, {"content-type": "text/xml"})


def _send(handler: BaseHTTPRequestHandler, body: bytes, status: int, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("content-length", str(len(body)))
    handler.send_header("x-amzn-requestid", hashlib.sha256(body).hexdigest()[:16])
    handler.end_headers()
    with contextlib.suppress(BrokenPipeError):
        handler.wfile.write(body)


@pytest.fixture
def aws() -> Iterator[FakeAWS]:
    """Return AWS on a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            fake.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    fake = FakeAWS(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield fake
    server.shutdown()
    server.server_close()
    thread.join()
