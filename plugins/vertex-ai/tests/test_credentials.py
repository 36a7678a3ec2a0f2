"""Where tokens, keys and projects come from, in which order, and what is said where there are none.

google-auth is the real one; the token service it asks stands in conftest.
"""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

import asyncio
import importlib
import json
import subprocess
import sys
import time
import types

import pytest

import dragoman_vertex_ai as plugin
from dragoman import AsyncDragoman, Dragoman
from dragoman.attempts.session import Session
from dragoman.errors import APIConnectionError, AuthenticationError, BadRequestError
from dragoman.providers import Provider
from dragoman_vertex_ai.credentials import _KINDS

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
PROJECT = {"vertex_project": "my-project", "vertex_location": "europe-west4"}
MODELS = ["gemini-2.5-flash", "claude-opus-4-8"]


def prepared(model="gemini-2.5-flash", provider=None, **settings):
    """Return the request as it would be sent."""
    provider = provider or Provider("vertex_ai", plugin)
    target = provider.target(model, settings)
    session = Session(provider, target, {"model": f"vertex_ai/{model}", "input": "Hi"})
    return session.authorize(session.prepare(), session.load_credentials())


def opened_by(model="gemini-2.5-flash", **settings):
    """Return the headers with credentials."""
    headers = prepared(model, **{**PROJECT, **settings}).headers
    names = ("authorization", "x-goog-api-key", "x-goog-user-project")
    return {name: headers[name] for name in names if name in headers}


def bearer(number=1):
    return {"authorization": f"Bearer token-{number}"}


# ---- a service account, all the way ---------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("variable", ["VERTEXAI_CREDENTIALS", "GOOGLE_APPLICATION_CREDENTIALS"])
def test_a_service_accounts_token_opens_the_model(google, account_file, monkeypatch, model, stream, variable):
    monkeypatch.setenv(variable, account_file)
    monkeypatch.setenv("VERTEXAI_PROJECT", "my-project")
    monkeypatch.setenv("VERTEXAI_LOCATION", "us-central1")
    options = {"model": f"vertex_ai/{model}", "input": "Hi", "stream": stream, "api_base": google.url}

    def text_of(events):
        return "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta")

    with Dragoman() as client:
        answer = client.responses.create(**options)
        assert (text_of([e.to_dict() for e in answer]) if stream else answer.output_text) == "Bonjour"

    async def main():
        async with AsyncDragoman() as client:
            answer = await client.responses.create(**options)
            return text_of([e.to_dict() async for e in answer]) if stream else answer.output_text

    assert asyncio.run(main()) == "Bonjour"
    # The provider is one for the process, and so is the token: one was asked for, if that.
    assert len(google.asked) <= 2
    parent = "/v1/projects/my-project/locations/us-central1/publishers/"
    for path, headers, _ in google.calls:
        assert path.startswith(parent)
        assert headers["authorization"].startswith("Bearer token-")
        assert "x-goog-api-key" not in headers
    assert len(google.calls) == 2


def test_the_account_may_be_a_file_its_text_or_a_dict(google, account, account_file):
    assert opened_by(vertex_credentials=account_file) == bearer(1)
    assert opened_by(vertex_credentials=json.dumps(account)) == bearer(2)
    assert opened_by(vertex_credentials=account) == bearer(3)
    assert {form["grant_type"] for form in google.asked} == {"urn:ietf:params:oauth:grant-type:jwt-bearer"}


def test_the_project_may_come_from_the_account_alone(google, account_file):
    http = prepared(vertex_credentials=account_file)
    assert http.url.startswith(
        "https://aiplatform.googleapis.com/v1/projects/robots-project/locations/global/"
    )


def test_a_token_is_kept_until_it_expires(google, account_file, monkeypatch):
    provider = Provider("vertex_ai", plugin)
    for _ in range(2):
        assert (
            prepared(provider=provider, vertex_credentials=account_file)
            .headers["authorization"]
            .endswith("token-1")
        )
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    again = prepared(provider=provider, vertex_credentials=account_file)
    assert again.headers["authorization"] == "Bearer token-2"


def test_the_time_that_google_tells_is_utc(google, account_file):
    provider = Provider("vertex_ai", plugin)
    found = provider.load_credentials(
        provider.target("gemini-2.5-flash", {"vertex_credentials": account_file})
    )
    assert abs(found.expires_at - time.time() - google.lifetime) < 30


# ---- other kinds of credentials -------------------------------------------------------------------------


def test_a_persons_credentials_pay_for_themselves(google):
    person = {
        "type": "authorized_user",
        "client_id": "id",
        "client_secret": "hush-123456",
        "refresh_token": "refresh-123456",
        "quota_project_id": "paying-project",
    }
    credentials = importlib.import_module("google.oauth2.credentials").Credentials
    object_ = credentials.from_authorized_user_info(person)
    object_._token_uri = google.token_uri
    http = prepared(vertex_credentials=object_)
    assert "/projects/paying-project/" in http.url
    assert http.headers["x-goog-user-project"] == "paying-project"
    assert http.headers["authorization"] == "Bearer token-1"
    assert google.asked[0]["refresh_token"] == "refresh-123456"


def test_an_object_of_google_auth_is_given_its_scope(google, account):
    service_account = importlib.import_module("google.oauth2.service_account")
    object_ = service_account.Credentials.from_service_account_info(account)
    assert object_.scopes is None
    assert opened_by(vertex_credentials=object_) == bearer()


def test_an_object_whose_token_expires_gets_another(google, account):
    google.lifetime = 30
    service_account = importlib.import_module("google.oauth2.service_account")
    object_ = service_account.Credentials.from_service_account_info(account).with_scopes([SCOPE])
    provider = Provider("vertex_ai", plugin)
    for number in (1, 2):
        http = prepared(provider=provider, **PROJECT, vertex_credentials=object_)
        assert http.headers["authorization"] == f"Bearer token-{number}"


def test_one_account_may_act_as_another(google, account):
    service_account = importlib.import_module("google.oauth2.service_account")
    acting = importlib.import_module("google.auth.impersonated_credentials").Credentials(
        source_credentials=service_account.Credentials.from_service_account_info(account),
        target_principal="other@my-project.iam.gserviceaccount.com",
        target_scopes=[SCOPE],
        iam_endpoint_override=f"{google.url}/v1/projects/-/serviceAccounts/other:generateAccessToken",
    )
    google.scope = "https://www.googleapis.com/auth/iam"
    assert opened_by(vertex_credentials=acting) == {"authorization": "Bearer token-of-another"}


@pytest.mark.parametrize("kind", _KINDS)
def test_google_auth_has_a_constructor_for_each_type_of_file(kind):
    module, constructor = _KINDS[kind]
    assert callable(getattr(importlib.import_module(module).Credentials, constructor))


def test_an_emulator_may_want_nothing():
    anonymous = importlib.import_module("google.auth.credentials").AnonymousCredentials()
    assert opened_by(vertex_credentials=anonymous) == {}


def test_another_clouds_identity(google, tmp_path):
    token = tmp_path / "token"
    token.write_text("identity-123456")
    account = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": google.token_uri,
        "credential_source": {"file": str(token)},
    }
    assert opened_by(vertex_credentials=account) == bearer()
    assert google.asked[0]["subject_token"] == "identity-123456"


def test_application_default_credentials(google, account, monkeypatch, tmp_path):
    folder = tmp_path / "gcloud"
    folder.mkdir()
    (folder / "application_default_credentials.json").write_text(json.dumps(account))
    http = prepared()
    assert http.headers["authorization"] == "Bearer token-1"
    assert "/projects/robots-project/" in http.url


@pytest.mark.parametrize("model", MODELS)
def test_a_token_that_is_there_needs_no_google_auth(model, hidden_google):
    expected = {"authorization": "Bearer mine-123456"}
    assert opened_by(model, vertex_access_token="mine-123456") == expected


# ---- express mode ---------------------------------------------------------------------------------------


def test_express_mode_has_a_key_and_no_project(hidden_google):
    http = prepared(api_key="express-123456")
    assert http.url == (
        "https://aiplatform.googleapis.com/v1/publishers/google/models/gemini-2.5-flash:generateContent"
    )
    assert http.headers["x-goog-api-key"] == "express-123456"
    assert "authorization" not in http.headers
    assert http.warnings == ()
    (warning,) = prepared(**PROJECT, api_key="express-123456").warnings
    assert warning["param"] == "vertex_project"


def test_googles_general_key_counts_where_nothing_else_is_named(google, account_file, monkeypatch):
    monkeypatch.setenv("GOOGLE_API_KEY", "for-gemini-123456")
    assert prepared().headers["x-goog-api-key"] == "for-gemini-123456"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", account_file)
    assert prepared().headers["authorization"] == "Bearer token-1"
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project")
    with pytest.raises(AuthenticationError, match="Application Default Credentials"):
        prepared()


def test_what_opens_one_model_is_not_kept_for_the_other(google, account_file):
    provider = Provider("vertex_ai", plugin)
    settings = {"api_key": "express-123456", "google_application_credentials": account_file}
    for _ in range(2):
        gemini = prepared("gemini-2.5-flash", provider, **settings).headers
        claude = prepared("claude-opus-4-8", provider, **settings).headers
        assert ("x-goog-api-key" in gemini, "authorization" in gemini) == (True, False)
        assert ("x-goog-api-key" in claude, "authorization" in claude) == (False, True)


@pytest.mark.parametrize("variable", ["VERTEXAI_API_KEY", "VERTEXAI_ACCESS_TOKEN"])
def test_an_argument_counts_before_a_variable(google, account_file, monkeypatch, variable):
    monkeypatch.setenv(variable, "of-another-program")
    assert opened_by(vertex_credentials=account_file) == bearer()
    assert opened_by(vertex_access_token="mine-123456") == {"authorization": "Bearer mine-123456"}
    assert opened_by(api_key="express-123456") == {"x-goog-api-key": "express-123456"}


def test_a_key_in_a_variable_counts_where_there_is_no_project(google, account_file, monkeypatch):
    monkeypatch.setenv("VERTEXAI_API_KEY", "express-123456")
    assert prepared().headers["x-goog-api-key"] == "express-123456"
    assert opened_by(google_application_credentials=account_file) == bearer()


def test_a_key_does_not_reach_claude(google, account_file):
    settings = {**PROJECT, "api_key": "express-123456"}
    assert opened_by("claude-opus-4-8", **settings, google_application_credentials=account_file) == bearer()
    with pytest.raises(AuthenticationError, match="for Gemini alone"):
        prepared("claude-opus-4-8", **settings)


# ---- aiplatform.init() ----------------------------------------------------------------------------------


@pytest.fixture
def initialized(monkeypatch):
    """Return what somebody who imported the SDK has told it."""
    module = types.ModuleType("google.cloud.aiplatform.initializer")
    module.global_config = types.SimpleNamespace(_project=None, _location=None, _credentials=None)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module.global_config


def test_what_was_initialized_is_used(google, account, initialized):
    service_account = importlib.import_module("google.oauth2.service_account")
    initialized._project, initialized._location = "init-project", "asia-east1"
    initialized._credentials = service_account.Credentials.from_service_account_info(account)
    http = prepared(google_cloud_project="cloud-project", google_cloud_location="us-east1")
    assert http.url.startswith(
        "https://asia-east1-aiplatform.googleapis.com/v1/projects/init-project/locations/asia-east1/"
    )
    assert http.headers["authorization"] == "Bearer token-1"


def test_settings_for_vertex_ai_come_before_what_was_initialized(initialized):
    initialized._project, initialized._location = "init-project", "asia-east1"
    assert (
        "/projects/my-project/locations/europe-west4/"
        in prepared(**PROJECT, vertex_access_token="t-123456").url
    )


def test_the_real_sdk_keeps_there_what_it_was_given():
    ask = (
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from google.cloud import aiplatform\n"
        "from dragoman_vertex_ai.addresses import initialized\n"
        "from google.auth.credentials import AnonymousCredentials as Anonymous\n"
        "aiplatform.init(project='init-project', location='asia-east1', credentials=Anonymous())\n"
        "print(initialized('project'), initialized('location'), type(initialized('credentials')).__name__)"
    )
    ran = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["init-project", "asia-east1", "AnonymousCredentials"]


# ---- what goes wrong ------------------------------------------------------------------------------------


def test_without_anything_the_error_names_all_that_was_looked_for():
    with pytest.raises(AuthenticationError) as caught:
        prepared(**PROJECT)
    said = str(caught.value)
    names = {
        name
        for setting in plugin.provider_info().settings
        if any(word in setting.name for word in ("credentials", "token", "key"))
        for name in (setting.name, *setting.env)
    }
    assert [name for name in names if name not in said] == []
    assert "aiplatform.init" in said
    assert "gcloud auth application-default login" in said
    assert "\n" not in said


def test_without_a_project_the_error_names_where_it_was_looked_for():
    with pytest.raises(BadRequestError, match="VERTEXAI_PROJECT.*GOOGLE_CLOUD_PROJECT") as caught:
        prepared(vertex_access_token="token-123456")
    assert caught.value.param == "vertex_project"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        ("{", "is not valid"),
        ("[]", "is not valid"),
        ("{}", "is no credentials file: its type is 'None'"),
        ('{"type": "service_account"}', "cannot be used"),
        (
            '{"type": "service_account", "private_key": "no key", "client_email": "a", "token_uri": "b"}',
            "cannot be used",
        ),
    ],
)
def test_a_broken_file_is_named(tmp_path, content, said):
    path = tmp_path / "broken.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(AuthenticationError, match=said) as caught:
        prepared(**PROJECT, vertex_credentials=str(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_broken_json_is_not_repeated():
    with pytest.raises(AuthenticationError) as caught:
        prepared(**PROJECT, vertex_credentials='{"private_key": "hush-123456"')
    assert "hush-123456" not in str(caught.value)


def test_an_account_that_is_refused(google, account_file):
    google.refusals.append((400, {"error": "invalid_grant", "error_description": "Account disabled"}))
    with pytest.raises(AuthenticationError, match="robot.json.*Account disabled"):
        prepared(vertex_credentials=account_file)


def test_a_token_service_that_cannot_be_reached_may_be_tried_again(account, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    account["token_uri"] = "http://127.0.0.1:9/token"
    with pytest.raises(APIConnectionError, match="could not be asked") as caught:
        prepared(vertex_credentials=account)
    assert caught.value.retryable


@pytest.fixture
def hidden_google(monkeypatch):
    """Let no module of google-auth be imported."""

    def hidden(name, package=None):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr("dragoman_vertex_ai.credentials.importlib.import_module", hidden)


def test_without_google_auth_one_line_says_what_to_install(hidden_google, account_file):
    for settings in ({}, {"vertex_credentials": account_file}):
        with pytest.raises(
            AuthenticationError, match="pip install --upgrade google-cloud-aiplatform"
        ) as caught:
            prepared(**PROJECT, **settings)
        assert "\n" not in str(caught.value)


def test_a_header_of_the_callers_stays():
    provider = Provider("vertex_ai", plugin)
    target = provider.target("gemini-2.5-flash", {**PROJECT, "vertex_access_token": "token-123456"})
    session = Session(provider, target, {"model": "vertex_ai/gemini-2.5-flash", "input": "Hi"})
    http = session.prepare().with_headers({"authorization": "Bearer theirs"})
    assert session.authorize(http, session.load_credentials()).headers["authorization"] == "Bearer theirs"


def test_importing_the_plugin_loads_nothing_of_googles():
    ask = (
        "import sys, dragoman_vertex_ai\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('google', 'requests', 'grpc')])"
    )
    ran = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{ask}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "[]"
