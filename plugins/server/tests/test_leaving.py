"""Callers that leave: their upstream is left at once, and what had arrived is kept."""

from __future__ import annotations

import json
import socket
import time

import httpx
import pytest


def send(server, **asked):
    """Send a request and return its connection."""
    body = json.dumps({"model": "toy", **asked}).encode()
    connection = socket.create_connection(("127.0.0.1", server.port))
    connection.sendall(
        b"POST /v1/responses HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n" % len(body) + body
    )
    return connection


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("mode", ["silent", "half"])
@pytest.mark.parametrize("grace", [0.01, 60])
def test_the_upstream_is_left_too(upstream, serve, limits, stream, mode, grace):
    with serve(upstream.deployment, limits=limits(grace=grace)) as server:
        with send(server, input=mode, stream=stream) as connection:
            assert upstream.asked.wait(10)
            if stream and mode == "half":
                told = b""
                while b"One " not in told:
                    told += connection.recv(65536)
            assert not upstream.left.is_set()
        assert upstream.left.wait(10)


def test_what_had_arrived_is_kept(upstream, serve, limits, events_of):
    with serve(upstream.deployment, limits=limits(grace=60)) as server:
        told = b""
        with send(server, input="half", stream=True) as connection:
            while b"One " not in told:
                told += connection.recv(65536)
        response_id = json.loads(told.split(b"data: ")[1].split(b"\n")[0])["response"]["id"]
        assert upstream.left.wait(10)
        deadline = time.monotonic() + 10
        while (kept := httpx.get(f"{server.url}/responses/{response_id}")).status_code == 404:
            assert time.monotonic() < deadline
        response = kept.json()
        assert response["status"] == "failed"
        assert response["output"][0]["content"][0]["text"] == "One "
        assert response["output"][0]["status"] == "incomplete"
        listed = httpx.get(f"{server.url}/responses/{response_id}/input_items").json()
        assert listed["data"][0]["content"][0]["text"] == "half"


def test_a_background_response_goes_on_without_its_caller(upstream, serve, limits, events_of):
    with serve(upstream.deployment, limits=limits(grace=60)) as server:
        with send(server, input="half", stream=True, background=True) as connection:
            told = b""
            while b"One " not in told:
                told += connection.recv(65536)
        response_id = json.loads(told.split(b"data: ")[1].split(b"\n")[0])["response"]["id"]
        assert httpx.get(f"{server.url}/responses/{response_id}").json()["status"] in {
            "queued",
            "in_progress",
        }
        assert not upstream.left.is_set()
        cancelled = httpx.post(f"{server.url}/responses/{response_id}/cancel").json()
        assert cancelled["status"] == "cancelled"
        assert cancelled["output"][0]["content"][0]["text"] == "One "
        assert upstream.left.wait(10)
        assert httpx.post(f"{server.url}/responses/{response_id}/cancel").json() == cancelled
        replay = events_of(httpx.get(f"{server.url}/responses/{response_id}?stream=true").content)
        assert [event["sequence_number"] for event in replay] == list(range(len(replay)))
        late = httpx.get(f"{server.url}/responses/{response_id}?stream=true&starting_after=2")
        assert events_of(late.content) == replay[3:]


def test_a_background_response_that_is_deleted_ends_and_stays_deleted(upstream, serve):
    with serve(upstream.deployment) as server:
        asked = {"model": "toy", "input": "silent", "background": True}
        made = httpx.post(f"{server.url}/responses", json=asked).json()
        assert upstream.asked.wait(10)
        assert httpx.delete(f"{server.url}/responses/{made['id']}").json()["deleted"] is True
        assert upstream.left.wait(10)
        assert httpx.get(f"{server.url}/responses/{made['id']}").status_code == 404
