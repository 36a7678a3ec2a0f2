"""The tables: made when a store is opened, brought up to date, never touched by older code."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import pytest
import sqlalchemy as sa

from dragoman.errors import PluginError
from dragoman.state import StoredResponse
from dragoman_sql import open_store, schema
from dragoman_sql.addresses import parse
from dragoman_sql.engines import make_engine
from dragoman_sql.migrations import STEPS, migrate

_SAME = {"DOUBLE PRECISION": "DOUBLE", "REAL": "DOUBLE"}  # in SQLite, three names of one thing


@pytest.fixture
def engine(url):
    made = make_engine(parse(url))
    yield made
    made.dispose()


def shape(engine):
    """Return columns, keys and indexes of every table but the one of versions."""
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        return {
            table: (
                [
                    (c["name"], _SAME.get(str(c["type"]), str(c["type"])), c["nullable"])
                    for c in inspector.get_columns(table)
                ],
                inspector.get_pk_constraint(table)["constrained_columns"],
                [
                    (k["constrained_columns"], k["referred_table"], k["options"])
                    for k in inspector.get_foreign_keys(table)
                ],
                [key["column_names"] for key in inspector.get_unique_constraints(table)],
                sorted(
                    (
                        index["name"],
                        tuple(index["column_names"]),
                        str(index["dialect_options"].get(f"{engine.name}_where")),
                    )
                    for index in inspector.get_indexes(table)
                    if "duplicates_constraint" not in index
                ),
            )
            for table in sorted(set(inspector.get_table_names()) - {"dragoman_schema"})
        }


def versions(engine):
    with engine.connect() as connection:
        return (
            connection.exec_driver_sql("SELECT version FROM dragoman_schema ORDER BY version").scalars().all()
        )


def test_the_steps_lead_to_the_schema_that_the_statements_use(engine):
    migrate(engine)
    by_steps = shape(engine)
    assert set(by_steps) == {table.name for table in schema.metadata.sorted_tables}
    with engine.begin() as connection:
        schema.metadata.drop_all(connection)
        schema.metadata.create_all(connection)
    assert shape(engine) == by_steps


def test_each_step_is_done_once(engine):
    migrate(engine)
    migrate(engine)
    assert versions(engine) == list(range(1, len(STEPS) + 1))
    migrate(engine, [*STEPS, ["CREATE TABLE dragoman_later (id TEXT)"]])
    assert versions(engine) == list(range(1, len(STEPS) + 2))


def test_a_step_that_fails_leaves_the_one_before_it(engine):
    broken = [*STEPS, ["CREATE TABLE dragoman_later (id TEXT)", "CREATE TABLE dragoman_later (id TEXT)"]]
    with pytest.raises(sa.exc.DBAPIError):
        migrate(engine, broken)
    assert versions(engine) == list(range(1, len(STEPS) + 1))
    assert "dragoman_later" not in shape(engine)


def test_a_database_of_newer_code_is_left_alone(url, engine):
    newer = [*STEPS, ["CREATE TABLE dragoman_later (id TEXT)"]]
    migrate(engine, newer)
    with pytest.raises(PluginError, match=r"newer dragoman-sql.*pip install --upgrade dragoman-sql"):
        open_store(url)


OPEN_WHEN_TOLD = """
import sys
from dragoman_sql import open_store

print("ready", flush=True)
sys.stdin.readline()
store = open_store(sys.argv[1])
with store.transaction() as transaction:
    print(len(transaction.get_unfinished()))
store.close()
"""


def test_processes_that_start_at_once_make_the_tables_once(url, engine):
    command = [sys.executable, "-c", OPEN_WHEN_TOLD, url]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(4)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    assert [process.communicate(timeout=30)[0] for process in processes] == ["0\n"] * 4
    assert [process.returncode for process in processes] == [0] * 4
    assert versions(engine) == list(range(1, len(STEPS) + 1))


def test_a_query_plan_uses_the_indexes(sqlite_url):
    """What is asked often never reads the whole table."""
    store = open_store(sqlite_url)
    store.close()
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as connection:
        plans = {}
        for name in (
            "get_response",
            "get_chain",
            "get_unfinished",
            "purge",
            "get_events",
            "get_items",
            "get_holders",
            "get_item_of_conversation",
        ):
            text = getattr(store._statements, name).text
            values = [1] * text.count("?")
            plans[name] = " | ".join(
                row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", values)
            )
    connection.close()
    assert {
        name: plan for name, plan in plans.items() if "SCAN dragoman_" in plan and "USING INDEX" not in plan
    } == {}


def test_a_chain_costs_as_much_as_it_is_long(sqlite_url):
    """Counted in SQLite's own steps; and a chain that begins anew costs what comes after that."""
    store = open_store(sqlite_url)

    def steps(response_id):
        count = 0

        def step():
            nonlocal count
            count += 1

        with store.transaction() as transaction:
            connection = transaction._cursor.connection
            connection.set_progress_handler(step, 1)
            transaction.get_chain("ann", response_id)
            connection.set_progress_handler(None, 1)
        return count

    with store.transaction() as transaction:
        for place in range(500):
            transaction.put_response(
                StoredResponse(
                    id=f"resp_{place}",
                    owner="ann",
                    created_at=float(place),
                    input=[{"id": f"msg_{place}", "type": "message"}],
                    response={"status": "completed", "output": []},
                    previous_response_id=f"resp_{place - 1}" if place else None,
                    begins_anew=place == 450,
                )
            )
    assert steps("resp_400") < 4.5 * steps("resp_100")
    assert steps("resp_499") < steps("resp_50")
    store.close()
