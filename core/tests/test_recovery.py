"""Answers that break: what the caller is told of them, and how another attempt goes on."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman import APIError, Dragoman
from dragoman.routing import journey
from dragoman.testing.legality import check_events

pytest_plugins = ["core.tests.toys"]


@pytest.fixture
def breaking(toy, monkeypatch):
    """Tell of a call whose attempts go by scripts: its events, and the error that it raised.

    A script is what the toy says in one attempt; without ``["finish"]`` it breaks off.
    """
    monkeypatch.setattr(journey, "_FIRST_WAIT", 0.0)

    def run(*scripts, **options):
        toy([toy.stream(*script) or b"data: \n\n" for script in scripts])
        events, error = [], None
        with Dragoman(num_retries=len(scripts) - 1) as client:
            try:
                with client.responses.stream(model="toy/m", input="Hi", **options) as stream:
                    events = [event.model_dump(mode="json", exclude_unset=True) for event in take(stream)]
                    stream.until_done()
            except APIError as problem:
                error = problem
        return events, error

    return run


def take(stream):
    """Yield the events of a stream without the error at its end."""
    while True:
        try:
            yield next(stream)
        except (StopIteration, APIError):
            return


def said(events):
    """Return the text that a caller has read, and the one in the last response."""
    read = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    parts = [part for item in events[-1]["response"]["output"] for part in item.get("content", ())]
    return read, "".join(part["text"] for part in parts)


def answer(text, *, cut=None, thought="", width=3):
    """Return the script of an answer in pieces; `cut` is after how many it breaks off."""
    pieces = [["text", text[start : start + width]] for start in range(0, len(text), width)]
    before = [["reasoning_summary", thought]] if thought else []
    if cut is not None:
        return [*before, *pieces][:cut]
    return [*before, *pieces, ["usage", {"input_tokens": 1, "output_tokens": len(text)}], ["finish"]]


STORY = "Once upon a time there was a unicorn."


@pytest.mark.parametrize("thoughts", [("", ""), ("Hm.", "Ah."), ("", "Ah."), ("Hm.", "")])
@pytest.mark.parametrize("widths", [(3, 3), (3, 5), (5, 2)])
@pytest.mark.parametrize("cut", range(9))
def test_an_answer_that_breaks_goes_on_where_it_was(breaking, thoughts, widths, cut):
    first, second = (
        answer(STORY, cut=cut if not place else None, thought=thoughts[place], width=widths[place])
        for place in range(2)
    )
    events, error = breaking(first, second)
    check_events(events)
    if thoughts[0] and cut == 1:  # in the middle of a thought, which another attempt does not think again
        assert error.code == "stream_interrupted"
        return
    assert error is None
    assert said(events) == (STORY, STORY)
    last = events[-1]["response"]
    assert last["status"] == "completed"
    assert [attempt["outcome"] for attempt in last["dragoman"]["attempts"]] == ["failed", "success"]
    assert last["usage"]["output_tokens"] == len(STORY)


texts = st.text("ab", min_size=1, max_size=8)
scripts = st.tuples(texts, st.none() | st.integers(0, 9), st.sampled_from(["", "x"]), st.integers(1, 3))


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_text_is_told_twice_nor_another_instead(breaking, data):
    drawn = data.draw(st.lists(scripts, min_size=1, max_size=4))
    mode = data.draw(st.sampled_from(["continue", "buffer"]))
    events, error = breaking(
        *[answer(text, cut=cut, thought=thought, width=width) for text, cut, thought, width in drawn],
        stream_recovery=mode,
    )
    check_events(events)
    read, kept = said(events)
    assert read == kept
    if error is None:
        used = len(events[-1]["response"]["dragoman"]["attempts"]) - 1
        assert (read, drawn[used][1]) == (drawn[used][0], None)
    else:
        assert events[-1]["type"] == "response.failed"
        assert mode == "continue" or drawn[-1][1] is not None


def test_a_call_that_was_begun_is_not_begun_again(breaking):
    cut = [["call", "call_1", "look", ['{"a":']]]
    events, error = breaking(cut, answer(STORY))
    assert error.code == "stream_interrupted"
    check_events(events)
    assert [item["status"] for item in events[-1]["response"]["output"]] == ["incomplete"]


def test_what_differs_is_not_told(breaking):
    events, error = breaking(answer(STORY, cut=4), answer("Once there was none."), answer(STORY))
    check_events(events)
    assert error.code == "stream_interrupted"
    assert said(events) == (STORY[:12], STORY[:12])
    outcomes = [attempt["outcome"] for attempt in events[-1]["response"]["dragoman"]["attempts"]]
    assert outcomes == ["failed", "cancelled"]


def test_nothing_is_told_of_a_buffered_answer_before_it_is_whole(breaking):
    events, error = breaking(answer("Something else", cut=4), answer(STORY), stream_recovery="buffer")
    assert error is None
    check_events(events)
    assert said(events) == (STORY, STORY)


@pytest.mark.parametrize("cut", [0, 1, 3])
def test_without_another_attempt_what_arrived_is_kept(breaking, cut):
    events, error = breaking(answer(STORY, cut=cut))
    check_events(events)
    assert said(events) == (STORY[: 3 * cut], STORY[: 3 * cut])
    assert error.response.output_text == STORY[: 3 * cut]
    assert error.code == "stream_interrupted"
