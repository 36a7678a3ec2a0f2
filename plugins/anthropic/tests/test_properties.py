"""Whatever blocks come, in whatever pieces: one answer, and the same blocks when it is sent back."""

from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

import dragoman_anthropic
from dragoman.events.snapshots import initial_response
from dragoman.hookspecs import ProviderModule, StreamEvent, Target
from dragoman.output import Output
from dragoman.testing.legality import check_events

plugin: ProviderModule = dragoman_anthropic

words = st.text(st.characters(codec="utf-8"), max_size=12)
inputs = st.dictionaries(words, words | st.integers() | st.none(), max_size=3)
citations = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["web_search_result_location", "page_location"]),
            "url": words,
            "cited_text": words,
        }
    ),
    max_size=2,
)
# A recipe says what kind of block comes; ids are given by place, so that they are all different.
recipes = st.one_of(
    st.builds(lambda text, cites: {"type": "text", "text": text, "citations": cites}, words, citations),
    st.builds(
        lambda text, mark: {"type": "thinking", "thinking": text, "signature": mark + "="}, words, words
    ),
    st.builds(lambda data: {"type": "redacted_thinking", "data": data}, words),
    st.builds(lambda given_: {"type": "tool_use", "name": "f", "input": given_}, inputs),
    st.builds(
        lambda name, given_: {"type": "server_tool_use", "name": name, "input": given_},
        st.sampled_from(
            ["web_search", "web_fetch", "code_execution", "bash_code_execution", "advisor", "later"]
        ),
        inputs,
    ),
    st.builds(
        lambda given_: {"type": "mcp_tool_use", "name": "a", "server_name": "s", "input": given_}, inputs
    ),
    st.just({"type": "result"}),
    st.builds(lambda content: {"type": "compaction", "content": content}, words),
    st.builds(lambda extra: {"type": "novelty", "extra": extra}, inputs),
)


def made(plan):
    """Return the blocks of a plan: ids filled in, each result belonging to an earlier call, if one waits."""
    blocks, waiting = [], []
    for place, recipe in enumerate(plan):
        block = dict(recipe)
        if block["type"].endswith("tool_use"):
            block["id"] = f"id_{place}"
        if block["type"] in {"server_tool_use", "mcp_tool_use"}:
            waiting.append(block)
        if block["type"] == "result":
            use = (
                waiting.pop(place % len(waiting)) if waiting else {"name": "code_execution", "id": "earlier"}
            )
            kind = "mcp" if use.get("type") == "mcp_tool_use" else use["name"]
            block = {
                "type": f"{kind}_tool_result",
                "tool_use_id": use["id"],
                "content": [{"type": "x", "text": "y"}],
            }
        blocks.append(block)
    return blocks


def halves(text):
    return [text[: len(text) // 2], text[len(text) // 2 :]]


def streamed(blocks):
    usage = {"input_tokens": 3, "output_tokens": 4}
    yield {"type": "message_start", "message": {"id": "m", "model": "claude", "content": [], "usage": usage}}
    for index, block in enumerate(blocks):
        start, deltas = dict(block), []
        if block["type"] == "text":
            start |= {"text": "", "citations": []}
            deltas += [{"type": "text_delta", "text": piece} for piece in halves(block["text"])]
            deltas += [{"type": "citations_delta", "citation": citation} for citation in block["citations"]]
        elif block["type"] == "thinking":
            start |= {"thinking": "", "signature": ""}
            deltas += [{"type": "thinking_delta", "thinking": piece} for piece in halves(block["thinking"])]
            deltas += [{"type": "signature_delta", "signature": block["signature"]}]
        elif "input" in block:
            start["input"] = {}
            pieces = halves(json.dumps(block["input"], ensure_ascii=False))
            deltas += [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        elif block["type"] == "compaction":
            start["content"] = None
            deltas += [{"type": "compaction_delta", "content": block["content"]}]
        yield {"type": "content_block_start", "index": index, "content_block": start}
        for delta in deltas:
            yield {"type": "ping"}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
    yield {"type": "message_stop"}


def comparable(response):
    """Return a response without what differs between any two: ids and times."""
    response = {name: value for name, value in response.items() if not name.endswith("_at")}
    return json.loads(re.sub(r"[a-z]+_[0-9a-f]{32}", "id", json.dumps(response)))


@given(st.lists(recipes, max_size=8), st.sampled_from([0, 1, 7, 64]))
def test_a_stream_is_the_whole_in_pieces(claude, plan, step):
    blocks = made(plan)
    message = {
        "id": "m",
        "model": "claude",
        "content": blocks,
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 9},
    }
    response = claude.stream(list(streamed(blocks)), step=step)
    assert comparable(response) == comparable(claude.whole(message))


@given(st.lists(recipes, max_size=8))
def test_what_is_sent_back_is_what_came(claude, plan):
    blocks = made(plan)
    response = claude.stream(list(streamed(blocks)))
    user = {"type": "message", "role": "user", "content": "Hi"}
    sent = [
        block for message in claude.messages([user, *response["output"]])[1:] for block in message["content"]
    ]
    expected = []
    for block in blocks:
        if block["type"] == "text":
            if not block["text"]:
                continue
            block = {name: value for name, value in block.items() if value != []}  # noqa: PLW2901
        expected.append(block)
    assert sent == expected


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
strange_blocks = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "mcp_tool_use",
             "web_search_tool_result", "code_execution_tool_result", "mcp_tool_result", "new", 1]
        )
    },
    optional={
        name: anything | st.sampled_from(["web_search", "code_execution", "s1"])
        for name in ("id", "name", "input", "text", "thinking", "signature", "data", "content", "citations",
                     "tool_use_id", "caller", "server_name")
    },
)  # fmt: skip
strange_deltas = st.dictionaries(
    st.sampled_from(
        ["type", "text", "thinking", "signature", "partial_json", "citation", "content", "stop_reason"]
    ),
    anything | st.sampled_from(["input_json_delta", "text_delta"]),
)
strange_events = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            ["message_start", "content_block_start", "content_block_delta", "content_block_stop",
             "message_delta", "message_stop", "error", "ping", "new"]
        )
    },
    optional={
        "index": st.integers(0, 2) | anything,
        "content_block": strange_blocks | anything,
        "delta": strange_deltas | anything,
        "message": st.dictionaries(
            st.sampled_from(["id", "model", "content", "usage", "stop_reason", "container"]),
            st.lists(strange_blocks, max_size=2) | anything,
        )
        | anything,
        "usage": anything,
        "error": anything,
    },
)  # fmt: skip


@given(st.lists(strange_events | anything, max_size=12))
def test_strange_events_never_raise(events):
    output = Output(initial_response({"input": "Hi"}, response_id="r", provider="anthropic", model="claude"))
    output.begin()
    for event in events:
        plugin.handle_stream_event(StreamEvent("", event), output, Target("anthropic", "claude"))
    output.complete()
    check_events(json.loads(json.dumps(output.take_events())))
