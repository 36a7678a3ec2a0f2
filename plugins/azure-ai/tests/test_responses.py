"""What Foundry's models and Claude answer, with their oddities."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

from dragoman.sealing import sealed_by
from dragoman.testing import sse_stream

DELTA = {"role": None, "content": None, "reasoning_content": None, "tool_calls": None}


def chunk(finish=None, usage=None, **delta):
    choice = {"index": 0, "delta": {**DELTA, **delta}, "logprobs": None, "finish_reason": finish}
    return {"id": "7f", "object": "chat.completion.chunk", "model": "m", "choices": [choice], "usage": usage}


def test_deepseek_reasons_beside_its_text_and_gets_it_back(foundry):
    """``reasoning_content`` in the deltas, every other field of which is null."""
    wire = sse_stream(
        chunk(role="assistant", content=""),
        chunk(reasoning_content="We need"),
        chunk(reasoning_content=" a holiday."),
        chunk(content="Unicorn Day"),
        chunk(finish="stop", usage={"prompt_tokens": 5, "completion_tokens": 9, "total_tokens": 14}),
        end=b"[DONE]",
    )
    output = foundry.streamed("DeepSeek-V3.2", wire)["output"]
    assert [item["type"] for item in output] == ["reasoning", "message"]
    assert output[0]["content"][0]["text"] == "We need a holiday."
    assert sealed_by(output[0]["encrypted_content"]) == "azure_ai"
    back = foundry.body("DeepSeek-V3.2", input=[*output, {"role": "user", "content": "And?"}])
    assert back["messages"][0] == {
        "role": "assistant",
        "content": "Unicorn Day",
        "reasoning_content": "We need a holiday.",
    }


def test_azures_first_chunk_is_about_the_prompt_alone(foundry):
    """No choices, no model; then a choice without a delta; filter results all the way."""
    fine = {"hate": {"filtered": False, "severity": "safe"}}
    first = {"id": "", "object": "", "created": 0, "model": "", "choices": []}
    bare = {"index": 0, "finish_reason": None, "content_filter_offsets": {}, "content_filter_results": fine}
    wire = sse_stream(
        {**first, "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": fine}]},
        chunk(role="assistant", content=""),
        {**chunk(), "choices": [bare]},
        chunk(content="Hello"),
        chunk(finish="stop"),
        end=b"[DONE]",
    )
    response = foundry.streamed("gpt-4.1", wire)
    assert response["model"] == "m"
    assert response["output"][0]["content"][0]["text"] == "Hello"


def test_a_filtered_answer_has_no_message_at_all(foundry):
    choice = {
        "index": 0,
        "finish_reason": "content_filter",
        "content_filter_results": {"hate": {"filtered": True, "severity": "high"}},
    }
    response = foundry.whole("gpt-4.1", {"id": "c", "model": "gpt-4.1", "choices": [choice]})
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "content_filter"}
    assert response["output"] == []


def test_grok_tells_more_cached_tokens_than_the_prompt_had(foundry):
    usage = {
        "prompt_tokens": 12,
        "completion_tokens": 3,
        "total_tokens": 15,
        "prompt_tokens_details": {"cached_tokens": 128},
    }
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi"}}
    response = foundry.whole("grok-4", {"id": "c", "model": "grok-4", "choices": [choice], "usage": usage})
    assert response["usage"]["input_tokens"] == 12
    assert response["usage"]["input_tokens_details"]["cached_tokens"] == 12


def test_claude_may_leave_out_the_caches_counters(foundry):
    """Neither they nor ``stop_sequence`` are there; ``inference_geo`` is."""
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-5",
        "content": [{"type": "text", "text": "Hello."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 9, "output_tokens": 4, "service_tier": "standard", "inference_geo": "eu"},
    }
    response = foundry.whole("claude-opus-5", message)
    assert response["status"] == "completed"
    assert response["usage"]["total_tokens"] == 13
    assert response["usage"]["input_tokens_details"] == {"cached_tokens": 0, "cache_write_tokens": 0}
