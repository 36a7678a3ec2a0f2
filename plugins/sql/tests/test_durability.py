"""Durable before told: what was acknowledged is there, whatever happens to the process afterwards.

``benchmarks/kills.py`` does the same for as long as one likes.
"""

from __future__ import annotations

import random

import pytest
from plugins.sql.tests.killing import lost_after_kill

from dragoman_sql import open_store


@pytest.mark.parametrize(("database", "kills"), [("sqlite", 8), ("postgresql", 3)])
def test_a_killed_process_loses_nothing_that_it_acknowledged(database, kills, request):
    url = request.getfixturevalue(f"{database}_url")
    chance = random.Random(4)
    acknowledged = 0
    for _ in range(kills):
        count, wrong = lost_after_kill(url, chance)
        assert wrong == []
        acknowledged += count
    assert acknowledged > kills * 50


def test_sqlite_syncs_its_log_at_every_commit(sqlite_url):
    store = open_store(sqlite_url)
    with store._engine.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    store.close()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_postgresql_waits_for_the_disk_even_where_the_server_would_not(postgresql_url):
    store = open_store(f"{postgresql_url}%20-csynchronous_commit%3Doff")
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    store.close()
