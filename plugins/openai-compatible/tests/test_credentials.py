"""Addresses and keys: from arguments and variables, for hosts on the internet and on this machine."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

from pathlib import Path

import pytest

from dragoman.errors import AuthenticationError, BadRequestError
from dragoman.providers import load_provider
from dragoman_openai_compatible.hosts import HOSTS

REQUEST = {"input": [], "instructions": "x", "stream": False}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for host in HOSTS.values():
        for variable in (*host.key_variables, *host.base_variables):
            monkeypatch.delenv(variable, raising=False)


def sent(name, **settings):
    provider = load_provider(name)
    return provider.translate_request(REQUEST, provider.target("m", settings))


@pytest.mark.parametrize("host", [host for host in HOSTS.values() if host.base and host.key_required])
def test_a_host_on_the_internet_needs_one_of_its_variables(host, monkeypatch):
    with pytest.raises(AuthenticationError) as caught:
        sent(host.name)
    assert all(variable in str(caught.value) for variable in host.key_variables)
    for variable in host.key_variables:
        with monkeypatch.context() as environment:
            environment.setenv(variable, "key-123456")
            http = sent(host.name)
            assert http.headers["authorization"] == "Bearer key-123456"
            assert http.url.startswith("https://")


@pytest.mark.parametrize("host", [host for host in HOSTS.values() if not host.key_required and host.base])
def test_a_server_of_ones_own_needs_nothing(host):
    http = sent(host.name)
    assert "authorization" not in http.headers
    assert http.url.startswith("http://localhost:")


def test_a_server_without_a_row_needs_its_address(monkeypatch):
    with pytest.raises(BadRequestError, match="OPENAI_COMPATIBLE_API_BASE"):
        sent("openai_compatible")
    monkeypatch.setenv("OPENAI_COMPATIBLE_API_BASE", "https://llm.example/v1/")
    assert sent("openai_compatible").url == "https://llm.example/v1/chat/completions"


@pytest.mark.parametrize("base", ["http://a:1", "http://a:1/v1/", "http://a:1/v1/chat/completions"])
def test_an_address_may_be_whole_or_lack_its_known_end(base):
    assert sent("ollama", api_base=base).url == "http://a:1/v1/chat/completions"


def test_an_address_with_a_variable_comes_from_there(monkeypatch):
    monkeypatch.setenv("GROQ_API_BASE", "https://proxy.example/groq")
    assert sent("groq", api_key="k").url == "https://proxy.example/groq/chat/completions"


def test_aliases_are_the_same_host():
    assert sent("together", api_key="k").url == sent("together_ai", api_key="k").url


def test_the_readme_lists_the_hosts_as_they_are():
    rows = {}
    for host in HOSTS.values():
        rows.setdefault(host.title, []).append(host)
    listed = [
        " | ".join(
            (
                ", ".join(f"`{host.name}/`" for host in hosts),
                f"`{hosts[0].base}`" if hosts[0].base else "yours",
                ", ".join(f"`{variable}`" for variable in hosts[0].key_variables),
                "native Responses" if hosts[0].native else "",
            )
        )
        for hosts in rows.values()
    ]
    page = (Path(__file__).parent.parent / "README.md").read_text()
    written = page.partition("<!-- hosts -->\n")[2].partition("\n<!-- /hosts -->")[0].splitlines()[2:]
    assert written == [f"| {row} |" for row in listed]
