"""Answers, in bytes of our own: every oddity of Google's wire, and the way back of what it signed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dragoman import errors

from .conftest import HELLO, OLD, Gemini, generated, sse


def texts(response: dict[str, Any]) -> list[str]:
    messages = [item for item in response["output"] if item["type"] == "message"]
    return [part["text"] for message in messages for part in message["content"]]


def types(response: dict[str, Any]) -> list[str]:
    return [item["type"] for item in response["output"]]


def warnings(response: dict[str, Any]) -> list[str]:
    return [warning["message"] for warning in response["dragoman"]["warnings"]]


# ---- streams ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0, 1, 7])
def test_lines_end_in_cr_lf(gemini: Gemini, step: int) -> None:
    raw = sse(generated({"text": "Grü"}, finish=None), generated({"text": "ße 🌍"}))
    assert raw.count(b"\r\n\r\n") == 2
    response = gemini.raw_stream(raw, step)
    assert (response["status"], texts(response)) == ("completed", ["Grüße 🌍"])


@pytest.mark.parametrize("step", [0, 1])
def test_an_error_in_the_middle_is_bare_json_over_many_lines(gemini: Gemini, step: int) -> None:
    error = {"error": {"code": 499, "message": "The operation was cancelled.", "status": "CANCELLED"}}
    raw = sse(generated({"text": "So"}, finish=None)) + json.dumps(error, indent=2).encode() + b"\r\n"
    response = gemini.raw_stream(raw, step)
    assert response["status"] == "failed"
    assert response["error"]["message"] == "The operation was cancelled."
    assert texts(response) == ["So"]


def test_an_error_in_the_middle_may_also_be_an_event(gemini: Gemini) -> None:
    error = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    response = gemini.stream(generated({"text": "So"}, finish=None), error)
    assert response["status"] == "failed"
    assert response["error"] == {"code": "server_error", "message": "The model is overloaded."}


def test_text_follows_a_stop_in_the_middle(gemini: Gemini) -> None:
    response = gemini.stream(
        generated({"text": "So "}, usageMetadata={"promptTokenCount": 3, "candidatesTokenCount": 1}),
        generated({"text": "long."}, usageMetadata={"promptTokenCount": 3, "candidatesTokenCount": 2}),
    )
    assert (response["status"], texts(response)) == ("completed", ["So long."])
    assert response["usage"]["output_tokens"] == 2


def test_a_later_stop_mends_no_earlier_trouble(gemini: Gemini) -> None:
    response = gemini.stream(generated({"text": "So"}, finish="SAFETY"), generated())
    assert response["incomplete_details"] == {"reason": "content_filter"}


def test_a_stream_without_any_finish_was_cut(gemini: Gemini) -> None:
    response = gemini.stream(generated({"text": "So"}, finish=None))
    assert (response["status"], texts(response)) == ("failed", ["So"])


def test_a_stream_that_came_as_a_list_is_one_answer(gemini: Gemini) -> None:
    response = gemini.whole([generated({"text": "So "}, finish=None), generated({"text": "long."})])
    assert (response["status"], texts(response)) == ("completed", ["So long."])


# ---- why it stopped ---------------------------------------------------------------------------------


@pytest.mark.parametrize("candidate", [{}, {"content": {}}, {"content": {"role": "model"}}])
@pytest.mark.parametrize(("finish", "status"), [("MAX_TOKENS", "incomplete"), ("STOP", "completed")])
def test_an_answer_may_have_no_content_or_no_parts(
    gemini: Gemini, candidate: Any, finish: str, status: str
) -> None:
    usage = {"promptTokenCount": 9, "thoughtsTokenCount": 90, "totalTokenCount": 99}
    payload = {"candidates": [{**candidate, "finishReason": finish}], "usageMetadata": usage}
    for response in (gemini.whole(payload), gemini.stream(payload)):
        assert (response["status"], response["output"]) == (status, [])
        assert response["usage"]["output_tokens"] == 90


@pytest.mark.parametrize("reason", ["SAFETY", "PROHIBITED_CONTENT", "MODEL_ARMOR"])
def test_a_blocked_prompt_has_no_candidates(gemini: Gemini, reason: str) -> None:
    feedback = {"blockReason": reason, "blockReasonMessage": "Blocked by policy."}
    payload = {"promptFeedback": feedback, "usageMetadata": {"promptTokenCount": 4, "totalTokenCount": 4}}
    for response in (gemini.whole(payload), gemini.stream(payload)):
        assert (response["status"], response["output"]) == ("incomplete", [])
        assert response["incomplete_details"] == {"reason": "content_filter"}
        assert warnings(response) == [f"Gemini blocked the prompt because of {reason}: Blocked by policy."]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("MAX_TOKENS", "max_output_tokens"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"),
        ("MODEL_ARMOR", "content_filter"),
        ("UNEXPECTED_TOOL_CALL", "UNEXPECTED_TOOL_CALL"),
        ("MALFORMED_FUNCTION_CALL", "MALFORMED_FUNCTION_CALL"),
        ("NEXT_YEARS_REASON", "NEXT_YEARS_REASON"),
        (3, "content_filter"),
        (99, "99"),
    ],
)
def test_reasons_that_are_known_new_or_numbers(gemini: Gemini, said: Any, reason: str) -> None:
    response = gemini.answer({"text": "So"}, finish=said, candidate={"finishMessage": "Because."})
    assert response["incomplete_details"] == {"reason": reason}
    assert any("Because." in warning for warning in warnings(response))


@pytest.mark.parametrize("said", [0, "FINISH_REASON_UNSPECIFIED"])
def test_a_reason_that_says_nothing_is_none(gemini: Gemini, said: Any) -> None:
    assert gemini.stream(generated({"text": "So"}, finish=said))["status"] == "failed"


def test_only_the_first_of_several_answers_is_taken(gemini: Gemini) -> None:
    payload = generated({"text": "One"})
    payload["candidates"].append({**generated({"text": "Two"})["candidates"][0], "index": 1})
    response = gemini.whole(payload)
    assert texts(response) == ["One"]
    assert "several answers" in warnings(response)[0]


# ---- signatures -------------------------------------------------------------------------------------

CALL = {"functionCall": {"name": "find", "args": {"n": 1}}, "thoughtSignature": "c2ln+/8="}
SIGNED = {
    "only the first of parallel calls": [CALL, {"functionCall": {"name": "find", "args": {"n": 2}}}],
    "a text": [{"text": "Hello", "thoughtSignature": "dGV4dA=="}],
    "a text between others": [
        {"text": "Grü"},
        {"text": "ße 🌍", "thoughtSignature": "dGV4dA=="},
        {"text": "!"},
    ],
    "an empty text at the end": [{"text": "Hello"}, {"text": "", "thoughtSignature": "ZW1wdHk="}],
    "an empty text alone": [{"text": "", "thoughtSignature": "ZW1wdHk="}],
    "an empty text behind a call": [CALL, {"text": "", "thoughtSignature": "ZW1wdHk="}],
    "a part that has nothing else": [{"text": "Hello"}, {"thoughtSignature": "YmFyZQ=="}],
    "a thought": [{"text": "Hm.", "thought": True, "thoughtSignature": "dGhpbms="}, {"text": "Yes"}],
    "code": [
        {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "Y29kZQ=="},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1\n"}, "thoughtSignature": "cmVz"},
        {"text": "One", "thoughtSignature": "dGV4dA=="},
    ],
    "a tool's call and its response": [
        {
            "toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "id": "t1", "args": {"queries": ["towers"]}},
            "thoughtSignature": "Y2FsbA==",
        },
        {
            "toolResponse": {"toolType": "GOOGLE_SEARCH_WEB", "id": "t1", "response": {"x": [1]}},
            "thoughtSignature": "YW5zd2Vy",
        },
        {"text": "High."},
    ],
    "an image": [
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}, "thoughtSignature": "aW1hZ2U="},
    ],
    "a kind to come": [{"hologram": {"size": 3}, "thoughtSignature": "bmV4dA=="}],
}


@pytest.mark.parametrize("parts", SIGNED.values(), ids=SIGNED)
@pytest.mark.parametrize("streamed", [False, True])
def test_signatures_come_back_where_they_stood(gemini: Gemini, parts: Any, streamed: bool) -> None:
    chunks = [generated(part, finish=None) for part in parts]
    response = gemini.stream(*chunks, generated()) if streamed else gemini.answer(*parts)
    results = [
        {"type": "function_call_output", "call_id": item["call_id"], "output": "ok"}
        for item in response["output"]
        if item["type"] == "function_call"
    ]
    assert gemini.returned(response["output"], *results) == parts


def test_a_text_that_was_changed_loses_its_signature_with_a_warning(gemini: Gemini) -> None:
    (message,) = gemini.answer({"text": "Hello", "thoughtSignature": "dGV4dA=="})["output"]
    message["content"][0]["text"] = "Hi"
    assert gemini.returned([message]) == [{"text": "Hi"}]
    assert gemini.warned(input=[HELLO, message]) == ["input[1]"]


def test_a_summary_that_was_left_out_keeps_its_signature(gemini: Gemini) -> None:
    thought = {"text": "Hm.", "thought": True, "thoughtSignature": "dGhpbms="}
    (reasoning,) = gemini.answer(thought)["output"]
    reasoning["summary"] = []
    assert gemini.returned([reasoning]) == [{**thought, "text": ""}]


def test_calls_of_another_model_are_sent_unsigned_only_to_old_models(gemini: Gemini) -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "find", "arguments": "{}"}
    other = {**call, "call_id": "c2"}
    results = [
        {"type": "function_call_output", "call_id": call_id, "output": "ok"} for call_id in ("c1", "c2")
    ]
    first, second = gemini.returned([call, other], *results)
    assert first["thoughtSignature"] == "skip_thought_signature_validator"
    assert "thoughtSignature" not in second
    assert "thoughtSignature" not in gemini.returned([call, other], *results, model=OLD)[0]


def test_a_call_of_which_only_its_usual_fields_come_back_keeps_its_signature(gemini: Gemini) -> None:
    thought = {"text": "Hm.", "thought": True}
    call = {"functionCall": {"name": "find", "args": {}}, "thoughtSignature": "c2ln"}
    reasoning, made = gemini.answer(thought, call)["output"]
    result = {"type": "function_call_output", "call_id": made["call_id"], "output": "ok"}
    del made["encrypted_content"]
    assert gemini.returned([reasoning, made], result)[:2] == [thought, call]
    again = {**made, "call_id": "c2"}
    *_, (foreign,) = (content["parts"] for content in gemini.contents(HELLO, reasoning, HELLO, again))
    assert foreign["thoughtSignature"] == "skip_thought_signature_validator"


# ---- calls ------------------------------------------------------------------------------------------


def test_a_call_may_have_neither_arguments_nor_id(gemini: Gemini) -> None:
    (call,) = gemini.answer({"functionCall": {"name": "now"}})["output"]
    assert (call["name"], call["arguments"]) == ("now", "{}")
    assert call["call_id"].startswith("call_")
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "12:00"}
    contents = gemini.contents(HELLO, call, result, model=OLD)
    assert contents[1]["parts"] == [{"functionCall": {"name": "now", "args": {}}}]
    assert contents[2]["parts"] == [{"functionResponse": {"name": "now", "response": {"output": "12:00"}}}]


def test_an_id_of_gemini_stands_in_the_result(gemini: Gemini) -> None:
    part = {"functionCall": {"name": "now", "id": "x1", "args": {}}, "thoughtSignature": "c2ln"}
    (call,) = gemini.answer(part)["output"]
    assert call["call_id"] == "x1"
    result = {"type": "function_call_output", "call_id": "x1", "output": "{}"}
    contents = gemini.contents(HELLO, call, result)
    assert contents[1]["parts"] == [part]
    assert contents[2]["parts"] == [{"functionResponse": {"id": "x1", "name": "now", "response": {}}}]


def piece(path: str, **value: Any) -> dict[str, Any]:
    return {"jsonPath": path, **value}


STREAMED_CALL = [
    {"name": "find", "willContinue": True},
    {"partialArgs": [piece("$.where.city", stringValue="Pa", willContinue=True)], "willContinue": True},
    {"partialArgs": [piece("$.where.city", stringValue="ris")], "willContinue": True},
    {"partialArgs": [piece("$.where.city")], "willContinue": True},  # the mark that the string has ended
    {
        "partialArgs": [
            piece("$['odd.key'][1]", numberValue=2),
            piece("$['odd.key'][0]", boolValue=True),
            piece("$.nothing", nullValue="NULL_VALUE"),
        ],
        "willContinue": True,
    },
]
ARGUMENTS = {"where": {"city": "Paris"}, "odd.key": [True, 2], "nothing": None}


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize("closed", [True, False])
@pytest.mark.parametrize("before", [[], [{"text": "Let me see."}]])
def test_arguments_in_pieces_closed_or_not(gemini: Gemini, step: int, closed: bool, before: Any) -> None:
    calls = [*STREAMED_CALL, {}] if closed else STREAMED_CALL
    parts = [*before, *({"functionCall": call} for call in calls)]
    response = gemini.stream(*(generated(part, finish=None) for part in parts), generated(), step=step)
    *_, call = response["output"]
    assert (call["status"], json.loads(call["arguments"])) == ("completed", ARGUMENTS)


def test_a_second_call_ends_the_first(gemini: Gemini) -> None:
    parts = [
        {"functionCall": {"name": "one", "willContinue": True}},
        {"functionCall": {"partialArgs": [piece("$.n", numberValue=1)], "willContinue": True}},
        {"functionCall": {"name": "two", "args": {"n": 2}}},
    ]
    response = gemini.stream(*(generated(part, finish=None) for part in parts), generated())
    calls = [(item["name"], json.loads(item["arguments"])) for item in response["output"]]
    assert calls == [("one", {"n": 1}), ("two", {"n": 2})]


def test_a_call_that_was_cut_is_not_to_be_run(gemini: Gemini) -> None:
    parts = [{"functionCall": call} for call in STREAMED_CALL[:2]]
    response = gemini.stream(
        *(generated(part, finish=None) for part in parts), generated(finish="MAX_TOKENS")
    )
    (call,) = response["output"]
    assert (response["status"], call["status"]) == ("incomplete", "incomplete")
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(call["arguments"])


def test_a_call_in_spite_of_none_is_left_out(gemini: Gemini) -> None:
    tool = {"type": "function", "name": "find", "parameters": {"type": "object", "properties": {}}}
    payload = generated({"text": "Hm."}, CALL)
    response = gemini.whole(payload, tools=[tool], tool_choice="none")
    assert types(response) == ["message"]
    assert "tool_choice does not allow" in warnings(response)[0]


# ---- Google's own tools -----------------------------------------------------------------------------

RUN = {"executableCode": {"language": "PYTHON", "code": "print(1/0)"}}


@pytest.mark.parametrize(
    ("outcome", "status"), [("OUTCOME_OK", "completed"), ("OUTCOME_FAILED", "failed"), (None, "completed")]
)
def test_code_and_its_result_are_one_item(gemini: Gemini, outcome: Any, status: str) -> None:
    result = {"codeExecutionResult": {"outcome": outcome, "output": "a line\n"}}
    for response in (
        gemini.answer(RUN, result),
        gemini.stream(generated(RUN, finish=None), generated(result)),
    ):
        (item,) = response["output"]
        assert (item["type"], item["status"]) == ("code_interpreter_call", status)
        assert item["code"] == "print(1/0)"
        assert item["outputs"] == [{"type": "logs", "logs": "a line\n"}]


def test_a_result_without_its_code_is_kept_as_it_is(gemini: Gemini) -> None:
    result = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}
    response = gemini.answer(result)
    assert types(response) == ["gemini:codeExecutionResult"]
    assert gemini.returned(response["output"]) == [result]


def test_an_image_of_the_answer_is_an_image_generation_call(gemini: Gemini) -> None:
    response = gemini.answer({"text": "Here:"}, {"inlineData": {"mimeType": "image/webp", "data": "aGk="}})
    item = response["output"][1]
    assert (item["type"], item["result"], item["output_format"]) == ("image_generation_call", "aGk=", "webp")
    assert "aGk=" not in item["encrypted_content"]


def test_sound_is_kept_as_it_is(gemini: Gemini) -> None:
    response = gemini.answer({"inlineData": {"mimeType": "audio/L16;rate=24000", "data": "aGk="}})
    assert types(response) == ["gemini:inlineData"]
    assert response["output"][0]["part"]["inlineData"]["data"] == "aGk="


# ---- citations: Google counts bytes -------------------------------------------------------------------

FIRST, SECOND = "Größe 🗼 zählt. ", "Der Turm — 330 m — steht."
TEXT = FIRST + SECOND
WEB = {"web": {"uri": "https://towers.example/", "title": "Türme"}}


def grounding(*supports: Any, chunks: Any = (WEB,), **more: Any) -> dict[str, Any]:
    metadata = {"groundingChunks": list(chunks), "groundingSupports": list(supports), **more}
    return {"groundingMetadata": metadata}


def support(quote: str, *, told: bool = True, of: str = TEXT, indices: Any = (0,)) -> dict[str, Any]:
    start = len(of[: of.index(quote)].encode())
    segment: dict[str, Any] = {"startIndex": start, "endIndex": start + len(quote.encode())}
    if told:
        segment["text"] = quote
    return {"segment": segment, "groundingChunkIndices": list(indices)}


def quotes(response: dict[str, Any]) -> list[str]:
    """Return the very characters that the annotations name."""
    found = []
    for item in response["output"]:
        for part in item["content"] if item["type"] == "message" else ():
            found += [part["text"][a["start_index"] : a["end_index"]] for a in part["annotations"]]
    return found


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("quote", ["Größe", "🗼", "🗼 zählt.", "— 330 m —", SECOND, TEXT])
def test_places_are_counted_in_characters(gemini: Gemini, quote: str, told: bool) -> None:
    candidate = grounding(support(quote, told=told))
    whole = gemini.answer({"text": TEXT}, candidate=candidate)
    pieces = [generated({"text": TEXT[at : at + 3]}, finish=None) for at in range(0, len(TEXT), 3)]
    streamed = gemini.stream(*pieces, generated(candidate=candidate), step=5)
    assert quotes(whole) == quotes(streamed) == [quote]
    (annotation,) = whole["output"][0]["content"][0]["annotations"]
    assert (annotation["type"], annotation["url"], annotation["title"]) == (
        "url_citation",
        "https://towers.example/",
        "Türme",
    )


@pytest.mark.parametrize("of", [SECOND, TEXT])
def test_a_place_may_count_from_its_part_or_from_the_whole_answer(gemini: Gemini, of: str) -> None:
    empty = {"text": "", "thoughtSignature": "c2ln"}
    thought = {"text": "Hm.", "thought": True}
    response = gemini.answer(
        {"text": FIRST}, thought, {"text": SECOND}, empty, candidate=grounding(support("330 m", of=of))
    )
    assert quotes(response) == ["330 m"]


def test_a_wrong_place_is_corrected_by_its_text(gemini: Gemini) -> None:
    wrong = {"segment": {"startIndex": 1, "endIndex": 4, "text": "zählt"}, "groundingChunkIndices": [0]}
    assert quotes(gemini.answer({"text": TEXT}, candidate=grounding(wrong))) == ["zählt"]


def test_a_search_is_an_item_with_queries_and_sources(gemini: Gemini) -> None:
    entry = {"renderedContent": "<div>towers</div>"}
    candidate = grounding(support("330 m"), webSearchQueries=["towers", "eiffel"], searchEntryPoint=entry)
    response = gemini.stream(generated({"text": TEXT}, finish=None), generated(candidate=candidate))
    item = response["output"][1]
    assert (item["type"], item["action"]["queries"]) == ("web_search_call", ["towers", "eiffel"])
    assert item["action"]["sources"] == [{"type": "url", "url": "https://towers.example/"}]
    assert item["search_entry_point"] == entry
    assert gemini.returned(response["output"]) == [{"text": TEXT}]


@pytest.mark.parametrize("step", [0, 9])
def test_a_search_that_the_model_shows_gets_its_sources_at_the_end(gemini: Gemini, step: int) -> None:
    parts: list[dict[str, Any]] = [
        {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "args": {"queries": [query]}, "id": query}}
        for query in ("towers", "eiffel")
    ]
    parts += [{"toolResponse": {"toolType": "GOOGLE_SEARCH_WEB", "id": "eiffel"}}, {"text": TEXT}]
    entry = {"renderedContent": "<div>towers</div>"}
    metadata = grounding(support("330 m"), webSearchQueries=["towers", "eiffel"], searchEntryPoint=entry)
    whole = gemini.answer(*parts, candidate=metadata)
    streamed = gemini.stream(
        *(generated(part, finish=None) for part in parts), generated(candidate=metadata), step=step
    )
    for response in (whole, streamed):
        assert types(response) == ["web_search_call", "web_search_call", "message"]
        first, second, _ = response["output"]
        assert (first["action"]["query"], first["action"]["sources"]) == ("towers", [])
        assert second["action"]["sources"] == [{"type": "url", "url": "https://towers.example/"}]
        assert (second["search_entry_point"], second["status"]) == (entry, "completed")
        assert quotes(response) == ["330 m"]
        assert gemini.returned(response["output"]) == parts


def test_grounding_that_is_said_twice_counts_once(gemini: Gemini) -> None:
    candidate = grounding(support("330 m"), webSearchQueries=["towers"])
    response = gemini.stream(
        generated({"text": TEXT}, finish=None, candidate=candidate),
        generated(candidate=candidate),
        generated(candidate=candidate),
    )
    assert types(response) == ["message", "web_search_call"]
    assert quotes(response) == ["330 m"]


def test_pages_that_were_read_are_items(gemini: Gemini) -> None:
    pages = [
        {"retrievedUrl": "https://a.example/", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"},
        {"retrievedUrl": "https://b.example/", "urlRetrievalStatus": "URL_RETRIEVAL_STATUS_ERROR"},
    ]
    response = gemini.answer({"text": "Read."}, candidate={"urlContextMetadata": {"urlMetadata": pages}})
    read = [(item["action"], item["status"]) for item in response["output"][1:]]
    assert read == [
        ({"type": "open_page", "url": "https://a.example/"}, "completed"),
        ({"type": "open_page", "url": "https://b.example/"}, "failed"),
    ]


def test_a_document_is_cited_as_a_file(gemini: Gemini) -> None:
    context = {"title": "towers.pdf", "documentName": "fileSearchStores/s/documents/d", "text": "330 m"}
    candidate = grounding(support("330 m"), chunks=[{"retrievedContext": context}])
    (message,) = gemini.answer({"text": TEXT}, candidate=candidate)["output"]
    (annotation,) = message["content"][0]["annotations"]
    assert (annotation["type"], annotation["filename"]) == ("file_citation", "towers.pdf")
    assert annotation["file_id"] == "fileSearchStores/s/documents/d"


def test_citations_of_nothing_are_left_out_with_a_warning(gemini: Gemini) -> None:
    candidate = grounding(support("330 m"), chunks=[{"web": {"title": "no address"}}])
    response = gemini.answer({"text": TEXT}, candidate=candidate)
    assert quotes(response) == []
    assert "without naming it" in warnings(response)[0]


def test_recitation_names_its_source(gemini: Gemini) -> None:
    cited = {"citationSources": [{"startIndex": 0, "endIndex": 7, "uri": "https://book.example/"}]}
    assert quotes(gemini.answer({"text": TEXT}, candidate={"citationMetadata": cited})) == ["Größe"]


# ---- figures ----------------------------------------------------------------------------------------


def test_thoughts_and_tools_stand_outside_the_other_counts(gemini: Gemini) -> None:
    usage = {
        "promptTokenCount": 12,
        "toolUsePromptTokenCount": 8,
        "cachedContentTokenCount": 5,
        "candidatesTokenCount": 10,
        "thoughtsTokenCount": 20,
        "totalTokenCount": 50,
    }
    found = gemini.answer({"text": "Hi"}, usageMetadata=usage)["usage"]
    assert (found["input_tokens"], found["output_tokens"], found["total_tokens"]) == (20, 30, 50)
    assert found["input_tokens_details"]["cached_tokens"] == 5
    assert found["output_tokens_details"]["reasoning_tokens"] == 20


@pytest.mark.parametrize("audio", ["AUDIO", 4])
def test_what_is_no_text_is_told_apart(gemini: Gemini, audio: str | int) -> None:
    usage = {
        "promptTokenCount": 100,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": 10},
            {"modality": audio, "tokenCount": 40},
            {"modality": "DOCUMENT", "tokenCount": 20},
            {"modality": "IMAGE", "tokenCount": 30},
        ],
        "cachedContentTokenCount": 25,
        "cacheTokensDetails": [{"modality": audio, "tokenCount": 25}],
        "candidatesTokenCount": 7,
        "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 7}, {"modality": "VIDEO"}],
    }
    assert gemini.answer({"text": "Hi"}, usageMetadata=usage)["dragoman"]["usage_details"] == {
        "input_audio_tokens": 40,
        "input_image_tokens": 50,
        "cache_audio_read_tokens": 25,
        "output_image_tokens": 7,
    }


def test_the_count_of_the_answer_may_be_missing(gemini: Gemini) -> None:
    usage = {"promptTokenCount": 12, "thoughtsTokenCount": 20, "totalTokenCount": 32}
    found = gemini.answer(finish="MAX_TOKENS", usageMetadata=usage)["usage"]
    assert (found["input_tokens"], found["output_tokens"]) == (12, 20)


def test_more_cached_than_there_is_input_is_limited(gemini: Gemini) -> None:
    usage = {"promptTokenCount": 4, "cachedContentTokenCount": 9, "candidatesTokenCount": 1}
    found = gemini.answer({"text": "Hi"}, usageMetadata=usage)["usage"]
    assert found["input_tokens_details"]["cached_tokens"] == 4


def test_a_stream_counts_by_its_last_figures(gemini: Gemini) -> None:
    response = gemini.stream(
        generated(
            {"text": "Hi"}, finish=None, usageMetadata={"promptTokenCount": 5, "thoughtsTokenCount": 7}
        ),
        generated(usageMetadata={"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 14}),
    )
    assert (response["usage"]["input_tokens"], response["usage"]["output_tokens"]) == (5, 9)


@pytest.mark.parametrize(
    ("said", "tier"), [("standard", "default"), ("FLEX", "flex"), ("priority", "priority")]
)
def test_the_service_tier_is_told(gemini: Gemini, said: str, tier: str) -> None:
    usage = {"promptTokenCount": 1, "serviceTier": said}
    assert gemini.answer({"text": "Hi"}, usageMetadata=usage)["service_tier"] == tier


def test_log_probabilities_stand_at_the_text(gemini: Gemini) -> None:
    result = {
        "chosenCandidates": [{"token": "ü", "logProbability": -0.5}, {"token": "!"}],
        "topCandidates": [{"candidates": [{"token": "ü", "logProbability": -0.5}]}],
    }
    response = gemini.answer({"text": "ü!"}, candidate={"logprobsResult": result})
    first, second = response["output"][0]["content"][0]["logprobs"]
    assert (first["token"], first["bytes"], first["logprob"]) == ("ü", [195, 188], -0.5)
    assert [other["token"] for other in first["top_logprobs"]] == ["ü"]
    assert (second["logprob"], second["top_logprobs"]) == (0.0, [])


def test_an_answer_that_is_no_answer_fails(gemini: Gemini) -> None:
    payloads: list[Any] = [{}, [], "Hello", {"candidates": "none"}]
    for payload in payloads:
        response = gemini.whole(payload)
        assert (response["status"], response["error"]["code"]) == ("failed", "server_error")


def test_what_only_the_answer_knows_is_told(gemini: Gemini) -> None:
    response = gemini.answer({"text": "Hi"}, modelVersion="gemini-3.5-flash-002")
    assert response["model"] == "gemini-3.5-flash-002"


def test_state_that_was_broken_is_refused_by_its_place(gemini: Gemini) -> None:
    (message,) = gemini.answer({"text": "Hello", "thoughtSignature": "dGV4dA=="})["output"]
    message["encrypted_content"] = message["encrypted_content"][:-3] + "!!!"
    with pytest.raises(errors.BadRequestError, match="changed") as caught:
        gemini.returned([message])
    assert caught.value.param == "input[1].encrypted_content"
