"""History: one form for what callers write in many, and for each provider what it can read."""

import copy

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dragoman.attempts.history import readable_history
from dragoman.canonical import call_arguments, canonical_input
from dragoman.errors import BadRequestError, UnsupportedParameterError
from dragoman.sealing import is_sealed, seal, sealed_by, unseal

flat_values = st.none() | st.booleans() | st.integers() | st.text()
json_values = flat_values | st.lists(flat_values) | st.dictionaries(st.text(), st.lists(flat_values))
TOY, OTHER = seal("toy", {"signature": "s"}), seal("other", {"signature": "s"})
MESSAGE = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}


# ---- seals ---------------------------------------------------------------------------------------------


@given(json_values)
def test_only_who_sealed_it_gets_it_back(state):
    sealed = seal("toy", state)
    assert sealed.isascii()
    assert (is_sealed(sealed), sealed_by(sealed)) == (True, "toy")
    assert unseal("toy", sealed, param="p") == state
    assert unseal("to", sealed, param="p") is None
    assert unseal("toys", sealed, param="p") is None


@given(st.integers(min_value=0), st.sampled_from(["!", "", "\n", "é", "=="]))
def test_a_seal_that_was_changed_is_refused_and_its_place_named(place, change):
    start = len("dragoman:toy:")
    place = start + place % (len(TOY) - start)
    changed = TOY[:place] + change + TOY[place + 1 :]
    assume(changed != TOY)
    with pytest.raises(BadRequestError) as refusal:
        unseal("toy", changed, param="input[3].encrypted_content")
    assert refusal.value.param == "input[3].encrypted_content"


@pytest.mark.parametrize("value", [None, 7, "", "gAAAA-of-openai", "dragoman"])
def test_what_is_no_seal_is_nobodys(value):
    assert not is_sealed(value)
    assert sealed_by(value) is None
    assert unseal("toy", value, param="p") is None


# ---- what a provider can read --------------------------------------------------------------------------


def read(item, provider="toy", *, native=False):
    kept, places, warnings, _ = readable_history([MESSAGE, item], provider, native=native)
    assert places == [0, 1][: len(kept)]
    assert len(kept) + len(warnings) == 2
    assert all(warning["param"] == "input[1]" and item["type"] in warning["message"] for warning in warnings)
    return kept[1] if len(kept) == 2 else None


REASONING = {"type": "reasoning", "id": "rs_1", "summary": []}
SEARCH = {"type": "web_search_call", "id": "ws_1", "action": {}}


@pytest.mark.parametrize(
    ("item", "translated", "native"),
    [
        ({**REASONING, "encrypted_content": TOY}, True, True),
        ({**REASONING, "encrypted_content": OTHER}, False, False),
        ({**REASONING, "encrypted_content": "gAAAA"}, False, True),  # OpenAI's own
        (REASONING, True, True),  # readable: the translator decides
        ({**SEARCH, "encrypted_content": TOY}, True, True),
        ({**SEARCH, "encrypted_content": OTHER}, False, False),
        (SEARCH, False, True),
        ({"type": "mcp_list_tools", "tools": []}, False, True),
        ({"type": "toy:thing"}, True, True),
        ({"type": "other:thing"}, False, True),
        ({"type": "additional_tools", "tools": []}, True, True),
        ({"type": "function_call_output", "call_id": "c", "output": []}, True, True),
    ],
)
def test_each_wire_gets_what_it_can_read(item, translated, native):
    assert read(item) == (item if translated else None)
    assert read(item, native=True) == (item if native else None)


def test_what_everybody_reads_keeps_its_seal_but_on_a_native_wire():
    annotation = {"type": "url_citation", "url": "u", "encrypted_content": OTHER}
    part = {"type": "output_text", "text": "a", "annotations": [annotation], "encrypted_content": OTHER}
    message = {"type": "message", "role": "assistant", "content": [part, {"type": "refusal", "refusal": "b"}]}
    call = {
        "type": "function_call",
        "call_id": "c",
        "name": "f",
        "arguments": "{}",
        "encrypted_content": OTHER,
    }
    before = copy.deepcopy([message, call])
    assert [read(message), read(call)] == before
    for item in (message, call):
        assert "dragoman:" not in str(read(item, native=True))
    assert read(message, native=True)["content"][1] == {"type": "refusal", "refusal": "b"}
    assert read(call, native=True).items() == call.items() - {("encrypted_content", OTHER)}
    openai_call = {**call, "encrypted_content": "gAAAA"}
    assert read(openai_call, native=True) == openai_call
    assert [message, call] == before


@pytest.mark.parametrize("content", [OTHER, "gAAAA", None])
def test_a_compaction_that_cannot_be_read_is_refused_for_it_is_the_history(content):
    item = {"type": "compaction", "encrypted_content": content}
    with pytest.raises(UnsupportedParameterError) as refusal:
        read(item)
    assert (refusal.value.param, refusal.value.provider) == ("input[1]", "toy")
    assert read({**item, "encrypted_content": TOY})
    if content != OTHER:
        assert read(item, native=True) == item


# ---- canonical input -----------------------------------------------------------------------------------


@given(st.text())
def test_every_short_form_becomes_the_long_one(text):
    parts = [{"type": "input_text", "text": text}]
    assert canonical_input(text) == [{"type": "message", "role": "user", "content": parts}]
    short = [
        {"role": "developer", "content": text},
        {"role": "assistant", "content": text, "phase": "commentary"},
        {"type": "function_call_output", "call_id": "c", "output": text},
        {"type": "custom_tool_call_output", "call_id": "c", "output": text},
        {"id": "msg_1"},
    ]
    before = copy.deepcopy(short)
    developer, assistant, output, custom, reference = full = canonical_input(short)
    assert developer == {"type": "message", "role": "developer", "content": parts}
    assert assistant["content"] == [{"type": "output_text", "text": text, "annotations": []}]
    assert assistant["phase"] == "commentary"
    assert output["output"] == custom["output"] == parts
    assert reference["type"] == "item_reference"
    assert short == before
    assert canonical_input(full) == full


def test_a_reference_needs_a_store_that_only_a_native_upstream_has():
    reference = {"type": "item_reference", "id": "msg_1"}
    assert readable_history([reference], "toy", native=True).items == [reference]
    with pytest.raises(BadRequestError, match="nothing is kept here") as refusal:
        readable_history([MESSAGE, reference], "toy", native=False)
    assert refusal.value.param == "input[1]"


@pytest.mark.parametrize(
    "text", ["{", "[]", "7", '{"a": NaN}', '{"a": 1e999}', '{"a": -Infinity}', '{"a":' + "[" * 100_000]
)
def test_arguments_that_are_no_json_object_are_refused(text):
    call = {"type": "function_call", "call_id": "c", "name": "add", "arguments": text}
    with pytest.raises(BadRequestError, match="'add'") as refusal:
        call_arguments(call, "input[2]")
    assert refusal.value.param == "input[2].arguments"


def test_arguments_of_a_call_that_was_cut_off_are_none():
    call = {"type": "function_call", "call_id": "c", "name": "add", "arguments": '{"x": 48'}
    assert call_arguments({**call, "status": "incomplete"}, "input[0]") == {}
    assert call_arguments({**call, "arguments": " "}, "input[0]") == {}
