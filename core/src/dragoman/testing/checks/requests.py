"""Checks of the way out: what of a request reaches the upstream, and what is refused before it."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from dragoman.errors import APIError, BadRequestError, UnsupportedParameterError
from dragoman.parameters import PARAMETERS
from dragoman.providers import Provider
from dragoman.testing.declarations import Declarations, fail_for, sent
from dragoman.testing.inputs import BAD_INPUTS, CARRIED_INPUTS, UNCLEAR_INPUTS, InputCase
from dragoman.testing.running import normalised
from dragoman.testing.samples import GROUPS, merged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dragoman.attempts.session import Session
    from dragoman.hookspecs import HTTPRequest, Target
    from dragoman.testing.samples import Sample

__all__ = ["RequestChecks"]

_CARRIED = ("native", "mapped", "emulated")


class _WitnessedProvider(Provider):
    """Watches each translation: does it change what it was given, and does it say the same again?"""

    def __init__(self, name: str, plugin: object, *, origin: str = "") -> None:
        super().__init__(name, plugin, origin=origin)
        self.problems: list[str] = []

    def translate_request(self, request: dict[str, Any], target: Target) -> HTTPRequest:
        before, settings = copy.deepcopy(request), copy.deepcopy(dict(target.settings))
        http = super().translate_request(request, target)
        if request != before:
            self.problems.append(f"the request was changed: {_difference(before, request)}")
        if dict(target.settings) != settings:
            self.problems.append("the settings were changed")
        again = super().translate_request(copy.deepcopy(before), target)
        if normalised(_plain(http)) != normalised(_plain(again)):
            self.problems.append(
                f"the same request gave another one: {_difference(_plain(http), _plain(again))}"
            )
        return http


class RequestChecks(Declarations):
    """Carry or refuse, never drop."""

    def test_every_parameter_has_a_policy(self) -> None:
        """The table says for every parameter of the Responses API what becomes of it.

        Troubleshooting: add the names to ``policies(...)``. `warned` is for what an answer keeps its meaning
        without, `rejected` for everything else; a few words say why.
        """
        info = self.info(self.loaded())
        if info.native:
            pytest.skip("a native wire passes on what its table does not name")
        table = info.parameters
        told = {name.partition(".")[0] if name.partition(".")[0] in GROUPS else name for name in table}
        missing = [name for name in PARAMETERS if name not in told]
        fail_for(missing, "parameters without a policy:")
        silent = [
            name
            for name, policy in table.items()
            if policy.support not in {"native", "rejected"} and not policy.note
        ]
        fail_for(silent, "policies that need a few words on how or why:")

    def test_rejected_parameters_are_refused(self) -> None:
        """What the table rejects is a 400 that names it, before any traffic.

        Troubleshooting: core does this from the table; a name in it is spelled like the parameter, or like
        ``tools.web_search``.
        """
        problems = []
        provider = self.loaded()
        for name, sample in self._samples(provider, "rejected"):
            try:
                self.session(provider, **sample.request).prepare()
            except UnsupportedParameterError as error:
                if error.param != sample.param:
                    problems.append(f"{name}: the error names {error.param!r}, not {sample.param!r}")
            except APIError as error:
                problems.append(f"{name} is refused for another reason: {error}")
            else:
                problems.append(f"{name} is not refused")
        fail_for(problems, "rejected, says the table:")

    def test_warned_parameters_are_left_out(self) -> None:
        """What the table warns about is left out: the upstream's request is the same, and a warning names it.

        Troubleshooting: if the parameter can be sent after all, it is `native` or `mapped`.
        """
        problems = []
        provider = self.loaded()
        plain = sent(self.session(provider).prepare())
        for name, sample in self._samples(provider, "warned"):
            session = self.session(provider, **sample.request)
            try:
                http = session.prepare()
            except APIError as error:
                problems.append(f"{name} is refused: {error}")
                continue
            if normalised(_jsonable(sent(http))) != normalised(_jsonable(plain)):
                problems.append(f"{name} changes the upstream's request")
            if sample.param not in _warned(session):
                problems.append(f"no warning names {sample.param}")
        fail_for(problems, "left out with a warning, says the table:")

    def test_carried_parameters_reach_the_upstream(self) -> None:
        """What the table calls native or mapped changes the upstream's request, and what it carries is taken.

        Troubleshooting: does translate_request read the parameter at all? If the kit's value shows nothing
        on your wire, give another one in `samples`.
        """
        problems = []
        provider = self.loaded()
        for name, sample in self._samples(provider, *_CARRIED):
            policy = self.policies(provider)[name]
            beside = self.beside(provider, sample)
            try:
                http = self.session(provider, **merged(beside, sample.request)).prepare()
                plain = self.session(provider, **beside).prepare()
            except APIError as error:
                problems.append(f"{name} is refused, although {policy.support}: {error}")
                continue
            must_show = policy.support == "mapped" or (policy.support == "native" and not policy.note)
            if must_show and not sample.is_default and sent(http) == sent(plain):
                problems.append(f"{name} is {policy.support}, but the upstream gets the same without it")
        fail_for(problems, "carried, says the table:")

    def test_what_is_unknown_passes_a_native_wire(self) -> None:
        """A native upstream gets next month's parameters, items and tools as they are.

        Troubleshooting: change of the request what you must (the model's name), and leave the rest.
        """
        provider = self.loaded()
        if not self.info(provider).native:
            pytest.skip("the wire is translated: the unknown is refused, see test_bad_input_is_refused")
        problems = []
        for what, request, param in BAD_INPUTS:
            body = self.session(provider, **request).prepare().json
            for name, value in request.items():
                if body.get(name) != value:
                    problems.append(f"{what} ({param}) does not arrive: {body.get(name)!r}")
        fail_for(problems, "lost or changed on the way:")

    def test_translation_is_pure(self) -> None:
        """translate_request changes nothing that it is given, and says the same each time.

        Troubleshooting: build new dicts (``{**item, ...}``); core may send the same request elsewhere, after
        a failure.
        """
        provider = self.loaded(_WitnessedProvider)
        requests = [
            merged(self.beside(provider, sample), sample.request)
            for _, sample in self._samples(provider, *_CARRIED)
        ]
        requests += [{"input": case.items} for case in CARRIED_INPUTS]
        requests += [self.asking(exchange) for exchange in self.declared().values()]
        for request in requests:
            session = self.session(provider, **request)
            before = copy.deepcopy(session._request)
            try:
                session.prepare()
            except BadRequestError:
                continue  # another check's business
            if session._request != before:
                provider.problems.append(
                    f"the caller's request was changed: {_difference(before, session._request)}"
                )
        fail_for(sorted(set(provider.problems)), "translate_request is not pure:")

    def test_every_item_is_carried_or_refused(self) -> None:
        """Whatever an input holds arrives, or is refused by name, or is left out with a warning.

        Troubleshooting: end every ``match`` over item and part types with a BadRequestError whose `param` is
        the place (``input[2].content[0]``); what is left out goes into ``HTTPRequest.warnings``.
        """
        provider = self.loaded()
        problems = [problem for case in CARRIED_INPUTS for problem in self._lost(provider, case)]
        fail_for(problems, "dropped in silence:")

    def test_bad_input_is_refused(self) -> None:
        """What no wire can carry is a 400 that names its place, before any traffic; nothing trips over it.

        Troubleshooting: check what you look into (``item.get("type")``, JSON in `arguments`) and raise a
        BadRequestError with `param`.
        """
        provider = self.loaded()
        problems = []
        for what, request, param in () if self.info(provider).native else BAD_INPUTS:
            try:
                self.session(provider, **request).prepare()
            except BadRequestError as error:
                if not (error.param or "").startswith(param):
                    problems.append(f"{what}: the error names {error.param!r}, not {param!r}")
            except Exception as error:
                problems.append(f"{what}: {type(error).__name__}: {error}")
            else:
                problems.append(f"{what} is not refused")
        for what, request in UNCLEAR_INPUTS:
            try:
                self.session(provider, **request).prepare()
            except BadRequestError as error:
                if not error.param:
                    problems.append(f"{what}: the error names no param: {error}")
            except Exception as error:
                problems.append(f"{what}: {type(error).__name__}: {error}")
        fail_for(problems, "bad input:")

    # ---- helpers ------------------------------------------------------------------------------------

    def _samples(self, provider: Provider, *levels: str) -> Iterator[tuple[str, Sample]]:
        for name, policy in self.policies(provider).items():
            sample = self.sample(name)
            if policy.support not in levels or name in GROUPS:
                continue
            if sample is None:
                pytest.fail(f"there is no value to try {name!r} with: give one in `samples`")
            yield name, sample

    def _lost(self, provider: Provider, case: InputCase) -> list[str]:
        session = self.session(provider, input=case.items)
        try:
            http = session.prepare()
        except BadRequestError as error:
            if (error.param or "").startswith(case.param):
                return []
            return [f"{case.what}: the error names {error.param!r}, not {case.param!r}"]
        except Exception as error:
            return [f"{case.what}: {type(error).__name__}: {error}"]
        if any(str(param).startswith(case.param) for param in _warned(session)):
            return []
        if case.marker and case.marker in json.dumps(_jsonable(sent(http)), ensure_ascii=False):
            return []
        try:
            plain = self.session(provider, input=case.without).prepare()
        except BadRequestError:
            return []
        if not case.marker and sent(http) != sent(plain):
            return []
        return [f"{case.what} ({case.param}) does not arrive, and nothing says so"]


def _warned(session: Session) -> list[str | None]:
    return [warning["param"] for warning in session.response["dragoman"]["warnings"]]


def _jsonable(value: dict[str, Any]) -> dict[str, Any]:
    body = value["body"]
    return {**value, "body": body.decode(errors="replace") if isinstance(body, bytes) else body}


def _plain(http: HTTPRequest) -> dict[str, Any]:
    return {**_jsonable(sent(http)), "warnings": [dict(warning) for warning in http.warnings]}


def _difference(before: Any, after: Any, path: str = "") -> str:
    """Return the first place where two values differ."""
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys():
        name = next(name for name in before if before[name] != after[name])
        return _difference(before[name], after[name], f"{path}.{name}" if path else str(name))
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        index = next(index for index, value in enumerate(before) if value != after[index])
        return _difference(before[index], after[index], f"{path}[{index}]")
    return f"{path or 'it'} was {before!r:.80}, is {after!r:.80}"
