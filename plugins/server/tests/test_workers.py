"""``dragoman serve --workers``: several processes that behave as one."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from plugins.server.tests.killing import serving
from plugins.sql.tests.databases import sqlite_url

__all__ = ["sqlite_url"]
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="looks for processes as Linux has them"
)

SLOW = json.dumps({"echo": [part for _ in range(20) for part in ({"text": "word "}, {"pause": 0.02})]})

ENDLESS = json.dumps({"echo": [{"text": "word "}, {"pause": 600}]})


def workers_of(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def is_there(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the latter where it ends between opening and reading
        return False


async def until(holds) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.02)


async def call(url, method, path, body=None):
    """Call over a connection of its own: any of the workers may answer."""
    async with aiohttp.request(
        method, f"{url}/v1/{path}", json=body, headers={"connection": "close"}
    ) as answer:
        return answer.status, await answer.text()


def test_several_workers_answer_as_one(sqlite_url):
    async def main():
        async with serving(sqlite_url, "--workers", "3") as (http, process):
            url = str(http._base_url).rstrip("/")
            assert len(workers_of(process)) == 3
            ids = []
            for text in (ENDLESS, *[SLOW] * 5):
                asked = {"model": "echo/e", "input": text, "background": True}
                ids.append(json.loads((await call(url, "POST", "responses", asked))[1])["id"])
            followed = [call(url, "GET", f"responses/{id_}?stream=true") for id_ in ids * 3]
            cancelled = call(url, "POST", f"responses/{ids[0]}/cancel")
            (_, ended), *streams = await asyncio.gather(cancelled, *followed)
            assert json.loads(ended)["status"] == "cancelled"
            for place, id_ in enumerate(ids):
                told = {streams[place + 6 * turn][1] for turn in range(3)}
                assert len(told) == 1 or place == 0, "followers of one response were told different things"
                status = "cancelled" if place == 0 else "completed"
                for _ in range(4):
                    assert json.loads((await call(url, "GET", f"responses/{id_}"))[1])["status"] == status
                    again = {"model": "echo/e", "input": "Go on", "previous_response_id": id_}
                    assert (await call(url, "POST", "responses", again))[0] == 200

    asyncio.run(main())


def test_a_worker_that_ends_loses_no_request_and_is_replaced(sqlite_url):
    async def main():
        async with serving(sqlite_url, "--workers", "2") as (http, process):
            url = str(http._base_url).rstrip("/")
            first = workers_of(process)
            done = asyncio.Event()
            answers = []

            async def ask():
                for text in itertools.cycle([SLOW, *["Hi"] * 4]):
                    asked = {"model": "echo/e", "input": text, "stream": True}
                    answers.append(await call(url, "POST", "responses", asked))
                    if done.is_set():
                        return

            asking = [asyncio.create_task(ask()) for _ in range(8)]
            for worker in first:
                os.kill(worker, signal.SIGTERM)
                so_far = len(answers)
                await until(
                    lambda gone=worker, so_far=so_far: (
                        len({*workers_of(process)} - {gone}) == 2 and len(answers) > so_far + 8
                    )
                )
            done.set()
            await asyncio.gather(*asking)
            assert all(status == 200 and text.endswith("data: [DONE]\n\n") for status, text in answers)
            assert all("response.completed" in text for _, text in answers)
            os.kill(workers_of(process)[0], signal.SIGKILL)
            await until(lambda: len(workers_of(process)) == 2)
            assert (await call(url, "GET", "models"))[0] == 200

    asyncio.run(main())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_their_parent_and_let_streams_end(sqlite_url, number):
    async def main():
        async with serving(sqlite_url, "--workers", "2") as (http, process):
            workers = workers_of(process)
            async with http.post(
                "/v1/responses", json={"model": "echo/e", "input": SLOW, "stream": True}
            ) as answer:
                await answer.content.readline()
                os.kill(process, number)
                rest = await answer.text()
            assert "response.completed" in rest
            assert rest.endswith("data: [DONE]\n\n")
            await until(lambda: not any(map(is_there, workers)))

    asyncio.run(main())


def test_workers_reload_together(sqlite_url, tmp_path):
    def write(name):
        draft, config = tmp_path / "draft", tmp_path / "config.yaml"
        draft.write_text(f"model_list: [{{model_name: {name}, litellm_params: {{model: echo/e}}}}]\n")
        draft.replace(config)
        return str(config)

    async def main():
        async with serving(sqlite_url, "--workers", "2", "--config", write("before")) as (http, process):
            url = str(http._base_url).rstrip("/")
            write("after")
            os.kill(process, signal.SIGHUP)
            served = set()
            async with asyncio.timeout(20):
                while served != {'["after"]'}:
                    told = [json.loads((await call(url, "GET", "models"))[1])["data"] for _ in range(8)]
                    served = {json.dumps([model["id"] for model in models]) for models in told}

    asyncio.run(main())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--workers", "2"], "--store sqlite:///dragoman.db"),
        (["--workers", "2", "--store", "sqlite://"], "a memory of its own"),
        (["--workers", "0"], "at least 1"),
    ],
)
def test_workers_that_could_not_share_are_not_started(options, said):
    command = [sys.executable, "-m", "dragoman_cli", "serve", "--port", "0", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert said in done.stderr
