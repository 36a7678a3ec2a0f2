"""Where keys and tokens come from, in which order, and what is said where there are none."""

import asyncio
import sys
import time
import types

import httpx
import pytest

import dragoman_azure
from dragoman import AsyncDragoman, Dragoman
from dragoman.errors import APIConnectionError, AuthenticationError, BadRequestError, PluginError
from dragoman.hookspecs import HTTPRequest
from dragoman.providers import Provider

HOST = "https://here.openai.azure.com"
PRINCIPAL = {"tenant_id": "tenant-1", "client_id": "client-1", "client_secret": "hush-123456"}
ANSWER = {"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "output": []}


@pytest.fixture(autouse=True)
def _nothing_in_the_environment(monkeypatch):
    for setting in dragoman_azure.provider_info().settings:
        for variable in setting.env:
            monkeypatch.delenv(variable, raising=False)


@pytest.fixture(autouse=True)
def identity(monkeypatch):
    """Put a stand-in for azure-identity in its place; return what it was asked."""
    asked = []
    core = types.ModuleType("azure.core.exceptions")
    core.AzureError = type("AzureError", (Exception,), {})
    core.ClientAuthenticationError = type("ClientAuthenticationError", (core.AzureError,), {})

    class Credential:
        failure = None

        def __init__(self, **arguments):
            asked.append((type(self).__name__, arguments))

        def get_token(self, scope):
            asked.append(scope)
            if self.failure:
                raise self.failure
            return types.SimpleNamespace(token=f"token of {type(self).__name__}", expires_on=lasting())

        def close(self):
            asked.append("closed")

    module = types.ModuleType("azure.identity")
    module.DefaultAzureCredential = type("DefaultAzureCredential", (Credential,), {})
    module.ClientSecretCredential = type("ClientSecretCredential", (Credential,), {})
    parents = {name: types.ModuleType(name) for name in ("azure", "azure.core")}
    for name, found in {**parents, "azure.core.exceptions": core, "azure.identity": module}.items():
        monkeypatch.setitem(sys.modules, name, found)
    return types.SimpleNamespace(asked=asked, credential=Credential, problems=core)


@pytest.fixture
def no_identity(monkeypatch):
    for name in ("azure", "azure.identity"):
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [_Hiding("azure"), *sys.meta_path])


class _Hiding:
    """Finds nothing, whatever is installed."""

    def __init__(self, root):
        self.root = root

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == self.root:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def lasting(seconds=3600):
    return int(time.time()) + seconds


def headers(provider=None, **settings):
    provider = provider or Provider("azure", dragoman_azure)
    target = provider.target("d", {"api_base": HOST, **settings})
    found = provider.load_credentials(target)
    return dict(provider.authorize(HTTPRequest(url=HOST), target, found).headers)


def bearer(token):
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"api_key": "key-123456"}, {"api-key": "key-123456"}),
        ({"azure_ad_token": "token-1"}, bearer("token-1")),
        ({"azure_ad_token_provider": lambda: "token-2"}, bearer("token-2")),
        (PRINCIPAL, bearer("token of ClientSecretCredential")),
        ({}, bearer("token of DefaultAzureCredential")),
        ({"api_key": "key-123456", "azure_ad_token": "token-1"}, bearer("token-1")),
        (
            {"azure_ad_token": "token-1", "azure_ad_token_provider": lambda: "token-2"},
            bearer("token-2"),
        ),
        ({**PRINCIPAL, "api_key": "key-123456"}, {"api-key": "key-123456"}),
    ],
)
def test_one_header_opens_the_resource(settings, expected):
    assert headers(**settings) == expected


@pytest.mark.parametrize("variable", ["AZURE_AD_TOKEN", "AZURE_OPENAI_AD_TOKEN"])
def test_an_argument_counts_before_a_variable(monkeypatch, variable):
    monkeypatch.setenv(variable, "token-of-another-program")
    assert headers() == bearer("token-of-another-program")
    assert headers(api_key="key-123456") == {"api-key": "key-123456"}
    monkeypatch.setenv("AZURE_API_KEY", "key-in-environment")
    assert headers() == bearer("token-of-another-program")
    assert headers(**PRINCIPAL) == bearer("token of ClientSecretCredential")


def test_a_header_of_the_caller_stays():
    provider = Provider("azure", dragoman_azure)
    target = provider.target("d", {"api_base": HOST, "api_key": "key-123456"})
    http = HTTPRequest(url=HOST, headers={"api-key": "the callers"})
    found = provider.load_credentials(target)
    assert provider.authorize(http, target, found).headers == {"api-key": "the callers"}


# ---- the function ---------------------------------------------------------------------------------------


def test_the_function_is_asked_before_every_call():
    tokens = iter(["first", "second"])
    provider, function = Provider("azure", dragoman_azure), lambda: next(tokens)
    assert headers(provider, azure_ad_token_provider=function) == bearer("first")
    assert headers(provider, azure_ad_token_provider=function) == bearer("second")


async def _coroutine():
    return "token"


@pytest.mark.parametrize("function", ["token", _coroutine, lambda: None, lambda: "", lambda: b"token"])
def test_what_is_no_function_that_returns_a_token_is_refused(function):
    with pytest.raises(BadRequestError, match="azure_ad_token_provider must") as caught:
        headers(azure_ad_token_provider=function)
    assert caught.value.param == "azure_ad_token_provider"


def test_a_function_that_fails_is_named():
    def function():
        raise OSError("no network")

    with pytest.raises(AuthenticationError, match="azure_ad_token_provider failed: OSError: no network"):
        headers(azure_ad_token_provider=function)


# ---- azure-identity -------------------------------------------------------------------------------------


def test_the_service_principal_signs_in(identity):
    headers(**PRINCIPAL, azure_scope="https://cognitiveservices.azure.us/.default")
    assert identity.asked == [
        ("ClientSecretCredential", PRINCIPAL),
        "https://cognitiveservices.azure.us/.default",
        "closed",
    ]


@pytest.mark.parametrize(
    ("settings", "chosen"),
    [
        ({}, {}),
        (
            {"client_id": "client-1"},
            {"managed_identity_client_id": "client-1", "workload_identity_client_id": "client-1"},
        ),
    ],
)
def test_the_chain_is_asked_for_a_token_of_the_resource(identity, settings, chosen):
    headers(**settings)
    scope = "https://cognitiveservices.azure.com/.default"
    assert identity.asked == [("DefaultAzureCredential", chosen), scope, "closed"]


def test_a_token_is_kept_until_it_expires(identity, monkeypatch):
    provider = Provider("azure", dragoman_azure)
    headers(provider)
    headers(provider)
    assert len(identity.asked) == 3
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    headers(provider)
    assert len(identity.asked) == 6


def test_azure_identity_is_not_loaded_where_a_key_is_given(no_identity):
    assert headers(api_key="key-123456") == {"api-key": "key-123456"}


EVERYWHERE = [
    "api_key", "AZURE_API_KEY", "AZURE_OPENAI_API_KEY", "azure_ad_token", "AZURE_AD_TOKEN",
    "AZURE_OPENAI_AD_TOKEN", "azure_ad_token_provider", "client_secret", "AZURE_CLIENT_SECRET", "tenant_id",
    "AZURE_TENANT_ID", "client_id", "AZURE_CLIENT_ID", "DefaultAzureCredential",
]  # fmt: skip


def test_without_anything_the_error_names_all_that_was_looked_for(no_identity):
    with pytest.raises(AuthenticationError) as caught:
        headers()
    assert [word for word in EVERYWHERE if word not in str(caught.value)] == []
    assert "pip install 'dragoman-azure[entra]'" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_the_chain_says_is_in_the_error(identity):
    identity.credential.failure = identity.problems.ClientAuthenticationError("no identity\n\tanywhere")
    with pytest.raises(AuthenticationError, match="no identity anywhere") as caught:
        headers()
    assert [word for word in EVERYWHERE if word not in str(caught.value)] == []
    assert identity.asked[-1] == "closed"


def test_a_principal_that_is_refused(identity):
    identity.credential.failure = identity.problems.ClientAuthenticationError("AADSTS7000215: wrong secret")
    with pytest.raises(AuthenticationError, match="ClientSecretCredential: AADSTS7000215: wrong secret"):
        headers(**PRINCIPAL)


def test_a_token_service_that_cannot_be_reached_may_be_tried_again(identity):
    identity.credential.failure = identity.problems.AzureError("no route")
    with pytest.raises(APIConnectionError, match="no route") as caught:
        headers(**PRINCIPAL)
    assert caught.value.retryable


def test_half_a_principal_names_the_other_half():
    with pytest.raises(AuthenticationError, match=r"tenant_id \(AZURE_TENANT_ID\)") as caught:
        headers(client_id="client-1", client_secret="hush-123456")
    assert "AZURE_CLIENT_ID" not in str(caught.value)


def test_a_principal_without_azure_identity_says_what_to_install(no_identity):
    with pytest.raises(PluginError, match=r"pip install 'dragoman-azure\[entra\]'"):
        headers(**PRINCIPAL)


def test_a_broken_azure_identity_is_told_from_a_missing_one(monkeypatch):
    def broken(name):
        raise ModuleNotFoundError("No module named 'msal'", name="msal")

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(PluginError, match="cannot be imported.*msal.*pip install"):
        headers()


# ---- a whole call ---------------------------------------------------------------------------------------


def test_sync_and_async_calls_carry_the_token():
    calls = []

    def answer(request):
        calls.append((str(request.url), request.headers["authorization"]))
        return httpx.Response(200, json=ANSWER)

    settings = {"model": "azure/d", "input": "Hi", "api_base": HOST}
    options = {**settings, "azure_ad_token_provider": lambda: "token-1"}
    transport = httpx.MockTransport(answer)
    with httpx.Client(transport=transport) as http, Dragoman(http_client=http) as client:
        assert client.responses.create(**options).status == "completed"

    async def main():
        async with (
            httpx.AsyncClient(transport=transport) as http,
            AsyncDragoman(http_client=http) as client,
        ):
            return await client.responses.create(**options)

    assert asyncio.run(main()).status == "completed"
    assert calls == [(f"{HOST}/openai/v1/responses", "Bearer token-1")] * 2
