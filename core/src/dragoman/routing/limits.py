"""The time limits of a call and its attempts: the caller's, else the deployment's, else the fleet's."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING

from dragoman.network.timeouts import Timeout
from dragoman.routing.checks import seconds

if TYPE_CHECKING:
    from dragoman.routing.deployments import Deployment
    from dragoman.routing.groups import Group
    from dragoman.routing.settings import RoutingSettings

__all__ = ["attempt_limits", "call_limit", "time_limits"]


def time_limits(field: str, value: object) -> Timeout | float:
    """Return limits as they were given, a ``Timeout`` or seconds, checked.

    Raises:
        BadRequestError: a limit is no time, or none at all; `param` names it.
    """
    if not isinstance(value, Timeout):
        return seconds(field, value, otherwise=", or a dragoman.Timeout")
    for limit in fields(value):
        given = getattr(value, limit.name)
        if given is not None:
            seconds(f"{field}.{limit.name}", given)
    return value


def call_limit(own: Timeout | float | None, group: Group, settings: RoutingSettings) -> float | None:
    """Return the seconds that a call may take altogether; None is no limit.

    Args:
        own: what the caller says.
        group: the deployments of the model that was asked for.
        settings: the fleet's.
    """
    given = settings.timeout if own is None else own
    stated = given.total if isinstance(given, Timeout) else None
    limits = (stated, group.total_timeout, settings.total_timeout)
    return next((limit for limit in limits if limit is not None), None)


def attempt_limits(
    own: Timeout | float | None,
    deployment: Deployment,
    settings: RoutingSettings,
    *,
    streamed: bool,
    left: float | None,
) -> Timeout:
    """Return the limits of an attempt.

    Args:
        own: what the caller says; a ``Timeout`` stands as it is, a number leaves stream_timeout in force.
        deployment: who is asked.
        settings: the fleet's.
        streamed: whether the answer is a stream.
        left: seconds that are left of the whole call.
    """
    given = next((one for one in (own, deployment.timeout, settings.timeout) if one is not None), None)
    limits = Timeout.of(given)
    first = deployment.stream_timeout if deployment.stream_timeout is not None else settings.stream_timeout
    if streamed and first is not None and not isinstance(own, Timeout):
        limits = replace(limits, first_event=first)
    return limits if limits.total == left else replace(limits, total=left)
