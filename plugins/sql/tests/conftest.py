"""Fixtures of these tests."""

from __future__ import annotations

from plugins.sql.tests.databases import postgresql_server, postgresql_url, sqlite_url, url

__all__ = ["postgresql_server", "postgresql_url", "sqlite_url", "url"]
