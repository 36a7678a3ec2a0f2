"""The parameter policy: carried, left out with a warning, or refused by name; never dropped in silence."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.errors import UnsupportedParameterError
from dragoman.parameters import PARAMETERS, apply_policy, full_table, policies, policy_for

TABLE = policies(
    native="temperature tools.function tool_choice.auto reasoning.effort",
    mapped={"max_output_tokens": "max_tokens"},
    warned={"top_p": "temperature alone", "text.verbosity": "no such knob", "include.a": "", "tools.mcp": ""},
    rejected={"reasoning.summary": "not shown", "tools.web_search": "no network", "tool_choice.required": ""},
)
# Each is one use of something: the parameter, its value, what the warning or error calls it.
CARRIED = [
    ("store", True),
    ("temperature", 0.5),
    ("max_output_tokens", 9),
    ("metadata", {"a": "b"}),
    ("stream", True),
]
WARNED = [
    ("top_p", 0.1, "top_p"),
    ("text", {"verbosity": "low"}, "text.verbosity"),
    ("include", ["a"], "include[0]"),
    ("tools", [{"type": "mcp"}], "tools[0]"),
]
REJECTED = [
    ("reasoning", {"summary": "auto"}, "reasoning.summary"),
    ("tools", [{"type": "function"}, {"type": "web_search"}], "tools[1]"),
    ("tools", [{"type": "shell"}], "tools[0]"),
    ("tool_choice", "required", "tool_choice"),
    ("tool_choice", {"type": "allowed_tools", "mode": "required", "tools": []}, "tool_choice.mode"),
    ("tool_choice", {"type": "function", "name": "f"}, "tool_choice"),
    ("text", {"format": {"type": "json_schema"}}, "text.format"),
    ("temprature", 1, "temprature"),
]
NEUTRAL = [
    ("store", False), ("background", False), ("truncation", "disabled"), ("parallel_tool_calls", True),
    ("service_tier", "auto"), ("top_logprobs", 0), ("presence_penalty", 0.0), ("frequency_penalty", 0),
    ("tools", []), ("include", []), ("context_management", []), ("tool_choice", "auto"), ("text", {}),
    ("stream_options", {"include_obfuscation": False}), ("reasoning", {"summary": None}),
    ("text", {"format": {"type": "text"}}),
]  # fmt: skip


def applied(request, *, native=False, table=TABLE, **options):
    return apply_policy(request, table, provider="toy", native=native, **options)


@pytest.mark.parametrize("unsupported", [None, "warn", "error"])
@pytest.mark.parametrize(("name", "value"), CARRIED + NEUTRAL)
def test_what_is_carried_or_asks_for_nothing_is_never_spoken_of(name, value, unsupported):
    request = {"model": "m", name: value}
    assert applied(request, unsupported=unsupported) == (request, [])


@pytest.mark.parametrize(("name", "value", "param"), WARNED)
def test_what_is_warned_about_is_left_out(name, value, param):
    request, warnings = applied({"model": "m", name: value})
    assert [warning["param"] for warning in warnings] == [param]
    assert "toy" in warnings[0]["message"]
    assert not request.get(name)
    with pytest.raises(UnsupportedParameterError) as refusal:
        applied({"model": "m", name: value}, unsupported="error")
    assert refusal.value.param == param


@pytest.mark.parametrize(("name", "value", "param"), REJECTED)
def test_what_would_change_the_meaning_is_refused_by_name(name, value, param):
    with pytest.raises(UnsupportedParameterError) as refusal:
        applied({"model": "m", name: value})
    assert (refusal.value.param, refusal.value.status_code, refusal.value.provider) == (param, 400, "toy")
    assert 'unsupported="warn"' in refusal.value.message or "Did you mean" in refusal.value.message
    _, warnings = applied({"model": "m", name: value}, unsupported="warn")
    assert param in [warning["param"] for warning in warnings]
    request = {"model": "m", name: value}
    assert applied(request, allowed=[name]) == (request, [])


@pytest.mark.parametrize("unsupported", [None, "warn", "error"])
def test_what_the_answer_rests_on_is_never_left_out(unsupported):
    with pytest.raises(UnsupportedParameterError) as refusal:
        applied({"model": "m", "prompt": {"id": "pmpt_1"}}, unsupported=unsupported)
    assert refusal.value.param == "prompt"
    assert "unsupported=" not in refusal.value.message


@given(
    st.lists(st.sampled_from(["function", "mcp", "web_search", "shell", "custom"])),
    st.lists(st.sampled_from("ab")),
)
def test_of_a_list_exactly_what_is_not_carried_goes(tools, include):
    request = {
        "tools": [{"type": kind, "name": str(place)} for place, kind in enumerate(tools)],
        "include": include,
    }
    before = copy.deepcopy(request)
    kept, warnings = applied(request, unsupported="warn")
    assert request == before
    gone = {warning["param"] for warning in warnings}
    for place, tool in enumerate(request["tools"]):
        carried = tool["type"] in {"function", "custom"}
        assert (tool in kept["tools"]) == carried == (f"tools[{place}]" not in gone)
    assert kept["include"] == []
    assert len(gone) == len(warnings) == len(tools) - len(kept["tools"]) + len(include)


def test_one_feature_of_many_is_taken_out_of_its_group():
    request = {
        "reasoning": {"effort": "low", "summary": "auto"},
        "text": {"verbosity": "low", "format": {"type": "text"}},
    }
    kept, _ = applied(request, unsupported="warn")
    assert kept == {"reasoning": {"effort": "low"}, "text": {"format": {"type": "text"}}}


def test_a_native_wire_carries_what_its_table_does_not_name():
    request = {
        "model": "m",
        "of_next_month": 1,
        "tools": [{"type": "of_next_month"}],
        "top_p": 1,
        "store": True,
    }
    assert applied(request, native=True, table={}) == (request, [])
    kept, warnings = applied(request, native=True, table=policies(warned={"top_p": ""}))
    assert "top_p" not in kept
    assert kept["of_next_month"] == 1
    assert [warning["param"] for warning in warnings] == ["top_p"]


def test_the_full_table_answers_for_every_parameter():
    for native in (True, False):
        table = full_table(TABLE, native=native)
        assert set(PARAMETERS) | set(TABLE) == set(table)
        assert table["moderation"].support == ("native" if native else "rejected")
        assert table["top_p"] == ("warned", "temperature alone")
    assert policy_for("tools.new", {"tools.*": TABLE["top_p"]}, native=False).support == "warned"
    assert full_table(TABLE, native=False)["tools"].support != "rejected"  # some of them are carried
