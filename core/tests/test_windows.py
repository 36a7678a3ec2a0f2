"""``context_management`` where the upstream has nothing like it: long contexts are made short."""

import pytest

from dragoman import BadRequestError, Dragoman, InternalServerError, UnsupportedParameterError
from dragoman.compaction.items import compaction_item
from dragoman.hookspecs import LocalAnswer, hookimpl
from dragoman.memory.memory_store import MemoryStore
from dragoman.models import parse_event
from dragoman.providers import register_provider
from dragoman.sealing import seal
from dragoman.testing.legality import check_events

pytest_plugins = ["core.tests.toys", "core.tests.clients"]

LIMIT = [{"type": "compaction", "compact_threshold": 200}]
LONG = "long " * 200  # 250 tokens
TOLD = "Summary of our conversation so far:\n\nA long story."


@pytest.fixture
def model(toy):
    """A toy that writes a summary where it is asked for one; else it says what `says` holds."""

    class Model(type(toy())):
        summary = ("A long story.", "completed")
        says = (["text", "Hello"],)
        streams = False

        @hookimpl
        def answer_locally(self):
            asked = self.requests[-1]
            usage = ["usage", {"input_tokens": 10, "output_tokens": 2, "cached_tokens": 1}]
            verbs = [*self.says, usage, ["finish"]]
            if self.summarised(asked):
                text, reason = self.summary
                verbs = [["text", text], usage, ["finish", reason]]
            if asked["stream"]:
                body, type_ = toy.stream(*verbs, ["end"]), "text/event-stream"
            else:
                body, type_ = toy.whole(*verbs), "application/json"
            return LocalAnswer(headers={"content-type": type_}, chunks=[body])

        @staticmethod
        def summarised(request):
            return "condense" in request.get("instructions", "")

    plugin = Model()
    register_provider(plugin)  # the toy's fixture forgets it afterwards
    return plugin


def test_a_chain_that_is_too_long_goes_on_from_its_summary(call, model):
    client = call.kind()
    first = call(
        client.responses.create,
        model="toy/m",
        input=[{"role": "developer", "content": "Rhyme."}, {"role": "user", "content": LONG}],
        context_management=LIMIT,
    )
    assert [item.type for item in first.output] == ["message"]  # all of it is what is to be answered
    second = call(
        client.responses.create,
        model="toy/m", input="Two", previous_response_id=first.id, context_management=LIMIT, temperature=0.5,
    )  # fmt: skip
    summarise, asked = model.requests[1:]
    assert model.summarised(summarise)
    assert "temperature" not in summarise
    (_, transcript), *none = call.texts(summarise)
    assert not none
    assert LONG in transcript
    assert "Two" not in transcript
    short = [("developer", "Rhyme."), ("user", TOLD), ("user", "Two")]
    assert call.texts(asked) == short
    assert asked["temperature"] == 0.5
    compaction, message = second.output
    assert (compaction.type, message.type) == ("compaction", "message")
    assert second.usage.input_tokens == 20  # both calls
    assert second.usage.input_tokens_details.cached_tokens == 2
    assert call(client.responses.retrieve, second.id).model_dump() == second.model_dump()

    call(client.responses.delete, first.id)  # the summary stands for it
    third = {"model": "toy/m", "context_management": LIMIT}
    going_on = [*short, ("assistant", "Hello"), ("user", "Three")]
    call(client.responses.create, input="Three", previous_response_id=second.id, **third)
    assert len(model.requests) == 4  # it is short enough now
    assert call.texts(model.requests[-1]) == going_on
    sent_back = [{"role": "user", "content": LONG}, *first.output, {"role": "user", "content": "Two"}]
    call(
        client.responses.create,
        input=[*sent_back, *second.output, {"role": "user", "content": "Three"}],
        **third,
    )
    assert call.texts(model.requests[-1]) == going_on


def test_a_chain_that_is_made_short_is_read_no_further_back(model):
    store = MemoryStore()
    with Dragoman(store=store) as client:
        made, lengths = None, []
        for _ in range(60):
            made = client.responses.create(
                model="toy/m",
                input="And then? " * 4,
                previous_response_id=made and made.id,
                context_management=LIMIT,
            )
            lengths.append(len(store.get_chain("", made.id)))
    assert max(lengths) < 15
    assert max(len(request["input"]) for request in model.requests) < 30


def test_the_events_tell_of_the_compaction_first(call, model):
    client = call.kind()
    items = [{"role": "user", "content": LONG}, {"role": "assistant", "content": "Oh."}]
    stream = call(
        client.responses.create,
        model="toy/m",
        input=[*items, {"role": "user", "content": "And?"}],
        context_management=LIMIT,
        stream=True,
    )
    events = [event.model_dump(exclude_unset=True) for event in call.read(stream)]
    check_events(events)
    assert [parse_event(event).type for event in events][:5] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.compaction.compacting",
        "response.output_item.done",
    ]
    done = events[-1]["response"]
    assert [item["type"] for item in done["output"]] == ["compaction", "message"]
    assert events[4]["item"] == done["output"][0]
    assert done["usage"]["total_tokens"] == 24


def test_tools_keep_their_calls(call, model):
    client = call.kind()
    tools = [{"type": "function", "name": "add", "parameters": {"type": "object"}}]
    model.says = (["call", "call_1", "add", ["{}"]], ["call", "call_2", "add", ["{}"]])
    asked = {"model": "toy/m", "tools": tools, "context_management": LIMIT}
    first = call(client.responses.create, input=LONG, **asked)
    model.says = (["text", "Done"],)
    answers = [
        {"type": "function_call_output", "call_id": f"call_{number}", "output": "5"} for number in (1, 2)
    ]
    call(client.responses.create, input=answers, previous_response_id=first.id, **asked)
    told, *rest = model.requests[-1]["input"]
    assert told["content"][0]["text"] == TOLD
    assert [item["type"] for item in rest] == ["function_call"] * 2 + ["function_call_output"] * 2


@pytest.mark.parametrize(
    ("items", "limits"),
    [
        ([LONG, "A", "Short"], [{"type": "compaction", "compact_threshold": 1000}]),
        ([LONG, "A", "Short"], [{"type": "compaction"}]),
        ([LONG, "A", "Short"], []),
        ([LONG], LIMIT),  # nothing lies behind it
        (["Hi", "Oh", LONG], LIMIT),  # what does would gain nothing
    ],
)
def test_what_need_not_be_short_or_cannot_is_left_as_it_is(call, model, items, limits):
    roles = ("user", "assistant", "user")
    messages = [{"role": role, "content": text} for role, text in zip(roles, items, strict=False)]
    made = call(call.kind().responses.create, model="toy/m", input=messages, context_management=limits)
    (asked,) = model.requests
    assert [text for _, text in call.texts(asked)] == items
    assert [item.type for item in made.output] == ["message"]


@pytest.mark.parametrize("summary", [("", "completed"), ("Half a", "max_output_tokens")])
def test_without_a_whole_summary_there_is_no_answer(call, model, summary):
    model.summary = summary
    messages = [{"role": "user", "content": LONG}] * 2
    messages.insert(1, {"role": "assistant", "content": "A"})
    with pytest.raises(InternalServerError) as failure:
        call(call.kind().responses.create, model="toy/m", input=messages, context_management=LIMIT)
    assert failure.value.code == "compaction_failed"


def test_another_kind_of_management_is_refused_by_its_place(call, model):
    with pytest.raises(UnsupportedParameterError, match="clear_tool_uses") as refusal:
        call(
            call.kind().responses.create,
            model="toy/m",
            input="Hi",
            context_management=[*LIMIT, {"type": "clear_tool_uses"}],
        )
    assert refusal.value.param == "context_management[1].type"
    assert model.requests == []


@pytest.mark.parametrize(
    "part", [{"before": [5], "after": []}, {"before": [], "after": [{"role": "x"}]}, {"before": []}]
)
def test_a_window_that_was_changed_is_refused(call, model, part):
    forged = {**compaction_item("x"), "encrypted_content": seal("dragoman", {"summary": "x", **part})}
    with pytest.raises(BadRequestError, match="send it back exactly") as refusal:
        call(call.kind().responses.create, model="toy/m", input=[forged])
    assert refusal.value.param == "input[0].encrypted_content"
