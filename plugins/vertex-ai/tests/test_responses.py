"""Answers: the oddities of Vertex AI's streams, its tiers, and conversations that change families."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

import json

import pytest

import dragoman_vertex_ai as plugin
from dragoman.attempts.session import Session
from dragoman.errors import BadRequestError, UnsupportedParameterError
from dragoman.providers import Provider
from dragoman.testing.running import run_stream, run_whole

SETTINGS = {"vertex_project": "p", "vertex_access_token": "token-123456"}
GEMINI, CLAUDE = "gemini-3.5-flash", "claude-opus-4-8"
HELLO = {"type": "message", "role": "user", "content": "Hello."}


def session(model, **request):
    provider = Provider("vertex_ai", plugin)
    target = provider.target(model, SETTINGS)
    return Session(provider, target, {"model": f"vertex_ai/{model}", "input": "Hi", **request})


def generated(*parts, **more):
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP"}
    return {"candidates": [candidate], "modelVersion": GEMINI, **more}


def message(*content):
    return {
        "id": "msg_vrtx_1", "type": "message", "role": "assistant", "model": CLAUDE, "content": list(content),
        "stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 2},
    }  # fmt: skip


def output_of(model, payload):
    return run_whole(session(model), json.dumps(payload).encode()).response["output"]


def streamed(model, raw, step=0):
    chunks = [raw[i : i + (step or len(raw))] for i in range(0, len(raw), step or len(raw))]
    return run_stream(session(model, stream=True), chunks, headers={"content-type": "text/event-stream"})


# ---- oddities of the wire ---------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0, 1, 7])
def test_lines_end_in_cr_lf(step):
    first = generated({"text": "Grü"})
    del first["candidates"][0]["finishReason"]
    raw = "".join(
        f"data: {json.dumps(c, ensure_ascii=False)}\r\n\r\n" for c in (first, generated({"text": "ße"}))
    )
    run = streamed(GEMINI, raw.encode(), step)
    assert run.response["status"] == "completed"
    assert run.response["output"][0]["content"][0]["text"] == "Grüße"


@pytest.mark.parametrize("step", [0, 1])
def test_an_error_in_the_middle_is_bare_json_over_many_lines(step):
    first = generated({"text": "So"})
    del first["candidates"][0]["finishReason"]
    error = {"error": {"code": 499, "message": "The operation was cancelled.", "status": "CANCELLED"}}
    raw = f"data: {json.dumps(first)}\r\n\r\n{json.dumps(error, indent=2)}\r\n".encode()
    run = streamed(GEMINI, raw, step)
    assert run.response["status"] == "failed"
    assert run.response["error"]["message"] == "The operation was cancelled."
    assert run.response["output"][0]["content"][0]["text"] == "So"


@pytest.mark.parametrize("step", [0, 1])
def test_arguments_come_in_pieces_and_an_empty_call_ends_them(step):
    def piece(text, **more):
        return {"jsonPath": "$.where.city", "stringValue": text, **more}

    pieces = (
        {"name": "find", "willContinue": True},
        {"partialArgs": [piece("Pa", willContinue=True)], "willContinue": True},
        {"partialArgs": [piece("ris")], "willContinue": True},
        {},
    )  # fmt: skip
    chunks = [{"candidates": [{"content": {"parts": [{"functionCall": call}]}}]} for call in pieces]
    chunks.append({"candidates": [{"finishReason": "STOP"}]})
    run = streamed(GEMINI, "".join(f"data: {json.dumps(c)}\r\n\r\n" for c in chunks).encode(), step)
    (call,) = run.response["output"]
    assert json.loads(call["arguments"]) == {"where": {"city": "Paris"}}


@pytest.mark.parametrize("step", [0, 1])
def test_arguments_that_are_never_ended_are_whole_at_the_end(step):
    call = {"name": "find", "partialArgs": [{"jsonPath": "$.n", "numberValue": 1}], "willContinue": True}
    chunks = [{"candidates": [{"content": {"parts": [{"functionCall": call}]}, "finishReason": "STOP"}]}]
    run = streamed(GEMINI, "".join(f"data: {json.dumps(c)}\r\n\r\n" for c in chunks).encode(), step)
    assert json.loads(run.response["output"][0]["arguments"]) == {"n": 1}


def test_text_may_follow_a_finish():
    raw = "".join(f"data: {json.dumps(generated({'text': text}))}\r\n\r\n" for text in ("So ", "long."))
    run = streamed(GEMINI, raw.encode())
    assert run.response["status"] == "completed"
    assert run.response["output"][0]["content"][0]["text"] == "So long."


@pytest.mark.parametrize("content", [None, {"role": "model"}, {"role": "model", "parts": []}])
def test_an_answer_may_have_no_parts(content):
    candidate = {"finishReason": "MAX_TOKENS", **({"content": content} if content else {})}
    usage = {"promptTokenCount": 9, "thoughtsTokenCount": 90, "totalTokenCount": 99}
    response = run_whole(
        session(GEMINI), json.dumps({"candidates": [candidate], "usageMetadata": usage}).encode()
    ).response
    assert (response["status"], response["output"]) == ("incomplete", [])
    assert response["usage"]["output_tokens"] == 90


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("MODEL_ARMOR", "content_filter"),
        ("UNEXPECTED_TOOL_CALL", "UNEXPECTED_TOOL_CALL"),
        (3, "content_filter"),
    ],
)
def test_finish_reasons_that_are_new_or_numbers(said, reason):
    payload = generated({"text": "So"})
    payload["candidates"][0]["finishReason"] = said
    response = run_whole(session(GEMINI), json.dumps(payload).encode()).response
    assert response["incomplete_details"] == {"reason": reason}


def test_only_the_first_of_parallel_calls_is_signed():
    parts = [
        {"functionCall": {"name": "find", "args": {"n": 1}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "find", "args": {"n": 2}}},
    ]
    calls = output_of(GEMINI, generated(*parts))
    results = [{"type": "function_call_output", "call_id": c["call_id"], "output": "x"} for c in calls]
    body = json.loads(session(GEMINI, input=[HELLO, *calls, *results]).prepare().body)
    assert body["contents"][1]["parts"] == parts


def test_claudes_request_id_is_that_of_a_header():
    asked = session(CLAUDE)
    asked.prepare()
    asked.accept(400, {"request-id": "req_vrtx_1"})
    asked.feed(b'{"type": "error", "error": {"type": "invalid_request_error", "message": "Wrong"}}')
    with pytest.raises(BadRequestError, match="Wrong") as caught:
        asked.close()
    assert caught.value.request_id == "req_vrtx_1"


def test_a_call_may_have_neither_arguments_nor_id():
    (call,) = output_of(GEMINI, generated({"functionCall": {"name": "now"}}))
    assert (call["name"], call["arguments"]) == ("now", "{}")


def test_model_armor_blocks_a_prompt_without_any_candidate():
    payload = {"promptFeedback": {"blockReason": "MODEL_ARMOR", "blockReasonMessage": "Blocked."}}
    response = run_whole(session(GEMINI), json.dumps(payload).encode()).response
    assert response["incomplete_details"] == {"reason": "content_filter"}


def test_claude_fails_in_the_middle_with_an_event_of_its_own():
    begun = {"type": "message_start", "message": {**message(), "stop_reason": None}}
    error = {"type": "overloaded_error", "message": "Overloaded", "details": None}
    events = (begun, {"type": "error", "error": error, "request_id": "req_vrtx_1"})
    run = streamed(CLAUDE, "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events).encode())
    assert run.response["status"] == "failed"
    assert run.response["error"]["message"] == "Overloaded"


@pytest.mark.parametrize(
    ("traffic", "tier"),
    [
        ("ON_DEMAND", "default"),
        ("ON_DEMAND_FLEX", "flex"),
        ("ON_DEMAND_PRIORITY", "priority"),
        ("PROVISIONED_THROUGHPUT", "scale"),
        ("TOMORROWS", "default"),
    ],
)
def test_the_traffic_type_is_the_service_tier(traffic, tier):
    payload = generated({"text": "Hi"}, usageMetadata={"promptTokenCount": 1, "trafficType": traffic})
    assert run_whole(session(GEMINI), json.dumps(payload).encode()).response["service_tier"] == tier
    run = streamed(GEMINI, f"data: {json.dumps(payload)}\n\n".encode())
    assert run.response["service_tier"] == tier


# ---- conversations that change families -------------------------------------------------------------

OF_GEMINI = generated(
    {"text": "Let me think.", "thought": True, "thoughtSignature": "dGhvdWdodA=="},
    {"executableCode": {"language": "PYTHON", "code": "print(42)"}},
    {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "42\n"}},
    {"text": "It is 42.", "thoughtSignature": "dGV4dA=="},
    {"functionCall": {"name": "tell", "args": {"n": 42}}, "thoughtSignature": "Y2FsbA=="},
)
OF_CLAUDE = message(
    {"type": "thinking", "thinking": "Let me think.", "signature": "c2lnbmVk"},
    {"type": "redacted_thinking", "data": "aGlkZGVu"},
    {"type": "server_tool_use", "id": "srvtoolu_vrtx_1", "name": "web_search", "input": {"query": "42"}},
    {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_vrtx_1", "content": []},
    {"type": "text", "text": "It is 42."},
    {"type": "tool_use", "id": "toolu_vrtx_1", "name": "tell", "input": {"n": 42}},
)


def continued(model, payload, of):
    """Return the body that goes to `model` after an answer of `of`, and what the caller is warned of."""
    items = [HELLO, *output_of(of, payload)]
    (call,) = (item for item in items if item["type"] == "function_call")
    items.append({"type": "function_call_output", "call_id": call["call_id"], "output": "Told."})
    asking = session(model, input=json.loads(json.dumps(items)))
    body = json.loads(asking.prepare().body)
    return body, [warning["param"] for warning in asking.response["dragoman"]["warnings"]]


def test_each_family_gets_back_what_it_signed():
    body, warnings = continued(GEMINI, OF_GEMINI, GEMINI)
    assert body["contents"][1]["parts"] == OF_GEMINI["candidates"][0]["content"]["parts"]
    assert warnings == []
    body, warnings = continued(CLAUDE, OF_CLAUDE, CLAUDE)
    assert body["messages"][1]["content"] == OF_CLAUDE["content"]
    assert warnings == []


def test_claude_gets_geminis_words_and_calls_without_its_seals():
    body, warnings = continued(CLAUDE, OF_GEMINI, GEMINI)
    said, told = body["messages"][1:]
    assert [block["type"] for block in said["content"]] == ["text", "tool_use"]
    assert said["content"][0]["text"] == "It is 42."
    assert said["content"][1]["input"] == {"n": 42}
    assert told["content"][0]["tool_use_id"] == said["content"][1]["id"]
    assert sorted(warnings) == ["input[1]", "input[2]"]


def test_gemini_gets_claudes_words_and_calls_without_its_seals():
    body, warnings = continued(GEMINI, OF_CLAUDE, CLAUDE)
    parts = body["contents"][1]["parts"]
    assert [sorted(part.keys() - {"thoughtSignature"}) for part in parts] == [["text"], ["functionCall"]]
    assert parts[0]["text"] == "It is 42."
    assert parts[1]["functionCall"]["args"] == {"n": 42}
    assert sorted(warnings) == ["input[1]", "input[2]", "input[3]"]


def test_an_error_behind_what_was_left_out_names_the_callers_place():
    items = [*output_of(GEMINI, OF_GEMINI), {"type": "message", "role": "user", "content": [{"type": "x"}]}]
    with pytest.raises(Exception, match="content part|type 'x'") as caught:
        session(CLAUDE, input=items).prepare()
    assert caught.value.param.startswith(f"input[{len(items) - 1}]")


def test_the_other_familys_compaction_stands_for_too_much_to_be_left_out():
    (item,) = output_of(CLAUDE, message({"type": "compaction", "content": "Much was said."}))
    assert item["type"] == "compaction"
    assert session(CLAUDE, input=[item, HELLO]).prepare()
    with pytest.raises(UnsupportedParameterError, match=r"compaction made by vertex_ai\.claude") as caught:
        session(GEMINI, input=[item, HELLO]).prepare()
    assert caught.value.param == "input[0]"
