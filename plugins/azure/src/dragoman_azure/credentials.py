"""Keys and tokens: given by the caller, standing in the environment, or found by azure-identity.

Plugins for other services of Azure's (Foundry) have the same settings, some in variables of their own: they
pass their own ``ProviderInfo``.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
from typing import TYPE_CHECKING, Any

from dragoman.errors import APIConnectionError, AuthenticationError, BadRequestError, PluginError
from dragoman.hookspecs import Credentials, HTTPRequest
from dragoman_azure.info import INFO

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman.hookspecs import ProviderInfo, Target

__all__ = ["authorize", "load_credentials"]

_INSTALL = "pip install 'dragoman-azure[entra]'"
_PRINCIPAL = ("tenant_id", "client_id", "client_secret")
# No time in which a token from the caller's function stays good: the function knows when to get a new one.
_ASK_EVERY_TIME = 0.0


def load_credentials(target: Target, info: ProviderInfo = INFO) -> Credentials:
    """Return the header that opens the resource.

    An argument counts before a variable, which may be meant for another program. Among equals: the token
    function, the token, the key, the service principal. Where there is none of them, azure-identity looks.

    Raises:
        AuthenticationError: nothing was found, or it was refused; the message says where it was looked for.
        PluginError: azure-identity is asked for by name and is not there.
    """
    found = [name for name in _SOURCES if target.get(name)]
    if not found:
        return _from_chain(target, info)
    return _SOURCES[min(found, key=lambda name: _is_from_environment(name, target, info))](target, info)


def authorize(http: HTTPRequest, credentials: Credentials | None) -> HTTPRequest | None:
    """Return the request with the header that was found, unless the caller has set it."""
    if credentials is None:
        return None
    return http.with_headers({**credentials.value, **http.headers})


def _is_from_environment(name: str, target: Target, info: ProviderInfo) -> bool:
    settings = {setting.name: setting for setting in info.settings}
    variables = (os.environ.get(variable, "").strip() for variable in settings[name].env)
    return target.get(name) in variables


# ---- sources ----------------------------------------------------------------------------------------


def _from_key(target: Target, info: ProviderInfo) -> Credentials:  # noqa: ARG001
    return Credentials(value={"api-key": target.get("api_key")})


def _from_token(target: Target, info: ProviderInfo) -> Credentials:  # noqa: ARG001
    return Credentials(value=_bearer(target.get("azure_ad_token")))


def _from_function(target: Target, info: ProviderInfo) -> Credentials:  # noqa: ARG001
    name = "azure_ad_token_provider"
    function = target.get(name)
    if not callable(function):
        raise BadRequestError(
            f"{name} must be a function that returns a token; a token itself is azure_ad_token",
            param=name,
            code="invalid_setting",
        )
    try:
        token = function()
    except Exception as problem:
        raise AuthenticationError(
            f"{name} failed: {type(problem).__name__}: {problem}", param=name, code="missing_credentials"
        ) from problem
    if inspect.iscoroutine(token):
        token.close()  # never to be awaited
    if not isinstance(token, str) or not token:
        raise BadRequestError(
            f"{name} must return a token, as text and not as a coroutine; it returned a "
            f"{type(token).__name__}{'' if token else ' without content'}",
            param=name,
            code="invalid_setting",
        )
    return Credentials(value=_bearer(token), expires_at=_ASK_EVERY_TIME)


def _from_principal(target: Target, info: ProviderInfo) -> Credentials:
    missing = [name for name in _PRINCIPAL if not target.get(name)]
    if missing:
        raise AuthenticationError(
            f"{info.name} has a client_secret, and needs beside it: {_looked_for(info, *missing)}",
            param=missing[0],
            code="missing_credentials",
        )
    if not _has_identity():
        raise PluginError(f"{info.name} needs azure-identity to sign in with a client_secret: {_INSTALL}")
    return _signed_in("ClientSecretCredential", {name: target.get(name) for name in _PRINCIPAL}, target, info)


def _from_chain(target: Target, info: ProviderInfo) -> Credentials:
    if not _has_identity():
        raise _nothing_found(info, f"which is not installed: {_INSTALL}")
    chosen = {}
    if client := target.get("client_id"):
        chosen = {"managed_identity_client_id": client, "workload_identity_client_id": client}
    return _signed_in("DefaultAzureCredential", chosen, target, info)


_SOURCES: dict[str, Callable[[Target, ProviderInfo], Credentials]] = {
    "azure_ad_token_provider": _from_function,
    "azure_ad_token": _from_token,
    "api_key": _from_key,
    "client_secret": _from_principal,
}


# ---- azure-identity ---------------------------------------------------------------------------------


def _has_identity() -> bool:
    """Tell whether azure-identity is installed; imports it.

    Raises:
        PluginError: it is installed and broken.
    """
    try:
        importlib.import_module("azure.identity")
    except ModuleNotFoundError as problem:
        if problem.name in {"azure", "azure.identity"}:
            return False
        raise PluginError(f"azure-identity cannot be imported ({problem}): {_INSTALL}") from problem
    except ImportError as problem:
        raise PluginError(f"azure-identity cannot be imported ({problem}): {_INSTALL}") from problem
    return True


def _signed_in(kind: str, arguments: dict[str, Any], target: Target, info: ProviderInfo) -> Credentials:
    identity = importlib.import_module("azure.identity")
    problems = importlib.import_module("azure.core.exceptions")
    try:
        with contextlib.closing(getattr(identity, kind)(**arguments)) as credential:
            token = credential.get_token(target.get("azure_scope"))
    except (problems.ClientAuthenticationError, ValueError) as problem:
        said = f"azure-identity's {kind}: {' '.join(str(problem).split())}"
        if kind == "DefaultAzureCredential":
            raise _nothing_found(info, f"which says: {said}") from problem
        raise AuthenticationError(said, code="invalid_credentials") from problem
    except problems.AzureError as problem:
        raise APIConnectionError(f"azure-identity's {kind} could not ask for a token: {problem}") from problem
    return Credentials(value=_bearer(token.token), expires_at=float(token.expires_on))


def _nothing_found(info: ProviderInfo, ending: str) -> AuthenticationError:
    return AuthenticationError(
        f"{info.name} needs a key or a token: looked for "
        f"{_looked_for(info, *_SOURCES, 'tenant_id', 'client_id')}, and "
        f"asked DefaultAzureCredential of azure-identity, {ending}",
        param="api_key",
        code="missing_credentials",
    )


def _looked_for(info: ProviderInfo, *names: str) -> str:
    """Return where settings are looked for: ``api_key (AZURE_API_KEY, AZURE_OPENAI_API_KEY), ...``."""
    known = {setting.name: setting for setting in info.settings}
    settings = [known[name] for name in names]
    return ", ".join(
        f"{setting.name} ({', '.join(setting.env)})" if setting.env else setting.name for setting in settings
    )


def _bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}
