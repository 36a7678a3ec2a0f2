"""Answers that break in their text, at a model that goes on behind the beginning of its own answer."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman import BadRequestError, hookimpl

pytest_plugins = ["core.tests.toys", "core.tests.storytellers"]

STORY = "Once upon a time there was  a\nunicorn. It was white."


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 25), min_size=1, max_size=4), st.integers(1, 6))
def test_an_answer_goes_on_behind_what_was_told_of_it(tell, storyteller, cuts, width):
    teller = storyteller(cuts, width=width)
    told = tell(teller)
    beginnings = [text for text in teller.beginnings if text]
    assert told.error is None
    assert told.texts == (STORY, STORY)
    assert all(STORY.startswith(text) and text == text.rstrip() for text in beginnings)
    assert all(later.startswith(one) for one, later in pairwise(beginnings))
    assert len(told.response["output"]) == 1
    assert [event["text"] for event in told.events if event["type"].endswith("text.done")] == [STORY]
    # Each attempt tells what it took; the answer's usage is that of all whose text stands in it.
    if len(cuts) == 1 and cuts[0]:
        for name in ("input_tokens", "output_tokens"):
            assert told.response["usage"][name] == sum(one["usage"][name] for one in told.attempts)


def test_an_answer_that_lacks_nothing_but_its_end_is_closed(tell, storyteller):
    teller = storyteller([len(STORY)], width=1)
    told = tell(teller)
    assert (told.error, told.texts) == (None, (STORY, STORY))
    assert teller.beginnings == ["", STORY]
    assert told.response["output"][0]["status"] == "completed"


@pytest.mark.parametrize("cut", [4, len(STORY)])
def test_a_call_may_follow_the_text(tell, storyteller, cut):
    told = tell(storyteller([cut], width=1, more=[["call", "call_1", "look", ['{"a":', "1}"]]]))
    message, call = told.response["output"]
    assert (told.error, told.texts) == (None, (STORY, STORY))
    assert (message["status"], call["arguments"]) == ("completed", '{"a":1}')


def test_where_a_prefill_is_refused_the_answer_is_made_anew(tell, storyteller):
    teller = storyteller([4], refuses=True)
    told = tell(teller, num_retries=1)
    assert (told.error, told.texts) == (None, (STORY, STORY))
    assert teller.beginnings == ["", STORY[:12].rstrip(), ""]
    _, refused, last = told.attempts
    assert (refused["outcome"], refused["status"], last["outcome"]) == ("failed", 400, "success")
    assert told.response["usage"]["input_tokens"] == 10


def test_behind_white_space_that_was_told_another_word_is_no_continuation(tell, storyteller):
    teller = storyteller([5], width=1, skips=2)  # "Once " was told, and "upon" comes back without the space
    told = tell(teller)
    assert teller.beginnings == ["", "Once", ""]
    assert told.attempts[1]["code"] == "not_continued"
    assert told.texts == (STORY, STORY)


@pytest.mark.parametrize(
    "options",
    [
        {"reasoning": {"effort": "low"}},
        {"text": {"format": {"type": "json_object"}}},
        {"tool_choice": "required", "tools": [{"type": "function", "name": "look", "parameters": {}}]},
        {"stream_recovery": "buffer"},
        {"stream_recovery": "fail"},
    ],
    ids=["reasoning", "form", "demanded tool", "buffer", "fail"],
)
def test_what_cannot_be_continued_is_not(tell, storyteller, options):
    teller = storyteller([4])
    tell(teller, unsupported="warn", **options)
    assert set(teller.beginnings) == {""}


@pytest.mark.parametrize("options", [{"prefill": False}, {"thinks": True}], ids=["no prefill", "thoughts"])
def test_a_model_that_cannot_go_on_is_not_asked_to(tell, storyteller, options):
    teller = storyteller([4], **options)
    assert tell(teller).error.code == "stream_interrupted"
    assert set(teller.beginnings) == {""}


def test_a_limit_on_the_output_counts_what_was_told(tell, storyteller):
    teller = storyteller([12])
    tell(teller, max_output_tokens=100, allowed_openai_params=["max_output_tokens"])
    first, second = (request["max_output_tokens"] for request in teller.requests)
    assert 70 < second < first == 100


def test_a_broken_hook_stands_in_nobodys_way(tell, storyteller):
    class Broken(storyteller):
        @hookimpl
        def supports_prefill(self):
            raise BadRequestError("a defect")

    assert tell(Broken([4])).error.code == "stream_interrupted"
