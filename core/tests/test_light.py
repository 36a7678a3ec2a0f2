"""Nothing loads until it is needed."""

import json
import subprocess
import sys

import pytest

HEAVY = (
    "httpx",
    "pydantic",
    "pluggy",
    "importlib_metadata",
    "asyncio",
    "openai",
    "boto3",
    "google",
    "sqlalchemy",
)


def loaded_by(code):
    """Return the names of the modules that a fresh interpreter has after this code."""
    program = (
        f"import sys\nbefore = set(sys.modules)\n{code}\nloaded = sorted(set(sys.modules) - before)\n"
        "import json\nprint(json.dumps(loaded))"
    )
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return set(json.loads(result.stdout.splitlines()[-1]))


def packages(modules):
    return {module.partition(".")[0] for module in modules}


def test_importing_dragoman_imports_next_to_nothing():
    loaded = loaded_by("import dragoman")
    assert not packages(loaded) & set(HEAVY)
    assert {module for module in loaded if module.startswith("dragoman")} == {"dragoman"}


@pytest.mark.parametrize("room", ["hookspecs", "errors", "parameters", "sealing", "discovery"])
def test_what_authors_import_is_light(room):
    loaded = packages(loaded_by(f"import dragoman.{room}"))
    assert not loaded & (set(HEAVY) - {"pluggy"})  # the markers are pluggy's
    assert not any(name.startswith("dragoman_") for name in loaded)


def test_a_mocked_call_loads_no_provider():
    call = "import dragoman; dragoman.responses('hi', 'anthropic/m', mock_response='Hello')"
    loaded = packages(loaded_by(call))
    assert not any(name.startswith("dragoman_") for name in loaded)
    assert not loaded & {
        "openai",
        "anthropic",
        "boto3",
        "botocore",
        "google",
        "sqlalchemy",
        "importlib_metadata",
    }


def test_a_call_loads_its_provider_alone():
    pytest.importorskip("dragoman_echo", reason="dragoman-echo is not installed")
    loaded = packages(loaded_by("import dragoman; dragoman.responses('hi', 'echo/echo')"))
    # What prices and traces calls, where it is installed, is of no provider.
    ours = {name for name in loaded if name.startswith("dragoman_")}
    assert ours - {"dragoman_prices", "dragoman_otel"} == {"dragoman_echo"}
    assert not loaded & {"openai", "anthropic", "boto3", "botocore", "google", "sqlalchemy", "opentelemetry"}


def test_every_public_name_is_there_and_listed():
    there = "all(hasattr(dragoman, name) for name in dir(dragoman)) and not hasattr(dragoman, 'x')"
    loaded_by(f"import dragoman; assert {there}")
