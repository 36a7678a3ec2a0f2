"""The store of this process's memory, through the kit that every store goes through."""

from dragoman.memory.memory_store import MemoryStore
from dragoman.testing import StoreConformance


class TestMemoryStore(StoreConformance):
    durable = False
    rolls_back = False  # operations check before they write

    def open(self):
        return MemoryStore()


def test_memory_never_waits():
    assert MemoryStore.blocking is False
