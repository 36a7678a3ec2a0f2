"""Responses requests as Anthropic's: tables of what goes in and what comes out."""

from __future__ import annotations

import base64
import json

import pytest

from dragoman.errors import AuthenticationError, BadRequestError, UnsupportedParameterError
from dragoman.parameters import PARAMETERS
from dragoman.sealing import seal
from dragoman_anthropic.info import INFO

OLD = "claude-sonnet-4-20250514"
THINKER = "claude-sonnet-4-5"
NEW = "claude-opus-4-8"
HELLO = base64.b64encode(b"hello").decode()
SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}
CLOSED = {**SCHEMA, "additionalProperties": False}
FUNCTION = {"type": "function", "name": "f", "parameters": SCHEMA}
FORMAT = {"format": {"type": "json_schema", "name": "answer", "schema": SCHEMA}}


def message(role, *parts, **fields):
    return {"type": "message", "role": role, "content": list(parts), **fields}


def text(words, **fields):
    return {"type": "input_text", "text": words, **fields}


def said(words, **fields):
    return {"type": "text", "text": words, **fields}


def call(call_id, arguments="{}", **fields):
    return {"type": "function_call", "call_id": call_id, "name": "f", "arguments": arguments, **fields}


def result(call_id, output="done", **fields):
    return {"type": "function_call_output", "call_id": call_id, "output": output, **fields}


# ---- where to, and with which key ----------------------------------------------------------------------


@pytest.mark.parametrize("base", ["https://host", "https://host/", "https://host/v1", "https://host/v1/"])
def test_the_base_may_end_as_it_likes(claude, base):
    assert claude.http(settings={"api_key": "k", "api_base": base}).url == "https://host/v1/messages"


def test_headers(claude):
    assert claude.http().headers == {"x-api-key": "key", "anthropic-version": "2023-06-01"}
    assert claude.http(settings={"auth_token": "t"}).headers["authorization"] == "Bearer t"


def test_without_credentials_the_error_names_where_it_looked(claude):
    with pytest.raises(AuthenticationError, match=r"api_key.*ANTHROPIC_API_KEY.*ANTHROPIC_AUTH_TOKEN"):
        claude.http(settings={})


def test_a_plain_question(claude):
    assert claude.body() == {
        "model": NEW,
        "max_tokens": 64000,
        "messages": [{"role": "user", "content": [said("Hi")]}],
    }
    assert claude.body(stream=True)["stream"] is True


# ---- parameters ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "request_", "expected"),
    [
        (NEW, {"instructions": "Be brief."}, {"system": "Be brief."}),
        (NEW, {"max_output_tokens": 100}, {"max_tokens": 100}),
        ("claude-3-haiku-20240307", {}, {"max_tokens": 4096}),
        ("claude-3-5-haiku-latest", {}, {"max_tokens": 8192}),
        ("claude-opus-4-1-20250805", {}, {"max_tokens": 32000}),
        (NEW, {"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "top_p": 0.9}),
        (NEW, {"user": "u"}, {"metadata": {"user_id": "u"}}),
        (NEW, {"user": "u", "safety_identifier": "s"}, {"metadata": {"user_id": "s"}}),
        (NEW, {"service_tier": "default"}, {"service_tier": "standard_only"}),
        (NEW, {"prompt_cache_options": {"mode": "implicit"}}, {"cache_control": {"type": "ephemeral"}}),
        (
            NEW,
            {"prompt_cache_options": {"mode": "implicit", "ttl": "12h"}},
            {"cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ),
        # thinking
        (
            NEW,
            {"reasoning": {"effort": "xhigh", "summary": "auto"}},
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "xhigh"}},
        ),
        (NEW, {"reasoning": {"effort": "minimal"}}, {"output_config": {"effort": "low"}}),
        (NEW, {"reasoning": {"effort": "none"}}, {"thinking": {"type": "disabled"}}),
        (
            THINKER,
            {"reasoning": {"effort": "low"}, "max_output_tokens": 500},
            {"thinking": {"type": "enabled", "budget_tokens": 2048}, "max_tokens": 2548},
        ),
        (
            "claude-opus-4-1",
            {"reasoning": {"effort": "max"}},
            {"thinking": {"type": "enabled", "budget_tokens": 30976}, "max_tokens": 32000},
        ),
        (
            THINKER,
            {"thinking": {"type": "enabled", "budget_tokens": 2000}, "reasoning": {"effort": "high"}},
            {"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 64000},
        ),
        # forms
        (NEW, {"text": FORMAT}, {"output_config": {"format": {"type": "json_schema", "schema": CLOSED}}}),
        (
            NEW,
            {"text": FORMAT, "reasoning": {"effort": "low"}},
            {"output_config": {"effort": "low", "format": {"type": "json_schema", "schema": CLOSED}}},
        ),
        (OLD, {"text": FORMAT}, {"tool_choice": {"type": "tool", "name": "dragoman_json_response"}}),
        (OLD, {"text": FORMAT, "tools": [FUNCTION]}, {"tool_choice": {"type": "any"}}),
        # compaction
        (
            NEW,
            {"context_management": [{"type": "compaction", "compact_threshold": 50000}]},
            {
                "context_management": {
                    "edits": [
                        {"type": "compact_20260112", "trigger": {"type": "input_tokens", "value": 50000}}
                    ]
                }
            },
        ),
        (
            NEW,
            {"context_management": [{"type": "clear_thinking_20251015"}]},
            {"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}},
        ),
        # what only Anthropic has
        (NEW, {"top_k": 5, "stop": "END"}, {"top_k": 5, "stop_sequences": ["END"]}),
        (NEW, {"container": "container_1"}, {"container": "container_1"}),
    ],
)
def test_parameters(claude, model, request_, expected):
    body = claude.body(model, **request_)
    assert {name: body.get(name) for name in expected} == expected


def test_json_object_is_asked_for(claude):
    assert (
        "JSON"
        in claude.body(instructions="Hi", text={"format": {"type": "json_object"}})["system"][1]["text"]
    )


def test_a_forced_answer_is_only_asked_for_beside_thinking(claude):
    body = claude.body(OLD, text=FORMAT, reasoning={"effort": "low"})
    assert "tool_choice" not in body
    assert "dragoman_json_response" in body["system"]


@pytest.mark.parametrize(
    ("model", "request_", "param"),
    [
        (NEW, {"service_tier": "flex"}, "service_tier"),
        (NEW, {"max_tool_calls": 3}, "max_tool_calls"),
        ("claude-opus-4-6", {"reasoning": {"effort": "xhigh"}}, "reasoning.effort"),
        ("claude-3-5-haiku", {"reasoning": {"effort": "low"}}, "reasoning.effort"),
        (THINKER, {"reasoning": {"summary": "auto"}}, "reasoning.summary"),
        (OLD, {"tools": [{**FUNCTION, "strict": True}]}, "tools[0].strict"),
        (
            NEW,
            {"tools": [{"type": "web_search", "search_context_size": "low"}]},
            "tools[0].search_context_size",
        ),
        (NEW, {"input": [{"type": "reasoning", "summary": []}]}, "input[0]"),
        (
            NEW,
            {
                "input": [
                    message("user", {"type": "input_image", "image_url": "https://a/b.png", "detail": "low"})
                ]
            },
            "input[0].content[0].detail",
        ),
    ],
)
def test_what_a_model_cannot_honour_is_told(claude, model, request_, param):
    assert [warning["param"] for warning in claude.http(model, **request_).warnings] == [param]


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_has_a_policy(name):
    nested = {feature.partition(".")[0] for feature in INFO.parameters if "." in feature}
    assert name in INFO.parameters or name in nested


# ---- tools ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tool", "expected", "beta"),
    [
        (FUNCTION, {"name": "f", "input_schema": SCHEMA}, None),
        (
            {"type": "function", "name": "g"},
            {"name": "g", "input_schema": {"type": "object", "properties": {}}},
            None,
        ),
        ({**FUNCTION, "strict": True}, {"name": "f", "input_schema": SCHEMA, "strict": True}, None),
        ({**FUNCTION, "strict": False}, {"name": "f", "input_schema": SCHEMA}, None),
        (
            {**FUNCTION, "defer_loading": True},
            {"name": "f", "input_schema": SCHEMA, "defer_loading": True},
            "advanced-tool-use-2025-11-20",
        ),
        (
            {
                "type": "web_search",
                "filters": {"allowed_domains": ["a.org"]},
                "user_location": {"type": "approximate", "country": "FR", "city": None},
            },
            {
                "type": "web_search_20250305",
                "name": "web_search",
                "allowed_domains": ["a.org"],
                "user_location": {"type": "approximate", "country": "FR"},
            },
            None,
        ),
        (
            {"type": "code_interpreter", "container": {"type": "auto"}},
            {"type": "code_execution_20250825", "name": "code_execution"},
            "code-execution-2025-08-25",
        ),
        (
            {
                "type": "mcp",
                "server_label": "wiki",
                "server_url": "https://wiki/mcp",
                "require_approval": "never",
                "allowed_tools": ["ask"],
            },
            {
                "type": "mcp_toolset",
                "mcp_server_name": "wiki",
                "default_config": {"enabled": False},
                "configs": {"ask": {"enabled": True}},
            },
            "mcp-client-2025-11-20",
        ),
        (
            {"type": "web_search_20991231", "name": "web_search", "max_uses": 2},
            {"type": "web_search_20991231", "name": "web_search", "max_uses": 2},
            None,
        ),
    ],
)
def test_tools(claude, tool, expected, beta):
    http = claude.http(tools=[tool])
    assert http.json["tools"] == [expected]
    assert http.headers.get("anthropic-beta") == beta


def test_mcp_servers(claude):
    tool = {
        "type": "mcp",
        "server_label": "wiki",
        "server_url": "https://wiki/mcp",
        "authorization": "token",
        "require_approval": "never",
    }
    assert claude.body(tools=[tool])["mcp_servers"] == [
        {"type": "url", "name": "wiki", "url": "https://wiki/mcp", "authorization_token": "token"}
    ]


def test_files_go_into_the_container(claude):
    tool = {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file_1"]}}
    body = claude.body(tools=[tool])
    assert body["messages"][0]["content"][-1] == {"type": "container_upload", "file_id": "file_1"}


def test_max_tool_calls_limits_searches(claude):
    assert claude.body(tools=[{"type": "web_search"}], max_tool_calls=2)["tools"][0]["max_uses"] == 2


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ({"tool_choice": "auto"}, None),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": {"type": "function", "name": "f"}}, {"type": "tool", "name": "f"}),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        (
            {"tool_choice": "required", "parallel_tool_calls": False},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
    ],
)
def test_tool_choice(claude, request_, expected):
    assert claude.body(tools=[FUNCTION], **request_).get("tool_choice") == expected


# ---- items ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (text("Hi"), said("Hi")),
        (
            text("Hi", cache_control={"type": "ephemeral", "ttl": "1h"}),
            said("Hi", cache_control={"type": "ephemeral", "ttl": "1h"}),
        ),
        (
            text("Hi", prompt_cache_breakpoint={"mode": "explicit"}),
            said("Hi", cache_control={"type": "ephemeral"}),
        ),
        (
            {"type": "input_image", "image_url": "https://a/b.png"},
            {"type": "image", "source": {"type": "url", "url": "https://a/b.png"}},
        ),
        (
            {"type": "input_image", "image_url": f"data:image/jpg;base64,{HELLO}"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": HELLO}},
        ),
        (
            {"type": "input_image", "file_id": "file_1"},
            {"type": "image", "source": {"type": "file", "file_id": "file_1"}},
        ),
        (
            {"type": "input_file", "file_data": f"data:application/pdf;base64,{HELLO}", "filename": "a.pdf"},
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": HELLO},
                "title": "a.pdf",
            },
        ),
        (
            {"type": "input_file", "file_data": HELLO, "filename": "a.txt"},
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "hello"},
                "title": "a.txt",
            },
        ),
        (
            {"type": "input_file", "file_url": "https://a/b.pdf", "citations": {"enabled": True}},
            {
                "type": "document",
                "source": {"type": "url", "url": "https://a/b.pdf"},
                "citations": {"enabled": True},
            },
        ),
        ({"type": "search_result", "source": "s"}, {"type": "search_result", "source": "s"}),
    ],
)
def test_parts(claude, part, expected):
    assert claude.messages([message("user", part)])[0]["content"] == [expected]
    call_and_result = [message("user", text("Hi")), call("c"), result("c", [part])]
    assert claude.messages(call_and_result)[2]["content"][0]["content"] == [expected]


def test_uploaded_files_need_a_beta(claude):
    http = claude.http(input=[message("user", {"type": "input_file", "file_id": "file_1"})])
    assert http.headers["anthropic-beta"] == "files-api-2025-04-14"


def test_turns_alternate_and_results_come_first(claude):
    items = [
        message("user", text("one")),
        message("assistant", {"type": "output_text", "text": "two"}),
        call("a", '{"x": 1}'),
        call("b.1", " "),
        message("user", text("three")),
        result("a"),
        result("b.1", "failed", status="incomplete"),
    ]
    assert claude.messages(items) == [
        {"role": "user", "content": [said("one")]},
        {
            "role": "assistant",
            "content": [
                said("two"),
                {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}},
                {"type": "tool_use", "id": "b_1", "name": "f", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": [said("done")]},
                {"type": "tool_result", "tool_use_id": "b_1", "content": [said("failed")], "is_error": True},
                said("three"),
            ],
        },
    ]


def test_system_messages_at_the_start_are_the_system_prompt(claude):
    body = claude.body(instructions="A", input=[message("developer", text("B")), message("user", text("Hi"))])
    assert body["system"] == [said("A"), said("B")]
    assert len(body["messages"]) == 1


def test_later_system_messages_keep_their_turn(claude):
    items = [message("user", text("one")), message("system", text("new rule")), message("user", text("two"))]
    assert claude.messages(items) == [
        {"role": "user", "content": [said("one"), said("two")]},
        {"role": "system", "content": [said("new rule")]},
    ]
    older = claude.messages(items, OLD)
    assert older == [
        {"role": "user", "content": [said("one"), said("<system>\nnew rule\n</system>"), said("two")]}
    ]


def test_a_cut_off_call_has_the_input_that_the_api_gives_it(claude):
    items = [message("user", text("Hi")), call("a", '{"x": 1', status="incomplete")]
    assert claude.messages(items)[1]["content"][0]["input"] == {}


def test_a_waiting_program_gets_its_container(claude):
    waiting = seal("anthropic", {"caller": {"type": "code_execution_20260120", "tool_id": "s"}})
    container = {
        "type": "anthropic:container",
        "encrypted_content": seal("anthropic", {"container": "container_1"}),
    }
    items = [message("user", text("Hi")), call("a", encrypted_content=waiting), container, result("a")]
    body = claude.body(input=items)
    assert body["container"] == "container_1"
    assert body["messages"][1]["content"][0]["caller"]["tool_id"] == "s"
    done = [
        *items,
        message("assistant", {"type": "output_text", "text": "ok"}),
        message("user", text("Thanks")),
    ]
    assert "container" not in claude.body(input=done)


# ---- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        ({"temperature": 1.5}, "temperature"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"context_management": [{"type": "forget"}]}, "context_management[0]"),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["v"]}]}, "tools[0]"),
        ({"tools": [{"type": "telepathy"}]}, "tools[0]"),
        ({"tools": [{"type": "web_search", "external_web_access": False}]}, "tools[0].external_web_access"),
        ({"tools": [{"type": "mcp", "server_label": "a", "connector_id": "c"}]}, "tools[0]"),
        (
            {"tools": [{"type": "mcp", "server_label": "a", "server_url": "https://a"}]},
            "tools[0].require_approval",
        ),
        ({"tools": [{"type": "tool_search", "execution": "client"}]}, "tools[0].execution"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"input": [{"type": "item_reference", "id": "x"}]}, "input[0]"),
        ({"input": [{"type": "web_search_call", "id": "x", "status": "completed"}]}, "input[0]"),
        ({"input": [message("user", {"type": "input_audio"})]}, "input[0].content[0]"),
        (
            {
                "input": [
                    message(
                        "user", text("a"), {"type": "input_image", "image_url": "data:image/bmp;base64,AA"}
                    )
                ]
            },
            "input[0].content[1].image_url",
        ),
        (
            {"input": [message("user", {"type": "input_file", "file_data": "AA", "filename": "a.zip"})]},
            "input[0].content[0].file_data",
        ),
        (
            {"input": [message("user", {"type": "input_file", "file_data": "A", "filename": "a.txt"})]},
            "input[0].content[0].file_data",
        ),
        ({"input": [call("a", "{")]}, "input[0].arguments"),
        ({"input": [call("a", "[1]")]}, "input[0].arguments"),
        (
            {"input": [{"type": "reasoning", "summary": [], "encrypted_content": "dragoman:anthropic:%"}]},
            "input[0].encrypted_content",
        ),
    ],
)
def test_what_cannot_be_carried_is_named(claude, request_, param):
    with pytest.raises(BadRequestError) as caught:
        claude.body(THINKER, **request_)
    assert caught.value.param == param


def test_what_has_no_counterpart_is_unsupported(claude):
    with pytest.raises(UnsupportedParameterError):
        claude.body(moderation={"model": "m"})


def test_the_body_is_json(claude):
    json.dumps(claude.body(tools=[FUNCTION, {"type": "web_search"}], text=FORMAT))


def test_a_system_message_between_two_answers_stays_between_them(claude):
    answer = message("assistant", {"type": "output_text", "text": "yes"})
    items = [message("user", text("Hi")), answer, message("system", text("new rule")), answer]
    assert [turn["role"] for turn in claude.messages(items)] == ["user", "assistant", "system", "assistant"]
