"""Relay: what is legal passes untouched, what is not becomes legal, whatever an upstream does."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.relay.relay import Relay
from dragoman.testing.legality import check_events
from dragoman.tools import ToolNames

DRAGOMAN: dict[str, Any] = {"provider": "acme", "model": "m", "attempts": [], "cost": None, "warnings": []}


def initial():
    return {
        "id": "resp_ours",
        "object": "response",
        "status": "in_progress",
        "model": "m",
        "output": [],
        "dragoman": {**DRAGOMAN},
    }


def relay(events):
    """Relay copies of the events, then the end of the bytes; return the relay and what came out."""
    relayed = Relay(initial())
    relayed.begin()
    told = []
    for event in events:
        relayed.event(copy.deepcopy(event))
        told += relayed.take_events()
    relayed.complete()
    return relayed, told + relayed.take_events()


def plain(events):
    """Return events without what dragoman adds to the terminal one."""
    events = copy.deepcopy(events)
    events[-1]["response"].pop("dragoman", None)
    return events


# ---- an upstream that does everything right -----------------------------------------------------------

SNAPSHOT = {"id": "resp_theirs", "object": "response", "model": "m-2", "output": [], "secret_sauce": 7}


def snapshot(status, **fields):
    return {**SNAPSHOT, "status": status, **fields}


def lifecycle(type_, status, **fields):
    return {"type": f"response.{type_}", "response": snapshot(status, **fields)}


def opening():
    return [lifecycle("created", "in_progress"), lifecycle("in_progress", "in_progress")]


def message(index, parts, identity="msg_1"):
    """Return the events and the item of a message; `parts` is a list of (type, pieces)."""
    item = {"id": identity, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    address = {"item_id": identity, "output_index": index}
    events = [{"type": "response.output_item.added", "output_index": index, "item": {**item}}]
    content = []
    for number, (type_, pieces) in enumerate(parts):
        field = "refusal" if type_ == "refusal" else "text"
        extra = {} if type_ == "refusal" else {"annotations": []}
        at = {**address, "content_index": number}
        seen = {} if type_ != "output_text" else {"logprobs": []}
        part = {"type": type_, field: "".join(pieces), **extra}
        events += [
            {"type": "response.content_part.added", **at, "part": {**part, field: ""}},
            *({"type": f"response.{type_}.delta", **at, "delta": piece, **seen} for piece in pieces),
            {"type": f"response.{type_}.done", **at, field: "".join(pieces), **seen},
            {"type": "response.content_part.done", **at, "part": part},
        ]
        content.append(part)
    whole = {**item, "status": "completed", "content": content}
    return [*events, {"type": "response.output_item.done", "output_index": index, "item": whole}], whole


def reasoning(index, summary, identity="rs_1"):
    item = {"id": identity, "type": "reasoning", "summary": [], "encrypted_content": "early"}
    events = [{"type": "response.output_item.added", "output_index": index, "item": item}]
    parts = []
    for number, pieces in enumerate(summary):
        at = {"item_id": identity, "output_index": index, "summary_index": number}
        part = {"type": "summary_text", "text": "".join(pieces)}
        events += [
            {"type": "response.reasoning_summary_part.added", **at, "part": {**part, "text": ""}},
            *({"type": "response.reasoning_summary_text.delta", **at, "delta": piece} for piece in pieces),
            {"type": "response.reasoning_summary_text.done", **at, "text": part["text"]},
            {"type": "response.reasoning_summary_part.done", **at, "part": part},
        ]
        parts.append(part)
    whole = {**item, "summary": parts, "encrypted_content": "late"}
    return [*events, {"type": "response.output_item.done", "output_index": index, "item": whole}], whole


def call(index, pieces, identity="fc_1", type_="function_call"):
    field = {"function_call": "arguments", "custom_tool_call": "input"}[type_]
    stem = f"response.{type_}_{field}"
    item = {
        "id": identity,
        "type": type_,
        "call_id": f"call_{identity}",
        "name": "look",
        field: "",
        "status": "in_progress",
    }
    address = {"item_id": identity, "output_index": index}
    whole = {**item, field: "".join(pieces), "status": "completed"}
    return [
        {"type": "response.output_item.added", "output_index": index, "item": item},
        *({"type": f"{stem}.delta", **address, "delta": piece, "obfuscation": "xx"} for piece in pieces),
        {"type": f"{stem}.done", **address, field: whole[field]},
        {"type": "response.output_item.done", "output_index": index, "item": whole},
    ], whole


def hosted(index, identity="ws_1"):
    item = {"id": identity, "type": "web_search_call", "status": "in_progress"}
    whole = {**item, "status": "completed", "action": {"type": "search", "query": "unicorns"}}
    address = {"item_id": identity, "output_index": index}
    return [
        {"type": "response.output_item.added", "output_index": index, "item": item},
        {"type": "response.web_search_call.searching", **address},
        {"type": "response.next_month", **address, "anything": [1, {"b": None}]},
        {"type": "response.output_item.done", "output_index": index, "item": whole},
    ], whole


def answer(*items, ending="completed", **fields):
    """Return a whole stream: `items` are (events, item) pairs, one after another."""
    events = opening()
    for streamed, _ in items:
        events += streamed
    events.append(lifecycle(ending, ending, output=[item for _, item in items], **fields))
    return numbered(events)


def numbered(events):
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


pieces = st.lists(st.text(min_size=1, max_size=5), max_size=4)
kinds = st.one_of(
    st.tuples(st.just(reasoning), st.lists(pieces, max_size=2)),
    st.tuples(
        st.just(message),
        st.lists(st.tuples(st.sampled_from(["output_text", "refusal"]), pieces), max_size=3),
    ),
    st.tuples(st.just(call), pieces),
    st.tuples(st.just(hosted), st.none()),
)


@st.composite
def answers(draw):
    """Draw a legal stream; its items may be interleaved, as with several servers' tools."""
    drawn = []
    for index, (build, content) in enumerate(draw(st.lists(kinds, max_size=4))):
        identity = f"item_{index}"
        drawn.append(hosted(index, identity) if content is None else build(index, content, identity))
    events = opening()
    unread = [list(streamed) for streamed, _ in drawn]
    begun = 0
    while any(unread):
        # The next event of an item that has been added, or of the first that has not.
        choices = [number for number, streamed in enumerate(unread[: begun + 1]) if streamed]
        number = draw(st.sampled_from(choices))
        events.append(unread[number].pop(0))
        begun = max(begun, number + 1)
    ending = draw(st.sampled_from(["completed", "incomplete"]))
    events.append(lifecycle(ending, ending, output=[item for _, item in drawn], usage={"input_tokens": 3}))
    return numbered(events)


@given(answers())
def test_a_legal_stream_passes_untouched(events):
    check_events(events)
    relayed, told = relay(events)
    assert plain(told) == events
    assert [list(event) for event in plain(told)] == [list(event) for event in events]
    assert relayed.response["dragoman"] == DRAGOMAN
    assert relayed.error is None
    assert relayed.ended


@st.composite
def mutilations(draw):
    """Draw a stream and do to it what networks, proxies and careless servers do."""
    events = copy.deepcopy(draw(answers()))
    for damage in draw(st.lists(st.sampled_from(DAMAGES), min_size=1, max_size=3)):
        events = damage(draw, events)
    return events


def dropped(draw, events):
    lost = draw(st.sets(st.integers(0, max(0, len(events) - 1)), max_size=4))
    return [event for number, event in enumerate(events) if number not in lost]


def cut(draw, events):
    return events[: draw(st.integers(0, len(events)))]


def rotated(draw, events):
    """Every event names its item, and its response, anew."""
    for number, event in enumerate(events):
        if "item_id" in event:
            event["item_id"] = f"rotated_{number}"
        for name in ("item", "response"):
            if name in event:
                event[name] = {**event[name], "id": f"rotated_{number}"}
    return events


def scrambled(draw, events):
    return [{**event, "sequence_number": draw(st.integers(-5, 5) | st.none())} for event in events]


def shuffled(draw, events):
    return draw(st.permutations(events))


def repeated(draw, events):
    chosen = draw(st.lists(st.sampled_from(events), max_size=3)) if events else []
    return [*events[: len(events) // 2], *copy.deepcopy(chosen), *events[len(events) // 2 :]]


def shifted(draw, events):
    """Counting from one."""
    for event in events:
        for name in ("output_index", "content_index", "summary_index"):
            if name in event:
                event[name] += 1
    return events


def forgetful(draw, events):
    """Fields that are missing, and a terminal response that forgets its output."""
    for event in events:
        event.pop(draw(st.sampled_from(["item_id", "sequence_number", "none"])), None)
        if event["type"] == "response.completed":
            event["response"] = {**event["response"], "output": []}
    return events


DAMAGES = [dropped, cut, rotated, scrambled, shuffled, repeated, shifted, forgetful]


@settings(max_examples=200)
@given(mutilations())
def test_a_mutilated_stream_becomes_legal(events):
    relayed, told = relay(events)
    check_events(told)
    assert relayed.ended
    assert told[-1]["response"] is relayed.response
    assert relayed.response["dragoman"] == DRAGOMAN
    assert (relayed.response["status"] == "failed") == (relayed.error is not None)


@given(answers(), st.data())
def test_a_stream_cut_anywhere_fails_with_what_came(events, data):
    kept = events[: data.draw(st.integers(0, len(events) - 1))]
    relayed, told = relay(kept)
    check_events(told)
    assert [event["type"] for event in told[-2:]] == ["error", "response.failed"]
    assert relayed.error.code == "stream_interrupted"
    deltas = "".join(event["delta"] for event in kept if event["type"].endswith(".delta"))
    written = json.dumps(relayed.response["output"], ensure_ascii=False)
    for piece in {event["delta"] for event in kept if event["type"].endswith(".delta")}:
        assert json.dumps(piece, ensure_ascii=False)[1:-1] in written
    assert len(written) >= len(deltas)


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def nonsense(draw):
    """Draw an event of a known type with fields of any type."""
    known = sorted({event["type"] for event in answer(*EVERYTHING)} | {"error", "response.failed", "ping"})
    event = {"type": draw(st.sampled_from(known) | junk)}
    for name in ("item", "part", "response", "error"):
        if draw(st.booleans()):
            fields = {"type": draw(st.sampled_from(["message", "function_call", "output_text"]) | junk)}
            event[name] = draw(st.just({**fields, "id": draw(junk), "content": draw(junk)}) | junk)
    for name in ("output_index", "content_index", "item_id", "delta", "text", "sequence_number", "status"):
        if draw(st.booleans()):
            event[name] = draw(junk)
    return event


EVERYTHING = (
    reasoning(0, [["Let me ", "think."]]),
    message(1, [("output_text", ["Hello", " there"]), ("refusal", ["No."])]),
    call(2, ['{"a":', "1}"]),
    hosted(3),
)


@settings(max_examples=200)
@given(st.lists(nonsense() | junk, max_size=8))
def test_nonsense_never_raises_and_ends_once(events):
    _, told = relay(events)
    endings = [event for event in told if event["type"] in {"response.completed", "response.failed"}]
    assert told[0]["type"] == "response.created"
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    assert endings in ([], [told[-1]])


# ---- one upstream at a time ---------------------------------------------------------------------------


def types(events):
    return [event["type"].removeprefix("response.") for event in events]


def test_numbers_are_corrected_only_where_they_differ():
    events = answer(*EVERYTHING)
    unnumbered = copy.deepcopy(events)
    for event in unnumbered:
        del event["sequence_number"]
    _, told = relay(unnumbered)
    assert plain(told) == events


def test_a_stream_that_begins_in_the_middle_gets_its_created_event():
    events = answer(*EVERYTHING)[1:]
    _, told = relay(events)
    check_events(told)
    assert types(told)[:2] == ["created", "in_progress"]
    assert told[0]["response"]["id"] == "resp_theirs"
    assert told[0]["response"]["secret_sauce"] == 7


def test_an_unknown_event_before_created_follows_it():
    _, told = relay([{"type": "keepalive"}, *answer(*EVERYTHING)])
    check_events(told)
    assert types(told)[:2] == ["created", "keepalive"]


def test_the_first_id_of_a_response_stays():
    events = answer(*EVERYTHING)
    for number, event in enumerate(events[1:], 1):
        if "response" in event:
            event["response"] = {**event["response"], "id": f"resp_{number}"}
    _, told = relay(events)
    assert {event["response"]["id"] for event in told if "response" in event} == {"resp_theirs"}


def test_an_item_that_never_closes_is_closed_from_the_terminal_response():
    events = [event for event in answer(*EVERYTHING) if event["type"] != "response.output_item.done"]
    _, told = relay(events)
    check_events(told)
    assert types(told)[-5:] == ["output_item.done"] * 4 + ["completed"]
    assert told[-1]["response"]["output"] == events[-1]["response"]["output"]
    assert told[-5]["item"]["encrypted_content"] == "late"


def test_servers_that_name_an_item_anew_in_every_event_are_read_by_its_number():
    _, told = relay(rotated(None, copy.deepcopy(answer(*EVERYTHING))))
    check_events(told)
    added = [event["item"]["id"] for event in told if event["type"] == "response.output_item.added"]
    assert [item["id"] for item in told[-1]["response"]["output"]] == added


def test_a_terminal_response_without_output_gets_the_items_that_streamed():
    events = answer(*EVERYTHING)
    events[-1]["response"]["output"] = []
    relayed, told = relay(events)
    check_events(told)
    assert relayed.response["output"] == [item for _, item in EVERYTHING]


def test_an_answer_that_stands_in_the_terminal_response_alone_is_streamed():
    items = [item for _, item in EVERYTHING]
    _, told = relay([*opening(), lifecycle("completed", "completed", output=items)])
    check_events(told)
    assert told[-1]["response"]["output"] == items
    assert [event["item"] for event in told if event["type"] == "response.output_item.done"] == items


def test_a_delta_without_item_and_part_opens_them():
    at = {"item_id": "msg_9", "output_index": 0, "content_index": 0}
    _, told = relay([*opening(), {"type": "response.output_text.delta", **at, "delta": "Hi"}])
    check_events(told)
    assert types(told)[2:5] == ["output_item.added", "content_part.added", "output_text.delta"]
    assert told[2]["item"]["id"] == "msg_9"
    assert told[-1]["response"]["output"][0]["content"][0]["text"] == "Hi"
    assert told[-1]["response"]["output"][0]["status"] == "incomplete"


def test_a_call_without_its_added_event_waits_for_its_name():
    streamed, item = call(0, ['{"a":', "1}"])
    _, told = relay([*opening(), *streamed[1:], lifecycle("completed", "completed", output=[item])])
    check_events(told)
    assert told[2]["item"]["name"] == "look"
    assert told[-1]["response"]["output"] == [item]


def test_a_value_that_only_its_done_event_has_becomes_a_delta():
    streamed, item = call(0, ['{"a":1}'])
    del streamed[1]
    _, told = relay(answer((streamed, item)))
    check_events(told)
    assert [event["delta"] for event in told if event["type"].endswith(".delta")] == ['{"a":1}']


@pytest.mark.parametrize("said", ['{"a": 1}', '{ "a":1 }\n', "", '{"a"'])
def test_a_value_that_is_written_in_another_form_is_the_one_that_streamed(said):
    streamed, item = call(0, ['{"a":', "1}"])
    streamed[-2]["arguments"] = said
    streamed[-1]["item"] = {**item, "arguments": said}
    relayed, told = relay(answer((streamed, {**item, "arguments": said})))
    check_events(told)
    assert relayed.error is None
    assert relayed.response["output"][0]["arguments"] == '{"a":1}'


def test_a_lost_delta_fails_the_answer():
    events = answer(message(0, [("output_text", ["one ", "two ", "three"])]))
    del events[5]
    relayed, told = relay(events)
    check_events(told)
    assert relayed.error.code == "malformed_stream"
    assert relayed.response["output"][0]["content"][0]["text"] == "one three"


def test_a_contradiction_in_a_stream_without_a_hole_is_the_upstreams_own():
    streamed, item = message(0, [("output_text", ["one"])])
    item["content"][0]["text"] = streamed[3]["text"] = "another"
    events = answer((streamed, item))
    _, told = relay(events)
    assert plain(told) == events


ERROR = {"type": "server_error", "code": "server_error", "message": "It broke.", "param": None}
BOTH_FORMS = {"code": "server_error", "message": "It broke.", "param": None, "error": ERROR}


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "code": "server_error", "message": "It broke.", "param": None},
        {"type": "error", "error": ERROR},
        {"error": ERROR},
        {"type": "error", **BOTH_FORMS},
    ],
    ids=["flat", "nested", "untyped", "both"],
)
def test_an_error_event_has_both_forms_and_is_followed_by_failed(event):
    streamed, _ = message(0, [("output_text", ["Once", " upon"])])
    relayed, told = relay([*opening(), *streamed[:4], event])
    check_events(told)
    assert {name: told[-2][name] for name in BOTH_FORMS} == BOTH_FORMS
    assert told[-1]["response"]["error"] == {"code": "server_error", "message": "It broke."}
    assert told[-1]["response"]["output"][0]["content"][0]["text"] == "Once upon"
    assert relayed.error.status == 500


def test_an_error_event_with_the_upstreams_own_failed_is_not_doubled():
    failed = lifecycle("failed", "failed", error={"code": "rate_limit_exceeded", "message": "Slow down."})
    error = {"type": "error", "error": {**ERROR, "code": "rate_limit_exceeded", "message": "Slow down."}}
    relayed, told = relay([*opening(), error, failed])
    check_events(told)
    assert types(told) == ["created", "in_progress", "error", "failed"]
    assert (relayed.error.status, relayed.error.code) == (429, "rate_limit_exceeded")


@pytest.mark.parametrize(
    ("code", "status"), [("rate_limit_exceeded", 429), ("invalid_prompt", 400), ("server_error", 500)]
)
def test_a_failed_response_says_why(code, status):
    events = answer(ending="failed", error={"code": code, "message": "No."})
    relayed, told = relay(events)
    assert plain(told) == events
    assert (relayed.error.message, relayed.error.code, relayed.error.status) == ("No.", code, status)


def test_what_follows_the_terminal_event_is_another_answer():
    events = answer(*EVERYTHING)
    _, told = relay([*events, *answer(message(0, [("output_text", ["Again"])]))])
    assert plain(told) == events


def test_part_numbers_that_do_not_begin_at_zero_are_corrected():
    streamed, item = message(0, [("output_text", ["Hi"])])
    for event in streamed:
        if "content_index" in event:
            event["content_index"] = 1
    _, told = relay(answer((streamed, item)))
    check_events(told)
    assert told[-1]["response"]["output"] == [item]


def test_items_behind_one_that_was_lost_keep_their_order():
    events = answer(*EVERYTHING)
    lost = [event for event in events if event.get("output_index") != 1]
    _, told = relay(lost)
    check_events(told)
    assert told[-1]["response"]["output"] == [item for _, item in EVERYTHING]


def test_dragoman_of_another_dragoman_is_merged():
    events = answer(dragoman={"provider": "inner", "region": "eu"})
    relayed, _ = relay(events)
    assert relayed.response["dragoman"] == {**DRAGOMAN, "provider": "inner", "region": "eu"}


# ---- answers that are not streamed --------------------------------------------------------------------


def test_a_whole_answer_is_the_providers_and_streams_if_asked_to():
    payload = snapshot("completed", output=[item for _, item in EVERYTHING], new_field={"x": 1})
    relayed = Relay(initial())
    relayed.whole(copy.deepcopy(payload))
    relayed.complete()
    assert relayed.response == {**payload, "dragoman": DRAGOMAN}
    check_events(relayed.take_events())


@pytest.mark.parametrize("status", ["queued", "in_progress", "cancelled"])
def test_a_background_answer_is_told_as_it_is(status):
    relayed = Relay(initial())
    relayed.whole(snapshot(status))
    relayed.complete()
    assert relayed.response == {**snapshot(status), "dragoman": DRAGOMAN}
    assert relayed.error is None


def test_a_whole_answer_that_failed_says_why():
    relayed = Relay(initial())
    relayed.whole(snapshot("failed", error={"code": "invalid_prompt", "message": "No."}))
    relayed.complete()
    assert (relayed.error.message, relayed.error.status) == ("No.", 400)


@pytest.mark.parametrize("payload", [None, [], "text", {}, {"object": "list", "data": []}, {"choices": []}])
def test_what_is_no_response_is_an_error(payload):
    relayed = Relay(initial())
    relayed.whole(payload)
    relayed.complete()
    assert relayed.error.code == "malformed_response"
    assert relayed.response["status"] == "failed"


def test_an_error_behind_a_status_of_success_is_an_error():
    relayed = Relay(initial())
    relayed.whole({"error": {"message": "No such model.", "type": "not_found_error"}})
    relayed.complete()
    assert (relayed.error.message, relayed.error.status) == ("No such model.", 404)


@pytest.mark.parametrize("streamed", [True, False])
def test_a_call_id_that_the_conversation_has_used_is_not_used_again(streamed):
    calls = [
        {"id": f"fc_{n}", "type": "function_call", "call_id": f"call_{n}", "name": "f", "arguments": "{}",
         "status": "completed"}
        for n in range(2)
    ]  # fmt: skip
    events = opening()
    for index, call in enumerate(calls):
        begun = {**call, "arguments": "", "status": "in_progress"}
        events += [
            {"type": "response.output_item.added", "output_index": index, "item": begun},
            {"type": "response.output_item.done", "output_index": index, "item": call},
        ]
    events.append(lifecycle("completed", "completed", output=calls))
    relayed = Relay(initial(), ToolNames(known_call_ids=frozenset({"call_0"})))
    if streamed:
        for event in events:
            relayed.event(copy.deepcopy(event))
    else:
        relayed.whole(snapshot("completed", output=copy.deepcopy(calls)))
    relayed.complete()
    told = relayed.take_events()
    check_events(told)
    fresh, kept = relayed.response["output"]
    assert fresh["call_id"] != "call_0"
    assert kept == calls[1]
    assert fresh == {**calls[0], "call_id": fresh["call_id"]}
    items = [event["item"] for event in told if "item" in event]
    assert {item["call_id"] for item in items} == {fresh["call_id"], "call_1"}
