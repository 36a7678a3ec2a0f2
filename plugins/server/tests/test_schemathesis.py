"""The server is what its openapi.json says, whatever is sent to it: judged by schemathesis."""

from __future__ import annotations

import subprocess
import sys

import httpx
import pytest

from dragoman_server import Deployment, Limits

_EXAMPLES = 10  # of each operation in each phase, beside those that every boundary of the schema gives
# A request that the schema allows may ask for what a model cannot do, or go on from what is not there: a 400.
_MODELS_OWN_LIMITS = "positive_data_acceptance"


@pytest.mark.parametrize(
    ("served", "excluded"), [("echo/*", []), ("*", ["--exclude-checks", _MODELS_OWN_LIMITS])]
)
def test_every_answer_is_as_described(serve, tmp_path, served, excluded):
    """Where few models are served all that is asked of them is a 404; where all are, they answer."""
    limits = Limits(grace=60, shutdown=1)
    with serve(Deployment(name=served, model="echo/m"), limits=limits) as server:
        command = [sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json"]
        options = ["--max-examples", str(_EXAMPLES), "--generation-deterministic", "--no-color", *excluded]
        paths = httpx.get(f"{server.url}/openapi.json").json()["paths"]
        judged = subprocess.run(
            [*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
        )
    assert judged.returncode == 0, judged.stdout + judged.stderr
    described = sum(map(len, paths.values()))
    assert f"{described} selected / {described} total" in judged.stdout
