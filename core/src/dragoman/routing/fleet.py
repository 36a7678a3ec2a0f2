"""A fleet: every deployment there is, by the names that callers use, and where a call goes."""

from __future__ import annotations

import random as random_numbers
import threading
import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dragoman.errors import (
    AuthenticationError,
    BadRequestError,
    RateLimitError,
)
from dragoman.routing.checks import nearest
from dragoman.routing.deployments import Deployment, StreamRecovery
from dragoman.routing.groups import Group
from dragoman.routing.journey import Journey
from dragoman.routing.names import Found, Names, checked_name, well_known
from dragoman.routing.settings import RoutingSettings
from dragoman.routing.stops import split_fallback
from dragoman.routing.strategies import strategy_of
from dragoman.routing.verdicts import verdict_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from dragoman.attempts.call import Call
    from dragoman.errors import APIError
    from dragoman.network.timeouts import Timeout
    from dragoman.routing.loads import Load
    from dragoman.routing.settings import Fallback
    from dragoman.routing.verdicts import Verdict

__all__ = ["Fleet", "RouteOptions"]

_DEFAULTS = RoutingSettings()
_ADHOC_KEPT = 256
_PATIENCE = 10.0  # seconds: an upstream that wants to be left alone for longer is


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteOptions:
    """What one call asks of routing."""

    fallbacks: Sequence[Fallback] | None = None
    """Where to go when the model fails: names, or ``{"model": name, other arguments}``, which win over the
    call's own. None: as the settings say."""
    num_retries: int | None = None
    timeout: Timeout | float | None = None
    home: str | None = None
    """The id of the deployment that the call is bound to."""
    sticky: str | None = None
    """Calls with the same text go to the same deployment, as long as it can be had."""
    tags: frozenset[str] = frozenset()
    tokens: int = 0
    """An estimate of the tokens that the input has."""
    streamed: bool = False
    stream_recovery: StreamRecovery | None = None
    disable_fallbacks: bool = False
    allows: Callable[[str], bool] | None = None
    """Tells by a name whether the call may go there: a fallback where it may not is passed over."""
    account: str = ""
    """Tells the account apart whose address or credentials the call brings along (see ``accounts``)."""
    own_credentials: bool = False
    """Whether the caller brought credentials of its own: a refusal of them says nothing of a deployment."""


class Fleet:
    """Deployments and what is known of them. Threads may share one: ``lock`` guards all that changes."""

    def __init__(
        self,
        deployments: Sequence[Deployment] = (),
        settings: RoutingSettings = _DEFAULTS,
        *,
        adhoc: bool = True,
        clock: Callable[[], float] | None = None,
        random: random_numbers.Random | None = None,
    ) -> None:
        """Make a fleet.

        Args:
            deployments: what there is.
            settings: how to route.
            adhoc: whether a name that nothing serves is called as it is, if it reads ``provider/model``.
            clock: tells the time, in seconds; None: time.monotonic.
            random: draws.

        Raises:
            BadRequestError: two deployments have one id, or a setting names what is not there.
        """
        self.deployments = tuple(deployments)
        self.counts_tokens = any(deployment.tpm is not None for deployment in self.deployments)
        """Whether it matters how many tokens a call will need."""
        self.settings = settings
        self.clock = clock or time.monotonic
        self.random = random or random_numbers.Random()  # noqa: S311 - a draw, not a secret
        self.lock = threading.Lock()
        """Held for microseconds, while a decision is made or told."""
        self._adhoc = adhoc
        self._strategy = strategy_of(settings.strategy, settings.strategy_arguments)
        members: dict[str, list[Deployment]] = {}
        for deployment in self.deployments:
            members.setdefault(deployment.name, []).append(deployment)
        self._groups = {
            name: Group(name, group, settings, self._strategy, self.random) for name, group in members.items()
        }
        self._loads = {load.deployment.id: load for group in self._groups.values() for load in group.loads}
        self._names = Names(
            self._groups,
            otherwise="write provider/model" if adhoc else "GET /v1/models lists what is served",
        )
        self._adhoc_group = lru_cache(maxsize=_ADHOC_KEPT)(self._made_up)
        self._check()

    def journey(
        self,
        model: object,
        prepare: Callable[[Deployment, str], Call],
        *,
        options: RouteOptions = RouteOptions(),
    ) -> Journey:
        """Plan a call: its first leg is prepared, no place is taken yet.

        Args:
            model: the name that the caller asks for.
            prepare: makes the call from a deployment and its ``provider/model``, with the deployment's
                `arguments` as defaults and its `overrides` winning over the caller's. Called for each target
                that is tried, once.
            options: what the call asks of routing.

        Raises:
            APIError: the name is missing or unknown, or the request is wrong, or no target can take it.
        """
        aliases = self.settings.model_group_alias
        for fallback in options.fallbacks or ():
            name, _ = split_fallback(fallback)
            self.serving(aliases.get(name, name), required=True)
        return Journey(self, self._checked(model), prepare, options)

    # ---- names --------------------------------------------------------------------------------------

    def models(self) -> list[dict[str, Any]]:
        """Return the model objects of all exact names, and of the well-known models behind patterns."""
        names = dict.fromkeys(self._names.exact)
        settings = self.settings
        names.update(
            (alias, None) for alias in settings.model_group_alias if alias not in settings.hidden_aliases
        )
        for pattern in self._names.patterns:
            model = self._groups[pattern].loads[0].deployment.model
            names.update(dict.fromkeys(well_known(pattern, model)))
        return [self.model(name) for name in names]

    def model(self, name: object) -> dict[str, Any]:
        """Return the model object of a name.

        Raises:
            BadRequestError: it is missing, or no text.
            NotFoundError: nothing here is called so; the message names the nearest that is.
        """
        checked = checked_name(name)
        served = self.serving(self.settings.model_group_alias.get(checked, checked), required=True)
        found, group = served  # type: ignore[misc]
        owner = found.fill(group.loads[0].deployment.model).partition("/")[0]
        return {"id": checked, "object": "model", "created": 0, "owned_by": owner}

    def serving(self, name: str, *, required: bool = False, account: str = "") -> tuple[Found, Group] | None:
        """Return what serves a name, aliases resolved; None where nothing does.

        What nobody has set up is known from call to call, by its name and the account that the calls bring;
        those that were called last.

        Raises:
            NotFoundError: nothing does, and it is required.
        """
        found = self._names.find(name)
        if found is not None:
            return found, self._groups[found.name]
        if self._adhoc and ("/" in name or not self._groups):
            return Found(name, None), self._adhoc_group(name, account)
        if required:
            raise self._names.unknown(name)
        return None

    def group(self, name: str) -> Group:
        """Return the deployments of a name, as it is written in the config."""
        return self._groups[name]

    def load(self, deployment: str | None) -> Load | None:
        """Return the load of a deployment, by its id."""
        return None if deployment is None else self._loads.get(deployment)

    def _checked(self, model: object) -> str:
        if not self._adhoc:
            return checked_name(model)
        if not isinstance(model, str) or not model:
            raise BadRequestError(
                'model is missing: a string "provider/model"', param="model", code="missing"
            )
        return model

    def _made_up(self, name: str, _account: str) -> Group:
        deployment = Deployment(id=name, name=name, model=name)
        return Group(name, [deployment], self.settings, self._strategy, self.random, adhoc=True)

    def _check(self) -> None:
        if len(self._loads) != len(self.deployments):
            ids = [deployment.id for deployment in self.deployments]
            twice = next(one for one in ids if ids.count(one) > 1)
            raise BadRequestError(f"two deployments have the id {twice!r}", param="id", code="invalid_value")
        aliases = self.settings.model_group_alias
        for field, name in _named(self.settings):
            if self.serving(aliases.get(name, name)) is None:
                hint = nearest(name, self._groups)
                near = f": {hint}" if hint else ""
                raise BadRequestError(
                    f"{field} must lead to a model_name of model_list, and {name!r} is none{near}",
                    param=field,
                    code="invalid_value",
                )

    # ---- failures -----------------------------------------------------------------------------------

    def retries(self, deployment: Deployment, verdict: Verdict, options: RouteOptions) -> int:
        """Return how often a failure of this kind may be tried again."""
        settings = self.settings
        if options.num_retries is not None:
            return options.num_retries
        if verdict.policy in settings.retry_policy:
            return settings.retry_policy[verdict.policy]
        return settings.num_retries if deployment.num_retries is None else deployment.num_retries

    def blames(self, error: APIError, options: RouteOptions, *, adhoc: bool) -> bool:
        """Tell whether a failure says something of the deployment: not of a caller's credentials there."""
        if self.settings.disable_cooldowns:
            return False
        if options.own_credentials and not adhoc and isinstance(error, AuthenticationError | RateLimitError):
            return False
        verdict = verdict_on(error)
        return verdict.counts or verdict.opens

    def blame(self, load: Load, error: APIError, now: float, *, probe: bool, deadline: float) -> None:
        """Count a failure against a deployment's circuit. Under the lock."""
        verdict = verdict_on(error)
        settings, breaker = self.settings, load.breaker
        own = load.deployment.cooldown_time
        cooldown = settings.cooldown_time if own is None else own
        wish = error.retry_after or 0.0
        if verdict.opens or wish > _PATIENCE or (wish and now + wish > deadline):
            breaker.leave(probe=probe)
            breaker.open_until(now + (wish or cooldown))
            return
        allowed = settings.allowed_fails_policy.get(verdict.policy, settings.allowed_fails)
        breaker.fail(now, probe=probe, allowed=allowed, cooldown=wish or cooldown)


def _named(settings: RoutingSettings) -> Iterator[tuple[str, str]]:
    """Yield every model that settings lead to, and the field that says so."""
    for alias, name in settings.model_group_alias.items():
        yield f"model_group_alias.{alias}", name
    for field in ("fallbacks", "context_window_fallbacks", "content_policy_fallbacks"):
        listed: Mapping[str, tuple[Fallback, ...]] = getattr(settings, field)
        for name, fallbacks in listed.items():
            for fallback in fallbacks:
                yield f"{field}.{name}", split_fallback(fallback)[0]
    for fallback in settings.default_fallbacks:
        yield "default_fallbacks", split_fallback(fallback)[0]
