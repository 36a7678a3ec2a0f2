"""Requests: what goes where, and where hosts differ."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from dragoman.errors import BadRequestError
from dragoman.providers import load_provider
from dragoman_openai_compatible.hosts import HOSTS

CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
USER = {"type": "message", "role": "user", "content": "Hi"}
SCHEMA = {"type": "json_schema", "name": "a", "schema": {"type": "object"}}


def output(value, call_id="call_1"):
    return {"type": "function_call_output", "call_id": call_id, "output": value}


@pytest.mark.parametrize("name", HOSTS)
def test_every_row_is_an_entry_point_and_loads(name):
    project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())
    entry_points = project["project"]["entry-points"]["dragoman.providers"]
    assert entry_points == {row: f"dragoman_openai_compatible:{row}" for row in HOSTS}
    provider = load_provider(name)
    assert provider.native == HOSTS[name].native
    target = provider.target("m", {"api_key": "k", "api_base": "https://a.example/v1"})
    http = provider.translate_request({"input": [], "instructions": "x", "stream": False}, target)
    end = "/responses" if provider.native else "/chat/completions"
    assert http.url == f"https://a.example/v1{end}"


def test_an_address_may_be_whole_or_lack_its_known_end():
    provider = load_provider("ollama")
    for base in ("http://a:1", "http://a:1/v1/", "http://a:1/v1/chat/completions"):
        http = provider.translate_request(
            {"input": [], "instructions": "x", "stream": False}, provider.target("m", {"api_base": base})
        )
        assert http.url == "http://a:1/v1/chat/completions"
        assert "authorization" not in http.headers


def test_results_follow_their_call_and_what_they_show_follows_them(server):
    image = {"type": "input_image", "image_url": "https://a.example/a.png"}
    second = {**CALL, "call_id": "call_2"}
    messages = server.messages(
        USER,
        CALL,
        second,
        output([{"type": "input_text", "text": "see"}, image]),
        output("2", "call_2"),
        USER,
    )
    assert [m["role"] for m in messages] == ["user", "assistant", "tool", "tool", "user", "user"]
    assert messages[4]["content"][-1]["image_url"] == {"url": "https://a.example/a.png"}


def test_a_late_result_is_put_behind_its_call(server):
    messages = server.messages(CALL, USER, output("1"))
    assert [m["role"] for m in messages] == ["assistant", "tool", "user"]


def test_the_items_of_an_answer_are_one_message(server):
    said = {"type": "message", "role": "assistant", "content": "Let me see."}
    (message, _) = server.messages(said, CALL, output("1"))
    assert message["content"] == "Let me see."
    assert len(message["tool_calls"]) == 1


def test_efforts_are_said_in_three_ways(server):
    reasoning = {"effort": "high"}
    assert server.body("groq", reasoning=reasoning)["reasoning_effort"] == "high"
    assert server.body("openrouter", reasoning=reasoning)["reasoning"] == {"effort": "high"}
    assert server.body("zai", reasoning={"effort": "none"})["thinking"] == {"type": "disabled"}


def test_limits_choices_ids_and_usage_by_host(server):
    assert server.body("groq", max_output_tokens=50)["max_completion_tokens"] == 50
    tool = {"type": "function", "name": "f", "parameters": {"type": "object"}}
    body = server.body("mistral", tools=[tool], tool_choice="required", stream=True)
    assert (body["tool_choice"], "stream_options" in body) == ("any", False)
    assert server.body("groq", stream=True)["stream_options"] == {"include_usage": True}
    call, result = server.messages(CALL, output("1"), provider="mistral")
    assert call["tool_calls"][0]["id"] == result["tool_call_id"]
    assert len(result["tool_call_id"]) == 9


def test_a_schema_is_told_in_words_where_it_cannot_be_sent(server):
    assert server.body(text={"format": SCHEMA})["response_format"]["json_schema"]["name"] == "a"
    body = server.body("deepseek", text={"format": SCHEMA}, instructions="Be brief.")
    assert body["response_format"] == {"type": "json_object"}
    assert body["messages"][0]["content"].startswith("Be brief.\n\nAnswer with one JSON object")


def test_search_is_the_hosts_own_tool(server):
    tool = {"type": "web_search", "filters": {"allowed_domains": ["a.example"]}}
    assert server.body("openrouter", tools=[tool])["tools"] == [
        {"type": "openrouter:web_search", "parameters": {"allowed_domains": ["a.example"]}}
    ]
    assert server.body("perplexity", tools=[tool])["search_domain_filter"] == ["a.example"]


def test_text_alone_where_a_host_takes_no_parts(server):
    image = {"type": "input_image", "image_url": "https://a.example/a.png", "detail": "auto"}
    with pytest.raises(BadRequestError) as caught:
        server.messages({**USER, "content": [image, image]}, provider="deepseek")
    assert caught.value.param == "input[0].content[0]"


def test_audio_and_files(server):
    parts = [
        {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,aGk="},
    ]
    (message,) = server.messages({**USER, "content": parts})
    assert [part["type"] for part in message["content"]] == ["input_audio", "file"]
