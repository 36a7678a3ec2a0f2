"""Any answer, in any split of its bytes, whole or streamed: one response, and the way back."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.testing.frames import aws_stream
from dragoman.testing.running import normalised

from .conftest import USAGE, Bedrock

BEDROCK = Bedrock()
words = st.text(min_size=1, max_size=12).filter(str.strip)
arguments = st.dictionaries(words, st.one_of(st.integers(), words, st.lists(words, max_size=2)), max_size=3)
web = st.builds(lambda url: {"location": {"web": {"url": f"https://{url}.example/"}}}, st.sampled_from("abc"))
texts = st.builds(lambda text: {"text": text}, words)
cited = st.builds(
    lambda text, found: {"citationsContent": {"content": [{"text": text}], "citations": found}},
    words,
    st.lists(web, min_size=1, max_size=2),
)
reasoning = st.builds(
    lambda text: {"reasoningContent": {"reasoningText": {"text": text, "signature": "c2ln"}}}, words
)
redacted = st.just({"reasoningContent": {"redactedContent": "cmVk"}})


@st.composite
def answers(draw: st.DrawFn) -> list[dict[str, Any]]:
    blocks = draw(st.lists(st.one_of(texts, cited, reasoning, redacted), max_size=5))
    for number in range(draw(st.integers(0, 2))):
        use = {"toolUseId": f"tooluse_{number}", "name": "f", "input": draw(arguments)}
        blocks.insert(draw(st.integers(0, len(blocks))), {"toolUse": use})
    return blocks


def events_of(blocks: list[dict[str, Any]], size: int) -> list[tuple[str, dict[str, Any]]]:
    """Return the events of a stream that brings these blocks in pieces of `size` characters."""
    events: list[tuple[str, dict[str, Any]]] = [("messageStart", {"role": "assistant"})]
    for index, block in enumerate(blocks):
        start, deltas = _pieces(block, size)
        if start:
            events.append(("contentBlockStart", {"contentBlockIndex": index, "start": start}))
        events += [("contentBlockDelta", {"contentBlockIndex": index, "delta": delta}) for delta in deltas]
        events.append(("contentBlockStop", {"contentBlockIndex": index}))
    return [*events, ("messageStop", {"stopReason": "end_turn"}), ("metadata", {"usage": USAGE})]


def _pieces(block: dict[str, Any], size: int) -> tuple[Any, list[dict[str, Any]]]:
    if "text" in block:
        return None, [{"text": piece} for piece in _cut(block["text"], size)]
    if "citationsContent" in block:
        content = block["citationsContent"]
        cited = [{"citation": citation} for citation in content["citations"]]
        return None, [*cited, *({"text": piece} for piece in _cut(content["content"][0]["text"], size))]
    if "toolUse" in block:
        use = dict(block["toolUse"])
        given = use.pop("input")
        text = json.dumps(given, ensure_ascii=False) if given else ""
        return {"toolUse": use}, [{"toolUse": {"input": piece}} for piece in _cut(text, size)]
    said = block["reasoningContent"]
    if "redactedContent" in said:
        return None, [{"reasoningContent": said}]
    text = said["reasoningText"]["text"]
    deltas = [{"reasoningContent": {"text": piece}} for piece in _cut(text, size)]
    return None, [*deltas, {"reasoningContent": {"signature": said["reasoningText"]["signature"]}}]


def _cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


@settings(max_examples=60, deadline=None)
@given(answers(), st.integers(1, 5), st.integers(1, 90))
def test_whole_or_streamed_in_any_split_it_is_one_answer(
    blocks: list[dict[str, Any]], size: int, step: int
) -> None:
    whole = BEDROCK.answer(*blocks)
    streamed = BEDROCK.raw_stream(aws_stream(*events_of(blocks, size)), step=step)
    assert normalised({**streamed, "id": ""}) == normalised({**whole, "id": ""})


@settings(max_examples=60, deadline=None)
@given(answers())
def test_an_answer_given_back_is_what_it_was(blocks: list[dict[str, Any]]) -> None:
    messages = BEDROCK.messages(*BEDROCK.answer(*blocks)["output"])
    assert [message["content"] for message in messages] == ([blocks] if blocks else [])


@settings(max_examples=60, deadline=None)
@given(answers(), st.data())
def test_a_stream_that_is_cut_never_completes(blocks: list[dict[str, Any]], data: st.DataObject) -> None:
    raw = aws_stream(*events_of(blocks, 4)[:-2])
    response = BEDROCK.raw_stream(raw[: data.draw(st.integers(1, len(raw)))])
    assert response["status"] == "failed"


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), words),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=6,
)
NAMES = ["text", "toolUse", "toolResult", "reasoningContent", "citation", "citationsContent", "image", "next"]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(NAMES), JSON, max_size=2), max_size=4))
def test_answers_of_any_shape_never_trip_it(content: list[dict[str, Any]]) -> None:
    assert BEDROCK.answer(*content)["status"] == "completed"


KINDS = ["messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "metadata", "next"]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(KINDS),
            st.fixed_dictionaries(
                {"contentBlockIndex": st.integers(0, 2)},
                optional={
                    name: st.dictionaries(st.sampled_from(NAMES), JSON, max_size=2)
                    for name in ("start", "delta")
                }
                | {"usage": JSON, "trace": JSON},
            ),
        ),
        max_size=8,
    )
)
def test_events_of_any_shape_never_trip_it(events: list[tuple[str, dict[str, Any]]]) -> None:
    response = BEDROCK.stream(*events, ("messageStop", {"stopReason": "end_turn"}))
    assert response["status"] == "completed", response["error"]
