"""Places for stores: a file, and a schema of its own in a PostgreSQL server that the tests start."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from plugins.sql.tests.postgres_server import find_programs, running_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["postgresql_server", "postgresql_url", "sqlite_url", "url"]


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    pytest.importorskip("psycopg", reason="PostgreSQL's driver is not installed: dragoman-sql[postgresql]")
    programs = find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed (no initdb on the PATH or in /usr/lib/postgresql)")
    with running_server(programs, durable=False) as url:
        yield url


@pytest.fixture
def postgresql_url(postgresql_server: str) -> str:
    """An empty schema of its own."""
    name = f"s{uuid.uuid4().hex}"
    engine = sa.create_engine(postgresql_server.replace("postgresql:", "postgresql+psycopg:"))
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    engine.dispose()
    return f"{postgresql_server}&options=-csearch_path%3D{name}"


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/memory.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str:
    """An empty database of each kind."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found
