"""Who calls, and what is signed: real sockets, real botocore on both sides."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import Any

import boto3  # type: ignore[import-untyped]
import httpx
import pytest

import dragoman_bedrock
from dragoman import AsyncDragoman, Dragoman
from dragoman.errors import (
    APIConnectionError,
    AuthenticationError,
    BadRequestError,
    PermissionDeniedError,
)
from dragoman.providers import Provider

from .conftest import NOVA, SETTINGS, FakeAWS

ARN = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/a1b2c3"
ROLE = "arn:aws:iam::123456789012:role/caller"


def ask(aws: FakeAWS, model: str = NOVA, **options: Any) -> Any:
    with httpx.Client(trust_env=False) as http, Dragoman(http_client=http) as client:
        settings = {"api_base": aws.url, **options}
        answer = client.responses.create(model=f"bedrock/{model}", input="Grüße / ~ 100 %", **settings)
        return list(answer) if options.get("stream") else answer


def signed_by(aws: FakeAWS) -> str:
    """Return the id of the key that signed the last request."""
    return str(aws.asked[-1]["headers"]["authorization"]).partition("Credential=")[2].partition("/")[0]


def loaded(**settings: Any) -> Any:
    provider = Provider("bedrock", dragoman_bedrock)
    return provider.load_credentials(provider.target(NOVA, settings))


# ---- signatures, checked by who receives them -------------------------------------------------------

MODELS = [
    (NOVA, "us.amazon.nova-2-lite-v1%3A0"),
    ("anthropic.claude-sonnet-4-6", "anthropic.claude-sonnet-4-6"),
    (ARN, "arn%3Aaws%3Abedrock%3Aeu-west-1%3A123456789012%3Aapplication-inference-profile%2Fa1b2c3"),
]


@pytest.mark.parametrize(("model", "path"), MODELS)
@pytest.mark.parametrize("stream", [False, True])
def test_the_receiver_computes_the_same_signature(aws: FakeAWS, model: str, path: str, stream: bool) -> None:
    answer = ask(aws, model, stream=stream, **SETTINGS)
    text = answer[-1].type if stream else answer.output_text
    assert text == ("response.completed" if stream else "Hello")
    assert aws.asked[-1]["path"] == f"/model/{path}/{'converse-stream' if stream else 'converse'}"


@pytest.mark.parametrize(("model", "path"), MODELS)
def test_boto3s_own_client_sends_to_the_same_path(aws: FakeAWS, model: str, path: str) -> None:
    client = boto3.Session(
        SETTINGS["aws_access_key_id"], SETTINGS["aws_secret_access_key"], region_name="us-east-1"
    ).client("bedrock-runtime", endpoint_url=aws.url)
    answer = client.converse(modelId=model, messages=[{"role": "user", "content": [{"text": "Hi"}]}])
    client.close()
    assert answer["output"]["message"]["content"] == [{"text": "Hello"}]
    assert aws.asked[-1]["path"] == f"/model/{path}/converse"


@pytest.mark.parametrize(("model", "path"), MODELS)
@pytest.mark.parametrize("stream", [False, True])
def test_async_calls_are_signed_alike(aws: FakeAWS, model: str, path: str, stream: bool) -> None:
    async def main() -> Any:
        async with httpx.AsyncClient(trust_env=False) as http, AsyncDragoman(http_client=http) as client:
            settings: Any = {**SETTINGS, "api_base": aws.url}
            settings |= {"model": f"bedrock/{model}", "input": "Hi", "stream": stream}
            answer: Any = await client.responses.create(**settings)
            return [event.type async for event in answer][-1] if stream else answer.output_text

    assert asyncio.run(main()) == ("response.completed" if stream else "Hello")
    assert aws.asked[-1]["path"].split("/")[2] == path


def test_a_query_and_headers_of_the_caller_are_signed_with_the_rest(aws: FakeAWS) -> None:
    answer = ask(aws, extra_query={"a b": "ü/1", "A": "2"}, extra_headers={"x-trace": "1"}, **SETTINGS)
    assert answer.output_text == "Hello"
    assert "x-trace" not in aws.asked[-1]["headers"]["authorization"]


def test_a_wrong_secret_is_refused(aws: FakeAWS) -> None:
    with pytest.raises(PermissionDeniedError, match="wrong signature") as caught:
        ask(aws, **{**SETTINGS, "aws_secret_access_key": "another-secret-123456"})
    assert caught.value.code == "invalid_api_key"
    assert "another-secret-123456" not in repr(caught.value)


def test_a_session_token_travels_along(aws: FakeAWS) -> None:
    aws.tokens[SETTINGS["aws_access_key_id"]] = "session/token+1=="
    assert ask(aws, aws_session_token="session/token+1==", **SETTINGS).output_text == "Hello"


def test_a_header_that_the_caller_sets_is_the_callers(aws: FakeAWS) -> None:
    aws.bearers.add("the-callers")
    answer = ask(aws, extra_headers={"authorization": "Bearer the-callers"}, **SETTINGS)
    assert answer.output_text == "Hello"


# ---- where keys come from ---------------------------------------------------------------------------


def test_an_api_key_is_sent_and_nothing_signed(aws: FakeAWS, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.bearers.add("bedrock-api-key-123456")
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-api-key-123456")
    assert ask(aws, aws_region_name="us-east-1").output_text == "Hello"
    assert "x-amz-date" not in aws.asked[-1]["headers"]


def test_arguments_count_before_an_api_key_in_the_environment(
    aws: FakeAWS, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "meant-for-others-123456")
    ask(aws, **SETTINGS)
    assert signed_by(aws) == SETTINGS["aws_access_key_id"]


def test_neither_kind_of_key_imports_more_than_it_needs() -> None:
    script = """
import sys
import dragoman_bedrock
from dragoman.providers import Provider
provider = Provider("bedrock", dragoman_bedrock)
assert not {"boto3", "botocore"} & set(sys.modules)
provider.load_credentials(provider.target("m", {"api_key": "k-123456", "aws_region_name": "us-east-1"}))
assert not {"boto3", "botocore"} & set(sys.modules)
keys = {"aws_access_key_id": "AKID", "aws_secret_access_key": "s", "aws_region_name": "us-east-1"}
provider.load_credentials(provider.target("m", keys))
assert "botocore" in sys.modules and "boto3" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)


def test_the_environment_that_boto3_reads(aws: FakeAWS, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", SETTINGS["aws_access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SETTINGS["aws_secret_access_key"])
    monkeypatch.setenv("AWS_REGION_NAME", "us-west-2")
    assert ask(aws).output_text == "Hello"
    assert "/us-west-2/bedrock/" in aws.asked[-1]["headers"]["authorization"]


@pytest.fixture
def profile(tmp_path: Any, aws: FakeAWS) -> str:
    aws.secrets["AKIDPROFILE"] = "profile-secret"
    keys = "aws_access_key_id = AKIDPROFILE\naws_secret_access_key = profile-secret\n"
    (tmp_path / "credentials").write_text(f"[work]\n{keys}")
    (tmp_path / "config").write_text("[profile work]\nregion = ap-south-1\n")
    return "work"


def test_a_profile_brings_keys_and_region(aws: FakeAWS, profile: str) -> None:
    assert ask(aws, aws_profile_name=profile).output_text == "Hello"
    assert signed_by(aws) == "AKIDPROFILE"
    assert "/ap-south-1/bedrock/" in aws.asked[-1]["headers"]["authorization"]


def test_the_profiles_region_completes_the_host(profile: str) -> None:
    provider = Provider("bedrock", dragoman_bedrock)
    target = provider.target(NOVA, {"aws_profile_name": profile})
    http = dragoman_bedrock.translate_request({"input": [], "stream": False}, target)
    found = provider.authorize(http, target, provider.load_credentials(target))
    assert found.url.startswith("https://bedrock-runtime.ap-south-1.amazonaws.com/model/us.amazon")


def test_a_role_is_assumed_with_the_profiles_keys(
    aws: FakeAWS, profile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", aws.url)
    options = {"aws_role_name": ROLE, "aws_session_name": "tests", "aws_external_id": "x1"}
    assert ask(aws, aws_profile_name=profile, **options).output_text == "Hello"
    assert signed_by(aws) == "ASIAROLE1"
    (asked,) = aws.roles
    assert {name: asked.get(name) for name in ("Action", "RoleArn", "RoleSessionName", "ExternalId")} == {
        "Action": "AssumeRole",
        "RoleArn": ROLE,
        "RoleSessionName": "tests",
        "ExternalId": "x1",
    }


def test_a_role_that_the_profile_itself_names(
    aws: FakeAWS, profile: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", aws.url)
    config = f"[profile admin]\nrole_arn = {ROLE}\nsource_profile = {profile}\nregion = eu-north-1\n"
    (tmp_path / "config").write_text(config)
    aws.expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3000))
    found = loaded(aws_profile_name="admin")
    assert found.value.region == "eu-north-1"
    assert found.value.keys.access_key == "ASIAROLE1"
    assert time.time() + 2000 < found.expires_at < time.time() + 4000


@pytest.mark.parametrize("as_file", [False, True])
def test_a_web_identity_assumes_a_role_without_keys(aws: FakeAWS, tmp_path: Any, as_file: bool) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"
    (tmp_path / "token").write_text(f"{token}\n")
    found = loaded(
        aws_role_name=ROLE,
        aws_web_identity_token=str(tmp_path / "token") if as_file else token,
        aws_sts_endpoint=aws.url,
        aws_region_name="us-east-1",
    )
    assert found.value.keys.access_key == "ASIAROLE1"
    assert aws.roles[0]["Action"] == "AssumeRoleWithWebIdentity"
    assert aws.roles[0]["WebIdentityToken"] == token


def test_an_assumed_role_is_kept_until_it_expires(aws: FakeAWS, monkeypatch: pytest.MonkeyPatch) -> None:
    provider: Any = Provider("bedrock", dragoman_bedrock)
    target = provider.target(NOVA, {**SETTINGS, "aws_role_name": ROLE, "aws_sts_endpoint": aws.url})
    aws.expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    keys = [provider.load_credentials(target).value.keys.access_key for _ in range(2)]
    later = time.time() + 3590
    monkeypatch.setattr(time, "time", lambda: later)
    keys.append(provider.load_credentials(target).value.keys.access_key)
    assert keys == ["ASIAROLE1", "ASIAROLE1", "ASIAROLE2"]


# ---- what is missing --------------------------------------------------------------------------------


def test_without_anything_the_error_names_all_that_was_looked_for() -> None:
    with pytest.raises(AuthenticationError) as caught:
        loaded(aws_region_name="us-east-1")
    everywhere = [
        "api_key", "AWS_BEARER_TOKEN_BEDROCK", "aws_access_key_id", "aws_profile_name", "aws_role_name",
        "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "~/.aws", "metadata service",
    ]  # fmt: skip
    assert [word for word in everywhere if word not in str(caught.value)] == []
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", [{"api_key": "k-123456"}, {**SETTINGS, "aws_region_name": ""}])
def test_without_a_region_the_error_says_where_it_was_looked_for(key: dict[str, str]) -> None:
    with pytest.raises(BadRequestError, match="AWS_REGION_NAME, AWS_REGION, AWS_DEFAULT_REGION") as caught:
        loaded(**key)
    assert caught.value.param == "aws_region_name"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"aws_profile_name": "nobody"}, "ProfileNotFound.*nobody"),
        ({"aws_access_key_id": "AKID"}, "aws_secret_access_key"),
        ({"aws_web_identity_token": "token"}, "aws_role_name"),
    ],
)
def test_half_a_configuration_says_what_is_missing(settings: dict[str, str], words: str) -> None:
    with pytest.raises(AuthenticationError, match=words):
        loaded(aws_region_name="us-east-1", **settings)


def test_a_role_that_may_not_be_assumed(aws: FakeAWS) -> None:
    role = {"aws_role_name": f"{ROLE}-forbidden", "aws_sts_endpoint": aws.url}
    with pytest.raises(AuthenticationError, match="AccessDenied.*not you"):
        loaded(**SETTINGS, **role)


def test_a_token_service_that_cannot_be_reached_may_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(APIConnectionError) as caught:
        loaded(**SETTINGS, aws_role_name=ROLE, aws_sts_endpoint="http://127.0.0.1:9")
    assert caught.value.retryable


@pytest.mark.parametrize(
    "problem", [ModuleNotFoundError("No module named 'boto3'"), ImportError("broken\n!")]
)
def test_a_missing_or_broken_boto3_is_one_line_that_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, problem: ImportError
) -> None:
    def import_module(name: str) -> Any:
        raise problem

    monkeypatch.setattr("importlib.import_module", import_module)
    with pytest.raises(AuthenticationError, match="needs boto3.*pip install boto3") as caught:
        loaded(aws_region_name="us-east-1")
    assert "\n" not in str(caught.value)
