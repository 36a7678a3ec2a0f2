"""Whatever a model, an address or an answer is: one wire, one place, a legal response."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

import json
from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

from dragoman.hookspecs import Target
from dragoman_azure_ai.addresses import chat_url, messages_url, responses_url
from dragoman_azure_ai.deployments import WIRES, deployment_of
from dragoman_azure_ai.errors import parse_error

folders = st.lists(
    st.sampled_from(
        ["models", "openai", "anthropic", "v1", "chat", "completions", "messages", "responses", "ours",
         "deployments", "api", "projects"]
    ),
    max_size=6,
)  # fmt: skip
hosts = st.sampled_from(
    ["here.services.ai.azure.com", "here.openai.azure.com", "phi.eastus.models.ai.azure.com", "localhost:1"]
)
names = st.text(min_size=1, max_size=30)
versions = st.sampled_from([None, "v1", "preview", "2024-05-01-preview"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "code", "message", "detail", "loc", "type", "innererror", "status"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(hosts, folders, versions)
def test_every_address_leads_to_one_place_on_the_same_host_and_says_so_again(host, path, version):
    settings = {"api_base": "/".join([f"https://{host}", *path]), "api_version": version}
    for find, ending in (
        (lambda target: chat_url(target, "d"), "/chat/completions"),
        (messages_url, "/v1/messages"),
        (responses_url, "/v1/responses"),
    ):
        url = find(Target("azure_ai", "d", settings))
        parts = urlsplit(url)
        assert parts.netloc == host
        assert parts.path.endswith(ending)
        again = find(Target("azure_ai", "d", {"api_base": url, "api_version": version}))
        assert again == url, "the address that was found leads to itself"


@given(names, st.sampled_from([None, *WIRES]))
def test_every_name_is_a_deployment(name, wire):
    found = deployment_of(Target("azure_ai", name, {"api_base": "https://h", "wire": wire}))
    assert found.wire in WIRES
    assert name.endswith(found.name)


@given(st.integers(400, 599), json_values)
def test_every_refusal_is_read_or_left(status, said):
    found = parse_error(status, json.dumps(said).encode())
    assert found is None or (found.status == status and found.message)
