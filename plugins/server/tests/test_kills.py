"""Durable before told, as callers of a server that is killed see it; ``benchmarks/kills.py`` kills more."""

from __future__ import annotations

import asyncio
import os
import random

import pytest
from plugins.server.tests.killing import Callers, kill_under_load
from plugins.sql.tests.databases import postgresql_server, postgresql_url, sqlite_url

__all__ = ["postgresql_server", "postgresql_url", "sqlite_url"]
pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")


@pytest.mark.parametrize(("database", "kills"), [("sqlite", 3), ("postgresql", 2)])
def test_a_killed_server_loses_nothing_that_it_told(database, kills, request):
    url = request.getfixturevalue(f"{database}_url")
    chance = random.Random(7)
    callers = Callers(chance, settles_at_once=database == "sqlite")
    asyncio.run(kill_under_load(callers, url, kills, chance))
    assert callers.wrong == []
    assert sum(callers.told.values()) > kills * 10
