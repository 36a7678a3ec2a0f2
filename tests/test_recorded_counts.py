"""What the upstreams' token counters really said, refusals included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.judging import Judge
from tests.recordings import REAL, recordings

from dragoman import APIStatusError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Tally

COUNTERS = [
    ("openai.responses.input_tokens", "input_tokens", Judge("openai", "gpt-5", {"api_key": "sk-test"})),
    (
        "anthropic.count_tokens",
        "input_tokens",
        Judge("anthropic", "claude-sonnet-4-5", {"api_key": "sk-test"}),
    ),
]


@pytest.mark.parametrize(("api", "field", "judge"), COUNTERS, ids=[api for api, _, _ in COUNTERS])
def test_every_recorded_count_is_read(
    api: str, field: str, judge: Judge, tally: Callable[[str], Tally]
) -> None:
    law = tally(f"{judge.provider}, every recorded count of tokens is read, every refusal raised ({api})")
    for recording in recordings(api, fidelity=REAL):
        with law.case(recording.name):
            counting = judge.counting()
            counting.prepare()
            counting.accept(recording.status, recording.headers)
            counting.feed(recording.wire)
            if recording.status < 300:
                counting.close()
                assert counting.input_tokens == recording.body[field] > 0
            else:
                with pytest.raises(APIStatusError) as caught:
                    counting.close()
                assert caught.value.status_code == recording.status
                assert caught.value.message in recording.wire.decode()
    law.require()
