"""Providers: one at a time, on demand; whatever is wired wrongly is told by name, with what mends it."""

import sys
import textwrap
import threading
import time
from dataclasses import replace

import pytest

from dragoman import discovery, providers
from dragoman.errors import (
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PluginError,
    UnknownProviderError,
)
from dragoman.hookspecs import Credentials, HTTPRequest, ProviderInfo, Setting, Target, hookimpl
from dragoman.providers import Provider, load_provider, register_provider, split_model

WHOLE = """
    from dragoman.hookspecs import HTTPRequest, ProviderInfo, hookimpl

    @hookimpl
    def provider_info():
        return ProviderInfo(name="zenith", spec_version=1, wire="generate")

    @hookimpl
    def translate_request(request, target):
        return HTTPRequest(url="https://zenith.example", json={})

    @hookimpl
    def parse_response(payload, output, target):
        output.text(payload)

    @hookimpl
    def handle_stream_event(event, output, target):
        output.text(event.data)
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A function that installs a distribution with one entry point: ``install("zenith", source)``."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(providers, "_loaded", {})
    modules = set(sys.modules)

    def make(name="zenith", source=WHOLE, *, distribution=None, value=None, version="1.2"):
        distribution = distribution or f"dragoman-{name}"
        module = distribution.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(source))
        metadata = tmp_path / f"{module}-{version}.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
        )
        entry_point = f"[dragoman.providers]\n{name} = {value or module}\n"
        (metadata / "entry_points.txt").write_text(entry_point)
        discovery._installed.cache_clear()

    yield make
    discovery._installed.cache_clear()
    for module in set(sys.modules) - modules:
        del sys.modules[module]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("def parse_response", "def parse_respnse", "parse_respnse"),
        ("def parse_response", "def parse_the_response", "parse_the_response"),
        ("(payload, output, target)", "(payload, outputs, target)", "outputs"),
        ("    @hookimpl\n    def parse_response", "    def parse_response", "required hook parse_response"),
        ("    @hookimpl\n    def provider_info", "    def provider_info", "no provider_info hook"),
        ("return ProviderInfo", "return dict", "provider_info returned {'name'"),
        ('name="zenith"', 'name="zenit"', "registered as 'zenith' but calls itself 'zenit'"),
        ("spec_version=1", "spec_version=99", "pip install --upgrade dragoman"),
        ("spec_version=1", "spec_version=0", "pip install --upgrade dragoman-zenith"),
        ("from dragoman", "import zenith_sdk\n    from dragoman", "'zenith_sdk', which is not installed"),
        ("from dragoman", "import dragoman_zenith.gone\n    from dragoman", "--force-reinstall dragoman-z"),
        ("from dragoman", "from json import gone\n    from dragoman", "cannot import name 'gone'"),
        ("from dragoman", "1 / 0\n    from dragoman", "ZeroDivisionError"),
        ("from dragoman", "from dragoman from dragoman", "SyntaxError"),
        ("return ProviderInfo", "1 / 0\n        return ProviderInfo", "provider_info (ZeroDivisionError"),
    ],
)  # fmt: skip
def test_a_plugin_that_does_not_fit_is_told_by_name_and_leaves_others_alone(install, old, new, told):
    assert WHOLE.count(old) >= 1
    install(source=WHOLE.replace(old, new, 1))
    install("fine", WHOLE.replace('"zenith"', '"fine"'))
    for _ in range(2):  # a broken plugin stays broken, and stays told
        with pytest.raises(PluginError) as problem:
            load_provider("zenith")
        assert told in str(problem.value)
        assert "dragoman-zenith 1.2" in str(problem.value)
    assert load_provider("fine").info.name == "fine"


def test_an_entry_point_to_nothing_is_told(install):
    install(value="dragoman_zenith:plugin")
    with pytest.raises(PluginError, match=r"dragoman-zenith 1\.2 cannot be loaded: AttributeError"):
        load_provider("zenith")


def test_two_distributions_with_one_name_are_both_named(install):
    install()
    install(distribution="dragoman-other", version="3.4")
    with pytest.raises(PluginError) as problem:
        load_provider("zenith")
    for claim in ("'zenith' is claimed by", "dragoman-zenith 1.2", "dragoman-other 3.4"):
        assert claim in str(problem.value)
    assert "pip uninstall dragoman-" in str(problem.value)
    assert discovery.names(discovery.PROVIDERS).count("zenith") == 1
    claims = [
        listing.distribution
        for listing in discovery.listings(discovery.PROVIDERS)
        if listing.name == "zenith"
    ]
    assert sorted(claims) == ["dragoman-other", "dragoman-zenith"]


def test_loading_touches_one_plugin_and_does_it_once(install):
    install()
    install("other", "raise SystemExit")
    loaded = load_provider("zenith")
    assert loaded is load_provider("zenith")
    assert "dragoman_zenith" in sys.modules
    assert "dragoman_other" not in sys.modules
    assert loaded.origin == "dragoman-zenith 1.2"


def test_who_is_not_there_is_told_who_is(install):
    install()
    with pytest.raises(UnknownProviderError) as problem:
        load_provider("zenit")
    message = str(problem.value)
    assert "Did you mean 'zenith'?" in message
    assert "pip install dragoman-zenit" in message
    assert (problem.value.status_code, problem.value.param, problem.value.code) == (
        404,
        "model",
        "model_not_found",
    )
    for model in ("gpt-4o", "/m", "zenith/", ""):
        with pytest.raises(NotFoundError, match="names no provider") as problem:
            split_model(model)
        assert "zenith" in str(problem.value)
    assert split_model("zenith/a/b:c") == ("zenith", "a/b:c")


# ---- the facade ----------------------------------------------------------------------------------------


class Plugin:
    """A plugin as an object: its hooks leave out what they do not need."""

    settings = (
        Setting(name="api_key", env=("PLUGIN_KEY", "PLUGIN_TOKEN"), required=True, secret=True),
        Setting(name="region", env=("PLUGIN_REGION",), default="eu"),
    )
    loads = 0
    lifetime = None

    @hookimpl
    def provider_info(self):
        return ProviderInfo(name="plugin", spec_version=1, wire="w", settings=self.settings)

    @hookimpl
    def translate_request(self):
        return HTTPRequest(url="https://plugin.example")

    @hookimpl
    def parse_response(self, payload, output):
        output.append(payload)

    @hookimpl
    def handle_stream_event(self, output, event):
        output.append(event)

    @hookimpl
    def load_credentials(self, target):
        self.loads += 1
        time.sleep(0.01)
        expires_at = None if self.lifetime is None else time.time() + self.lifetime
        return Credentials(value=f"token {self.loads}", expires_at=expires_at)


@pytest.fixture
def no_variables(monkeypatch):
    for name in ("PLUGIN_KEY", "PLUGIN_TOKEN", "PLUGIN_REGION"):
        monkeypatch.delenv(name, raising=False)


def test_hooks_may_leave_out_arguments_and_optional_hooks():
    provider = Provider("plugin", Plugin())
    target, output = Target("plugin", "m"), []
    provider.parse_response("whole", output, target)
    provider.handle_stream_event("event", output, target)
    assert output == ["whole", "event"]
    http = provider.translate_request({}, target)
    assert provider.authorize(http, target, None) is http
    assert provider.answer_locally(http, target) is None
    assert provider.parse_error(500, {}, b"", target) is None


@pytest.mark.usefixtures("no_variables")
def test_settings_come_from_arguments_then_the_environment_then_defaults(monkeypatch):
    provider = Provider("plugin", Plugin())
    with pytest.raises(AuthenticationError) as problem:
        provider.target("m", {})
    for place in ("the argument api_key", "PLUGIN_KEY", "PLUGIN_TOKEN"):
        assert place in str(problem.value)
    monkeypatch.setenv("PLUGIN_TOKEN", "from-token\n")
    assert provider.target("m", {}).settings == {"api_key": "from-token", "region": "eu"}
    monkeypatch.setenv("PLUGIN_KEY", "from-key")
    monkeypatch.setenv("PLUGIN_REGION", "us")
    target = provider.target("m", {"region": None, "api_version": "for all providers alike"})
    assert target.settings == {"api_key": "from-key", "region": "us"}
    target = provider.target("m", {"api_key": "sk-argument", "region": "asia"})
    assert (target.get("api_key"), target.get("region"), target.secrets) == (
        "sk-argument",
        "asia",
        ("sk-argument",),
    )
    assert "sk-argument" not in repr(target)
    with pytest.raises(BadRequestError, match=r"no setting 'regoin'\. Did you mean 'region'") as problem:
        provider.target("m", {"regoin": "eu"})
    assert problem.value.param == "regoin"


@pytest.mark.usefixtures("no_variables")
def test_a_required_setting_that_is_no_secret_is_a_bad_request():
    plugin = Plugin()
    plugin.settings = tuple(replace(setting, secret=False) for setting in Plugin.settings)
    with pytest.raises(BadRequestError, match="PLUGIN_KEY"):
        Provider("plugin", plugin).target("m", {})


def test_credentials_are_loaded_once_for_the_same_settings():
    plugin = Plugin()
    provider = Provider("plugin", plugin)
    one, other = Target("plugin", "m", {"account": {"a": 1}}), Target("plugin", "m", {"account": {"b": 2}})
    assert provider.cached_credentials(one) is None
    threads = [threading.Thread(target=provider.load_credentials, args=(one,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert plugin.loads == 1
    assert provider.cached_credentials(one).value == "token 1"
    assert provider.load_credentials(other).value == "token 2"
    # Another account that happens to lie where an old one did is another account.
    for number in range(20):
        provider.load_credentials(Target("plugin", "m", {"account": {"number": number}}))
    assert plugin.loads == 22
    plugin.lifetime = 30
    fresh = Provider("plugin", plugin)
    assert [fresh.load_credentials(one).value for _ in range(2)] == [
        "token 23",
        "token 24",
    ]  # about to expire
    assert "token" not in repr(fresh.load_credentials(one))


def test_a_provider_can_be_registered_without_an_entry_point(monkeypatch):
    monkeypatch.setattr(providers, "_loaded", {})
    register_provider(Plugin())
    assert load_provider("plugin").info.wire == "w"
    with pytest.raises(UnknownProviderError, match=r"Installed: .*plugin"):
        load_provider("nobody")
    with pytest.raises(PluginError, match="no provider_info hook"):
        register_provider(object())


def test_a_native_plugin_needs_no_parsers():
    class Native:
        provider_info = hookimpl(lambda: ProviderInfo(name="native", spec_version=1, wire="responses"))
        translate_request = hookimpl(lambda: None)

    provider = Provider("native", Native)
    assert provider.info.native
    with pytest.raises(PluginError, match="translate_request returned None"):
        provider.translate_request({}, Target("native", "m"))
