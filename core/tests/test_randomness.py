"""Digits of ids: never the same twice, in whichever process."""

from __future__ import annotations

import os

import pytest

from dragoman.randomness import random_hex


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_gives_ids_of_its_own():
    random_hex()  # there are some in stock
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, "".join(random_hex() for _ in range(100)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(read, 3200).decode()
    os.close(read)
    os.close(write)
    ids = [theirs[place : place + 32] for place in range(0, 3200, 32)] + [random_hex() for _ in range(500)]
    assert len(set(ids)) == 600
    assert all(len(bytes.fromhex(one)) == 16 for one in ids)
