"""What the tests speak to: the plugin's hooks, and core's Output and session round them."""

from __future__ import annotations

import json
from typing import Any

import pytest

import dragoman_anthropic as plugin
from dragoman.canonical import canonical_input
from dragoman.decoding.sse import SSEDecoder
from dragoman.events.snapshots import initial_response
from dragoman.hookspecs import HTTPRequest, StreamEvent, Target
from dragoman.output import Output
from dragoman.parameters import apply_policy
from dragoman.testing.legality import check_events
from dragoman.tools import ToolNames, rewrite_tools
from dragoman_anthropic.info import INFO


class Claude:
    """The plugin as core drives it, without a network."""

    def http(
        self, model: str = "claude-opus-4-8", settings: dict[str, Any] | None = None, **request: Any
    ) -> HTTPRequest:
        """Return what is sent for these parameters, after core's own passes."""
        target = Target("anthropic", model, settings if settings is not None else {"api_key": "key"})
        request = {"input": "Hi", **request}
        request, _ = apply_policy(request, INFO.parameters, provider="anthropic", native=False)
        request["input"] = canonical_input(request["input"])
        request, _ = rewrite_tools({"stream": False, **request}, lambda _: False)
        return plugin.translate_request(request, target)

    def body(self, model: str = "claude-opus-4-8", **request: Any) -> Any:
        return self.http(model, **request).json

    def messages(self, items: list[dict[str, Any]], model: str = "claude-opus-4-8") -> Any:
        return self.body(model, input=items)["messages"]

    def whole(self, payload: Any, tools: ToolNames | None = None) -> dict[str, Any]:
        """Return the response that a whole message becomes."""
        output = self._output(tools)
        plugin.parse_response(payload, output, Target("anthropic", "claude"))
        return self._finished(output)

    def answer(self, *content: Any, **message: Any) -> dict[str, Any]:
        """Return the response for a message with these blocks."""
        return self.whole({**envelope(), "stop_reason": "end_turn", **message, "content": list(content)})

    def stream(
        self, events: list[dict[str, Any]], tools: ToolNames | None = None, step: int = 0
    ) -> dict[str, Any]:
        """Return the response that these events become, sent as SSE in pieces of `step` bytes."""
        raw = "".join(
            f"event: {event['type']}\ndata: {json.dumps(event)}   \n\n" for event in events
        ).encode()
        output = self._output(tools)
        decoder = SSEDecoder()
        for start in range(0, len(raw), step or len(raw) or 1):
            for event in decoder.feed(raw[start : start + (step or len(raw))]):
                plugin.handle_stream_event(
                    StreamEvent(event.type, json.loads(event.data)), output, Target("anthropic", "claude")
                )
        return self._finished(output)

    def _output(self, tools: ToolNames | None) -> Output:
        output = Output(
            initial_response({"input": "Hi"}, response_id="resp_1", provider="anthropic", model="claude"),
            tools,
        )
        output.begin()
        return output

    def _finished(self, output: Output) -> dict[str, Any]:
        output.complete()
        check_events(json.loads(json.dumps(output.take_events())))
        return output.response


def envelope() -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-4-8",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 1},
    }


@pytest.fixture(scope="session")
def claude() -> Claude:
    return Claude()
