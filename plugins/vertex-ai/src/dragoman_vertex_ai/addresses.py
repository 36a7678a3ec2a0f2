"""Addresses: project, location, host and version around a model's resource."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from dragoman.errors import BadRequestError

if TYPE_CHECKING:
    from dragoman.hookspecs import Target
    from dragoman_vertex_ai.models import Model

__all__ = ["PROJECT", "Address", "address_of", "initialized", "location_of", "project_of"]

PROJECT = "{project}"
"""Stands in an address for the project that only the credentials know."""
GLOBAL = "global"
_MULTI_REGIONS = frozenset({"us", "eu"})
_LOCATION = re.compile(r"[a-z][a-z0-9-]*")
_PROJECT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]*")
_VERSION = re.compile(r"v\d+\w*")
_ENDS_IN_VERSION = re.compile(r"/v\d+\w*$")
_ENDS_IN_LOCATION = re.compile(r"/projects/[^/]+/locations/[^/]+$")


class Address(NamedTuple):
    """Where the models of one project and location are."""

    base: str
    """Everything before ``publishers/...`` or ``endpoints/...``; or the whole address of a model."""
    is_model: bool = False
    """Whether `base` is the address of one model already."""

    def method(self, resource: str, method: str) -> str:
        """Return the address of a method of a resource."""
        return f"{self.base}:{method}" if self.is_model else f"{self.base}{resource}:{method}"


def address_of(target: Target, model: Model, *, express: bool) -> Address:
    """Return where calls to a model go.

    Args:
        target: settings; ``api_base`` replaces Google's host, or as much of the path as it has itself.
        model: whose name may hold project and location.
        express: whether a key of express mode is used, which knows no project.

    Raises:
        BadRequestError: a setting that cannot be part of an address.
    """
    version = _checked("api_version", target.get("api_version") or "v1", _VERSION)
    parent, host = "", "https://aiplatform.googleapis.com"
    if not express:
        location = _checked("vertex_location", location_of(target, model), _LOCATION)
        project = project_of(target, model)
        project = PROJECT if project is None else _checked("vertex_project", project, _PROJECT_ID)
        parent = f"projects/{project}/locations/{location}/"
        host = _host(location)
    if base := target.get("api_base"):
        return _behind(str(base), version, parent)
    return Address(f"{host}/{version}/{parent}")


def project_of(target: Target, model: Model) -> str | None:
    """Return the project that a call names; None where it is left to the credentials."""
    found = (
        model.project
        or target.get("vertex_project")
        or initialized("project")
        or target.get("google_cloud_project")
    )
    return str(found) if found else None


def location_of(target: Target, model: Model) -> str:
    """Return the location that a call names, else ``global``, where every current model is."""
    found = (
        model.location
        or target.get("vertex_location")
        or initialized("location")
        or target.get("google_cloud_location")
    )
    return str(found or GLOBAL)


def initialized(name: str) -> Any:
    """Return what the caller gave to ``aiplatform.init()``; None where nothing.

    The SDK is not imported for it: who called `init` has done so. Its public properties fill gaps by asking
    files and servers, so what was really given is read.
    """
    module = sys.modules.get("google.cloud.aiplatform.initializer")
    return getattr(getattr(module, "global_config", None), f"_{name}", None)


def _host(location: str) -> str:
    if location == GLOBAL:
        return "https://aiplatform.googleapis.com"
    if location in _MULTI_REGIONS:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    return f"https://{location}-aiplatform.googleapis.com"


def _behind(base: str, version: str, parent: str) -> Address:
    """Return the address behind a base of the caller's: an emulator, a gateway, a private endpoint."""
    base = (base if "://" in base else f"https://{base}").rstrip("/")
    try:
        parts = urlsplit(base)
        usable = parts.scheme in {"http", "https"} and parts.hostname and not parts.query
    except ValueError:
        usable = False
    if not usable:
        raise BadRequestError(
            f"api_base {base.partition('?')[0]!r} is no address: write https://host, perhaps with a path",
            param="api_base",
            code="invalid_setting",
        )
    if "/models/" in parts.path or "/endpoints/" in parts.path:
        return Address(base, is_model=True)
    if _ENDS_IN_LOCATION.search(parts.path):
        return Address(f"{base}/")
    if not _ENDS_IN_VERSION.search(parts.path):
        base = f"{base}/{version}"
    return Address(f"{base}/{parent}")


def _checked(name: str, value: Any, pattern: re.Pattern[str]) -> str:
    """Return a setting that becomes part of an address: it may not lead to another host or resource."""
    if not pattern.fullmatch(str(value)):
        raise BadRequestError(
            f"{name} {str(value)!r} cannot be part of an address", param=name, code="invalid_setting"
        )
    return str(value)
