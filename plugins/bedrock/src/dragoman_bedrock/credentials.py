"""Who calls: a Bedrock API key, or AWS keys that sign, wherever boto3 finds them.

boto3 and botocore are imported here alone, inside ``load_credentials``, which never runs on an event loop.
What it returns holds botocore's signer, so that ``authorize`` needs no import and does nothing but compute.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dragoman.errors import APIConnectionError, AuthenticationError, BadRequestError, DragomanError
from dragoman.hookspecs import Credentials
from dragoman_bedrock.endpoints import region_of, with_region
from dragoman_bedrock.info import INFO

if TYPE_CHECKING:
    from dragoman.hookspecs import HTTPRequest, Target

__all__ = ["authorize", "load_credentials"]

_INSTALL = "pip install boto3"
_SETTINGS = {setting.name: setting for setting in INFO.settings}
_EXPLICIT = ("aws_access_key_id", "aws_profile_name", "aws_role_name", "aws_web_identity_token")
_SIGNED = frozenset({"authorization", "x-amz-date", "x-amz-security-token"})
_SESSION_NAME = "dragoman"
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class _Bearer:
    """A Bedrock API key."""

    region: str
    token: str = field(repr=False)

    def headers(self, http: HTTPRequest) -> dict[str, str]:  # noqa: ARG002
        return {"authorization": f"Bearer {self.token}"}


@dataclass(frozen=True, slots=True)
class _Signer:
    """Keys, and botocore's classes to sign with them."""

    region: str
    keys: Any = field(repr=False)
    auth: Any
    request: Any

    def headers(self, http: HTTPRequest) -> dict[str, str]:
        # Only what no proxy changes is signed: host, date, session token and the content's type.
        stable = {name: value for name, value in http.headers.items() if name == "content-type"}
        request = self.request(method=http.method, url=http.url, data=http.body, headers=stable)
        self.auth(self.keys, "bedrock", self.region).add_auth(request)
        signed = {name.lower(): value for name, value in request.headers.items()}
        return {name: value for name, value in signed.items() if name in _SIGNED}


def authorize(http: HTTPRequest, credentials: Credentials | None) -> HTTPRequest | None:
    """Return the request with its region and its signature or key, unless the caller has set the header."""
    if credentials is None:
        return None
    found: _Bearer | _Signer = credentials.value
    http = replace(http, url=with_region(http.url, found.region))
    return http if "authorization" in http.headers else http.with_headers(found.headers(http))


def load_credentials(target: Target) -> Credentials:
    """Return what signs requests to `target`.

    A Bedrock API key counts first, unless it stands in the environment and AWS keys, a profile or a role are
    given as arguments. Then come the role, the keys, the profile; then boto3's own chain.

    Raises:
        AuthenticationError: nothing was found, or it was refused, or boto3 is missing.
        BadRequestError: there is no region.
        APIConnectionError: the service that gives credentials could not be reached.
    """
    key = target.get("api_key")
    explicit = any(target.get(name) for name in _EXPLICIT)
    if key and not (explicit and _is_from_environment(str(key))):
        return Credentials(value=_Bearer(_needed(region_of(target)), str(key)))
    try:
        return _from_aws(target)
    except DragomanError:
        raise
    except ImportError as problem:
        raise AuthenticationError(
            f"bedrock needs boto3 to find AWS credentials and to sign, and it cannot be imported "
            f"({_line(problem)}): {_INSTALL}",
            code="missing_dependency",
        ) from problem
    except Exception as problem:
        raise _explained(problem) from problem


def _is_from_environment(key: str) -> bool:
    return any(os.environ.get(name, "").strip() == key for name in _SETTINGS["api_key"].env)


# ---- AWS --------------------------------------------------------------------------------------------


def _from_aws(target: Target) -> Credentials:
    if target.get("aws_role_name") or target.get("aws_web_identity_token"):
        keys, region, expires_at = _assumed(target)
    elif target.get("aws_access_key_id"):
        keys, expires_at = _given(target), None
        region = region_of(target) or _session(target).region_name
    else:
        session = _session(target)
        found = session.get_credentials()
        if found is None:
            raise _nothing_found()
        keys, region = found.get_frozen_credentials(), region_of(target) or session.region_name
        # Credentials that botocore would refresh by itself: core asks again when they expire.
        expiry = getattr(found, "_expiry_time", None)
        expires_at = expiry.timestamp() if expiry is not None else None
    signer = _Signer(
        _needed(region),
        keys,
        importlib.import_module("botocore.auth").SigV4Auth,
        importlib.import_module("botocore.awsrequest").AWSRequest,
    )
    return Credentials(value=signer, expires_at=expires_at)


def _given(target: Target) -> Any:
    """Return the keys among the settings: no file is read and nobody asked."""
    if not target.get("aws_secret_access_key"):
        raise AuthenticationError(
            "bedrock has an aws_access_key_id, and needs aws_secret_access_key beside it",
            param="aws_secret_access_key",
            code="missing_credentials",
        )
    return importlib.import_module("botocore.credentials").Credentials(
        target.get("aws_access_key_id"), target.get("aws_secret_access_key"), target.get("aws_session_token")
    )


def _session(target: Target) -> Any:
    keys: dict[str, Any] = {}
    if target.get("aws_access_key_id"):
        given = _given(target)
        keys = {
            "aws_access_key_id": given.access_key,
            "aws_secret_access_key": given.secret_key,
            "aws_session_token": given.token,
        }
    return importlib.import_module("boto3").Session(profile_name=target.get("aws_profile_name"), **keys)


def _assumed(target: Target) -> tuple[Any, Any, float]:
    """Return the keys of an assumed role, the region, and when the keys expire."""
    role = target.get("aws_role_name")
    if not role:
        raise AuthenticationError(
            "bedrock has an aws_web_identity_token, and needs the role to assume with it: aws_role_name",
            param="aws_role_name",
            code="missing_credentials",
        )
    session = _session(target)
    region = _needed(region_of(target) or session.region_name)
    sts = session.client("sts", region_name=region, endpoint_url=target.get("aws_sts_endpoint"))
    asked = {"RoleArn": role, "RoleSessionName": target.get("aws_session_name") or _SESSION_NAME}
    token = target.get("aws_web_identity_token")
    if token:
        answer = sts.assume_role_with_web_identity(**asked, WebIdentityToken=_token_text(str(token)))
    else:
        if target.get("aws_external_id"):
            asked["ExternalId"] = target.get("aws_external_id")
        answer = sts.assume_role(**asked)
    given = answer["Credentials"]
    keys = importlib.import_module("botocore.credentials").Credentials(
        given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
    )
    return keys, region, given["Expiration"].timestamp()


def _token_text(token: str) -> str:
    """Return the token itself, where a file was named that holds it."""
    try:
        return Path(token).read_text(encoding="utf-8").strip()
    except (OSError, ValueError):  # no file, or too long for a file's name
        return token


# ---- what goes wrong --------------------------------------------------------------------------------


def _needed(region: Any) -> str:
    if region:
        return str(region)
    variables = ", ".join(_SETTINGS["aws_region_name"].env)
    raise BadRequestError(
        f"bedrock needs a region: looked for the argument aws_region_name, {variables}, a region in the "
        "model's name or ARN, and the profile in AWS's configuration files",
        param="aws_region_name",
        code="missing_setting",
    )


def _nothing_found() -> AuthenticationError:
    return AuthenticationError(
        "no credentials for Bedrock: looked for api_key (AWS_BEARER_TOKEN_BEDROCK), aws_access_key_id, "
        "aws_profile_name, aws_role_name, and asked boto3, which looks in AWS_ACCESS_KEY_ID, AWS_PROFILE, "
        "AWS_WEB_IDENTITY_TOKEN_FILE, ~/.aws, and the metadata service of container or instance",
        param="api_key",
        code="missing_credentials",
    )


def _explained(problem: Exception) -> Exception:
    """Return what boto3 raised as one of the error tree."""
    exceptions = importlib.import_module("botocore.exceptions")
    what = f"AWS gave no credentials ({type(problem).__name__}): {_line(problem)}"
    status = 0
    if isinstance(problem, exceptions.ClientError):
        status = problem.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    unreachable = isinstance(problem, (exceptions.ConnectionError, exceptions.HTTPClientError))
    if unreachable or status >= _SERVER_ERROR:
        return APIConnectionError(what, code="connection_error")
    return AuthenticationError(what, code="invalid_credentials")


def _line(problem: Exception) -> str:
    return " ".join(str(problem).split())
