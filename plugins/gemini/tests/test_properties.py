"""Any answer, in any split of its bytes, whole or streamed: one response, and the way back."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.errors import BadRequestError
from dragoman.hookspecs import Target
from dragoman.testing.running import normalised
from dragoman_gemini import parse_error

from .conftest import Gemini, generated, sse

GEMINI = Gemini()
words = st.text(alphabet="aß🗼 \n.", min_size=1, max_size=8)
signature = st.sampled_from(["c2lnbmF0dXJl", "+/8=", "bW9yZQ=="])
signed = st.fixed_dictionaries({}, optional={"thoughtSignature": signature})
texts = st.builds(lambda text, more: {"text": text, **more}, words, signed)
thoughts = st.builds(lambda text, more: {"text": text, "thought": True, **more}, words, signed)
empty = st.builds(lambda value: {"text": "", "thoughtSignature": value}, signature)
arguments = st.dictionaries(words, st.one_of(st.integers(), words, st.lists(words, max_size=2)), max_size=3)
calls = st.builds(
    lambda given, more: {"functionCall": {"name": "f", "args": given}, **more}, arguments, signed
)
code = st.builds(
    lambda text, more: {"executableCode": {"language": "PYTHON", "code": text}, **more}, words, signed
)
result = st.builds(lambda text: {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": text}}, words)
image = st.just({"inlineData": {"mimeType": "image/png", "data": "aGk="}})
answers = st.lists(st.one_of(texts, thoughts, empty, calls, code, result, image), max_size=6)


def merged(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return parts as they come back: neighbouring unsigned pieces of one text are one."""
    found: list[dict[str, Any]] = []
    for part in parts:
        plain = part.keys() <= {"text", "thought"}
        if plain and found and found[-1].keys() == part.keys():
            found[-1] = {**part, "text": found[-1]["text"] + part["text"]}
        else:
            found.append(part)
    return found


@settings(max_examples=100, deadline=None)
@given(answers, st.integers(1, 90))
def test_whole_or_streamed_in_any_split_it_is_one_answer(parts: list[dict[str, Any]], step: int) -> None:
    whole = GEMINI.answer(*parts)
    streamed = GEMINI.stream(*(generated(part, finish=None) for part in parts), generated(), step=step)
    assert normalised({**streamed, "id": ""}) == normalised({**whole, "id": ""})


@settings(max_examples=100, deadline=None)
@given(answers)
def test_an_answer_given_back_is_what_it_was(parts: list[dict[str, Any]]) -> None:
    output = GEMINI.answer(*parts)["output"]
    contents = GEMINI.contents(*output, {"role": "user", "content": "?"}, model="gemini-2.5-flash")
    given_back = contents[0]["parts"] if len(contents) > 1 else []
    assert given_back == merged(parts)


@settings(max_examples=60, deadline=None)
@given(answers, st.data())
def test_a_stream_that_is_cut_never_completes(parts: list[dict[str, Any]], data: st.DataObject) -> None:
    raw = sse(*(generated(part, finish=None) for part in parts), generated())
    cut = raw[: data.draw(st.integers(1, len(raw) - 5))]
    assert GEMINI.raw_stream(cut)["status"] == "failed"


@settings(max_examples=60, deadline=None)
@given(st.lists(words, min_size=1, max_size=4), st.data())
def test_a_citation_names_the_very_characters(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    segment = {
        "startIndex": len(text[:start].encode()),
        "endIndex": len(text[:end].encode()),
        "text": text[start:end],
    }
    metadata = {
        "groundingChunks": [{"web": {"uri": "https://a.example/"}}],
        "groundingSupports": [{"segment": segment, "groundingChunkIndices": [0]}],
    }
    (message,) = GEMINI.answer(
        *({"text": piece} for piece in pieces), candidate={"groundingMetadata": metadata}
    )["output"]
    (annotation,) = message["content"][0]["annotations"]
    assert (annotation["start_index"], annotation["end_index"]) == (start, end)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 9), st.floats(0, 1), words),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(words, inner, max_size=3)),
    max_leaves=6,
)


def shaped(*names: str, of: st.SearchStrategy[Any] = JSON) -> st.SearchStrategy[Any]:
    """Return objects with some of these members, or anything else."""
    return st.one_of(
        st.dictionaries(st.sampled_from(names), of, max_size=4), st.lists(JSON, max_size=2), words
    )


PIECE = shaped("jsonPath", "stringValue", "numberValue", "listValue", "willContinue")
CALL = shaped(
    "name", "args", "id", "toolType", "code", "output", "mimeType", "data", "willContinue"
) | st.fixed_dictionaries({"partialArgs": st.lists(PIECE, max_size=2)})
PART = shaped(
    "text", "thought", "thoughtSignature", "functionCall", "executableCode", "codeExecutionResult",
    "toolCall", "toolResponse", "inlineData", "next", of=CALL | JSON,
)  # fmt: skip
SEGMENT = shaped("startIndex", "endIndex", "text", "partIndex")
SUPPORT = shaped("segment", "groundingChunkIndices", of=SEGMENT | JSON | st.just([0]))
CHUNK = shaped("web", "maps", "retrievedContext", of=shaped("uri", "title", "text", "documentName"))
GROUNDING = st.fixed_dictionaries(
    {},
    optional={
        "groundingChunks": st.lists(CHUNK, max_size=2) | JSON,
        "groundingSupports": st.lists(SUPPORT, max_size=2) | JSON,
        "webSearchQueries": st.lists(JSON, max_size=2) | JSON,
        "searchEntryPoint": JSON,
    },
)
LOGPROBS = shaped("chosenCandidates", "topCandidates", of=st.lists(shaped("token", "candidates"), max_size=2))
CANDIDATE = st.fixed_dictionaries(
    {"content": shaped("parts", "role", of=st.lists(PART, max_size=3) | JSON)},
    optional={
        "groundingMetadata": GROUNDING | JSON,
        "urlContextMetadata": shaped("urlMetadata"),
        "citationMetadata": shaped("citations", "citationSources", of=st.lists(SEGMENT, max_size=2)),
        "logprobsResult": LOGPROBS,
        "finishReason": JSON,
        "index": JSON,
    },
)
ANSWER = st.fixed_dictionaries(
    {"candidates": st.lists(CANDIDATE | JSON, max_size=2) | JSON},
    optional={
        "usageMetadata": shaped("promptTokenCount", "candidatesTokenCount", "serviceTier"),
        "promptFeedback": shaped("blockReason", "blockReasonMessage"),
        "modelVersion": JSON,
    },
)


@settings(max_examples=300, deadline=None)
@given(st.lists(ANSWER, max_size=3))
def test_answers_of_any_shape_never_trip_it(chunks: list[Any]) -> None:
    finished = [*chunks, generated()]
    for response in (GEMINI.whole(finished), GEMINI.stream(*finished)):
        assert response["status"] in {"completed", "incomplete"}, response["error"]


STRANGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "status", "code", "details", "retryDelay"]), inner
        )
    ),
)


@given(st.binary() | STRANGE.map(lambda value: json.dumps(value).encode()), st.sampled_from([400, 404, 429]))
def test_no_refusal_is_too_strange_to_be_read(body: bytes, status: int) -> None:
    said = parse_error(status, {}, body, Target("gemini", "gemini-3.5-flash"))
    assert said is None or (said.message is not None and said.status == status)


@given(st.text(alphabet="ab1-_.@:/?#%&\\é \n{}", min_size=1, max_size=30))
def test_no_name_leads_elsewhere(name: str) -> None:
    try:
        url = urlsplit(GEMINI.http(name).url)
    except BadRequestError:
        return
    assert url.hostname == "generativelanguage.googleapis.com"
    assert url.path.startswith("/v1beta/")
    assert url.path.endswith(":generateContent")
    assert (url.query, url.fragment) == ("", "")
    assert not {"", ".", ".."} & set(url.path[1:].split("/"))
