"""The laws of translation for Foundry, judged by real exchanges with it.

The wires are those of Chat Completions, Anthropic and OpenAI, so the laws are theirs, with another judge:
every answer and every request goes through the azure_ai provider.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from tests import messages_wire
from tests import test_recorded_anthropic as claude_laws
from tests import test_recorded_chat as chat_laws
from tests import test_recorded_native as native_laws
from tests.judging import Judge
from tests.recordings import REAL, recordings

from dragoman.providers import load_provider
from dragoman.sealing import unseal
from dragoman_azure_ai.addresses import chat_url, messages_url

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Tally

SETTINGS = {"api_base": "https://RESOURCE.services.ai.azure.com", "api_key": "azure-ai-test-key"}
CHAT = Judge("azure_ai", "grok-4-1-fast-non-reasoning", SETTINGS)
CLAUDE = Judge("azure_ai", "claude-sonnet-4-5", SETTINGS)
# Nobody has recorded the Responses API on Foundry's own host; it is Azure OpenAI's.
RESPONSES = native_laws.Native(
    Judge("azure_ai", "gpt-5-mini", {**SETTINGS, "wire": "responses"}),
    ("azure.responses",),
    ("azure.responses", "azure.chat"),
)


def laws_in(module: Any) -> list[Any]:
    return [law for name, law in vars(module).items() if name.startswith("test_")]


# Deployments of OpenAI's models answer here as they do on Azure OpenAI.
@pytest.mark.parametrize("api", ["azure_ai.chat", "azure.chat"])
@pytest.mark.parametrize("law", laws_in(chat_laws), ids=lambda law: law.__name__)
def test_chat_on_foundry(
    law: Any, api: str, tally: Callable[[str], Tally], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_laws, "JUDGE", CHAT)
    law(api=api, tally=lambda name: tally(name.replace("Chat", "Foundry (Chat)")))


# Nobody has recorded Claude on Foundry: what was made from public logs, and what Claude says elsewhere on the
# same wire, has to do.
@pytest.mark.parametrize("api", ["azure_ai.anthropic.messages", "anthropic.messages"])
@pytest.mark.parametrize("law", laws_in(claude_laws), ids=lambda law: law.__name__)
def test_claude_on_foundry(
    law: Any, api: str, tally: Callable[[str], Tally], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claude_laws, "JUDGE", CLAUDE)
    monkeypatch.setattr(claude_laws, "API", api)
    monkeypatch.setattr(
        messages_wire, "unseal", lambda _, value, param: unseal("azure_ai.messages", value, param=param)
    )
    if api.startswith("azure_ai"):
        monkeypatch.setattr(claude_laws, "REAL", REAL | {"synthetic"})
    law(tally=lambda name: tally(name.replace("Anthropic", f"Foundry (Claude, {api})")))


@pytest.mark.parametrize(
    "law",
    [law for law in laws_in(native_laws) if "native" in inspect.signature(law).parameters],
    ids=lambda law: law.__name__,
)
def test_responses_on_foundry(law: Any, tally: Callable[[str], Tally]) -> None:
    law(native=RESPONSES, tally=lambda name: tally(name.replace("azure_ai", "Foundry (Responses)")))


def test_every_recorded_address_is_found(tally: Callable[[str], Tally]) -> None:
    law = tally("Foundry, every recorded address is found")
    provider = load_provider("azure_ai")
    for api, find in (("azure_ai.chat", chat_url), ("azure_ai.anthropic.messages", messages_url)):
        for recording in recordings(api):
            recorded = urlsplit(recording.document["request"]["url"])
            with law.case(recording.name):
                target = provider.target(recording.document["model"] or "ours", SETTINGS)
                found = urlsplit(find(target, "ours") if find is chat_url else messages_url(target))
                assert (found.netloc, found.path) == (recorded.netloc, recorded.path)
                assert found.query == recorded.query or not recorded.query
    law.require()
