"""Whatever deltas come, in whatever order and pieces: legal events, one answer, the same when sent back."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

import json
import re

from hypothesis import given
from hypothesis import strategies as st

VOCABULARY = [
    "choices", "index", "delta", "message", "finish_reason", "content", "role", "refusal", "tool_calls",
    "function_call", "id", "type", "function", "name", "arguments", "reasoning", "reasoning_content",
    "reasoning_details", "text", "summary", "data", "signature", "annotations", "url_citation", "url",
    "title", "start_index", "end_index", "images", "image_url", "audio", "transcript", "logprobs",
    "top_logprobs", "tokens", "token_logprobs", "token", "bytes", "logprob", "usage", "prompt_tokens",
    "completion_tokens", "total_tokens", "prompt_tokens_details", "cached_tokens", "x_groq", "model",
    "service_tier", "citations", "search_results", "error", "code", "status_code", "detail", "msg",
    "metadata", "raw", "loc", "extra_content", "executed_tools", "thinking", "server_tool_use", "object",
]  # fmt: skip
words = st.text(st.characters(codec="utf-8"), max_size=9)
some_words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=9)


def piece(index, id_, name, arguments):
    function = {"name": name} if name else {}
    return {"tool_calls": [{"index": index, "id": id_, "function": {**function, "arguments": arguments}}]}


@st.composite
def calls(draw):
    """Return the pieces of parallel calls, interleaved as the host pleases, each call's own in order."""
    whole = [json.dumps({"n": draw(words)}) for _ in range(draw(st.integers(0, 3)))]
    waiting = [
        [piece(index, f"id_{index}", "f", text[:cut]), piece(index, None, None, text[cut:])]
        for index, text in enumerate(whole)
        for cut in [draw(st.integers(0, len(text)))]
    ]
    order = draw(st.permutations([index for index in range(len(whole)) for _ in range(2)]))
    return [waiting[index].pop(0) for index in order], whole


details = st.fixed_dictionaries(
    {"type": st.sampled_from(["reasoning.text", "reasoning.summary", "reasoning.encrypted"])},
    optional={
        "text": words,
        "summary": words,
        "data": words,
        "signature": words,
        "index": st.integers(0, 2),
        "id": st.none() | words,
    },
)
notes = st.fixed_dictionaries(
    {"type": st.sampled_from(["url_citation", "file", "later"])},
    optional={
        "url_citation": st.fixed_dictionaries(
            {"url": words}, optional={"start_index": st.integers(0, 9), "end_index": st.none()}
        )
    },
)
deltas = st.one_of(
    st.fixed_dictionaries({"content": st.none() | words}),
    st.fixed_dictionaries({"role": st.just("assistant"), "content": words, "refusal": st.none() | words}),
    st.fixed_dictionaries({"reasoning_content": words}),
    st.fixed_dictionaries({"reasoning": words, "reasoning_details": st.lists(details, max_size=2)}),
    st.fixed_dictionaries(
        {"content": st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": words}), max_size=2)}
    ),
    st.fixed_dictionaries(
        {
            "content": st.lists(
                st.fixed_dictionaries({"type": st.just("thinking"), "thinking": words}), max_size=1
            )
        }
    ),
    st.fixed_dictionaries({"annotations": st.lists(notes, max_size=2)}),
    st.fixed_dictionaries(
        {"images": st.just([{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}])}
    ),
    st.fixed_dictionaries({"audio": st.fixed_dictionaries({"id": words, "transcript": words})}),
    st.fixed_dictionaries({"extra_content": st.just({"google": {"thought_signature": "c2ln"}})}),
    st.fixed_dictionaries({"later": st.just({"x": 1}), "content": st.just("")}),
    st.just({}),
)


@st.composite
def answers(draw):
    """Return the deltas of an answer, and the arguments of its calls."""
    called, whole = draw(calls())
    return draw(st.permutations([*draw(st.lists(deltas, max_size=7)), *_kept_in_order(called)])), whole


def _kept_in_order(called):
    # One entry for all: a permutation of the answer's parts must not tear a call's pieces out of their order.
    return [{"tool_calls": [entry for each in called for entry in each["tool_calls"]]}] if called else []


def wire(said, reason="stop"):
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in said]
    if reason:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    return b"".join(f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode() for chunk in chunks)


def text_of(delta):
    content = delta.get("content")
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content)
    return (content or "") + (delta.get("audio") or {}).get("transcript", "")


def without_chance(value):
    return re.sub(r'"(\w+_[0-9a-f]{32})"|"\w+_at": \d+', '"x"', json.dumps(value))


@given(answers())
def test_any_order_of_deltas_is_a_legal_answer_that_holds_all_of_them(server, answer):
    said, whole = answer
    _, response = server.fed([wire(said), b"data: [DONE]\n\n"])  # which checks that the events are legal
    assert response["status"] == "completed"
    parts = [part for item in response["output"] if item["type"] == "message" for part in item["content"]]
    assert "".join(part.get("text", "") for part in parts) == "".join(map(text_of, said))
    found = [item["arguments"] for item in response["output"] if "arguments" in item]
    assert sorted(found) == sorted(whole)  # they stand in the order in which they began


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.sampled_from(VOCABULARY),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(VOCABULARY), inner, max_size=6)
    ),
    max_leaves=25,
)


LISTS = ("tool_calls", "content", "annotations", "images", "reasoning_details", "executed_tools")


@given(anything, anything, st.sampled_from(LISTS), st.sampled_from(["", "event: error\n"]))
def test_nothing_that_comes_is_a_defect(server, payload, inner, name, event):
    chunk = {"choices": [inner], **(payload if isinstance(payload, dict) else {})}
    message = {name: [inner, payload, {"function": inner, "type": payload, "index": inner}]}
    for said in (payload, chunk, {"choices": [{"message": message}]}, {"choices": [{"delta": message}]}):
        line = f"{event}data: {json.dumps(said)}\n\n".encode()
        for response in (server.whole(said), server.fed([line])[1]):
            assert "defect" not in str(response["error"])
        assert "defect" not in server.refused(400, json.dumps(said).encode()).message


@given(answers(), st.integers(1, 40))
def test_any_split_of_the_bytes_is_the_same_answer(server, answer, step):
    stream = wire(answer[0])
    split = [stream[place : place + step] for place in range(0, len(stream), step)]
    assert without_chance(server.fed(split)[0]) == without_chance(server.fed([stream])[0])


@given(answers(), st.floats(0, 1))
def test_a_stream_that_is_cut_fails_and_is_legal(server, answer, share):
    stream = wire(answer[0], reason=None)
    events, response = server.fed([stream[: int(len(stream) * share)]])
    assert response["status"] == "failed"
    assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]


@given(st.lists(some_words, max_size=3), words, calls())
def test_an_answer_given_back_is_the_message_that_it_was(server, thoughts, text, called):
    pieces, whole = called
    said = [{"reasoning_content": thought} for thought in thoughts] + [{"content": text}, *pieces]
    output = server.fed([wire(said)])[1]["output"]
    messages = server.messages({"role": "user", "content": "Hi"}, *output)[1:]
    assert len(messages) == (1 if output else 0)
    for message in messages:
        assert (message["content"] or "") == text
        assert message.get("reasoning_content", "") == "".join(thoughts)
        sent = [call["function"]["arguments"] for call in message.get("tool_calls", ())]
        assert sorted(sent) == sorted(whole)
