"""Tokens and keys: given by the caller, standing in the environment, or found by google-auth."""

from __future__ import annotations

import datetime as dt
import functools
import importlib
import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman.errors import APIConnectionError, AuthenticationError, BadRequestError
from dragoman.hookspecs import Credentials, HTTPRequest
from dragoman_vertex_ai.addresses import PROJECT, initialized, project_of
from dragoman_vertex_ai.info import INFO
from dragoman_vertex_ai.models import GOOGLE, Model, model_named

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.hookspecs import Target

__all__ = ["Found", "authorize", "is_express", "load_credentials"]

_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
_INSTALL = "pip install --upgrade google-cloud-aiplatform"
_SIGN_IN = "gcloud auth application-default login"
# Google's own loader takes any type and warns of it; each type's own constructor is what it recommends.
_KINDS = {
    "service_account": ("google.oauth2.service_account", "from_service_account_info"),
    "authorized_user": ("google.oauth2.credentials", "from_authorized_user_info"),
    "impersonated_service_account": (
        "google.auth.impersonated_credentials",
        "from_impersonated_service_account_info",
    ),
    "external_account_authorized_user": ("google.auth.external_account_authorized_user", "from_info"),
}
_EXTERNAL = "external_account"
_KEYS = frozenset({"api_key", "google_api_key"})
_GIVEN = ("vertex_access_token", "vertex_credentials", "api_key")
_VARIABLES = {setting.name: setting.env for setting in INFO.settings}
_SECONDS = 30
"""How long one question to a token service may take; google-auth would wait for two minutes."""


class Found(NamedTuple):
    """What opens Vertex AI."""

    headers: dict[str, str]
    project: str | None = None
    """The project that the credentials belong to, where they say."""


def is_express(target: Target, model: Model) -> bool:
    """Tell whether a call uses express mode: a key instead of a project, for Gemini alone."""
    return _source(target, model) in _KEYS


def load_credentials(target: Target) -> Credentials | None:
    """Return the headers that open Vertex AI, and the project they belong to; None where a key does.

    Core keeps what is found for all models with the same settings, and a key is not for all of them: so it is
    left to `authorize`.

    Raises:
        AuthenticationError: nothing was found, it is broken or was refused, or google-auth is.
        APIConnectionError: the token service could not be reached.
    """
    source = _source(target, model_named(target.model))
    return None if source in _KEYS else _SOURCES[source](target)


def authorize(http: HTTPRequest, target: Target, credentials: Credentials | None) -> HTTPRequest:
    """Return the request with the headers that open, unless the caller has set them, and its project.

    Raises:
        BadRequestError: nothing names a project.
    """
    source = _source(target, model_named(target.model))
    if source in _KEYS:
        return http.with_headers({"x-goog-api-key": str(target.get(source)), **http.headers})
    found = credentials.value if credentials is not None else Found({})
    url = http.url
    if PROJECT in url:
        if not found.project:
            raise BadRequestError(
                "vertex_ai needs a project: looked for vertex_project (VERTEXAI_PROJECT, VERTEX_PROJECT, "
                "GOOGLE_VERTEX_PROJECT), aiplatform.init(project=...), google_cloud_project "
                "(GOOGLE_CLOUD_PROJECT, GCLOUD_PROJECT, CLOUD_ML_PROJECT_ID), and in the credentials",
                param="vertex_project",
                code="missing_setting",
            )
        url = url.replace(PROJECT, found.project)
    return replace(http, url=url, headers={**found.headers, **http.headers})


# ---- sources ----------------------------------------------------------------------------------------


def _source(target: Target, model: Model) -> str:
    """Return the name of what opens Vertex AI for this call; no file is read for it.

    An argument counts before a variable, which may be meant for another program; a key in a variable counts
    only where nothing names a project, which a key cannot use.
    """
    express = model.publisher == GOOGLE and not model.is_endpoint and not model.project
    given = [name for name in _GIVEN if target.get(name) and (express or name != "api_key")]
    for name in given:
        if not _is_from_environment(name, target):
            return name
    express = express and project_of(target, model) is None
    for name in given:
        if express or name != "api_key":
            return name
    if initialized("credentials") is not None:
        return "aiplatform"
    if target.get("google_application_credentials"):
        return "google_application_credentials"
    if target.get("google_api_key") and express:
        return "google_api_key"
    return "default"


def _is_from_environment(name: str, target: Target) -> bool:
    variables = (os.environ.get(variable, "").strip() for variable in _VARIABLES[name])
    return target.get(name) in variables


def _from_token(target: Target) -> Credentials:
    return Credentials(value=Found({"authorization": f"Bearer {target.get('vertex_access_token')}"}))


def _from_setting(target: Target) -> Credentials:
    return _from_given("vertex_credentials", target.get("vertex_credentials"))


def _from_file(target: Target) -> Credentials:
    name = "google_application_credentials"
    return _from_given(name, target.get(name))


def _from_aiplatform(target: Target) -> Credentials:  # noqa: ARG001
    return _from_given("aiplatform.init(credentials=...)", initialized("credentials"))


def _from_default(target: Target) -> Credentials:  # noqa: ARG001
    auth, problems = _google("google.auth"), _google("google.auth.exceptions")
    try:
        credentials, project = auth.default(scopes=_SCOPES)
    except problems.DefaultCredentialsError as problem:
        raise AuthenticationError(
            "vertex_ai needs credentials: looked for vertex_access_token (VERTEXAI_ACCESS_TOKEN), "
            "vertex_credentials (VERTEXAI_CREDENTIALS, VERTEX_CREDENTIALS), api_key (VERTEXAI_API_KEY, "
            "VERTEX_API_KEY; for Gemini alone), aiplatform.init(credentials=...), "
            "google_application_credentials (GOOGLE_APPLICATION_CREDENTIALS), google_api_key "
            "(GOOGLE_API_KEY; for Gemini without a project), Application Default Credentials: run "
            f"{_SIGN_IN}",
            param="vertex_credentials",
            code="missing_credentials",
        ) from problem
    return _refreshed(credentials, "Application Default Credentials", project)


_SOURCES: dict[str, Callable[[Target], Credentials]] = {
    "vertex_access_token": _from_token,
    "vertex_credentials": _from_setting,
    "aiplatform": _from_aiplatform,
    "google_application_credentials": _from_file,
    "default": _from_default,
}


# ---- google-auth ------------------------------------------------------------------------------------


def _from_given(name: str, given: Any) -> Credentials:
    """Return the headers for a file, its JSON, its content, or a Credentials object."""
    if hasattr(given, "refresh") and hasattr(given, "apply"):
        scoped = _google("google.auth.credentials").with_scopes_if_required(given, _SCOPES)
        return _refreshed(scoped, name)
    if isinstance(given, dict):
        return _from_info(given, name)
    text = str(given)
    if text.lstrip()[:1] == "{":
        return _from_info(_parsed(text, f"{name} holds JSON, which"), name)
    path = os.path.expanduser(text)
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or "it is no text"
        raise _broken(f"{name}: the file {path!r} cannot be read ({reason})", name) from problem
    where = f"{name}: the file {path!r}"
    return _from_info(_parsed(text, where), name, where)


def _parsed(text: str, where: str) -> dict[str, Any]:
    try:
        info = json.loads(text)
    except ValueError as problem:
        raise _broken(f"{where} is not valid: {problem}") from None
    if not isinstance(info, dict):
        raise _broken(f"{where} is not valid: it holds no object")
    return info


def _from_info(info: dict[str, Any], name: str, where: str = "") -> Credentials:
    where = where or name
    kind = str(info.get("type"))
    if kind not in _KINDS and kind != _EXTERNAL:
        known = ", ".join([*_KINDS, _EXTERNAL])
        raise _broken(f"{where} is no credentials file: its type is {kind!r}, not one of {known}", name)
    module, constructor = _KINDS.get(kind) or _external(info)
    make = getattr(_google(module).Credentials, constructor)
    problems = _google("google.auth.exceptions")
    try:
        credentials = make(info, scopes=_SCOPES)
    except (problems.GoogleAuthError, ValueError, KeyError, TypeError) as problem:
        raise _broken(f"{where} cannot be used: {_line(problem)}", name) from problem
    return _refreshed(credentials, where, info.get("project_id"))


def _external(info: dict[str, Any]) -> tuple[str, str]:
    """Return what loads the credentials of another cloud: told by where their subject's token comes from."""
    source = info.get("credential_source") or {}
    if str(source.get("environment_id", "")).startswith("aws"):
        return "google.auth.aws", "from_info"
    return "google.auth.pluggable" if "executable" in source else "google.auth.identity_pool", "from_info"


def _refreshed(credentials: Any, where: str, project: Any = None) -> Credentials:
    """Return the headers of credentials, with a token that is good for a while."""
    problems = _google("google.auth.exceptions")
    transport = _google("google.auth.transport.requests")
    try:
        if not credentials.valid:
            with _google("requests").Session() as session:
                ask = functools.partial(transport.Request(session=session), timeout=_SECONDS)
                credentials.refresh(ask)
    except problems.TransportError as problem:
        raise _unreachable(where, problem) from problem
    except problems.GoogleAuthError as problem:
        if getattr(problem, "retryable", False):
            raise _unreachable(where, problem) from problem
        raise AuthenticationError(
            f"{where}: Google gives no token: {_line(problem)}. Check the account, or run {_SIGN_IN}",
            code="invalid_credentials",
        ) from problem
    headers: dict[str, str] = {}
    credentials.apply(headers)
    project = project or getattr(credentials, "project_id", None)
    # Credentials of a person belong to no project; the one that pays for their calls is the best guess.
    project = project or getattr(credentials, "quota_project_id", None)
    found = Found({name.lower(): value for name, value in headers.items()}, project)
    return Credentials(value=found, expires_at=_unix_time(getattr(credentials, "expiry", None)))


def _unix_time(expiry: dt.datetime | None) -> float | None:
    """Return when a token expires; google-auth tells it in UTC, without saying so."""
    if expiry is None:
        return None
    return (expiry if expiry.tzinfo else expiry.replace(tzinfo=dt.UTC)).timestamp()


def _google(module: str) -> Any:
    """Import what is needed of google-auth, now that it is.

    Raises:
        AuthenticationError: it is not there, or broken.
    """
    try:
        return importlib.import_module(module)
    except Exception as problem:  # a broken one fails in many ways
        raise AuthenticationError(
            f"vertex_ai needs google-auth, which cannot be imported ({_line(problem)}): {_INSTALL}",
            code="missing_dependency",
        ) from problem


def _broken(message: str, param: str | None = None) -> AuthenticationError:
    return AuthenticationError(message, param=param, code="invalid_credentials")


def _unreachable(where: str, problem: Exception) -> APIConnectionError:
    return APIConnectionError(f"{where}: the token service could not be asked: {_line(problem)}")


def _line(problem: Exception) -> str:
    """Return what an exception of google-auth says; what follows the first argument is the raw answer."""
    said = problem.args[0] if problem.args else problem
    return " ".join(str(said).split())
