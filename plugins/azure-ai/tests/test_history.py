"""A conversation that moves between the wires of one resource: what goes along, and what is left out."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

import json

import pytest

from dragoman.errors import UnsupportedParameterError
from dragoman.sealing import seal, sealed_by

HELLO = {"role": "user", "content": "Hello"}
RESULT = {"type": "function_call_output", "call_id": "toolu_1", "output": "done"}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5",
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {
            "type": "tool_use",
            "id": "toolu_1",
            "name": "f",
            "input": {},
            "caller": {"type": "code_execution_20260120", "tool_id": "srvtoolu_9"},
        },
    ],
    "stop_reason": "tool_use",
    "usage": {"input_tokens": 9, "output_tokens": 4},
}
DELTA = {"role": "assistant", "content": "Hi", "reasoning_content": "Hm."}
COMPLETION = {
    "id": "c",
    "model": "DeepSeek-V3.2",
    "choices": [{"index": 0, "message": DELTA, "finish_reason": "stop"}],
}
TOOLS = [{"type": "function", "name": "f", "parameters": {"type": "object"}}]


@pytest.fixture
def claudes(foundry):
    output = foundry.whole("claude-opus-5", MESSAGE, tools=TOOLS)["output"]
    return json.loads(json.dumps(output))


@pytest.fixture
def deepseeks(foundry):
    return json.loads(json.dumps(foundry.whole("DeepSeek-V3.2", COMPLETION)["output"]))


def test_each_wire_seals_in_its_own_name(claudes, deepseeks):
    assert sealed_by(claudes[0]["encrypted_content"]) == "azure_ai.messages"
    assert sealed_by(deepseeks[0]["encrypted_content"]) == "azure_ai"


def test_claude_gets_its_signature_back_and_nobody_else(foundry, claudes):
    items = [HELLO, *claudes, RESULT]
    blocks = foundry.body("claude-opus-5", input=items)["messages"][1]["content"]
    assert blocks == MESSAGE["content"]
    body = foundry.body("grok-4", input=items)
    assert body["messages"][1]["tool_calls"][0]["function"]["name"] == "f"
    assert "c2ln" not in str(body)
    assert foundry.warned("grok-4", input=items) == ["input[1]"]


def test_deepseek_gets_its_thoughts_back_and_nobody_else(foundry, deepseeks):
    items = [*deepseeks, HELLO]
    assert foundry.body("DeepSeek-V3.2", input=items)["messages"][0] == DELTA
    assert "Hm." not in str(foundry.body("claude-opus-5", input=items))
    assert foundry.warned("claude-opus-5", input=items) == ["input[0]"]


def test_the_responses_api_is_not_given_what_others_sealed(foundry, claudes):
    items = [HELLO, *claudes, RESULT]
    sent = foundry.body("responses/gpt", input=items)["input"]
    assert [item.get("type") for item in sent] == [None, "function_call", "function_call_output"]
    assert "dragoman:" not in str(sent)
    assert foundry.warned("responses/gpt", input=items) == ["input[1]"]


def test_what_openai_encrypted_is_for_the_responses_api_alone(foundry):
    thought = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "Z0FBQUFB"}
    assert foundry.body("responses/gpt", input=[thought, HELLO])["input"][0] == thought
    assert foundry.warned("grok-4", input=[thought, HELLO]) == ["input[0]"]


def test_a_compaction_of_claudes_stands_for_what_nobody_else_knows(foundry):
    block = {"type": "compaction", "content": "They greeted."}
    compaction = {"type": "compaction", "encrypted_content": seal("azure_ai.messages", {"block": block})}
    with pytest.raises(UnsupportedParameterError) as caught:
        foundry.body("grok-4", input=[compaction, HELLO])
    assert caught.value.param == "input[0]"
