"""What goes to Azure, and where to."""

import json

import pytest

import dragoman_azure
from dragoman.attempts.session import Session
from dragoman.errors import BadRequestError
from dragoman.hookspecs import NativeProviderModule, Target
from dragoman.providers import Provider

plugin: NativeProviderModule = dragoman_azure

HOST = "https://here.openai.azure.com"
V1 = f"{HOST}/openai/v1/responses"
DATED = f"{HOST}/openai/responses?api-version=2025-03-01-preview"


def sent(request=None, **settings):
    target = Target("azure", "my-deployment", {"api_base": HOST, **settings})
    request = {"model": "azure/my-deployment", "input": "Hi", **(request or {})}
    session = Session(Provider("azure", dragoman_azure), target, request)
    http = session.prepare()
    return http, json.loads(http.body), session.response["dragoman"]["warnings"]


def test_everything_goes_out_as_it_was_written():
    request = {
        "input": [
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"},
            {"type": "item_of_next_month", "field": [1]},
        ],
        "tools": [{"type": "tool_of_next_month"}, {"type": "web_search_preview"}],
        "previous_response_id": "resp_1",
        "stream": True,
        "parameter_of_next_month": {"deep": [None, 1.5]},
    }
    http, body, warnings = sent(request)
    assert body == {**request, "model": "my-deployment"}
    assert (http.method, http.url, warnings) == ("POST", V1, [])


@pytest.mark.parametrize(
    "base",
    [
        HOST,
        f"{HOST}/",
        "here.openai.azure.com",
        f" {HOST}/openai\n",
        f"{HOST}/openai/",
        f"{HOST}/openai/v1",
        f"{HOST}/openai/v1/",
        f"{HOST}/openai/v1/responses",
        f"{HOST}/openai/responses",
        f"{HOST}/openai/deployments/my-deployment",
    ],
)
@pytest.mark.parametrize("version", [None, "v1", "latest"])
def test_the_v1_surface(base, version):
    target = Provider("azure", dragoman_azure).target("d", {"api_base": base, "api_version": version})
    assert plugin.translate_request({"input": "Hi"}, target).url == V1


@pytest.mark.parametrize("version", [None, "2025-03-01-preview"])
def test_tokens_are_counted_beside_it(version):
    target = Target("azure", "d", {"api_base": HOST, "api_version": version})
    http = plugin.translate_token_count({"input": "Hi", "store": False, "temperature": 1}, target)
    surface = "openai" if version else "openai/v1"
    assert http.url.partition("?")[0] == f"{HOST}/{surface}/responses/input_tokens"
    assert http.json == {"model": "d", "input": "Hi"}


@pytest.mark.parametrize("base", [HOST, f"{HOST}/openai", f"{HOST}/openai/v1/"])
def test_the_v1_surfaces_previews(base):
    assert sent(api_base=base, api_version="preview")[0].url == f"{V1}?api-version=preview"


@pytest.mark.parametrize(
    "base",
    [
        HOST,
        "here.openai.azure.com/",
        f"{HOST}/openai",
        f"{HOST}/openai/responses/",
        f"{HOST}/openai/deployments/my-deployment/chat/completions",
    ],
)
def test_a_dated_version(base):
    assert sent(api_base=base, api_version="2025-03-01-preview")[0].url == DATED


@pytest.mark.parametrize("version", [None, "v1", "2024-10-21"])
def test_the_version_in_an_address_wins(version):
    http, _, warnings = sent(api_base=DATED, api_version=version)
    assert (http.url, warnings) == (DATED, [])


@pytest.mark.parametrize(
    ("base", "version"),
    [(f"{HOST}/openai/v1", "2024-10-21"), (f"{V1}?api-version=2024-10-21", None)],
)
def test_a_dated_version_on_the_v1_surface_is_left_out_with_a_warning(base, version):
    http, _, (warning,) = sent(api_base=base, api_version=version)
    assert http.url == V1
    assert warning["param"] == "api_version"
    assert "2024-10-21" in warning["message"]


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("http://127.0.0.1:4010", "http://127.0.0.1:4010/openai/v1/responses"),
        (
            "https://there.services.ai.azure.com/api/projects/mine",
            "https://there.services.ai.azure.com/api/projects/mine/openai/v1/responses",
        ),
        ("https://gateway.test/openai/openai/v1", "https://gateway.test/openai/openai/v1/responses"),
        ("https://gateway.test/x?team=a%20b", "https://gateway.test/x/openai/v1/responses?team=a+b"),
    ],
)
def test_what_stands_before_openai_and_in_the_query_stays(base, url):
    assert sent(api_base=base)[0].url == url


@pytest.mark.parametrize("base", ["ftp://here", "https://", f"{HOST}/openai/files", "https://[here"])
def test_an_address_of_something_else_is_refused(base):
    with pytest.raises(BadRequestError, match="api_base") as caught:
        sent(api_base=base)
    assert caught.value.param == "api_base"


@pytest.mark.parametrize(
    ("variable", "setting"),
    [(variable, known.name) for known in plugin.provider_info().settings for variable in known.env],
)
def test_settings_come_from_variables(monkeypatch, variable, setting):
    for known in plugin.provider_info().settings:
        for name in known.env:
            monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "value-of-it")
    given = {} if setting == "api_base" else {"api_base": HOST}
    assert Provider("azure", dragoman_azure).target("d", given).get(setting) == "value-of-it"


def test_a_missing_resource_is_an_error_before_any_traffic(monkeypatch):
    for variable in ("AZURE_API_BASE", "AZURE_OPENAI_ENDPOINT"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(BadRequestError, match=r"api_base.*AZURE_API_BASE.*AZURE_OPENAI_ENDPOINT"):
        Provider("azure", dragoman_azure).target("d", {"api_key": "key-123456"})
