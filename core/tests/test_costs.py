"""Costs: what is to be priced, who is asked, and that no plugin breaks a call."""

import asyncio
import json
import logging
import threading
from decimal import Decimal

import pytest

import dragoman
from dragoman import Cost, PluginError, discovery, hookimpl
from dragoman import plugins as rooms
from dragoman.costs import Use, price_of, use_of
from dragoman.hookspecs import Target
from dragoman.plugins import Plugins

pytest_plugins = ["core.tests.toys"]

RESPONSE = {
    "model": "large-2026",
    "created_at": 1_750_000_000,
    "service_tier": "flex",
    "usage": {"input_tokens": 3, "output_tokens": 5, "total_tokens": 8},
    "output": [],
    "dragoman": {
        "provider": "acme",
        "model": "large",
        "cost": None,
        "usage_details": {"input_audio_tokens": 2},
    },
}


class Pricer:
    """A plugin that takes a cent for each token."""

    @hookimpl
    def price(self, use):
        return Cost(total=Decimal(use.usage["total_tokens"]) / 100, source="cents")


class Ignorant:
    @hookimpl
    def price(self, use):
        return None


class Broken:
    @hookimpl
    def price(self, use):
        raise RuntimeError("no prices today")


class Heavy(Pricer):
    """A plugin with a table to load, which here takes until the event loop has done something else."""

    def __init__(self):
        self.begun, self.elsewhere = threading.Event(), threading.Event()
        self.loaded = []

    @hookimpl
    def load(self):
        self.begun.set()
        self.loaded.append(self.elsewhere.wait(5))

    @hookimpl
    def price(self, use):
        assert self.loaded == [True]
        return super().price(use)


@pytest.fixture
def installed(monkeypatch):
    """Plugins of this test alone."""
    found = Plugins()
    monkeypatch.setattr(rooms, "_plugins", found)
    return found


def test_a_use_says_what_a_response_says():
    target = Target("acme", "large", {"api_base": "https://acme.example", "acme_region_name": "eu-1"})
    use = use_of(RESPONSE, target=target, prices={"input_cost_per_token": 1})
    assert (use.provider, use.model, use.asked) == ("acme", "large-2026", "large")
    assert (use.api_base, use.region, use.service_tier) == ("https://acme.example", "eu-1", "flex")
    assert (use.usage, use.details) == (RESPONSE["usage"], {"input_audio_tokens": 2})
    assert use.at.year == 2025
    assert use_of(RESPONSE) == use_of(RESPONSE, "acme")


def test_hosted_calls_are_counted_as_they_are_charged():
    output = [
        {
            "type": "web_search_call",
            "status": "completed",
            "action": {"type": "search", "queries": ["a", "b"]},
        },
        {"type": "web_search_call", "status": "completed", "action": {"type": "open_page", "url": "x"}},
        {"type": "web_search_call", "status": "failed", "action": {"type": "search", "query": "c"}},
        {"type": "web_search_call", "status": "completed"},
        {"type": "file_search_call"},
        {"type": "code_interpreter_call"},
        {"type": "function_call", "name": "web_search"},
        {"type": "message"},
    ]
    counted = {"web_search": 2, "web_search_queries": 3, "file_search": 1, "code_interpreter": 1}
    assert use_of({**RESPONSE, "output": output}).tool_calls == counted
    told = {"web_search": {"num_requests": 9}, "image_gen": {"num_requests": 0}}
    assert use_of({**RESPONSE, "output": output, "tool_usage": told}).tool_calls == counted | {
        "web_search": 9
    }


def test_a_response_of_nobody_is_refused():
    with pytest.raises(dragoman.BadRequestError, match="give provider=") as caught:
        dragoman.cost({"usage": RESPONSE["usage"]})
    assert caught.value.param == "provider"


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0.01065", "0.01065"), ("1E-9", "0.000000001"), ("1.50", "1.5"), ("0", "0"), ("100", "100")],
)
def test_amounts_survive_json_to_the_last_digit(amount, text):
    cost = Cost(total=Decimal(amount), input=Decimal(amount), source="a list", warnings=("about",))
    told = cost.as_json()
    assert (told["total"], told["input"], told["output"]) == (text, text, None)
    assert Cost.from_json(json.loads(json.dumps(told))) == cost


def test_the_first_who_knows_a_price_is_heard(installed):
    installed.register(Pricer(), "pricer")
    installed.register(Ignorant(), "ignorant")
    assert dragoman.cost(RESPONSE).total == Decimal("0.08")
    assert dragoman.cost(dragoman.Response.model_validate(RESPONSE)).total == Decimal("0.08")


def test_what_was_noted_counts_unless_prices_are_given(installed):
    installed.register(Pricer(), "pricer")
    noted = {**RESPONSE, "dragoman": {**RESPONSE["dragoman"], "cost": {"total": "0.5", "currency": "USD"}}}
    assert dragoman.cost(noted).total == Decimal("0.5")
    assert dragoman.cost(noted, prices={"input_cost_per_token": 1}).total == Decimal("0.08")


def test_an_unknown_price_is_none_and_said(installed):
    installed.register(Ignorant(), "ignorant")
    cost, (warning,) = price_of(use_of(RESPONSE))
    assert cost is None
    assert warning.startswith("what acme/large-2026 costs is not known")
    cost, (warning,) = price_of(use_of({**RESPONSE, "usage": None}))
    assert cost is None
    assert "did not say what was used" in warning


def test_without_a_pricing_plugin_there_is_nothing_to_say_and_a_way_to_get_one(installed):
    assert not installed.has("price")
    assert price_of(use_of(RESPONSE)) == (None, ())
    with pytest.raises(PluginError, match="pip install dragoman-prices"):
        dragoman.cost(RESPONSE)


def test_a_plugin_that_fails_is_named_once_and_the_others_are_asked(installed, caplog):
    installed.register(Pricer(), "pricer")
    installed.register(Broken(), "broken")
    with caplog.at_level(logging.WARNING, "dragoman.plugins"):
        for _ in range(3):
            assert price_of(use_of(RESPONSE))[0].total == Decimal("0.08")
    assert [record.getMessage() for record in caplog.records] == [
        "broken failed in price and is left out: RuntimeError: no prices today"
    ]


def test_a_plugin_has_the_last_word_on_what_others_say(installed, caplog):
    class Discount:
        @hookimpl(wrapper=True)
        def price(self, use):
            cost = yield
            return cost and Cost(total=cost.total / 2)

    class Late:
        @hookimpl(wrapper=True)
        def price(self, use):
            yield
            raise RuntimeError("too late")

    class Early:
        @hookimpl(wrapper=True)
        def price(self, use):
            raise RuntimeError("too early")
            yield

    for plugin in (Discount(), Late(), Early()):
        installed.register(plugin, type(plugin).__name__)
    assert price_of(use_of(RESPONSE))[0] is None
    installed.register(Pricer(), "pricer")
    assert price_of(use_of(RESPONSE))[0].total == Decimal("0.04")
    assert {record.getMessage() for record in caplog.records} == {
        "Late failed in price and is left out: RuntimeError: too late",
        "Early failed in price and is left out: RuntimeError: too early",
    }


def test_where_the_only_one_fails_there_is_no_price(installed, caplog):
    installed.register(Pricer(), "pricer")
    assert price_of(Use(provider="acme", model="large", usage={"no": "total"}))[0] is None
    assert "pricer failed in price" in caplog.text


@pytest.mark.parametrize("stream", [False, True])
def test_plugins_load_while_the_event_loop_goes_on(toy, installed, stream):
    write = toy.stream if stream else toy.whole
    toy(write(["text", "Hello"], ["usage", {"input_tokens": 2, "output_tokens": 1}], ["finish"]))
    installed.register(heavy := Heavy(), "heavy")

    async def ask():
        async with dragoman.AsyncDragoman() as client:
            made = await client.responses.create(model="toy/m", input="Hi", stream=stream)
            return await made.get_final_response() if stream else made

    async def go_on():
        call = asyncio.create_task(ask())
        await asyncio.to_thread(heavy.begun.wait)
        heavy.elsewhere.set()
        return [(await asked).dragoman.cost["total"] for asked in (call, asyncio.create_task(ask()))]

    assert asyncio.run(go_on()) == ["0.03", "0.03"]


def test_a_plugin_that_does_not_fit_is_refused(installed):
    class Wrong:
        @hookimpl
        def price(self, usage):
            return None

    class Unknown:
        @hookimpl
        def prize(self, use):
            return None

    class Wrapper:
        @hookimpl(wrapper=True)
        def serving(self):
            return (yield)

    for plugin in (Wrong(), Unknown(), Wrapper()):
        with pytest.raises(PluginError, match="acme 1 does not fit the hooks of dragoman"):
            installed.register(plugin, "acme", origin="acme 1")
    installed.register(Pricer(), "acme")
    with pytest.raises(PluginError, match="acme"):
        installed.register(Pricer(), "acme")
    assert price_of(use_of(RESPONSE))[0].total == Decimal("0.08")


def test_a_plugin_that_cannot_be_loaded_is_named_and_left_out(monkeypatch, caplog):
    listing = discovery.Listing("good", "dragoman-good", "1", "good")

    def load(group, name):
        assert group == discovery.PLUGINS
        if name == "bad":
            raise PluginError("dragoman-bad 1 cannot be loaded: pip install --upgrade dragoman-bad")
        return Pricer(), listing

    monkeypatch.setattr(discovery, "names", lambda group: ["bad", "good"])
    monkeypatch.setattr(discovery, "load", load)
    monkeypatch.setattr(rooms, "_plugins", None)
    assert dragoman.cost(RESPONSE).total == Decimal("0.08")
    assert "'bad' is left out: dragoman-bad 1 cannot be loaded" in caplog.text
