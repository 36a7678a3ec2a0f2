"""Whether a provider's credentials are there, without asking anybody for them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dragoman import discovery
from dragoman.errors import APIError, DragomanError
from dragoman.providers import load_provider, split_model
from dragoman.routing import Deployment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.providers import Provider
    from dragoman_server.config_findings import Findings

__all__ = ["credentials_of", "found_deployments"]


class _Traces(NamedTuple):
    """What shows that a chain of credentials will find some."""

    variables: tuple[str, ...]
    files: tuple[str, ...] = ()


_GOOGLE = _Traces(
    ("GOOGLE_APPLICATION_CREDENTIALS", "VERTEXAI_CREDENTIALS", "VERTEXAI_PROJECT"),
    ("~/.config/gcloud/application_default_credentials.json",),
)
_ENTRA = _Traces(("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE"))
_CHAINS: dict[str, _Traces] = {
    "bedrock": _Traces(
        (
            "AWS_ACCESS_KEY_ID",
            "AWS_PROFILE",
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        ),
        ("~/.aws/credentials", "~/.aws/config"),
    ),
    "vertex_ai": _GOOGLE,
    "azure": _ENTRA,
    "azure_ai": _ENTRA,
}
_OFFLINE = "echo"


def credentials_of(deployment: Deployment) -> str:
    """Return in a few words whether a deployment's credentials were found, and where."""
    settings = deployment.arguments.get("settings", {})
    if "mock_response" in deployment.arguments:
        return "none needed: a mock_response"
    if "/" not in deployment.model:
        return "those of the provider that a caller names"
    prefix, model = split_model(deployment.model)
    provider = load_provider(prefix)
    try:
        target = provider.target(_some_model(provider) if "*" in model else model, settings)
    except APIError as problem:
        return f"MISSING: {problem.message}"
    configured = [
        setting.name for setting in provider.info.settings if setting.secret and settings.get(setting.name)
    ]
    if configured:
        return f"found: {', '.join(configured)} in the config"
    variable = _secret_variable(provider)
    if variable:
        return f"found: {variable} in the environment"
    if not any(setting.secret for setting in provider.info.settings):
        return "none needed"
    if provider.loads_credentials:
        trace = _trace(prefix) or _configured_chain(settings)
        looked = f"{trace} leads to them" if trace else "nothing shows where they could be"
        return f"by {prefix}'s own search at the first call; {looked}"
    names = [name for setting in provider.info.settings if setting.secret for name in setting.env]
    if target.get("api_base") != _default(provider, "api_base"):
        return "none, which its own server may take"
    return f"MISSING: looked for {', '.join(names)}"


def found_deployments(findings: Findings) -> tuple[Deployment, ...]:
    """Return ``provider/*`` for every installed provider that could answer, and echo."""
    served = [name for name in discovery.names(discovery.PROVIDERS) if _could_answer(name, findings)]
    return tuple(Deployment(id=name, name=f"{name}/*", model=f"{name}/*") for name in served)


def _could_answer(name: str, findings: Findings) -> bool:
    if name == _OFFLINE:
        return True
    try:
        provider = load_provider(name)
    except DragomanError as problem:
        findings.warn(None, str(problem))
        return False
    try:
        provider.target(_some_model(provider), {})
    except APIError:
        return False
    if _secret_variable(provider) or _trace(name):
        return True
    # A model server of one's own needs no key: where it stands is enough, if somebody said so.
    places = (setting.env for setting in provider.info.settings if setting.name == "api_base")
    return not provider.loads_credentials and any(
        os.environ.get(variable) for env in places for variable in env
    )


def _some_model(provider: Provider) -> str:
    """Return a name that the provider takes: some refuse those that they do not know."""
    return next(iter(provider.info.models), "any")


def _secret_variable(provider: Provider) -> str | None:
    variables = (name for setting in provider.info.settings if setting.secret for name in setting.env)
    return next((name for name in variables if os.environ.get(name)), None)


def _trace(name: str) -> str | None:
    traces = _CHAINS.get(name, _Traces(()))
    variable = next((variable for variable in traces.variables if os.environ.get(variable)), None)
    return variable or next((file for file in traces.files if Path(file).expanduser().is_file()), None)


def _configured_chain(settings: Mapping[str, Any]) -> str | None:
    hints = ("aws_profile_name", "aws_role_name", "vertex_credentials", "tenant_id", "client_id")
    return next((name for name in hints if settings.get(name)), None)


def _default(provider: Provider, name: str) -> str | None:
    return next((setting.default for setting in provider.info.settings if setting.name == name), None)
