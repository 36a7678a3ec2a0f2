"""What the official compliance suite of Open Responses asks of a server, asked of ours, for every provider.

Upstream is an emulator of the providers' wires. The suite's seventeen tests are described by what they send
and want; the shapes are judged by the standard's schema and by OpenAI's types. One of the seventeen asks no
server (it tries the schema on a response of its own); in its place is a second turn by id.
"""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from tests.emulator import PROVIDERS
from tests.standard import official_types, standard
from websockets.sync.client import connect

from dragoman.testing.legality import check_events
from dragoman.types import TERMINAL_EVENTS
from dragoman_server import Deployment, Limits, ServerConfig, create_app
from dragoman_server.listening import listening

MODELS = [*PROVIDERS, "echo/echo"]
PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the weather of a place.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


def user(content):
    return {"type": "message", "role": "user", "content": content}


@pytest.fixture(scope="session")
def gateway(aimock):
    """Serve every provider of the emulator, and echo; return the address."""
    deployments = [
        Deployment(
            name=model, model=model, arguments={"settings": {"api_base": f"{aimock}{path}", **credentials}}
        )
        for model, (path, credentials) in PROVIDERS.items()
    ]
    deployments.append(Deployment(name="echo/echo", model="echo/echo"))
    app = create_app(ServerConfig(deployments=tuple(deployments), limits=Limits(grace=30, shutdown=1)))
    server = uvicorn.Server(listening(app, port=0, log_level="critical"))
    ready = threading.Event()

    async def serve():
        serving = asyncio.create_task(server.serve())
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.005)
        ready.set()
        await serving

    thread = threading.Thread(target=asyncio.run, args=[serve()])
    thread.start()
    assert ready.wait(10)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/v1"
    server.should_exit = True
    thread.join(20)


@pytest.fixture(params=MODELS)
def ask(request, gateway):
    """Ask one provider; every answer is checked against both oracles."""

    def ask(path="/responses", status=200, **body):
        body = {"model": request.param, **body}
        answer = httpx.post(f"{gateway}{path}", json=body, timeout=20)
        assert answer.status_code == status, answer.text
        payload = answer.json()
        if payload.get("object") == "response":
            assert standard().response_problems(payload) == []
            assert official_types().response_problems(payload) == []
        return payload

    def stream(**body):
        body = {"model": request.param, "stream": True, **body}
        events = []
        with httpx.stream("POST", f"{gateway}/responses", json=body, timeout=20) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            *blocks, last = answer.read().decode().rstrip("\n").split("\n\n")
        assert last == "data: [DONE]"
        for block in blocks:
            name, _, data = block.partition("\n")
            events.append(json.loads(data.removeprefix("data: ")))
            assert name == f"event: {events[-1]['type']}"
            assert standard().event_problems(events[-1]) == []
            assert official_types().event_problems(events[-1]) == []
        check_events(events)
        return events

    @contextmanager
    def connected():
        """Open a WebSocket; yield what carries out a turn and returns its frames."""
        address = f"{gateway.replace('http', 'ws', 1)}/responses"
        with connect(address, proxy=None, additional_headers={"content-type": "application/json"}) as socket:

            def turn(**body):
                socket.send(json.dumps({"type": "response.create", "model": request.param, **body}))
                frames = [json.loads(socket.recv(20))]
                while frames[-1]["type"] not in {*TERMINAL_EVENTS, "error"}:
                    frames.append(json.loads(socket.recv(20)))
                for frame in frames:
                    assert standard().event_problems(frame) == []
                    assert official_types().event_problems(frame) == []
                return frames

            yield turn

    ask.stream = stream
    ask.connected = connected
    return ask


def check_done(response):
    assert response["status"] == "completed"
    assert response["output"]


def done(frames):
    """Return the response of a turn over a WebSocket that went well."""
    check_events(frames)
    assert frames[-1]["type"] == "response.completed"
    check_done(frames[-1]["response"])
    return frames[-1]["response"]


def refusal(frames):
    """Return the code of a turn over a WebSocket that was refused: one frame, as the standard has it."""
    (frame,) = frames
    assert isinstance(frame["status"], int)
    assert {"code", "message"} <= frame["error"].keys()
    return frame["error"]["code"]


def test_a_basic_response(ask):
    check_done(ask(input=[user("Say hello in exactly 3 words.")]))


def test_a_system_prompt(ask):
    system = {"type": "message", "role": "system", "content": "You are a pirate."}
    check_done(ask(input=[system, user("Say hello.")]))


def test_several_turns(ask):
    said = {"type": "message", "role": "assistant", "content": "Hello Alice!"}
    check_done(ask(input=[user("My name is Alice."), said, user("What is my name?")]))


def test_phases_of_an_assistants_messages(ask):
    said = [
        {"type": "message", "role": "assistant", "phase": phase, "content": phase}
        for phase in ("commentary", "final_answer")
    ]
    check_done(ask(input=[user("Hello."), *said, user("Go on.")]))


def test_an_image(ask):
    parts = [{"type": "input_text", "text": "What is it?"}, {"type": "input_image", "image_url": PIXEL}]
    check_done(ask(input=[user(parts)]))


def test_a_tool_call(ask):
    response = ask(input=[user("How is the weather?")], tools=[WEATHER])
    assert "function_call" in [item["type"] for item in response["output"]]


def test_a_stream(ask):
    events = ask.stream(input=[user("Count from 1 to 5.")])
    assert events[-1]["type"] == "response.completed"
    check_done(events[-1]["response"])


def test_a_compaction(ask):
    window = [user("My name is Ada."), {"type": "message", "role": "assistant", "content": "Hello Ada."}]
    compacted = ask("/responses/compact", input=window, prompt_cache_key="k")
    assert compacted["object"] == "response.compaction"
    assert "compaction" in [item["type"] for item in compacted["output"]]
    assert compacted["usage"]["total_tokens"] >= 0
    check_done(ask(input=[*compacted["output"], user("Go on.")]))


def test_a_compaction_without_a_model(ask):
    ask("/responses/compact", 400, model=None, input="Hello")


def test_a_second_turn_by_id_on_every_provider(ask):
    first = ask(input="My name is Ada.")
    assert first["store"] is True
    second = ask(input="What is my name?", previous_response_id=first["id"])
    check_done(second)
    assert second["previous_response_id"] == first["id"]
    events = ask.stream(input="And again?", previous_response_id=second["id"])
    check_done(events[-1]["response"])
    missing = ask(input="Hi", previous_response_id="resp_0", status=400)
    assert missing["error"]["code"] == "previous_response_not_found"


# ---- over a WebSocket -----------------------------------------------------------------------------------


def test_a_turn_over_a_websocket(ask):
    with ask.connected() as turn:
        done(turn(input=[user("Count from 1 to 3.")]))


def test_turns_in_a_row_over_a_websocket(ask):
    with ask.connected() as turn:
        ids = [done(turn(input=f"Reply with exactly: {word}", store=False))["id"] for word in ("one", "two")]
    assert len(set(ids)) == 2


def test_a_turn_that_is_not_stored_goes_on_over_its_websocket(ask):
    with ask.connected() as turn:
        first = done(turn(input="The word is cobalt.", store=False))
        second = done(turn(input="What is it?", store=False, previous_response_id=first["id"]))
    assert second["previous_response_id"] == first["id"]


def test_a_turn_that_is_not_stored_does_not_go_on_over_another_websocket(ask):
    with ask.connected() as turn:
        first = done(turn(input="The word is copper.", store=False))
    with ask.connected() as turn:
        missed = turn(input="What is it?", store=False, previous_response_id=first["id"])
        assert refusal(missed) == "previous_response_not_found"
        done(turn(input=[user("Start again.")], store=False))


def test_an_unknown_turn_over_a_websocket(ask):
    with ask.connected() as turn:
        missed = turn(input="Hi", store=False, previous_response_id="resp_openresponses_missing_1")
        assert refusal(missed) == "previous_response_not_found"


def test_a_turn_that_fails_evicts_what_it_continued(ask):
    answer = {"type": "function_call_output", "call_id": "call_missing", "output": "Nobody asked."}
    with ask.connected() as turn:
        first = done(turn(input="The word is ember.", store=False))
        refusal(turn(input=[answer], store=False, previous_response_id=first["id"]))
        missed = turn(input="What is it?", store=False, previous_response_id=first["id"])
        assert refusal(missed) == "previous_response_not_found"


def test_a_compacted_window_over_a_websocket(ask):
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "OK."}]}
    asked = [
        user([{"type": "input_text", "text": text}]) for text in ("The word is slate.", "Compress this.")
    ]
    window = ask("/responses/compact", input=[asked[0], said, asked[1]])["output"]
    with ask.connected() as turn:
        done(turn(input=[*window, user("Go on.")], store=False, tools=[]))
