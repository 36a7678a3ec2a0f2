"""Checks of a plugin as a package: how it is found, what it says of itself, what it loads."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, requires

import pytest

from dragoman import discovery
from dragoman.errors import AuthenticationError, BadRequestError
from dragoman.hookspecs import SPEC_VERSION, Setting
from dragoman.parameters import PARAMETERS
from dragoman.testing.declarations import Declarations, fail_for
from dragoman.testing.samples import GROUPS

__all__ = ["PackageChecks"]

_SECRET_WORDS = frozenset({"key", "token", "secret", "password", "passphrase"})
_NO_SECRETS = frozenset({"url", "file", "path", "endpoint", "header"})  # last words of names that only point
_HEAVY = ("boto3", "botocore", "google.auth", "google.cloud", "pytest")
_LOADER = """
import json, sys
began = set(sys.modules)  # some packages put themselves there at every start of Python
name, model, settings = json.loads(sys.argv[1])
import dragoman, dragoman.sdk.client
from dragoman import discovery
discovery.listings(discovery.PROVIDERS), discovery.listings(discovery.PLUGINS)
listed = sorted(set(sys.modules) - began)
from dragoman.models import validate_request
from dragoman.providers import load_provider
from dragoman.attempts.session import Session
provider = load_provider(name)
request = validate_request({"model": f"{name}/{model}", "input": "Hello"})
Session(provider, provider.target(model, settings), request).prepare()
print(json.dumps([listed, sorted(set(sys.modules) - began)]))
"""


class PackageChecks(Declarations):
    """Found by name, loaded when called, well described."""

    def test_nothing_loads_before_it_is_called(self) -> None:
        """Importing dragoman and listing plugins loads none of them; calling one loads no other, and no SDK.

        Troubleshooting: move the import that is named into the function that needs it. Another provider's
        plugin may be imported where your distribution requires it.
        """
        listing = self._listing()
        settings = {name: value for name, value in self.settings.items() if isinstance(value, str)}
        ran = subprocess.run(  # noqa: S603 - this interpreter, our own words
            [sys.executable, "-c", _LOADER, json.dumps([listing.name, self.model, settings])],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        if ran.returncode != 0:
            pytest.fail(f"{listing.name} cannot be loaded in a fresh process:\n{ran.stderr}")
        listed, called = map(set, json.loads(ran.stdout))
        plugins = [
            *discovery.listings(discovery.PROVIDERS),
            *discovery.listings(discovery.PLUGINS),
        ]
        own = {_module(listing.value)}
        allowed = _required(listing.distribution)
        own |= {_module(plugin.value) for plugin in plugins if _canonical(plugin.distribution) in allowed}
        roots = {_module(plugin.value) for plugin in plugins}
        problems = [f"{module} is loaded by listing the plugins" for module in sorted(roots & listed)]
        unwanted = (roots - own) | set(_HEAVY)
        problems += [f"{module} is loaded by preparing a call" for module in sorted(unwanted & called)]
        fail_for(problems, "loaded too early:")

    def test_the_entry_point_leads_here(self) -> None:
        """One installed distribution claims the name, and its entry point is this plugin.

        Troubleshooting: the entry point's name, `provider_info().name` and the models' prefix are the same
        word; reinstall the package after changing its pyproject.toml.
        """
        listing = self._listing()
        claims = [other for other in discovery.listings(discovery.PROVIDERS) if other.name == listing.name]
        if len(claims) > 1:
            pytest.fail(f"{listing.name!r} is claimed more than once: {claims}")
        self.loaded()
        found = discovery.load(discovery.PROVIDERS, listing.name)
        if found is not None and self.plugin not in {None, found[0]}:
            pytest.fail("the entry point leads to another plugin than that of this class")

    def test_the_provider_describes_itself(self) -> None:
        """Version of the contract, wire, headers and documentation are given, and are what they should be.

        Troubleshooting: every field is described in ``dragoman.hookspecs.ProviderInfo``.
        """
        provider = self.loaded()
        info = self.info(provider)
        problems = []
        if info.name != provider.name:
            problems.append(f"model_info is of {info.name!r}: replace of provider_info only what differs")
        if not 1 <= info.spec_version <= SPEC_VERSION:
            problems.append(f"spec_version {info.spec_version} is not supported")
        if not info.wire:
            problems.append('wire is empty: name the upstream\'s API, or "responses"')
        if not info.documentation:
            problems.append("documentation is missing: where users read on")
        if any(name != name.lower() for name in info.request_id_headers):
            problems.append("request_id_headers are written in lower case")
        for name in info.parameters:
            if name in GROUPS:
                problems.append(f"the policy of {name!r} is never asked for: list its features, or {name}.*")
            elif "." in name and name.partition(".")[0] not in GROUPS:
                problems.append(
                    f"the policy of {name!r} is never asked for: only {', '.join(GROUPS)} have features"
                )
            elif name not in PARAMETERS and (close := get_close_matches(name, PARAMETERS, n=1, cutoff=0.85)):
                problems.append(f"the policy of {name!r} is never asked for: is {close[0]!r} meant?")
        fail_for(problems, "provider_info:")

    def test_settings_are_well_formed(self) -> None:
        """Names and variables are spelled like such, and whatever is a secret says so.

        Troubleshooting: a setting with `key`, `token`, `secret` or `password` in its name needs
        ``secret=True``, lest its value be shown in messages.
        """
        settings = self.loaded().info.settings
        problems = [problem for setting in settings for problem in _ill_formed(setting)]
        names = [setting.name for setting in settings]
        problems += [
            f"{name} is declared twice" for name in {name for name in names if names.count(name) > 1}
        ]
        problems += [
            f"`settings` of {type(self).__name__} has {name!r}, which is none of the provider's"
            for name in self.settings
            if name not in names
        ]
        fail_for(problems, "settings:")

    def test_missing_settings_are_named(self) -> None:
        """Without a required setting the call fails before any traffic and says where it was looked for.

        Troubleshooting: give the setting `env`, and do not read the environment yourself: core does.
        """
        provider = self.loaded()
        required = [setting for setting in provider.info.settings if setting.required]
        if not required:
            pytest.skip("no setting is required")
        problems = []
        for setting in required:
            given = {name: value for name, value in self.settings.items() if name != setting.name}
            expected = AuthenticationError if setting.secret else BadRequestError
            try:
                with self.clean_environment(provider):
                    provider.target(self.model, given)
            except expected as error:
                missing = [word for word in (setting.name, *setting.env) if word not in str(error)]
                problems += [f"the error about {setting.name} does not name {word}" for word in missing]
            else:
                problems.append(f"{setting.name} is not missed")
        problems += [
            f"{setting.name} is a required secret that no environment variable can hold"
            for setting in required
            if setting.secret and not setting.env
        ]
        fail_for(problems, "required settings:")

    def _listing(self) -> discovery.Listing:
        name = self.provider or self.loaded().name
        found = [listing for listing in discovery.listings(discovery.PROVIDERS) if listing.name == name]
        if not found and not self.provider:
            pytest.skip(
                "the class declares a `plugin` that is not installed: there is no entry point to check"
            )
        if not found:
            pytest.fail(f"no entry point {name!r} in the group {discovery.PROVIDERS}: pip install -e .")
        return found[0]


def _ill_formed(setting: Setting) -> list[str]:
    words = setting.name.split("_")
    problems = []
    if not re.fullmatch(r"[a-z][a-z0-9_]*", setting.name):
        problems.append(f"{setting.name!r} is no keyword in lower case")
    if _SECRET_WORDS & set(words) and words[-1] not in _NO_SECRETS and not setting.secret:
        problems.append(f"{setting.name} looks like a secret: secret=True")
    if setting.secret and setting.default is not None:
        problems.append(f"{setting.name} is a secret with a default, which everybody can read")
    if setting.required and setting.default is not None:
        problems.append(f"{setting.name} is required and has a default")
    problems += [
        f"{variable!r} is no name of an environment variable"
        for variable in setting.env
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", variable)
    ]
    return problems


def _module(value: str) -> str:
    return value.partition(":")[0].partition(".")[0]


def _canonical(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _required(distribution: str) -> set[str]:
    """Return the distributions that one requires, itself included, and what those require."""
    found: set[str] = set()
    waiting = [_canonical(distribution)]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needs = requires(name) or []
        except PackageNotFoundError:
            continue
        waiting += [
            _canonical(re.split(r"[^\w.-]", need, maxsplit=1)[0]) for need in needs if "extra ==" not in need
        ]
    return found
