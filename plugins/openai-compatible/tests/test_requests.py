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
    assert provider.info.native == HOSTS[name].native
    target = provider.target("m", {"api_key": "k", "api_base": "https://a.example/v1"})
    http = provider.translate_request({"input": [], "instructions": "x", "stream": False}, target)
    end = "/responses" if provider.info.native else "/chat/completions"
    assert http.url == f"https://a.example/v1{end}"


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


@pytest.mark.parametrize(
    ("host", "effort", "said"),
    [
        ("openai_compatible", "minimal", {"reasoning_effort": "minimal"}),
        ("groq", "high", {"reasoning_effort": "high"}),
        ("groq", "minimal", {"reasoning_effort": "low"}),
        ("cerebras", "xhigh", {"reasoning_effort": "high"}),
        ("perplexity", "none", {"reasoning_effort": "minimal"}),
        ("openrouter", "high", {"reasoning": {"effort": "high"}}),
        ("deepseek", "low", {"thinking": {"type": "enabled"}, "reasoning_effort": "low"}),
        ("zai", "none", {"thinking": {"type": "disabled"}}),
    ],
)
def test_each_host_is_told_an_effort_that_it_knows(server, host, effort, said):
    body = server.body(host, reasoning={"effort": effort})
    assert {
        name: body[name] for name in body if name in {"reasoning_effort", "reasoning", "thinking"}
    } == said


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
    assert "tools" not in server.body("perplexity", tools=[tool])


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


def test_a_host_may_have_its_own_form_for_files(server):
    data = "data:application/pdf;base64,aGk="
    parts = [
        {"type": "input_file", "filename": "a.pdf", "file_data": data},
        {"type": "input_file", "file_url": "https://a.example/a.pdf"},
        {"type": "input_file", "file_id": "file-1"},
    ]
    (message,) = server.messages({**USER, "content": parts}, provider="mistral")
    assert message["content"] == [
        {"type": "document_url", "document_url": data, "document_name": "a.pdf"},
        {"type": "document_url", "document_url": "https://a.example/a.pdf"},
        {"type": "file", "file_id": "file-1"},
    ]
    (message,) = server.messages({**USER, "content": parts[1:]}, provider="openrouter")
    assert message["content"][0] == {"type": "file", "file": {"file_data": "https://a.example/a.pdf"}}


@pytest.mark.parametrize(
    ("part", "param"),
    [
        ({"type": "input_image", "file_id": "file-1"}, "input[0].content[0]"),
        ({"type": "input_file", "file_url": "https://a.example/a.pdf"}, "input[0].content[0].file_url"),
        ({"type": "input_file", "filename": "a.pdf"}, "input[0].content[0]"),
        ({"type": "input_audio"}, "input[0].content[0]"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_its_place(server, part, param):
    with pytest.raises(BadRequestError) as caught:
        server.messages({**USER, "content": [part]})
    assert caught.value.param == param


def test_mistral_hears_the_assistant_between_results_and_the_user(server):
    image = {"type": "input_image", "image_url": "https://a.example/a.png"}
    messages = server.messages(CALL, output([image]), USER, provider="mistral")
    assert [m["role"] for m in messages] == ["assistant", "tool", "assistant", "user", "user"]
    answered = {"type": "message", "role": "assistant", "content": "Done."}
    messages = server.messages(CALL, output("1"), answered, USER, provider="mistral")
    assert [m["role"] for m in messages] == ["assistant", "tool", "assistant", "user"]


def test_text_on_both_sides_of_a_call_stays_whole_with_its_marks(server):
    marked = {"type": "output_text", "text": "One.", "cache_control": {"type": "ephemeral"}}
    said = {"type": "message", "role": "assistant", "content": [marked]}
    more = {**said, "content": [{"type": "output_text", "text": " Two."}]}
    message, _ = server.messages(said, CALL, more, output("1"))
    assert [part["text"] for part in message["content"]] == ["One.", " Two."]
    assert message["content"][0]["cache_control"] == {"type": "ephemeral"}
    assert len(message["tool_calls"]) == 1


def test_a_mark_of_openais_cache_goes_where_it_is_known(server):
    mark = {"prompt_cache_breakpoint": {"mode": "explicit"}}
    item = {**USER, "content": [{"type": "input_text", "text": "Hi", **mark}]}
    assert server.messages(item)[0]["content"] == [{"type": "text", "text": "Hi", **mark}]
    assert server.messages(item, provider="groq")[0]["content"] == "Hi"
    assert server.warned("groq", input=[item]) == ["input[0].content[0].prompt_cache_breakpoint"]


def test_developers_speak_as_the_system(server):
    roles = [m["role"] for m in server.messages({**USER, "role": "developer"}, USER)]
    assert roles == ["system", "user"]
    (message,) = server.messages({**USER, "role": "developer"}, provider="openrouter")
    assert message["role"] == "developer"


TOOL = {"type": "function", "name": "f"}
OTHER = {"type": "function", "name": "g"}


def test_choices(server):
    body = server.body(tools=[TOOL, OTHER], tool_choice={"type": "function", "name": "f"})
    assert body["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert server.body(tools=[TOOL], tool_choice="none")["tool_choice"] == "none"
    allowed = {"type": "allowed_tools", "mode": "required", "tools": [TOOL]}
    body = server.body(tools=[TOOL, OTHER], tool_choice=allowed)
    assert [tool["function"]["name"] for tool in body["tools"]] == ["f"]
    assert body["tool_choice"] == "required"


def test_a_function_without_parameters_has_none_to_fill_in(server):
    (tool,) = server.body(tools=[TOOL])["tools"]
    assert tool["function"]["parameters"] == {"type": "object", "properties": {}}


def test_a_call_cannot_be_demanded_everywhere(server):
    for choice in ("required", {"type": "function", "name": "f"}):
        with pytest.raises(BadRequestError) as caught:
            server.body("zai", tools=[TOOL], tool_choice=choice)
        assert caught.value.param == "tool_choice"
    body = server.body("zai", tools=[TOOL], tool_choice="none")
    assert not {"tools", "tool_choice"} & set(body)
    with pytest.raises(BadRequestError) as caught:
        server.body("perplexity", tools=[TOOL])
    assert caught.value.param == "tools[0]"


def test_readable_reasoning_of_others_goes_where_there_is_a_field_for_it(server):
    thought = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]}
    said = {"type": "message", "role": "assistant", "content": "Hi"}
    assert server.messages(thought, said, provider="deepseek") == [
        {"role": "assistant", "reasoning_content": "Hm", "content": "Hi"}
    ]
    assert server.messages(thought, said) == [{"role": "assistant", "content": "Hi"}]
    assert server.warned(input=[thought, said]) == ["input[0]"]


def test_sampling_and_logprobs_keep_their_names(server):
    body = server.body(top_logprobs=3, temperature=0.5, seed=7, stop=["END"], user="u")
    assert (body["logprobs"], body["top_logprobs"], body["seed"], body["stop"]) == (True, 3, 7, ["END"])
    assert server.body(include=["message.output_text.logprobs"])["logprobs"] is True
    assert server.warned("groq", top_logprobs=3) == ["top_logprobs"]


def test_the_hosts_own_parameters_go_out_as_they_are(server):
    routing = {"provider": {"only": ["anthropic"]}, "plugins": [{"id": "file-parser"}]}
    assert routing.items() <= server.body("openrouter", **routing).items()
