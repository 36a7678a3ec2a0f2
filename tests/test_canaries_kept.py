"""No secret of a call or a config is kept, in a database or a batch's answers, nor is it in any answer."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import suppress

import pytest
import sqlalchemy
from plugins.sql.tests.databases import postgresql_server, postgresql_url, sqlite_url, url
from tests.canaries import MODELS, Gossip, assert_hidden, options_of
from tests.ways_to_ask import WAYS, world

from dragoman import APIError, Dragoman
from dragoman.routing import Deployment, RoutingSettings

__all__ = ["postgresql_server", "postgresql_url", "sqlite_url", "url"]

ASKED = {"input": "A question.", "metadata": {"cell": "x"}}


@pytest.fixture
def upstream():
    running = Gossip()
    yield running
    running.stop()


def stored(url):
    """Return all rows of a database as text, and all bytes of SQLite's files."""
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    tables = sqlalchemy.MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        rows = [
            repr(tuple(bytes(value) if isinstance(value, memoryview) else value for value in row))
            for table in tables.sorted_tables
            for row in connection.execute(table.select())
        ]
    path = engine.url.database if engine.dialect.name == "sqlite" else None
    engine.dispose()
    for ending in ("", "-wal") if path else ():
        with suppress(FileNotFoundError), open(path + ending, "rb") as file:
            rows.append(file.read().decode("latin-1"))
    return rows


@pytest.mark.parametrize("model", MODELS)
def test_no_answer_and_no_database_has_one(upstream, url, model):
    options = options_of(model, upstream.port, stream=False)
    for name in ("model", "input", "stream", "tools"):
        options.pop(name, None)
    deployments = (Deployment(name="m", model=model, arguments=options),)

    answers = []

    async def play():
        async with world(deployments, RoutingSettings(num_retries=0), str, store=url) as playground:
            for upstream.breaks in (False, True):
                for way in WAYS.values():
                    answers.append(str(await way.ask(playground, {**ASKED, "model": "m"})))  # noqa: PERF401

    asyncio.run(play())
    with Dragoman(store=url) as client:
        for stream in (False, True):
            with suppress(APIError):
                made = client.responses.create(**options_of(model, upstream.port, stream=stream))
                if stream:
                    made.until_done()
    rows = stored(url)
    assert any("A question." in row for row in rows)  # responses that failed in the background are kept
    assert sum("server_error" in answer or "error" in answer for answer in answers) >= 8
    assert_hidden(upstream, [*answers, *rows])


def test_the_answers_of_a_batch_have_none(upstream, tmp_path):
    file = tmp_path / "questions.jsonl"
    models = [model for model in MODELS if not model.startswith("azure")]
    lines = [
        {
            "custom_id": model,
            "method": "POST",
            "url": "/v1/responses",
            "body": {"model": model, "input": "Hi"},
        }
        for model in models
    ]
    file.write_text("\n".join(map(json.dumps, lines)))
    address = f"http://canary-user:canary-password@127.0.0.1:{upstream.port}"
    prefixes = [model.partition("/")[0].upper() for model in models]
    environment = {
        **os.environ,
        **{f"{prefix}_API_KEY": f"canary-key-{prefix}" for prefix in prefixes},
        **{f"{prefix}_API_BASE": f"{address}/v1" for prefix in prefixes},
        "OPENAI_BASE_URL": f"{address}/v1",
        "DRAGOMAN_LOG_CALLS": "content",
        "NO_PROXY": "127.0.0.1",
    }
    command = [sys.executable, "-m", "dragoman_cli", "batch", str(file), "--retries", "0"]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    answers = (tmp_path / "questions.out.jsonl").read_text()
    assert len(answers.splitlines()) == len(models), done.stderr
    assert "dragoman.calls" in done.stderr or '"operation"' in done.stderr
    assert_hidden(upstream, [answers, done.stdout, done.stderr], heard=["canary-key-ANTHROPIC"])
