"""Output: whatever a plugin says in whatever order, what comes out is a legal Responses stream."""

import copy
import json
import typing

import openai.types.responses as official
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from dragoman.errors import ProviderError
from dragoman.events.brackets import new_id
from dragoman.events.snapshots import initial_response
from dragoman.output import Output
from dragoman.testing.legality import check_events

pytest_plugins = ["core.tests.toys"]

OFFICIAL_EVENTS = {
    typing.get_args(kind.model_fields["type"].annotation)[0]: TypeAdapter(kind)
    for kind in typing.get_args(typing.get_args(official.ResponseStreamEvent)[0])
}
OFFICIAL_RESPONSE = TypeAdapter(official.Response)
KEYS = st.sampled_from([None, None, 0, 1, "two"])
TEXTS = st.text(max_size=4)
CITATION = {
    "type": "url_citation",
    "url": "https://a.example",
    "title": "A",
    "start_index": 0,
    "end_index": 1,
}
LOGPROB = {"token": "a", "bytes": [97], "logprob": -0.5, "top_logprobs": []}
SEARCH = {"type": "web_search_call", "action": {"type": "search", "query": "q", "queries": ["q"]}}
HOSTED = [
    SEARCH,
    {"type": "file_search_call", "queries": ["q"]},
    {"type": "code_interpreter_call", "container_id": "c", "outputs": None},
    {"type": "image_generation_call", "result": None},
    {"type": "mcp_call", "name": "n", "server_label": "s"},
    {"type": "mcp_list_tools", "server_label": "s", "tools": []},
]
WHOLE = [
    *HOSTED,
    {"type": "compaction", "encrypted_content": "sealed"},
    {"type": "reasoning", "summary": [], "encrypted_content": "sealed"},
    {"type": "code_interpreter_call", "container_id": "c", "code": "1 + 1", "outputs": None},
    {**SEARCH, "id": "ws_given"},
    {**SEARCH, "status": "failed", "id": "x" * 65},
    {"type": "acme:thing", "what": 1},
]
counts = st.none() | st.integers(0, 9)
verbs = st.one_of(
    st.tuples(st.just("text"), TEXTS, KEYS, st.sampled_from([None, None, [LOGPROB]])),
    st.tuples(st.just("refusal"), TEXTS, KEYS),
    st.tuples(st.just("reasoning_summary"), TEXTS, KEYS, st.integers(0, 1)),
    st.tuples(st.just("reasoning_text"), TEXTS, KEYS, st.integers(0, 1)),
    st.tuples(st.just("encrypted_reasoning"), TEXTS, KEYS),
    st.tuples(st.just("annotation"), st.just(CITATION), KEYS),
    st.tuples(st.just("function_call"), st.sampled_from([None, "", "call_1", "y" * 65]), st.just("f"), KEYS),
    st.tuples(st.just("open_item"), st.sampled_from(HOSTED), KEYS),
    st.tuples(st.just("open_item"), st.just({"type": "message", "role": "assistant", "content": []}), KEYS),
    st.tuples(st.just("item"), st.sampled_from(WHOLE)),
    st.tuples(st.just("write"), st.integers(0, 3), TEXTS),
    st.tuples(st.just("announce"), st.integers(0, 3)),
    st.tuples(st.just("update"), st.integers(0, 3)),
    st.tuples(st.just("close_writer"), st.integers(0, 3)),
    st.tuples(st.just("close"), KEYS),
    st.tuples(st.just("usage"), counts, counts, counts, counts, counts),
    st.tuples(st.just("finish"), st.sampled_from(["completed", "max_output_tokens", "content_filter"])),
    st.tuples(st.just("fail"), st.sampled_from([400, 429, 500])),
    st.tuples(st.just("end")),
)
USAGE = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")


def new_output():
    request = {"model": "m", "input": "hi", "stream": True}
    return Output(initial_response(request, response_id=new_id("resp"), provider="toy", model="m"))


def perform(output, verb, writers):
    name, *arguments = verb
    match name:
        case "text":
            output.text(arguments[0], arguments[1], logprobs=arguments[2])
        case "reasoning_summary" | "reasoning_text":
            getattr(output, name)(arguments[0], arguments[1], part=arguments[2])
        case "function_call" | "open_item":
            writers.append(getattr(output, name)(*arguments))
        case "usage":
            output.usage(**dict(zip(USAGE, arguments, strict=True)))
        case "fail":
            output.fail(ProviderError(message="broken", status=arguments[0]))
        case "write" | "announce" | "update" | "close_writer":
            if arguments[0] < len(writers):
                write(writers[arguments[0]], name, *arguments[1:])
        case _:
            getattr(output, name)(*arguments)


def write(writer, name, *arguments):
    try:
        match name:
            case "write":
                writer.write(*arguments)
            case "announce":
                writer.announce("in_progress")
            case "update":
                writer.update(note="new")
            case "close_writer":
                writer.close()
    except (RuntimeError, TypeError):
        pass  # the item is over, or has nothing that streams: said aloud, nothing written


def played(output, script):
    """Return the events, each copied when it came out, and check that nobody changes them afterwards."""
    events, copies, writers = [], [], []
    steps = [
        output.begin,
        *(lambda verb=verb: perform(output, verb, writers) for verb in script),
        output.complete,
    ]
    for step in steps:
        step()
        taken = output.take_events()
        events.extend(taken)
        copies.extend(copy.deepcopy(taken))
    for event, as_it_came in zip(events, copies, strict=True):
        assert "response" in event or event == as_it_came
    return copies


def is_official(event):
    """OpenAI's types are a closed list; items with a prefix are ours to add."""
    items = [event.get("item", {}), *event.get("response", {}).get("output", [])]
    return not any(":" in item.get("type", "") for item in items)


def is_half_a_call(item):
    try:
        json.loads(item.get("arguments", "{}"))
    except ValueError:
        return item["type"] == "function_call"
    return False


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(verbs, max_size=16))
def test_any_sequence_of_verbs_is_a_legal_stream(script):
    output = new_output()
    events = played(output, script)
    check_events(events)
    for event in filter(is_official, events):
        OFFICIAL_EVENTS[event["type"]].validate_python(event, strict=True)

    response = events[-1]["response"]
    assert response == output.response
    failed = any(name == "fail" for name, *_ in script)
    reasons = [arguments[0] for name, *arguments in script if name == "finish"]
    if failed or not reasons:
        assert (response["status"], events[-2]["type"]) == ("failed", "error")
    else:
        assert response["status"] == ("completed" if reasons[-1] == "completed" else "incomplete")
    whole = response["status"] == "completed"
    cut = [
        item
        for item in response["output"][: None if whole else -1]
        # Half a call is never called whole, wherever it stands; nothing else is cut but what comes last.
        if item["status"] == "incomplete" and (whole or not is_half_a_call(item))
    ]
    assert not cut
    assert len({item["id"] for item in response["output"]}) == len(response["output"])
    assert all(len(item["id"]) <= 64 and len(item.get("call_id", "")) <= 64 for item in response["output"])
    calls = [item["call_id"] for item in response["output"] if "call_id" in item]
    assert len(set(calls)) == len(calls)


@settings(max_examples=60, deadline=None)
@given(st.lists(verbs, max_size=12))
def test_what_the_standard_defines_is_as_the_standard_has_it(conforms, script):
    script = [verb for verb in script if verb[0] != "open_item"]
    script = [verb for verb in script if verb[0] != "item" or verb[1]["type"] in conforms.item_types]
    for event in played(new_output(), script):
        name = conforms.event_schemas.get(event["type"])
        if name is not None:
            conforms(event, name)


@settings(deadline=None)
@given(st.lists(st.tuples(*[counts] * 5), max_size=4))
def test_usage_is_the_last_of_what_was_told_and_adds_up(reports):
    output = new_output()
    for figures in reports:
        output.usage(**dict(zip(USAGE, figures, strict=True)))
    output.finish()
    output.complete()
    usage = output.response["usage"]
    told = [[figure for figure in column if figure is not None] for column in zip(*reports, strict=True)]
    if not any(told):
        assert usage is None
        return
    last = [column[-1] if column else 0 for column in told]
    assert (usage["input_tokens"], usage["output_tokens"]) == (last[0], last[1])
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    inside = usage["input_tokens_details"]
    assert inside["cached_tokens"] + inside["cache_write_tokens"] <= usage["input_tokens"]
    assert usage["output_tokens_details"]["reasoning_tokens"] <= usage["output_tokens"]


@pytest.mark.parametrize("ending", ["completed", "incomplete", "failed"])
def test_a_response_has_all_keys_of_the_standard_whatever_its_end(conforms, ending):
    output = new_output()
    output.begin()
    output.reasoning_summary("Let me see.")
    output.text("It rains", logprobs=[LOGPROB])
    output.annotation(CITATION)
    output.function_call("call_1", "weather").write('{"city"')
    output.usage(input_tokens=3, output_tokens=4)
    if ending == "failed":
        output.fail(ProviderError(message="overloaded", status=529))
    else:
        output.finish("completed" if ending == "completed" else "max_output_tokens")
    output.complete()
    response = output.response
    conforms(response, "ResponseResource")
    assert set(conforms.required) <= set(response)
    OFFICIAL_RESPONSE.validate_python(response, strict=True)
    assert response["status"] == ending
    assert [item["status"] for item in response["output"]] == [
        "completed",
        "completed",
        "completed" if ending == "completed" else "incomplete",
    ]
    assert (response["completed_at"] is not None) == (ending == "completed")
    assert (response["error"] is not None) == (ending == "failed")


def items_of(write_answer):
    output = new_output()
    output.begin()
    write_answer(output)
    output.finish()
    output.complete()
    check_events(output.take_events())
    return output.response["output"]


def test_blocks_without_a_key_follow_each_other():
    def answer(output):
        output.text("a")
        output.text("b")
        output.refusal("no")
        output.function_call("call_1", "f")
        output.text("c")

    message, call, last = items_of(answer)
    assert [part.get("text") or part.get("refusal") for part in message["content"]] == ["ab", "no"]
    assert call["arguments"] == "{}"  # providers send nothing where there are none; callers parse JSON
    assert last["content"][0]["text"] == "c"


def test_blocks_with_keys_interleave():
    def answer(output):
        first = output.function_call("call_1", "f", 1)
        second = output.function_call("call_2", "g", 2)
        output.text("a", 0)
        for piece in ('{"x":', "1}"):
            first.write(piece)
            second.write(piece)
            output.text("b", 0)
        output.text("other", 3)
        output.annotation(CITATION, 0)
        assert (output.position(0), output.position(3)) == (3, 5)

    first, second, message = items_of(answer)
    assert first["arguments"] == second["arguments"] == '{"x":1}'
    assert [part["text"] for part in message["content"]] == ["abb", "other"]
    assert [len(part["annotations"]) for part in message["content"]] == [1, 0]


def test_a_key_names_one_block_at_a_time():
    def answer(output):
        output.function_call("call_1", "f", 0)
        output.text("a", 0)
        output.close(0)
        output.reasoning_summary("b", 0)

    assert [item["type"] for item in items_of(answer)] == ["function_call", "message", "reasoning"]


def test_what_cannot_be_said_any_more_is_not_lost_in_silence():
    output = new_output()
    call = output.function_call("call_1", "f")
    output.text("a")
    for late in (lambda: call.write("{}"), lambda: call.update(x=1), lambda: call.close(x=1)):
        with pytest.raises(RuntimeError, match=r"function_call fc_.* is done"):
            late()
    call.close()  # closing twice is nothing
    output.function_call("call_2", "g")
    output.annotation(CITATION)
    assert "citation" in output.response["dragoman"]["warnings"][0]["message"]
    with pytest.raises(ValueError, match="written by verbs"):
        output.item(
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a"}]}
        )
    with pytest.raises(TypeError, match="web_search_call"):
        output.open_item(SEARCH).write("x")


def test_a_value_that_is_known_at_once_streams_all_the_same():
    def answer(output):
        output.item({"type": "mcp_call", "name": "n", "server_label": "s", "arguments": "[1]"})
        output.function_call("call_1", "f").close(arguments="[2]")

    mcp, call = items_of(answer)
    assert (mcp["arguments"], call["arguments"]) == ("[1]", "[2]")


@pytest.mark.parametrize(
    ("status", "code"), [(429, "rate_limit_exceeded"), (500, "server_error"), (400, "invalid_prompt")]
)
def test_a_failure_has_the_code_on_which_clients_retry(status, code):
    output = new_output()
    output.fail(ProviderError(message="m", status=status, code="theirs", type="their_type", param="p"))
    output.complete()
    error, failed = output.take_events()
    assert failed["response"]["error"] == {"code": code, "message": "m"}
    assert {
        "code": "theirs",
        "message": "m",
        "param": "p",
    }.items() <= error.items()  # OpenAI's documented form
    assert error["error"] == {"type": "their_type", "code": "theirs", "message": "m", "param": "p"}


def test_every_official_progress_event_of_our_items_is_written():
    for item in HOSTED:
        output = new_output()
        output.item(item)
        written = {event["type"] for event in output.take_events()}
        ends = {f"response.{item['type']}.{stage}" for stage in ("in_progress", "completed")}
        assert ends <= written & OFFICIAL_EVENTS.keys()
