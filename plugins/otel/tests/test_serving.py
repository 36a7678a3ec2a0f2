"""``dragoman serve`` with an endpoint in its environment: the trace of who asks goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import pytest

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize("kind", ["whole", "stream", "background"])
def test_a_server_goes_on_with_the_callers_trace(receiver, attributes, kind):
    environment = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_SERVICE_NAME": "gateway",
        "DRAGOMAN_MASTER_KEY": "sk-canary",
    }
    command = [sys.executable, "-m", "dragoman_cli", "serve", "--port", "0"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = re.search(r"listens on (http://\S+) ", process.stdout.readline())[1]
            body = {"model": "echo/echo", "input": "Hi", "stream": kind != "whole"}
            headers = {
                "content-type": "application/json",
                "authorization": "Bearer sk-canary",
                "traceparent": f"00-{TRACE}-{PARENT}-01",
            }
            for sent in (headers, {**headers, "traceparent": ""}):
                request = urllib.request.Request(
                    f"{url}/v1/responses",
                    json.dumps({**body, "background": kind == "background"}).encode(),
                    headers=sent,
                )
                with urllib.request.urlopen(request, timeout=20) as answer:
                    assert "completed" in answer.read().decode()
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    joined, alone = receiver.spans
    assert (joined.trace_id.hex(), joined.parent_span_id.hex()) == (TRACE, PARENT)
    assert not alone.parent_span_id
    assert attributes(joined)["gen_ai.provider.name"] == "echo"
    assert attributes(joined)["dragoman.mode"] == kind
    assert receiver.resources[0]["service.name"] == "gateway"
    assert "gen_ai.client.operation.duration" in receiver.metrics
    assert all(b"sk-canary" not in body for _, body in receiver.bodies)
