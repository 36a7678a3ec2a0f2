"""What becomes of Bedrock's answers: one named test for each oddity that was met on the real wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dragoman.sealing import unseal
from dragoman.testing.frames import aws_stream

from .conftest import CLAUDE, NOVA, USAGE, Bedrock


def begun() -> tuple[str, dict[str, Any]]:
    return "messageStart", {"role": "assistant", "p": "abc"}


def ended(reason: str = "end_turn", **more: Any) -> tuple[str, dict[str, Any]]:
    return "messageStop", {"stopReason": reason, "p": "ab", **more}


def counted(**more: Any) -> tuple[str, dict[str, Any]]:
    return "metadata", {"usage": USAGE, "metrics": {"latencyMs": 7}, "p": "a", **more}


def started(index: int, **start: Any) -> tuple[str, dict[str, Any]]:
    return "contentBlockStart", {"contentBlockIndex": index, "start": start, "p": "abcd"}


def delta(index: int, **delta: Any) -> tuple[str, dict[str, Any]]:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": delta, "p": "abcdefgh"}


def stopped(index: int) -> tuple[str, dict[str, Any]]:
    return "contentBlockStop", {"contentBlockIndex": index, "p": ""}


def texts(response: dict[str, Any]) -> list[str]:
    return [part["text"] for item in response["output"] for part in item.get("content") or ()]


def types(response: dict[str, Any]) -> list[str]:
    return [item["type"] for item in response["output"]]


def state_in(item: dict[str, Any]) -> Any:
    return unseal("bedrock", item["encrypted_content"], param="")


def test_text_and_reasoning_have_no_start(bedrock: Bedrock) -> None:
    response = bedrock.stream(
        begun(),
        delta(0, reasoningContent={"text": "Hm"}),
        delta(0, reasoningContent={"signature": "c2ln"}),
        stopped(0),
        delta(1, text="Hel"),
        delta(1, text="lo"),
        stopped(1),
        ended(),
        counted(),
    )
    assert types(response) == ["reasoning", "message"]
    assert texts(response) == ["Hello"]
    assert response["output"][0]["summary"] == [{"type": "summary_text", "text": "Hm"}]


@pytest.mark.parametrize("start", [{}, {"text": ""}])
def test_a_start_that_says_nothing_is_as_good_as_none(bedrock: Bedrock, start: dict[str, Any]) -> None:
    thought = started(0, reasoningContent={}), delta(0, reasoningContent={"text": "Hm"}), stopped(0)
    spoken = started(1, **start), delta(1, text="Hello"), stopped(1)
    response = bedrock.stream(begun(), *thought, *spoken, ended(), counted())
    assert types(response) == ["reasoning", "message"]
    assert texts(response) == ["Hello"]


def test_the_random_padding_is_seen_nowhere(bedrock: Bedrock) -> None:
    response = bedrock.stream(begun(), delta(0, text="Hello"), stopped(0), ended(), counted())
    assert "abcdefgh" not in json.dumps(response)


def test_redacted_reasoning_comes_back_byte_for_byte(bedrock: Bedrock) -> None:
    redacted = "cmVkYWN0ZWQvKz09"
    whole = bedrock.answer({"reasoningContent": {"redactedContent": redacted}}, {"text": "Hi"})
    streamed = bedrock.stream(
        begun(),
        delta(0, reasoningContent={"redactedContent": redacted}),
        stopped(0),
        delta(1, text="Hi"),
        stopped(1),
        ended(),
        counted(),
    )
    for response in (whole, streamed):
        (turn,) = bedrock.messages(*response["output"])
        assert turn["content"][0] == {"reasoningContent": {"redactedContent": redacted}}


def test_a_signature_without_words_is_kept(bedrock: Bedrock) -> None:
    response = bedrock.stream(
        begun(), delta(0, reasoningContent={"signature": "c2ln"}), stopped(0), delta(1, text="Hi"), ended()
    )
    (turn,) = bedrock.messages(*response["output"])
    assert turn["content"][0] == {"reasoningContent": {"reasoningText": {"text": "", "signature": "c2ln"}}}


def test_open_models_show_their_reasoning_as_it_is(bedrock: Bedrock) -> None:
    block = {"reasoningContent": {"reasoningText": {"text": "Hm"}}}
    response = bedrock.answer(block, {"text": "Hi"}, model="openai.gpt-oss-120b-1:0")
    assert response["output"][0]["content"] == [{"type": "reasoning_text", "text": "Hm"}]


def test_a_server_tool_is_no_call_for_the_caller(bedrock: Bedrock) -> None:
    use = {"toolUseId": "tooluse_1", "name": "nova_code_interpreter", "type": "server_tool_use"}
    result = {"toolUseId": "tooluse_1", "type": "nova_code_interpreter_result", "status": "success"}
    response = bedrock.stream(
        begun(),
        started(0, toolUse=use),
        delta(0, toolUse={"input": '{"snippet":"6 * 7"}'}),
        stopped(0),
        started(1, toolResult=result),
        delta(1, toolResult=[{"json": {"stdOut": "42", "stdErr": "", "exitCode": 0, "isError": False}}]),
        stopped(1),
        started(2, toolUse={"toolUseId": "tooluse_2", "name": "f", "type": "tool_use"}),
        delta(2, toolUse={"input": "{}"}),
        stopped(2),
        ended("tool_use"),
        counted(),
        model=NOVA,
    )
    code, call = response["output"]
    assert (code["type"], code["code"], code["status"]) == ("code_interpreter_call", "6 * 7", "completed")
    assert code["outputs"] == [{"type": "logs", "logs": "42"}]
    assert (call["type"], call["call_id"]) == ("function_call", "tooluse_2")
    (turn,) = bedrock.messages(*response["output"], model=NOVA)
    assert turn["content"] == [
        {"toolUse": {**use, "input": {"snippet": "6 * 7"}}},
        {
            "toolResult": {
                **result,
                "content": [{"json": {"stdOut": "42", "stdErr": "", "exitCode": 0, "isError": False}}],
            }
        },
        {"toolUse": {"toolUseId": "tooluse_2", "name": "f", "input": {}}},
    ]


def test_a_server_tool_that_failed_says_so(bedrock: Bedrock) -> None:
    response = bedrock.answer(
        {"toolUse": {"toolUseId": "t", "name": "nova_grounding", "type": "server_tool_use", "input": {}}},
        {"toolResult": {"toolUseId": "t", "status": "error", "content": [{"text": "no web"}]}},
        {"text": "Sorry."},
        model=NOVA,
    )
    assert response["output"][0]["status"] == "failed"


def test_results_stand_where_they_stood(bedrock: Bedrock) -> None:
    def use(id_: str) -> dict[str, Any]:
        return {
            "toolUse": {"toolUseId": id_, "name": "nova_grounding", "type": "server_tool_use", "input": {}}
        }

    def result(id_: str) -> dict[str, Any]:
        return {"toolResult": {"toolUseId": id_, "content": [{"text": id_}]}}

    blocks = [use("a"), use("b"), result("b"), {"text": "So"}, result("a"), {"text": "far."}]
    response = bedrock.answer(*blocks, model=NOVA)
    (turn,) = bedrock.messages(*response["output"], model=NOVA)
    assert turn["content"] == blocks


def test_a_result_without_its_call_is_kept(bedrock: Bedrock) -> None:
    block = {"toolResult": {"toolUseId": "t", "content": [{"text": "late"}]}}
    response = bedrock.answer(block, {"text": "Hi"})
    assert types(response) == ["bedrock:toolResult", "message"]
    (turn,) = bedrock.messages(*response["output"])
    assert turn["content"][0] == block


DOCUMENT = {
    "location": {"documentChar": {"documentIndex": 1, "start": 0, "end": 9}},
    "title": "policy",
    "sourceContent": [{"text": "20 days"}],
}
WEB = {"location": {"web": {"url": "https://ruby.example/", "domain": "ruby.example"}}}
SEARCH = {
    "location": {"searchResultLocation": {"searchResultIndex": 0}},
    "source": "https://a.example/",
    "title": "A",
}


def test_a_citation_may_come_before_its_words(bedrock: Bedrock) -> None:
    response = bedrock.stream(
        begun(),
        delta(0, text="You get "),
        stopped(0),
        delta(1, citation=DOCUMENT),
        delta(1, text="20 "),
        delta(1, text="days"),
        stopped(1),
        delta(2, text="."),
        stopped(2),
        ended(),
        counted(),
    )
    (message,) = response["output"]
    assert [part["text"] for part in message["content"]] == ["You get ", "20 days", "."]
    (note,) = message["content"][1]["annotations"]
    assert (note["type"], note["filename"], note["index"]) == ("file_citation", "policy", 1)
    (turn,) = bedrock.messages(message)
    assert turn["content"][1] == {
        "citationsContent": {"content": [{"text": "20 days"}], "citations": [DOCUMENT]}
    }


@pytest.mark.parametrize("streamed", [False, True])
def test_citations_may_stand_alone_behind_the_text(bedrock: Bedrock, streamed: bool) -> None:
    blocks = [
        {"text": "It is 4.0"},
        {"citationsContent": {"citations": [WEB]}},
        {"citationsContent": {"citations": [SEARCH, WEB]}},
        {"text": "."},
    ]
    if streamed:
        response = bedrock.stream(
            begun(),
            delta(0, text="It is 4.0"),
            stopped(0),
            delta(1, citation=WEB),
            stopped(1),
            delta(2, citation=SEARCH),
            delta(2, citation=WEB),
            stopped(2),
            delta(3, text="."),
            ended(),
        )
    else:
        response = bedrock.answer(*blocks)
    (message,) = response["output"]
    notes = message["content"][0]["annotations"]
    assert [(n["url"], n["title"], n["start_index"], n["end_index"]) for n in notes] == [
        ("https://ruby.example/", "ruby.example", 0, 9),
        ("https://a.example/", "A", 0, 9),
        ("https://ruby.example/", "ruby.example", 0, 9),
    ]
    (turn,) = bedrock.messages(message)
    assert turn["content"] == blocks


def test_metadata_may_come_before_the_end(bedrock: Bedrock) -> None:
    response = bedrock.stream(begun(), delta(0, text="Hi"), stopped(0), counted(), ended())
    assert response["status"] == "completed"
    assert response["usage"]["total_tokens"] == 8


def test_metadata_may_never_come(bedrock: Bedrock) -> None:
    response = bedrock.stream(begun(), delta(0, text="Hi"), stopped(0), ended())
    assert (response["status"], response["usage"]) == ("completed", None)


def test_metadata_alone_ends_nothing(bedrock: Bedrock) -> None:
    response = bedrock.stream(begun(), delta(0, text="Hi"), stopped(0), counted())
    assert response["status"] == "failed"
    assert response["usage"]["total_tokens"] == 8


def test_what_was_written_for_an_hour_is_told_apart(bedrock: Bedrock) -> None:
    written = [{"ttl": "5m", "inputTokens": 20}, {"ttl": "1h", "inputTokens": 30}]
    usage = {"inputTokens": 1, "outputTokens": 2, "cacheWriteInputTokens": 50, "cacheDetails": written}
    response = bedrock.answer({"text": "Hi"}, usage=usage)
    assert response["usage"]["input_tokens_details"]["cache_write_tokens"] == 50
    assert response["dragoman"]["usage_details"] == {"cache_write_1h_tokens": 30}


@pytest.mark.parametrize("names", [("Tokens",), ("TokenCount",), ("Tokens", "TokenCount")])
def test_counters_with_two_names_are_counted_once(bedrock: Bedrock, names: tuple[str, ...]) -> None:
    usage = {"inputTokens": 3, "outputTokens": 227, "totalTokens": 1942}
    usage |= {f"cacheReadInput{name}": 1000 for name in names} | {
        f"cacheWriteInput{name}": 712 for name in names
    }
    found = bedrock.answer({"text": "Hi"}, usage=usage)["usage"]
    assert (found["input_tokens"], found["output_tokens"], found["total_tokens"]) == (1715, 227, 1942)
    assert found["input_tokens_details"] == {"cached_tokens": 1000, "cache_write_tokens": 712}


@pytest.mark.parametrize(
    ("stop", "status", "reason"),
    [
        ("end_turn", "completed", None),
        ("stop_sequence", "completed", None),
        ("tool_use", "completed", None),
        ("max_tokens", "incomplete", "max_output_tokens"),
        ("model_context_window_exceeded", "incomplete", "max_output_tokens"),
        ("guardrail_intervened", "incomplete", "content_filter"),
        ("content_filtered", "incomplete", "content_filter"),
        ("malformed_model_output", "incomplete", "malformed_model_output"),
        ("malformed_tool_use", "incomplete", "malformed_tool_use"),
        ("a_reason_of_next_month", "incomplete", "a_reason_of_next_month"),
    ],
)
def test_why_it_stopped(bedrock: Bedrock, stop: str, status: str, reason: str | None) -> None:
    whole = bedrock.answer({"text": "Hi"}, stop=stop)
    streamed = bedrock.stream(begun(), delta(0, text="Hi"), stopped(0), ended(stop), counted())
    for response in (whole, streamed):
        assert response["status"] == status
        assert (response["incomplete_details"] or {}).get("reason") == reason


def test_an_answer_without_a_reason_is_no_answer(bedrock: Bedrock) -> None:
    response = bedrock.whole({"output": {"message": {"content": [{"text": "Hi"}]}}})
    assert response["status"] == "failed"


def test_a_call_that_was_cut_is_not_to_be_run(bedrock: Bedrock) -> None:
    use = {"toolUseId": "t1", "name": "f"}
    streamed = bedrock.stream(
        begun(),
        started(0, toolUse=use),
        delta(0, toolUse={"input": '{"city": "Par'}),
        ended("max_tokens"),
        counted(),
    )
    whole = bedrock.answer({"toolUse": {**use, "input": {}}}, stop="max_tokens")
    for response in (streamed, whole):
        assert response["output"][0]["status"] == "incomplete"


def test_a_guardrails_trace_is_an_item_that_is_not_sent_back(bedrock: Bedrock) -> None:
    trace = {"guardrail": {"actionReason": "Guardrail masked."}}
    more: dict[str, Any] = {"additionalModelResponseFields": {"stop_sequence": None}}
    whole = bedrock.answer(
        {"text": "{ADDRESS}"},
        stop="guardrail_intervened",
        **{"trace": trace, "performanceConfig": {"latency": "optimized"}, **more},
    )
    streamed = bedrock.stream(
        begun(),
        delta(0, text="{ADDRESS}"),
        stopped(0),
        ended("guardrail_intervened", **more),
        counted(trace=trace, performanceConfig={"latency": "optimized"}),
    )
    for response in (whole, streamed):
        assert types(response) == [
            "message",
            "bedrock:additional_model_response_fields",
            "bedrock:trace",
            "bedrock:performance_config",
        ]
        assert response["output"][2]["trace"] == trace
        (turn,) = bedrock.messages(*response["output"])
        assert turn["content"] == [{"text": "{ADDRESS}"}]


def test_a_prompt_router_says_which_model_answered(bedrock: Bedrock) -> None:
    model = "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0"
    assert bedrock.answer({"text": "Hi"}, trace={"promptRouter": {"invokedModelId": model}})["model"] == model


def test_the_service_tier_is_told(bedrock: Bedrock) -> None:
    assert bedrock.answer({"text": "Hi"}, serviceTier={"type": "flex"})["service_tier"] == "flex"


def test_a_tool_without_arguments_streams_none(bedrock: Bedrock) -> None:
    use = {"toolUseId": "t1", "name": "f"}
    response = bedrock.stream(begun(), started(0, toolUse=use), stopped(0), ended("tool_use"), counted())
    assert response["output"][0]["arguments"] == "{}"


def test_a_call_id_that_is_used_again_is_made_unique(bedrock: Bedrock) -> None:
    call = {"toolUse": {"toolUseId": "call_0", "name": "f", "input": {}}}
    ids = [item["call_id"] for item in bedrock.answer(call, call, stop="tool_use")["output"]]
    assert ids[0] == "call_0"
    assert ids[1] not in {"call_0", ""}


def test_the_tool_that_stands_for_structured_output_is_text(bedrock: Bedrock) -> None:
    use = {"toolUseId": "t1", "name": "dragoman_json_response", "type": "tool_use"}
    streamed = bedrock.stream(
        begun(),
        started(0, toolUse=use),
        delta(0, toolUse={"input": '{"a"'}),
        delta(0, toolUse={"input": ": 1}"}),
        stopped(0),
        ended("tool_use"),
        counted(),
    )
    whole = bedrock.answer({"toolUse": {**use, "input": {"a": 1}}}, stop="tool_use")
    assert texts(streamed) == texts(whole) == ['{"a": 1}']


def test_an_image_that_the_model_made(bedrock: Bedrock) -> None:
    block = {"image": {"format": "png", "source": {"bytes": "aW1hZ2U="}}}
    streamed = bedrock.stream(
        begun(),
        started(0, image={"format": "png"}),
        delta(0, image={"source": {"bytes": "aW0="}}),
        delta(0, image={"source": {"bytes": "YWdl"}}),
        stopped(0),
        ended(),
        counted(),
    )
    for response in (bedrock.answer(block), streamed):
        (item,) = response["output"]
        assert (item["type"], item["result"]) == ("image_generation_call", "aW1hZ2U=")
        assert bedrock.messages(item)[0]["content"] == [block]


@pytest.mark.parametrize(
    "block",
    [
        {"image": {"format": "png", "error": {"message": "refused"}}},
        {"audio": {"format": "mp3", "source": {"bytes": "YXVkaW8="}}},
        {"citationsContent": {"citations": [WEB]}},
    ],
)
def test_what_has_no_counterpart_is_kept_as_it_is(bedrock: Bedrock, block: dict[str, Any]) -> None:
    response = bedrock.answer(block)
    (name,) = block
    assert types(response) == [f"bedrock:{name}"]
    if "error" not in block.get("image", {}):
        assert bedrock.messages(*response["output"])[0]["content"] == [block]


def test_an_unknown_block_in_a_stream_is_shown(bedrock: Bedrock) -> None:
    events = [begun(), started(0, next={"a": 1}), delta(0, next={"b": 2}), stopped(0), ended(), counted()]
    (item,) = bedrock.stream(*events)["output"]
    assert (item["type"], item["deltas"]) == ("bedrock:next", [{"next": {"a": 1}}, {"next": {"b": 2}}])
    assert bedrock.warned(input=[item]) == ["input[0]"]


# ---- what must never look whole ---------------------------------------------------------------------

STORY = aws_stream(begun(), delta(0, text="Once upon"), stopped(0), ended(), counted())


@pytest.mark.parametrize("place", [3, 9, 20, 60, 150, 230])
def test_a_changed_bit_is_an_error(bedrock: Bedrock, place: int) -> None:
    damaged = bytearray(STORY)
    damaged[place] ^= 1
    response = bedrock.raw_stream(bytes(damaged))
    assert response["status"] == "failed"


def test_a_stream_cut_before_its_stop_never_completes(bedrock: Bedrock) -> None:
    end = STORY.index(b"messageStop") - 30
    for length in range(end):
        assert bedrock.raw_stream(STORY[:length] or b"\0", step=64)["status"] == "failed"


def test_what_follows_the_end_is_not_read(bedrock: Bedrock) -> None:
    response = bedrock.raw_stream(STORY + aws_stream(delta(1, text="!")))
    assert texts(response) == ["Once upon"]


def test_signatures_are_sealed_for_this_provider(bedrock: Bedrock) -> None:
    block = {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "c2lnL2Erc2ln"}}}
    (item,) = bedrock.answer(block, model=CLAUDE)["output"]
    assert state_in(item) == {"signature": "c2lnL2Erc2ln", "maker": "anthropic"}
    assert bedrock.messages(item)[0]["content"] == [block]


@pytest.mark.parametrize(
    "sealed", [{"redactedContent": "cmVk"}, {"reasoningText": {"text": "a", "signature": "s"}}]
)
def test_reasoning_of_another_maker_is_left_out(bedrock: Bedrock, sealed: dict[str, Any]) -> None:
    block = {"reasoningContent": sealed}
    output = bedrock.answer(block, {"text": "Hi"}, model=CLAUDE)["output"]
    for same in ("anthropic.claude-opus-4-1-20250805-v1:0", "arn:aws:bedrock:us-east-1:1:prompt/A"):
        assert bedrock.messages(*output, model=same)[0]["content"] == [block, {"text": "Hi"}]
    assert bedrock.messages(*output, model=NOVA)[0]["content"] == [{"text": "Hi"}]
    assert bedrock.warned(NOVA, input=output) == ["input[0]"]


def test_what_other_families_do_not_know_is_left_out(bedrock: Bedrock) -> None:
    use = {"toolUseId": "t", "name": "nova_grounding", "type": "server_tool_use", "input": {}}
    blocks = [
        {"toolUse": use},
        {"toolResult": {"toolUseId": "t", "content": [{"text": "x"}]}},
        {"citationsContent": {"content": [{"text": "4.0"}], "citations": [WEB]}},
    ]
    output = bedrock.answer(*blocks, model=NOVA)["output"]
    assert bedrock.messages(*output, model=NOVA)[0]["content"] == blocks
    assert bedrock.messages(*output, model=CLAUDE)[0]["content"] == blocks[2:]
    llama = bedrock.messages(output[1], model="us.meta.llama4-maverick-17b-instruct-v1:0")
    assert llama[0]["content"] == [{"text": "4.0"}]
