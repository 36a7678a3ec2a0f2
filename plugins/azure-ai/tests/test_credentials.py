"""Where keys and tokens come from; how they are looked for is dragoman_azure's, and tested there."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

import sys
import types

import pytest

import dragoman_azure_ai
from dragoman.errors import AuthenticationError, PluginError
from dragoman.hookspecs import HTTPRequest
from dragoman.providers import Provider

RESOURCE = "https://here.services.ai.azure.com"
URL = f"{RESOURCE}/models/chat/completions"
PRINCIPAL = {"tenant_id": "tenant-1", "client_id": "client-1", "client_secret": "hush-123456"}


@pytest.fixture(autouse=True)
def asked(monkeypatch):
    """Put a stand-in for azure-identity in its place; return which tokens were asked for."""
    scopes = []

    class Credential:
        def __init__(self, **arguments):
            pass

        def get_token(self, scope):
            scopes.append(scope)
            return types.SimpleNamespace(token=f"of {type(self).__name__}", expires_on=4_000_000_000)

        def close(self):
            pass

    core = types.ModuleType("azure.core.exceptions")
    core.AzureError = type("AzureError", (Exception,), {})
    core.ClientAuthenticationError = type("ClientAuthenticationError", (core.AzureError,), {})
    identity = types.ModuleType("azure.identity")
    identity.DefaultAzureCredential = type("DefaultAzureCredential", (Credential,), {})
    identity.ClientSecretCredential = type("ClientSecretCredential", (Credential,), {})
    parents = {name: types.ModuleType(name) for name in ("azure", "azure.core")}
    for name, found in {**parents, "azure.core.exceptions": core, "azure.identity": identity}.items():
        monkeypatch.setitem(sys.modules, name, found)
    return scopes


def headers(url=URL, **settings):
    provider = Provider("azure_ai", dragoman_azure_ai)
    target = provider.target("grok-4", {"api_base": RESOURCE, **settings})
    return dict(provider.authorize(HTTPRequest(url=url), target, provider.load_credentials(target)).headers)


def test_the_variables_are_foundrys(monkeypatch):
    monkeypatch.setenv("AZURE_AI_API_BASE", RESOURCE)
    monkeypatch.setenv("AZURE_AI_API_KEY", "key-of-foundry")
    monkeypatch.setenv("AZURE_API_KEY", "key-of-another-resource")
    assert headers() == {"api-key": "key-of-foundry"}


def test_an_argument_counts_before_a_variable(monkeypatch):
    monkeypatch.setenv("AZURE_AI_API_KEY", "key-of-foundry")
    assert headers(**PRINCIPAL) == {"authorization": "Bearer of ClientSecretCredential"}


def test_a_function_gives_a_token():
    assert headers(azure_ad_token_provider=lambda: "a-token") == {"authorization": "Bearer a-token"}


def test_azure_identity_is_asked_for_a_token_of_cognitive_services(asked):
    assert headers() == {"authorization": "Bearer of DefaultAzureCredential"}
    assert headers(azure_scope="https://ai.azure.com/.default")
    assert asked == ["https://cognitiveservices.azure.com/.default", "https://ai.azure.com/.default"]


def test_a_header_of_the_caller_stays():
    provider = Provider("azure_ai", dragoman_azure_ai)
    target = provider.target("grok-4", {"api_base": RESOURCE, "api_key": "key-123456"})
    http = HTTPRequest(url=URL, headers={"api-key": "the callers"})
    found = provider.load_credentials(target)
    assert provider.authorize(http, target, found).headers == {"api-key": "the callers"}


@pytest.mark.parametrize(
    ("settings", "error", "words"),
    [
        ({}, AuthenticationError, "azure_ai needs a key or a token: looked for .*AZURE_AI_API_KEY"),
        (PRINCIPAL, PluginError, "azure_ai needs azure-identity .*: pip install"),
    ],
)
def test_without_azure_identity_one_line_says_what_mends_it(monkeypatch, settings, error, words):
    for name in ("azure", "azure.identity"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "azure", types.ModuleType("azure"))
    monkeypatch.setattr("dragoman_azure.credentials._has_identity", lambda: False)
    with pytest.raises(error, match=words) as caught:
        headers(**settings)
    assert "pip install" in str(caught.value)
