"""``dragoman keys``: in the store of a server that may be running."""

from __future__ import annotations

import json

import httpx
import pytest

from dragoman_cli import main

MASTER = {"authorization": "Bearer the-master-key-of-this"}


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/keys.db"


@pytest.fixture
def run(capsys, url):
    """Run ``dragoman keys``; return the exit code and what it said."""

    def run_command(*arguments, where=("--store", url)):
        code = main(["keys", *arguments, *where])
        said = capsys.readouterr()
        return code, said.out.strip(), said.err

    return run_command


def test_keys_are_made_listed_and_revoked_beside_a_running_server(run, url, serve):
    with serve(store=url, master_key="the-master-key-of-this") as server:
        code, key, said = run(
            "create", "--name", "Ada", "--models", "echo/*,other", "--rpm", "60", "--tpm", "1000",
            "--parallel", "2", "--budget", "5", "--period", "30d", "--unknown-prices",
            "--metadata", "team=x", "--expires", "2w",
        )  # fmt: skip
        assert (code, key[:12]) == (0, "sk-dragoman-")
        assert "shown this once" in said
        asked = {"model": "echo/m", "input": "Hi"}
        headers = {"authorization": f"Bearer {key}"}
        assert httpx.post(f"{server.url}/v1/responses", json=asked, headers=headers).status_code == 200
        (listed,) = httpx.get(f"{server.url}/v1/keys", headers=MASTER).json()["data"]
        code, told, _ = run("list", "--json")
        assert json.loads(told) == [listed]
        assert listed["models"] == ["echo/*", "other"]
        assert (listed["rpm"], listed["tpm"], listed["max_parallel_requests"]) == (60, 1000, 2)
        assert listed["budget"]["unknown_prices"] is True
        code, told, _ = run("list")
        assert code == 0
        for words in (listed["id"], "Ada", "echo/* other, 60 rpm, 1000 tpm, 2 at once", "$0 of $5 per 30d"):
            assert words in told
        assert key not in told
        assert run("revoke", listed["id"])[:2] == (0, f"{listed['id']} is revoked")
        assert "revoked" in run("list")[1]


def test_a_config_names_the_store_too(run, url, tmp_path):
    (tmp_path / "config.yaml").write_text(f"dragoman_settings: {{store: '{url}'}}\n")
    assert run("list", where=("--config", str(tmp_path / "config.yaml")))[:2] == (0, "no keys")


@pytest.mark.parametrize(
    ("arguments", "where", "message"),
    [
        (["list"], [], "--store sqlite:///dragoman.db"),
        (["list"], ["--store", "sqlite:///:memory:"], "none is named"),
        (["create", "--rpm", "0"], None, "rpm must be a whole number of at least 1"),
        (["create", "--period", "1d"], None, "about a --budget"),
        (["create", "--metadata", "x"], None, "NAME=TEXT"),
        ([], None, "create|list|revoke"),
    ],
)
def test_what_cannot_be_done_is_said(run, arguments, where, message):
    code, _, said = run(*arguments, **({} if where is None else {"where": where}))
    assert code == 2
    assert message in said


def test_a_key_that_is_not_there(run):
    code, _, said = run("revoke", "key_none")
    assert code != 0
    assert "not found" in said
