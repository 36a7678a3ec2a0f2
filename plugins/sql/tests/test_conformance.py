"""What every store does, on both databases, through core's kit."""

from __future__ import annotations

import pytest

from dragoman.testing import StoreConformance
from dragoman_sql import open_store


class TestBoth(StoreConformance):
    @pytest.fixture(autouse=True)
    def place(self, url):
        self.url = url

    def open(self):
        return open_store(self.url)


class TestInMemory(StoreConformance):
    durable = False

    def open(self):
        return open_store("sqlite://")
