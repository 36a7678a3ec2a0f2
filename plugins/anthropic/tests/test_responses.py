"""Anthropic's answers, with their oddities, as Responses."""

from __future__ import annotations

import json

import pytest

from dragoman.sealing import seal, unseal
from dragoman.tools import Tool, ToolNames

USAGE = {"input_tokens": 10, "output_tokens": 5}
START = {
    "type": "message_start",
    "message": {"id": "msg_1", "model": "claude-x", "content": [], "usage": USAGE},
}
STOP = {"type": "message_stop"}
PING = {"type": "ping"}


def opened(index, **block):
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index, type_, **fields):
    return {"type": "content_block_delta", "index": index, "delta": {"type": type_, **fields}}


def closed(index):
    return {"type": "content_block_stop", "index": index}


def finished(reason="end_turn", usage=None, **fields):
    return {"type": "message_delta", "delta": {"stop_reason": reason, **fields}, "usage": usage or {}}


def text(words, **fields):
    return {"type": "text", "text": words, **fields}


def unsealed(item):
    return unseal("anthropic", item["encrypted_content"], param="")


def replayed(claude, response):
    items = [{"type": "message", "role": "user", "content": "Hi"}, *response["output"]]
    return claude.messages(items)[1:]


# ---- text and citations --------------------------------------------------------------------------------


def test_text_blocks_are_parts_of_one_message_and_empty_ones_vanish(claude):
    response = claude.answer(text("one"), text(""), text(" "), text("two"))
    (message,) = response["output"]
    assert [part["text"] for part in message["content"]] == ["one", " ", "two"]
    assert response["model"] == "claude-opus-4-8"


def test_an_empty_answer_is_complete(claude):
    response = claude.answer()
    assert (response["status"], response["output"]) == ("completed", [])


@pytest.mark.parametrize(
    ("citation", "annotation"),
    [
        (
            {"type": "web_search_result_location", "url": "https://a", "title": "A", "encrypted_index": "E"},
            {"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 4},
        ),
        (
            {
                "type": "search_result_location",
                "source": "https://s",
                "title": None,
                "search_result_index": 0,
            },
            {"type": "url_citation", "url": "https://s", "title": "", "start_index": 0, "end_index": 4},
        ),
        (
            {"type": "page_location", "document_index": 2, "document_title": "Doc", "start_page_number": 1},
            {"type": "file_citation", "file_id": "Doc", "filename": "Doc", "index": 2},
        ),
        (
            {"type": "char_location", "document_index": 0, "document_title": None, "file_id": "file_1"},
            {"type": "file_citation", "file_id": "file_1", "filename": "", "index": 0},
        ),
    ],
)
def test_citations_are_readable_and_come_back_verbatim(claude, citation, annotation):
    block = text("cite", citations=[citation])
    response = claude.answer(block)
    (written,) = response["output"][0]["content"][0]["annotations"]
    assert written == {**annotation, "encrypted_content": seal("anthropic", citation)}
    assert replayed(claude, response)[0]["content"] == [block]


# ---- thinking ------------------------------------------------------------------------------------------


def test_thinking_keeps_its_signature(claude):
    blocks = [
        {"type": "thinking", "thinking": "hm", "signature": "sig+/=="},
        {"type": "redacted_thinking", "data": "xyz"},
        text("so"),
    ]
    response = claude.answer(*blocks)
    assert response["output"][0]["summary"] == [{"type": "summary_text", "text": "hm"}]
    assert replayed(claude, response)[0]["content"] == blocks


@pytest.mark.parametrize("deltas", [[], [delta(0, "thinking_delta", thinking="")]])
def test_thinking_may_be_a_signature_alone(claude, deltas):
    response = claude.stream(
        [
            START,
            opened(0, type="thinking", thinking="", signature=""),
            *deltas,
            delta(0, "signature_delta", signature="sig"),
            closed(0),
            finished(),
            STOP,
        ]
    )
    (item,) = response["output"]
    assert item["summary"] == []
    assert unsealed(item) == {"signature": "sig"}


def test_unsigned_thinking_is_shown_but_not_sent_back(claude):
    response = claude.answer({"type": "thinking", "thinking": "hm"}, text("so"))
    assert "encrypted_content" not in response["output"][0]
    assert replayed(claude, response)[0]["content"] == [text("so")]


# ---- calls ---------------------------------------------------------------------------------------------


def test_a_call_streams_its_arguments_verbatim(claude):
    response = claude.stream(
        [
            START,
            PING,
            opened(0, type="tool_use", id="toolu_1", name="f", input={}),
            delta(0, "input_json_delta", partial_json=""),
            delta(0, "input_json_delta", partial_json='{"x":'),
            PING,
            delta(0, "input_json_delta", partial_json=" 1}"),
            closed(0),
            finished("tool_use"),
            STOP,
        ]
    )
    (call,) = response["output"]
    assert (call["call_id"], call["name"], call["arguments"]) == ("toolu_1", "f", '{"x": 1}')
    assert "caller" not in call
    assert response["status"] == "completed"


@pytest.mark.parametrize("deltas", [[], [delta(0, "input_json_delta", partial_json="")]])
def test_a_call_without_arguments_is_an_empty_object(claude, deltas):
    events = [
        START,
        opened(0, type="tool_use", id="t", name="f", input={}),
        *deltas,
        closed(0),
        finished("tool_use"),
    ]
    assert claude.stream([*events, STOP])["output"][0]["arguments"] == "{}"


def test_input_that_comes_with_the_start_counts(claude):
    events = [
        START,
        opened(0, type="tool_use", id="t", name="f", input={"x": 1}),
        closed(0),
        finished("tool_use"),
    ]
    assert claude.stream([*events, STOP])["output"][0]["arguments"] == '{"x": 1}'


def test_a_call_that_max_tokens_cuts_is_incomplete(claude):
    streamed = claude.stream(
        [
            START,
            opened(0, type="tool_use", id="t", name="f", input={}),
            delta(0, "input_json_delta", partial_json='{"x": 48'),
            finished("max_tokens"),
            STOP,
        ]
    )
    whole = claude.answer({"type": "tool_use", "id": "t", "name": "f", "input": {}}, stop_reason="max_tokens")
    for response, arguments in ((streamed, '{"x": 48'), (whole, "")):
        assert response["incomplete_details"] == {"reason": "max_output_tokens"}
        assert response["output"][0]["status"] == "incomplete"
        assert response["output"][0]["arguments"] == arguments
        assert replayed(claude, response)[0]["content"][0]["input"] == {}


def test_calls_of_programs_say_who_called(claude):
    caller = {"type": "code_execution_20260120", "tool_id": "srvtoolu_1"}
    direct = {"type": "tool_use", "id": "a", "name": "f", "input": {}, "caller": {"type": "direct"}}
    block = {"type": "tool_use", "id": "b", "name": "f", "input": {"x": 1}, "caller": caller}
    response = claude.answer(direct, block, stop_reason="tool_use")
    assert "caller" not in response["output"][0]
    assert response["output"][1]["caller"] == {"type": "program", "caller_id": "srvtoolu_1"}
    assert replayed(claude, response)[0]["content"][1] == block


def test_custom_tools_come_out_as_what_they_are(claude):
    tools = ToolNames({"sql": Tool("sql", "custom_tool_call", wrapped=True)})
    block = {"type": "tool_use", "id": "a", "name": "sql", "input": {"input": "SELECT 1"}}
    message = {"content": [block], "stop_reason": "tool_use", "usage": USAGE}
    assert claude.whole(message, tools)["output"][0]["input"] == "SELECT 1"


def test_the_emulated_form_is_text(claude):
    block = {"type": "tool_use", "id": "a", "name": "dragoman_json_response", "input": {"x": 1}}
    response = claude.answer(block, stop_reason="tool_use")
    assert response["output"][0]["content"][0]["text"] == '{"x": 1}'


# ---- hosted tools --------------------------------------------------------------------------------------

SEARCH = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}}
FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "s1",
    "content": [{"type": "web_search_result", "url": "https://a", "encrypted_content": "E"}],
}


def hosted(name, input_, **fields):
    return {"type": "server_tool_use", "id": "s1", "name": name, "input": input_, **fields}


def outcome(type_, content):
    return {"type": f"{type_}_tool_result", "tool_use_id": "s1", "content": content}


@pytest.mark.parametrize(
    ("use", "result", "expected"),
    [
        (
            SEARCH,
            FOUND,
            {
                "type": "web_search_call",
                "status": "completed",
                "action": {
                    "type": "search",
                    "query": "q",
                    "queries": ["q"],
                    "sources": [{"type": "url", "url": "https://a"}],
                },
            },
        ),
        (
            SEARCH,
            outcome("web_search", {"type": "web_search_tool_result_error", "error_code": "unavailable"}),
            {"type": "web_search_call", "status": "failed"},
        ),
        (
            hosted("web_fetch", {"url": "https://a"}),
            outcome("web_fetch", {"type": "web_fetch_result", "url": "https://a"}),
            {"type": "web_search_call", "action": {"type": "open_page", "url": "https://a"}},
        ),
        (
            hosted("code_execution", {"code": "print(1)"}),
            outcome(
                "code_execution",
                {"type": "code_execution_result", "stdout": "1\n", "stderr": "", "content": []},
            ),
            {
                "type": "code_interpreter_call",
                "code": "print(1)",
                "container_id": "",
                "outputs": [{"type": "logs", "logs": "1\n"}],
            },
        ),
        (
            hosted("bash_code_execution", {"command": "ls"}),
            outcome(
                "bash_code_execution",
                {
                    "type": "bash_code_execution_result",
                    "stdout": "",
                    "stderr": "no",
                    "content": [{"type": "bash_code_execution_output", "file_id": "file_1"}],
                },
            ),
            {
                "code": "ls",
                "outputs": [{"type": "logs", "logs": "no"}],
                "file_ids": ["file_1"],
            },
        ),
        (
            hosted("text_editor_code_execution", {"command": "view", "path": "a"}),
            outcome(
                "text_editor_code_execution", {"type": "x_error", "error_code": "e", "error_message": "m"}
            ),
            {
                "code": '{"command": "view", "path": "a"}',
                "outputs": [{"type": "logs", "logs": "m"}],
                "status": "failed",
            },
        ),
        (
            hosted("tool_search_tool_bm25", {"query": "weather"}),
            outcome("tool_search", {"type": "tool_search_tool_search_result", "tool_references": []}),
            {
                "type": "tool_search_call",
                "execution": "server",
                "call_id": None,
                "arguments": {"query": "weather"},
            },
        ),
        (
            hosted("advisor", {}),
            outcome("advisor", {"type": "advisor_result", "text": "Think."}),
            {"type": "anthropic:advisor", "output": "Think."},
        ),
        (
            {"type": "mcp_tool_use", "id": "s1", "name": "ask", "server_name": "wiki", "input": {"q": 1}},
            {**outcome("mcp", [{"type": "text", "text": "yes"}]), "is_error": False},
            {
                "type": "mcp_call",
                "server_label": "wiki",
                "name": "ask",
                "arguments": '{"q": 1}',
                "output": "yes",
                "error": None,
            },
        ),
        (
            {"type": "mcp_tool_use", "id": "s1", "name": "ask", "server_name": "wiki", "input": {}},
            {**outcome("mcp", [{"type": "text", "text": "no"}]), "is_error": True},
            {"type": "mcp_call", "status": "failed", "arguments": "{}", "output": None},
        ),
    ],
)
def test_a_server_tool_is_one_item_and_comes_back_as_it_was(claude, use, result, expected):
    response = claude.answer(use, result, text("so"))
    item = response["output"][0]
    assert {name: item.get(name) for name in expected} == expected
    assert replayed(claude, response)[0]["content"] == [use, result, text("so")]


def test_results_keep_their_place_between_other_blocks(claude):
    def use(id_):
        return {**SEARCH, "id": id_}

    def result(id_):
        return {**FOUND, "tool_use_id": id_}

    blocks = [
        use("a"),
        use("b"),
        text("hm"),
        text(""),
        result("b"),
        use("c"),
        result("a"),
        text("x"),
        result("c"),
    ]
    response = claude.answer(*blocks)
    assert replayed(claude, response)[0]["content"] == [block for block in blocks if block != text("")]


def test_a_result_without_its_call_is_an_item_of_its_own(claude):
    response = claude.answer(FOUND, text("so"))
    assert response["output"][0]["type"] == "anthropic:web_search_tool_result"
    assert replayed(claude, response)[0]["content"] == [FOUND, text("so")]


def test_pause_turn_goes_on_where_it_stopped(claude):
    response = claude.answer(text("hm"), SEARCH, stop_reason="pause_turn")
    assert response["incomplete_details"] == {"reason": "pause_turn"}
    assert replayed(claude, response) == [{"role": "assistant", "content": [text("hm"), SEARCH]}]


def test_a_streamed_server_tool_gets_its_input_by_deltas(claude):
    response = claude.stream(
        [
            START,
            opened(0, **{**SEARCH, "input": {}}),
            delta(0, "input_json_delta", partial_json='{"query": "q"}'),
            closed(0),
            opened(1, **FOUND),
            closed(1),
            finished(),
            STOP,
        ]
    )
    assert response["output"][0]["action"]["query"] == "q"
    assert replayed(claude, response)[0]["content"] == [SEARCH, FOUND]


def test_the_container_is_told_at_the_end(claude):
    response = claude.answer(text("so"), container={"id": "container_1", "expires_at": "2030"})
    assert response["output"][-1]["type"] == "anthropic:container"
    assert response["output"][-1]["container"]["id"] == "container_1"
    assert replayed(claude, response)[0]["content"] == [text("so")]


# ---- other blocks --------------------------------------------------------------------------------------


def test_compaction_is_kept_as_it_is(claude):
    block = {"type": "compaction", "content": "summary", "encrypted_content": "E"}
    streamed = claude.stream(
        [
            START,
            opened(0, type="compaction", content=None, encrypted_content=None),
            PING,
            delta(0, "compaction_delta", content="summary", encrypted_content="E"),
            closed(0),
            finished(),
            STOP,
        ]
    )
    for response in (streamed, claude.answer(block)):
        assert response["output"][0]["type"] == "compaction"
        assert replayed(claude, response)[0]["content"] == [block]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}},
        {"type": "telepathy", "text": "?", "id": 7},
    ],
)
def test_unknown_blocks_are_kept_as_they_are(claude, block):
    response = claude.answer(block, text("so"))
    assert response["output"][0]["type"] == f"anthropic:{block['type']}"
    assert replayed(claude, response)[0]["content"] == [block, text("so")]


def test_unknown_events_and_deltas_mean_nothing(claude):
    response = claude.stream(
        [
            START,
            {"type": "news", "index": 0},
            opened(0, **text("")),
            delta(0, "glow_delta", glow=1),
            delta(0, "text_delta", text="Hi"),
            delta(5, "text_delta", text="lost"),
            closed(0),
            closed(5),
            finished(),
            STOP,
        ]
    )
    assert response["output"][0]["content"][0]["text"] == "Hi"


# ---- how it ends ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("end_turn", None),
        ("stop_sequence", None),
        ("tool_use", None),
        ("max_tokens", "max_output_tokens"),
        ("model_context_window_exceeded", "max_output_tokens"),
        ("refusal", "content_filter"),
        ("pause_turn", "pause_turn"),
        ("boredom", "boredom"),
    ],
)
def test_stop_reasons(claude, reason, expected):
    response = claude.answer(text("so"), stop_reason=reason)
    assert (response["incomplete_details"] or {}).get("reason") == expected
    assert response["status"] == ("incomplete" if expected else "completed")


def test_a_refusal_after_text_says_why(claude):
    details = {"type": "refusal", "explanation": "No."}
    events = [START, opened(0, **text("Well")), closed(0), finished("refusal", stop_details=details), STOP]
    for response in (
        claude.stream(events),
        claude.answer(text("Well"), stop_reason="refusal", stop_details=details),
    ):
        assert response["output"][-1]["content"][-1] == {"type": "refusal", "refusal": "No."}


def test_usage_counts_the_cache_and_the_last_figure_wins(claude):
    first = {
        "input_tokens": 1,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 20,
        "output_tokens": 1,
    }
    start = {"type": "message_start", "message": {**START["message"], "usage": first}}
    last = {
        "input_tokens": 5,
        "output_tokens": 50,
        "output_tokens_details": {"thinking_tokens": 30},
        "server_tool_use": {"web_search_requests": 2},
    }
    response = claude.stream([start, opened(0, **text("Hi")), closed(0), finished(usage=last), STOP])
    assert response["usage"] == {
        "input_tokens": 125,
        "input_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 20},
        "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 30},
        "total_tokens": 175,
    }
    assert response["tool_usage"]["web_search"] == {"num_requests": 2}


@pytest.mark.parametrize(
    ("tier", "expected"), [("standard", "default"), ("priority", "priority"), (None, "default")]
)
def test_service_tiers(claude, tier, expected):
    assert claude.answer(usage={**USAGE, "service_tier": tier})["service_tier"] == expected


def test_the_fast_mode_is_a_tier_of_its_own(claude):
    assert (
        claude.answer(usage={**USAGE, "service_tier": "standard", "speed": "fast"})["service_tier"] == "fast"
    )


def test_what_was_written_for_an_hour_is_told_apart(claude):
    lifetimes = {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 30}
    first = {**USAGE, "cache_creation_input_tokens": 50, "cache_creation": lifetimes}
    start = {"type": "message_start", "message": {**START["message"], "usage": first}}
    for response in (
        claude.answer(usage=first),
        claude.stream(
            [start, opened(0, **text("Hi")), closed(0), finished(usage={"output_tokens": 5}), STOP]
        ),
    ):
        assert response["usage"]["input_tokens_details"]["cache_write_tokens"] == 50
        assert response["dragoman"]["usage_details"] == {"cache_write_1h_tokens": 30}


def test_a_stream_without_its_end_is_a_failure(claude):
    response = claude.stream([START, opened(0, **text("")), delta(0, "text_delta", text="Half")])
    assert response["status"] == "failed"
    assert response["output"][0]["content"][0]["text"] == "Half"


def test_an_error_in_the_stream_keeps_what_came(claude):
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    response = claude.stream([START, opened(0, **text("Half")), error])
    assert response["status"] == "failed"
    assert response["error"]["message"] == "Overloaded"
    assert response["output"][0]["content"][0]["text"] == "Half"


def test_a_message_start_said_twice_is_said_once(claude):
    response = claude.stream([START, START, opened(0, **text("Hi")), closed(0), finished(), STOP])
    assert response["output"][0]["content"][0]["text"] == "Hi"


def test_a_second_message_adds_to_the_first(claude):
    second = {"type": "message_start", "message": {**START["message"], "id": "msg_2"}}
    response = claude.stream(
        [START, opened(0, **text("one")), second, opened(0, **text("two")), closed(0), finished(), STOP]
    )
    assert [part["text"] for part in response["output"][0]["content"]] == ["one", "two"]


def test_a_second_message_inside_a_call_is_a_failure(claude):
    second = {"type": "message_start", "message": {**START["message"], "id": "msg_2"}}
    response = claude.stream(
        [
            START,
            opened(0, type="tool_use", id="t", name="f", input={}),
            delta(0, "input_json_delta", partial_json='{"x"'),
            second,
            opened(0, **text("two")),
            closed(0),
            finished(),
            STOP,
        ]
    )
    assert response["status"] == "failed"
    assert "second message" in response["error"]["message"]


def test_what_follows_the_end_is_not_read(claude):
    response = claude.stream(
        [START, opened(0, **text("Hi")), closed(0), finished(), STOP, START, finished("refusal")]
    )
    assert response["status"] == "completed"


def test_a_message_start_may_hold_everything(claude):
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {"x": 1}}
    start = {
        "type": "message_start",
        "message": {**START["message"], "content": [call], "stop_reason": "tool_use"},
    }
    response = claude.stream([start, STOP])
    assert json.loads(response["output"][0]["arguments"]) == {"x": 1}
    assert response["status"] == "completed"
