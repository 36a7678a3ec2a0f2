"""Tools that a provider lacks: what is made a function on the way there is itself again on the way back."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.events.brackets import new_id
from dragoman.events.snapshots import initial_response
from dragoman.output import Output
from dragoman.tools import ArgumentsUnwrapper, ToolNames, rewrite_tools

FUNCTION = {"type": "function", "name": "add", "parameters": {"type": "object", "properties": {}}}
CUSTOM = {"type": "custom", "name": "shell", "description": "Runs it."}
LONG = "n" * 50
NAMESPACE = {"type": "namespace", "name": "math", "tools": [FUNCTION, CUSTOM]}
LONG_NAMESPACE = {"type": "namespace", "name": LONG, "tools": [{**FUNCTION, "name": LONG}]}
SEARCH = {"type": "web_search"}


def rewritten(native=(), **request):
    return rewrite_tools({"input": [], **request}, lambda feature: feature in native)


def output_for(names):
    request = {"model": "m", "input": "hi"}
    return Output(initial_response(request, response_id=new_id("resp"), provider="toy", model="m"), names)


def pieces_of(text, cuts):
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[start:end] for start, end in pairwise(places)]


# ---- custom tools --------------------------------------------------------------------------------------

nasty_texts = st.text(
    st.sampled_from('a"\\/\n\t{}:u😀é\u2028\x00') | st.characters(exclude_categories=["Cs"])
)


@given(
    text=nasty_texts,
    cuts=st.lists(st.integers(0, 500), max_size=8),
    ascii_only=st.booleans(),
    spaces=st.sampled_from(["", " ", "\n  "]),
)
def test_any_text_comes_out_of_its_wrapping_however_it_is_chopped(text, cuts, ascii_only, spaces):
    wrapped = json.dumps({"input": text}, ensure_ascii=ascii_only, separators=(f",{spaces}", f":{spaces}"))
    wrapped = f"{{{spaces}{wrapped[1:-1]}{spaces}}}"
    _, names = rewritten(tools=[CUSTOM])
    output = output_for(names)
    call = output.function_call("call_1", "shell")
    for piece in pieces_of(wrapped, cuts):
        call.write(piece)
    call.close()
    (item,) = output._items
    assert (item["type"], item["name"], item["input"]) == ("custom_tool_call", "shell", text)
    deltas = [event["delta"] for event in output.take_events() if event["type"].endswith(".delta")]
    assert "".join(deltas) == text


@given(
    st.lists(st.sampled_from(["\\ud83d", "\\ude00", "\\u0041", "\\n", "a", "\\\\"])),
    st.lists(st.integers(0, 99)),
)
def test_halves_of_surrogate_pairs_survive(parts, cuts):
    wrapped = f'{{"input": "{"".join(parts)}"}}'
    unwrapper = ArgumentsUnwrapper()
    text = "".join(unwrapper.feed(piece) for piece in pieces_of(wrapped, cuts)) + unwrapper.close()
    assert text == json.loads(wrapped)["input"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("ls -l", "ls -l"),  # not even JSON
        ('"ls"', "ls"),
        ('{"command": "ls"}', "ls"),  # another name, but it is clear what is meant
        ('{"a": 1, "b": 2}', '{"a": 1, "b": 2}'),
        ('{"input": {"x": 1}}', '{"input": {"x": 1}}'),
        ('{"input": "grep \\d \\uXYZW"}', "grep \\d \\uXYZW"),  # models forget to escape escapes
        ('{"input": "', ""),
        ('{"input": "cut off \\u00', "cut off "),
        ("", ""),
    ],
)
def test_arguments_of_another_shape_are_taken_for_what_they_are(arguments, text):
    for pieces in ([arguments], list(arguments)):
        unwrapper = ArgumentsUnwrapper()
        assert "".join(map(unwrapper.feed, pieces)) + unwrapper.close() == text


def test_a_custom_tool_goes_out_as_a_function_and_its_history_with_it():
    call = {"type": "custom_tool_call", "call_id": "c", "name": "shell", "input": 'echo "é"'}
    answer = {"type": "custom_tool_call_output", "call_id": "c", "output": []}
    grammar = {**CUSTOM, "format": {"type": "grammar", "syntax": "lark", "definition": "start: A"}}
    choice = {"type": "custom", "name": "shell"}
    request, _ = rewritten(tools=[grammar], input=[call, answer], tool_choice=choice)
    (tool,) = request["tools"]
    assert (tool["type"], tool["name"], tool["parameters"]["required"]) == ("function", "shell", ["input"])
    assert "Runs it." in tool["description"]
    assert "start: A" in tool["description"]
    assert [item["type"] for item in request["input"]] == ["function_call", "function_call_output"]
    assert json.loads(request["input"][0]["arguments"]) == {"input": 'echo "é"'}
    assert request["tool_choice"] == {"type": "function", "name": "shell"}

    native, names = rewritten({"tools.custom"}, tools=[CUSTOM], input=[call, answer], tool_choice=choice)
    assert native == {"tools": [CUSTOM], "input": [call, answer], "tool_choice": choice}
    output = output_for(names)
    output.function_call("c", "shell").write("ls")
    output.complete()
    assert output.response["output"][0]["input"] == "ls"


# ---- namespaces ----------------------------------------------------------------------------------------


def test_namespaces_are_flattened_and_restored():
    request, names = rewritten(tools=[NAMESPACE, LONG_NAMESPACE, FUNCTION, SEARCH])
    sent = [tool.get("name") for tool in request["tools"]]
    assert sent[:2] == ["math__add", "math__shell"]
    assert len(sent[2]) <= 64
    assert sent[3:] == ["add", None]

    output = output_for(names)
    for number, name in enumerate(sent[:4]):
        output.function_call(f"call_{number}", name).write('{"input": "1"}')
    output.finish()
    output.complete()
    came_back = [(item["type"], item.get("namespace"), item["name"]) for item in output.response["output"]]
    assert came_back == [
        ("function_call", "math", "add"),
        ("custom_tool_call", "math", "shell"),
        ("function_call", LONG, LONG),
        ("function_call", None, "add"),
    ]

    again, _ = rewritten(tools=[NAMESPACE, LONG_NAMESPACE, FUNCTION], input=output.response["output"])
    assert [item["name"] for item in again["input"]] == sent[:4]


@pytest.mark.parametrize(
    ("tools", "choice", "sent"),
    [
        ([NAMESPACE], {"type": "function", "name": "add"}, "math__add"),
        ([NAMESPACE, FUNCTION], {"type": "function", "name": "add"}, "math__add"),
        ([FUNCTION, NAMESPACE], {"type": "function", "name": "add"}, "add"),
        ([NAMESPACE], {"type": "custom", "name": "shell"}, "math__shell"),
    ],
)
def test_a_chosen_tool_is_called_what_the_wire_calls_it(tools, choice, sent):
    request, _ = rewritten(tools=tools, tool_choice=choice)
    assert request["tool_choice"] == {"type": "function", "name": sent}


# ---- which tools may be called -------------------------------------------------------------------------


def called(names, *calls):
    output = output_for(names)
    output.text("Let me see.")
    for name in calls:
        writer = output.function_call("call", name)
        writer.write("{}")
        writer.update(x=1)
        writer.close()
    output.finish()
    output.complete()
    made = [item["name"] for item in output.response["output"] if item["type"] != "message"]
    return made, [warning["message"] for warning in output.response["dragoman"]["warnings"]]


@pytest.mark.parametrize(
    ("allowed", "sent"),
    [
        ([{"type": "function", "name": "add"}], ["add", "math__add"]),
        ([{"type": "custom", "name": "shell"}], ["math__shell"]),
        ([{"type": "namespace", "name": "math"}], ["math__add", "math__shell"]),
        ([{"type": "web_search"}], ["web_search"]),
        ([], []),
    ],
)
def test_only_allowed_tools_are_sent(allowed, sent):
    choice = {"type": "allowed_tools", "mode": "required", "tools": allowed}
    request, names = rewritten(tools=[FUNCTION, NAMESPACE, SEARCH], tool_choice=choice)
    assert [tool.get("name", tool["type"]) for tool in request["tools"]] == sent
    assert request["tool_choice"] == "required"
    for name in ("add", "math__add", "math__shell"):
        made, warnings = called(names, name)
        assert bool(made) == (name in sent)
        assert bool(warnings) == (name not in sent)


def test_no_call_comes_out_where_none_is_allowed():
    made, warnings = called(rewritten(tools=[FUNCTION], tool_choice="none")[1], "add", "sub")
    assert made == []
    assert "'add'" in warnings[0]
    assert called(rewritten(tools=[FUNCTION], tool_choice="auto")[1], "add", "invented")[0] == [
        "add",
        "invented",
    ]


def test_a_call_id_that_the_conversation_has_used_is_not_used_again():
    history = [{"type": "function_call", "call_id": "call_1", "name": "add", "arguments": "{}"}]
    _, names = rewritten(tools=[FUNCTION], input=history)
    output = output_for(names)
    for call_id in ("call_1", "call_2", "call_2", None, ""):
        output.function_call(call_id, "add")
    ids = [item["call_id"] for item in output._items]
    assert ids[1] == "call_2"
    assert len({*ids, "call_1"}) == 6


def test_a_request_is_not_changed_in_place():
    request = {
        "input": [
            {"type": "custom_tool_call", "call_id": "c", "name": "shell", "input": "ls", "namespace": "math"}
        ],
        "tools": [NAMESPACE],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []},
    }
    before = json.dumps(request)
    rewrite_tools(request, lambda feature: False)
    assert json.dumps(request) == before
    assert ToolNames().allows("anything")
