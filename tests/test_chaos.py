"""Calls over deployments that fail at random, thirty in a hundred, by an emulator that others wrote.

``python -m tests.failover.chaos`` makes two thousand of them, with ``--server`` over HTTP.
"""

from __future__ import annotations

import asyncio

import pytest
from tests.emulator import install_folder
from tests.failover.chaos import chaotic_emulator, play_chaos


@pytest.mark.parametrize("server", [False, True], ids=["router", "server"])
def test_every_call_is_answered_whole_although_three_in_ten_attempts_fail(request, server):
    folder = install_folder(getattr(request.config, "cache", None))
    with chaotic_emulator(folder, share=0.3) as url:
        counts = asyncio.run(play_chaos(url, 200, server=server))
    print(counts)
    assert counts.good, counts
    assert sum(many * count for many, count in counts.attempts.items()) > counts.requests  # it was chaos
