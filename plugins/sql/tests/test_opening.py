"""Opening a store: URLs as people write them, what may be wrong with them, and who may read what."""

from __future__ import annotations

import builtins
import os
import socket
import sqlite3
import stat
import subprocess
import sys
import time

import pytest

from dragoman.errors import BadRequestError, PluginError, ServiceUnavailableError
from dragoman.memory.keeper import Keeper
from dragoman.memory.stores import open_store as open_by_scheme
from dragoman.state import StoredResponse
from dragoman_sql import SQLStore, StoreError, addresses, open_store

PASSWORD = "hunter-two-2"


def a_response(id_="resp_1", text="Hello"):
    return StoredResponse(
        id=id_, owner="", created_at=1.0, input=[], response={"status": "completed", "output": [text]}
    )


def put(store, response):
    with store.transaction() as transaction:
        transaction.put_response(response)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sqlite://", "sqlite+pysqlite://"),
        ("sqlite:///path.db", "sqlite+pysqlite:///path.db"),
        ("sqlite:////var/path.db", "sqlite+pysqlite:////var/path.db"),
        ("sqlite+aiosqlite:///path.db", "sqlite+pysqlite:///path.db"),
        ("sqlite:///~/path.db", "sqlite+pysqlite:////home/ann/path.db"),
        ("postgresql://u:p%40@host/db", "postgresql+psycopg://u:p%40@host/db"),
        ("postgres://u@host:5433/db", "postgresql+psycopg://u@host:5433/db"),
        ("postgresql+asyncpg://host/db", "postgresql+psycopg://host/db"),
        ("postgresql:///db?host=/run/pg", "postgresql+psycopg:///db?host=%2Frun%2Fpg"),
    ],
)
def test_urls_mean_what_people_mean(written, meant, monkeypatch):
    monkeypatch.setenv("HOME", "/home/ann")
    assert addresses.parse(written).render_as_string(hide_password=False) == meant


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("mysql://host/db", "mysql:// is not known here"),
        ("sqlite://path.db", "three slashes: sqlite:///path.db"),
        ("path.db", "write sqlite:///relative.db"),
        (f"postgresql://ann:x@host:{PASSWORD}/db", "percent-encoded"),
    ],
)
def test_a_url_that_is_none_is_refused_with_the_right_form(url, says):
    with pytest.raises(BadRequestError, match=says) as refusal:
        open_store(url)
    assert refusal.value.param == "store"
    assert PASSWORD not in str(refusal.value)


@pytest.mark.parametrize("scheme", ["sqlite", "postgresql", "postgres"])
def test_core_finds_the_store_by_its_scheme(scheme, request):
    url = request.getfixturevalue("sqlite_url" if scheme == "sqlite" else "postgresql_url")
    store = open_by_scheme(scheme + ":" + url.partition(":")[2])
    assert isinstance(store, SQLStore)
    assert store.blocking is True
    store.close()


# ---- what cannot be opened ------------------------------------------------------------------------------


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(ServiceUnavailableError, match=r"there is no folder '.*nowhere'; make it first"):
        open_store(f"sqlite:///{tmp_path}/nowhere/memory.db")


def test_a_path_that_cannot_be_written(tmp_path):
    with pytest.raises(ServiceUnavailableError, match=rf"sqlite:///{tmp_path} cannot be opened: .*open"):
        open_store(f"sqlite:///{tmp_path}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ServiceUnavailableError, match="Permission denied"):
        open_store(f"sqlite:///{tmp_path}/memory.db")


def test_a_file_that_is_something_else(tmp_path):
    (tmp_path / "letter.txt").write_text("Dear Ann, " * 100)
    with pytest.raises(ServiceUnavailableError, match="file is not a database"):
        open_store(f"sqlite:///{tmp_path}/letter.txt")
    assert (tmp_path / "letter.txt").read_text() == "Dear Ann, " * 100


def test_a_server_that_is_not_there_is_named_without_its_password():
    pytest.importorskip("psycopg")
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(
            ServiceUnavailableError, match=rf"127\.0\.0\.1:{port}/db cannot be opened"
        ) as refusal:
            open_store(f"postgresql://ann:{PASSWORD}@127.0.0.1:{port}/db?application_name={PASSWORD}")
    assert PASSWORD not in str(refusal.value)
    assert "refused" in str(refusal.value)


def test_a_database_that_is_not_there(postgresql_server):
    with pytest.raises(ServiceUnavailableError, match='database "nowhere" does not exist'):
        open_store(postgresql_server.replace("/postgres?", "/nowhere?"))


def test_a_driver_that_is_not_installed(monkeypatch):
    real = builtins.__import__

    def without_psycopg(name, *arguments, **options):
        if name == "psycopg":
            raise ModuleNotFoundError("No module named 'psycopg'", name="psycopg")
        return real(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without_psycopg)
    with pytest.raises(PluginError, match=r"pip install 'dragoman-sql\[postgresql\]'"):
        open_store("postgresql://host/db")


# ---- what cannot be done later --------------------------------------------------------------------------


def test_a_database_that_fails_later_is_a_503_without_anybodys_words(sqlite_url):
    store = open_store(sqlite_url)
    keeper = Keeper(store)
    with sqlite3.connect(sqlite_url.removeprefix("sqlite:///")) as other:
        other.execute("DROP TABLE dragoman_responses")
    with pytest.raises(ServiceUnavailableError, match="no such table: dragoman_responses") as refusal:
        keeper.run(lambda transaction: transaction.put_response(a_response(text="my secret diary")))
    other.close()
    assert refusal.value.code == "store_unavailable"
    assert sqlite_url in str(refusal.value)
    for private in ("diary", "INSERT", "SELECT"):
        assert private not in str(refusal.value)
    keeper.close()


def test_a_store_that_was_closed_says_so(url):
    store = open_store(url)
    store.close()
    with pytest.raises(StoreError, match="was closed"):
        put(store, a_response())


def test_a_server_that_drops_its_connections_costs_no_request(postgresql_url):
    store = open_store(postgresql_url)
    put(store, a_response())
    other = open_store(postgresql_url)
    with other._engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND application_name = 'dragoman'"
        )
    other.close()
    with store.transaction() as transaction:
        assert transaction.get_response("", "resp_1") == a_response()
    store.close()


def test_nobody_overwrites_what_is_anothers(url):
    store = open_store(url)
    put(store, a_response())
    theirs = StoredResponse(
        id="resp_1", owner="bob", created_at=1.0, input=[], response={"status": "completed"}
    )
    with pytest.raises(ValueError, match="another owner"):
        put(store, theirs)
    with store.transaction() as transaction:
        assert transaction.get_response("", "resp_1") == a_response()
    store.close()


# ---- who may read it, and what it loads -----------------------------------------------------------------


def test_the_file_is_its_users_alone(sqlite_url, tmp_path):
    before = os.umask(0o022)
    try:
        store = open_store(sqlite_url)
        put(store, a_response())
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
        store.close()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(["memory.db", "memory.db-wal", "memory.db-shm", "memory.db-open"], 0o600)


def test_a_password_is_not_in_what_is_shown(postgresql_url):
    store = open_store(postgresql_url.replace("tester@", f"tester:{PASSWORD}@"))
    assert PASSWORD not in repr(store) + store.url
    assert repr(store) == "SQLStore('postgresql://tester:***@/postgres')"
    store.close()


def test_nothing_heavy_is_loaded_before_a_store_is_opened():
    program = (
        "import sys, dragoman_sql; dragoman_sql.open_store; assert 'sqlalchemy' not in sys.modules; "
        "dragoman_sql.open_store('sqlite://').close(); assert 'sqlalchemy' in sys.modules; "
        "assert 'psycopg' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_store_knows_whether_another_process_has_the_file_open(sqlite_url, postgresql_url):
    before = time.time()
    first = open_store(sqlite_url)
    assert before <= first.alone_at <= time.time()
    beside = [
        sys.executable,
        "-c",
        f"from dragoman_sql import open_store; print(open_store({sqlite_url!r}).alone_at)",
    ]
    assert subprocess.run(beside, capture_output=True, text=True, check=True).stdout == "None\n"
    first.close()
    again = open_store(sqlite_url)
    assert again.alone_at is not None
    again.close()
    for url in ("sqlite://", postgresql_url):
        store = open_store(url)
        assert store.alone_at is None
        store.close()
