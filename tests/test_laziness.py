"""A call loads its own provider and nothing of others; an SDK that is missing or broken hurts no other."""

from __future__ import annotations

import json

import pytest

_ON_FOUNDRY = {"dragoman_azure", "dragoman_openai", "dragoman_openai_compatible", "dragoman_anthropic"}
# Models, and what a call to them may load beside core: packages of providers, SDKs.
CALLS = {
    "echo/echo": {"dragoman_echo"},
    "openai/gpt-5.2": {"dragoman_openai"},
    "azure/my-deployment": {"dragoman_azure", "dragoman_openai"},
    "azure_ai/my-deployment": {"dragoman_azure_ai", *_ON_FOUNDRY},
    "anthropic/claude-sonnet-4-5": {"dragoman_anthropic"},
    "gemini/gemini-2.5-flash": {"dragoman_gemini"},
    "vertex_ai/gemini-2.5-flash": {
        "dragoman_vertex_ai", "dragoman_gemini", "dragoman_anthropic", "google.auth"
    },
    "bedrock/amazon.nova-lite-v1:0": {"dragoman_bedrock", "boto3", "botocore"},
    "openai_compatible/some-model": {"dragoman_openai_compatible", "dragoman_openai"},
}  # fmt: skip
SDKS = (
    "anthropic", "azure.core", "azure.identity", "boto3", "botocore", "google.auth",
    "google.cloud.aiplatform", "google.genai", "openai",
)  # fmt: skip

LOADED = """
import json, sys
import dragoman
before = {{name for name in sys.modules if name.startswith("dragoman_")}}
for stream in (False, True):
    answer = dragoman.responses(model={model!r}, input="A story.", stream=stream)
    if stream:
        answer = answer.get_final_response()
    assert answer.status == "completed", answer
roots = {{name for name in sys.modules if name.startswith("dragoman_") and "." not in name}}
print(json.dumps([sorted(before), sorted(roots | set({sdks!r}) & set(sys.modules))]))
"""

WITHOUT_SDKS = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name in {sdks!r}:
            raise {problem}

sys.meta_path.insert(0, Finder())
import dragoman
try:
    print(dragoman.responses(model={model!r}, input="A story.").status)
except dragoman.DragomanError as error:
    print(f"{{type(error).__name__}}: {{error}}")
"""


@pytest.mark.parametrize("model", CALLS)
def test_a_call_loads_nothing_of_other_providers(model, run_python):
    before, after = json.loads(run_python(LOADED.format(model=model, sdks=SDKS)))
    assert before == []
    assert set(after) <= CALLS[model] | {"dragoman_prices", "dragoman_otel"}


@pytest.mark.parametrize(
    "problem",
    ['ModuleNotFoundError(f"No module named {name!r}", name=name)', 'ImportError("undefined symbol")'],
    ids=["missing", "broken"],
)
@pytest.mark.parametrize("model", CALLS)
def test_only_its_own_provider_misses_an_sdk(model, problem, run_python):
    said = run_python(WITHOUT_SDKS.format(model=model, sdks=SDKS, problem=problem)).strip()
    if CALLS[model].isdisjoint(SDKS):
        assert said == "completed"
    else:
        assert said.startswith(("PluginError: ", "AuthenticationError: "))
        assert "pip install" in said
        assert "\n" not in said


PRICED = """
import json, sys
import dragoman
usage = {"input_tokens": 1000000, "output_tokens": 0}
steps = [sorted(name for name in ("dragoman_prices", "genai_prices") if name in sys.modules)]
from dragoman.plugins import plugins
plugins()
steps.append(sorted(name for name in ("dragoman_prices", "genai_prices") if name in sys.modules))
cost = dragoman.cost({"model": "gpt-5.2", "usage": usage}, provider="openai")
steps.append(cost and str(cost.total))
print(json.dumps(steps))
"""


def test_prices_are_loaded_when_something_is_priced(run_python):
    assert json.loads(run_python(PRICED)) == [[], ["dragoman_prices"], "1.75"]


def test_without_its_price_list_a_call_costs_nobody_knows_what_and_goes_on(run_python):
    without = WITHOUT_SDKS.partition("import dragoman")[0].format(
        sdks=("genai_prices",), problem='ModuleNotFoundError(f"No module named {name!r}", name=name)'
    )
    assert json.loads(run_python(without + PRICED)) == [[], ["dragoman_prices"], None]


FIRST_PRICE = """
import sys
from dragoman.costs import Use, price_of
from dragoman.plugins import load_plugins
load_plugins()
before = set(sys.modules)
for model in ("anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-pro"):
    provider, _, model = model.partition("/")
    usage = {"input_tokens": 3, "output_tokens": 5, "total_tokens": 8}
    assert price_of(Use(provider=provider, model=model, usage=usage))[0].total > 0
print(sorted(set(sys.modules) - before))
"""


def test_the_first_price_imports_nothing_once_plugins_are_loaded(run_python):
    assert run_python(FIRST_PRICE).strip() == "[]"
