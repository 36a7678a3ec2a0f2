"""Routing: which deployment a call goes to, and where next when that fails. It decides and never talks.

    fleet = Fleet(deployments_of(model_list), RoutingSettings.of(router_settings))
    journey = fleet.journey("claude", prepare)
    while isinstance(step := journey.next(), float):
        wait(step)
    # ask step.call at step.deployment within step.timeout, then say how it went:
    # journey.succeeded(usage), or journey.failed(error) and journey.next() again

Nothing here waits, reads or sends; time and chance are handed in, so that a seed and a clock replay every
decision. What many calls share (work in flight, limits, circuits) stands under one lock of the fleet, which
is held for microseconds; a journey belongs to one call.

From the bottom: `meters` and `breakers` know one deployment's minute and its circuit, `loads` puts them
together, `trees` and `pools` choose among many without looking at all of them, `strategies` say which is
best, `groups` are the deployments of a name by order and tags, `verdicts` is the table of what a failure
means, `itinerary` and `stops` know where a call may go, `choices` whom it may ask there, `bookings` what it
holds meanwhile, `journey` puts one call together, `fleet` all of them.
"""

from __future__ import annotations

from dragoman.routing.deployments import Deployment, StreamRecovery
from dragoman.routing.fleet import Fleet, RouteOptions
from dragoman.routing.journey import Journey, Leg
from dragoman.routing.model_lists import deployments_of
from dragoman.routing.reports import AttemptReport
from dragoman.routing.settings import RoutingSettings

__all__ = [
    "AttemptReport",
    "Deployment",
    "Fleet",
    "Journey",
    "Leg",
    "RouteOptions",
    "RoutingSettings",
    "StreamRecovery",
    "deployments_of",
]
