"""The kit passes a provider that does everything right, and finds what each broken one does wrong."""

import json
import logging
import random
import subprocess
import sys

import pytest

from dragoman import discovery
from dragoman.attempts import attempt
from dragoman.decoding.sse import SSEDecoder
from dragoman.errors import BadRequestError, ContextWindowExceededError, ProviderError, RateLimitError
from dragoman.hookspecs import Compacted, Credentials, HTTPRequest, ProviderInfo, Setting, hookimpl
from dragoman.network.transport import AsyncTransport
from dragoman.parameters import PARAMETERS, policies
from dragoman.testing import ErrorCase, Exchange, FakeUpstream, ProviderConformance, aws_stream, sse_stream
from dragoman.testing.checks import failures
from dragoman.testing.frames import join_frames, split_frames
from dragoman.testing.running import run_stream

CARRIED = "instructions temperature tools.function tool_choice.auto tool_choice.function reasoning.effort"
DROPPED = "top_p user safety_identifier truncation service_tier"
REFUSED = {
    name: "Small has nothing like it"
    for name in PARAMETERS
    if name not in policies()
    and name not in f"{CARRIED} {DROPPED} tools tool_choice reasoning text include".split()
}
LOG = logging.getLogger("small")


class Small:
    """A provider that does everything right, in methods that the broken ones below override."""

    settings: tuple[Setting, ...] = (
        Setting(name="api_key", env=("SMALL_API_KEY",), required=True, secret=True),
        Setting(name="api_base", env=("SMALL_API_BASE",), default="https://small.example"),
    )
    table = policies(native=CARRIED, warned=dict.fromkeys(DROPPED.split(), "no such knob"), rejected=REFUSED)
    documentation = "https://small.example/docs"
    headers = ("small-request-id",)

    @hookimpl
    def provider_info(self):
        return ProviderInfo(
            name="small",
            spec_version=1,
            wire="small",
            settings=self.settings,
            parameters=self.table,
            documentation=self.documentation,
            request_id_headers=self.headers,
        )

    @hookimpl
    def translate_request(self, request, target):
        body = {"model": target.model, "stream": request["stream"]}
        body |= {
            name: request[name]
            for name in ("instructions", "temperature", "tools", "tool_choice")
            if name in request
        }
        body |= {"effort": (request.get("reasoning") or {}).get("effort")}
        body["turns"] = [self.turn(item, f"input[{index}]") for index, item in enumerate(request["input"])]
        return self.http(body, target)

    def http(self, body, target):
        headers = {"authorization": f"Bearer {target.get('api_key')}"}
        return HTTPRequest(url=f"{target.get('api_base')}/ask", json=body, headers=headers)

    def turn(self, item, param):
        match item["type"]:
            case "message":
                return {"who": item["role"], "says": self.text(item["content"], f"{param}.content")}
            case "function_call":
                return {"who": "call", "says": f"{item['name']} {item['arguments']}"}
            case "function_call_output":
                return {"who": "tool", "says": self.text(item["output"], f"{param}.output")}
            case unknown:
                raise BadRequestError(f"Small has no {unknown}", param=param)

    def text(self, parts, param):
        for index, part in enumerate(parts):
            if "text" not in part:
                raise BadRequestError(f"Small reads text, no {part['type']}", param=f"{param}[{index}]")
        return "".join(part["text"] for part in parts)

    @hookimpl
    def translate_token_count(self, request, target):
        return self.http({"turns": [self.turn(item, "input") for item in request["input"]]}, target)

    @hookimpl
    def parse_token_count(self, payload):
        return payload["tokens"]

    @hookimpl
    def translate_compaction(self, request, target):
        return self.http({"turns": [self.turn(item, "input") for item in request["input"]]}, target)

    @hookimpl
    def parse_compaction(self, payload):
        return Compacted(output=payload["window"])

    @hookimpl
    def parse_response(self, payload, output):
        for block in payload.get("blocks", ()):
            self.write(block, output)
        self.stop(payload, output)

    @hookimpl
    def handle_stream_event(self, event, output):
        self.write(event.data, output)

    def write(self, block, output):
        match block.get("type"):
            case "text":
                output.text(block["text"])
            case "thought":
                output.reasoning_summary(block["text"])
            case "call":
                output.function_call(block["id"], block["name"]).write(block["arguments"])
            case "stop":
                self.stop(block, output)
            case "error":
                output.fail(self.error(block["status"], block))

    def stop(self, payload, output):
        if "stop" in payload:
            tokens = payload["tokens"]
            output.usage(input_tokens=tokens["in"], output_tokens=tokens["out"])
            output.finish({"end": "completed", "limit": "max_output_tokens"}.get(payload["stop"], "unknown"))
            output.end()

    @hookimpl
    def parse_error(self, status, body):
        try:
            return self.error(status, json.loads(body))
        except (ValueError, KeyError, TypeError, AttributeError):
            return None

    def error(self, status, payload):
        code = {"long": "context_length_exceeded"}.get(payload.get("why"))
        return ProviderError(message=payload["complaint"], status=status, code=code)


def exchange(*events, whole=None, stop="end", **expected):
    stop = {"stop": stop, "tokens": {"in": 3, "out": 2}}
    return Exchange(
        body=json.dumps({"blocks": whole or events, **stop}).encode(),
        stream=sse_stream(*events, {"type": "stop", **stop}),
        usage=(3, 2),
        **expected,
    )


class SmallConformance(ProviderConformance):
    plugin = Small()
    token_count = (b'{"tokens": 7}', 7)
    compaction = (b'{"window": [{"type": "compaction"}]}', [{"type": "compaction"}])
    settings = {"api_key": "test-key-123456"}
    text = exchange(
        {"type": "text", "text": "Grü"},
        {"type": "text", "text": "ße"},
        whole=[{"type": "text", "text": "Grüße"}],
        text="Grüße",
    )
    tool_call = exchange(
        {"type": "call", "id": "c1", "name": "get_weather", "arguments": '{"city": "Paris"}'},
        calls=[("get_weather", {"city": "Paris"})],
    )
    reasoning = exchange(
        {"type": "thought", "text": "Hm."}, {"type": "text", "text": "No"}, reasoning="Hm.", text="No"
    )
    errors = (
        ErrorCase(
            body=b'{"complaint": "too long", "why": "long"}',
            raises=ContextWindowExceededError,
            message="too long",
        ),
        ErrorCase(
            status=429,
            body=b'{"complaint": "slower"}',
            stream=sse_stream({"type": "error", "status": 429, "complaint": "slower"}),
            raises=RateLimitError,
            message="slower",
        ),
    )


CHECKS = [name for name in dir(ProviderConformance) if name.startswith("test_")]


def failing(kit):
    """Return the names of the checks that fail, and of those that are skipped."""
    failed, skipped = {}, set()
    for name in CHECKS:
        try:
            getattr(kit(), name)()
        except pytest.skip.Exception:
            skipped.add(name)
        except (pytest.fail.Exception, Exception) as problem:
            failed[name] = str(problem)
    return failed, skipped


def conformance(plugin, **declared):
    return type("Conformance", (SmallConformance,), {"plugin": plugin, **declared})


def test_a_good_provider_passes():
    failed, skipped = failing(SmallConformance)
    assert failed == {}
    assert skipped == {
        "test_nothing_loads_before_it_is_called",  # it is not installed, see below
        "test_the_entry_point_leads_here",
        "test_what_is_unknown_passes_a_native_wire",
    }


class WithACredentialChain(Small):
    settings = Small.settings[1:]

    @hookimpl
    def load_credentials(self):
        raise AssertionError("the kit must not ask outside")

    @hookimpl
    def authorize(self, http, credentials):
        return http.with_headers({"authorization": f"Bearer {credentials.value}"})


def test_declared_credentials_take_the_place_of_the_chain():
    declared = {"settings": {}, "credentials": Credentials(value="token-123456")}
    failed, skipped = failing(conformance(WithACredentialChain(), **declared))
    assert failed == {}
    assert "test_secrets_never_show" not in skipped


def test_a_counter_without_a_declared_answer_is_heard():
    failed, _ = failing(conformance(Small(), token_count=None))
    assert list(failed) == ["test_tokens_are_counted"]
    assert "token_count" in failed["test_tokens_are_counted"]


def test_only_the_kit_needs_pytest():
    script = "import sys, dragoman.testing as t; t.check_events, t.FakeUpstream, t.run_whole, t.Exchange; "
    subprocess.run([sys.executable, "-c", f"{script} assert 'pytest' not in sys.modules"], check=True)


def test_every_check_says_what_to_do():
    for name in CHECKS:
        assert "Troubleshooting: " in getattr(ProviderConformance, name).__doc__ or "", name


# ---- broken providers, by what is wrong with them --------------------------------------------------------


class KeyIsNoSecret(Small):
    settings = (Setting(name="api_key", env=("SMALL_API_KEY",), required=True), Small.settings[1])


class NobodySaysWhereTheKeyIs(Small):
    settings = (Setting(name="api_key", required=True, secret=True), Small.settings[1])


class KeyInTheAddress(Small):
    def http(self, body, target):
        return HTTPRequest(url=f"https://small.example/ask?key={target.get('api_key')}", json=body)


class KeyInAWarning(Small):
    def http(self, body, target):
        warning = {"message": f"sent with {target.get('api_key')}", "param": None}
        return HTTPRequest(url="https://small.example/ask", json=body, warnings=(warning,))


class KeyInTheLog(Small):
    def http(self, body, target):
        LOG.debug("sending with %s", target.get("api_key"))
        return super().http(body, target)


class NoDocumentation(Small):
    documentation = ""


class HeadersInUpperCase(Small):
    headers = ("Small-Request-Id",)


class GroupInTheTable(Small):
    table = {**Small.table, **policies(rejected={"text": "no formats"})}


class ForgottenParameter(Small):
    table = {name: policy for name, policy in Small.table.items() if name != "moderation"}


class IgnoredParameter(Small):
    def http(self, body, target):
        body.pop("temperature", None)
        return super().http(body, target)


class RefusedThoughCarried(Small):
    def http(self, body, target):
        if "instructions" in body:
            raise BadRequestError("none, please", param="instructions")
        return super().http(body, target)


class ChangesTheRequest(Small):
    def turn(self, item, param):
        item["seen"] = True
        return super().turn(item, param)


class NeverTheSame(Small):
    def http(self, body, target):
        return super().http({**body, "nonce": random.random()}, target)


class DropsParts(Small):
    def text(self, parts, param):
        return "".join(part.get("text", "") for part in parts)


class DropsItems(Small):
    def turn(self, item, param):
        return super().turn(item, param) if item["type"] == "message" else None


class NamesNoPlace(Small):
    def turn(self, item, param):
        return super().turn(item, "")


class TripsOverArguments(Small):
    def turn(self, item, param):
        if item["type"] == "function_call":
            json.loads(item["arguments"])
        return super().turn(item, param)


class NeverFinishes(Small):
    @hookimpl
    def handle_stream_event(self, event, output):
        if event.data.get("type") != "stop":
            self.write(event.data, output)


class FinishesEarly(Small):
    @hookimpl
    def handle_stream_event(self, event, output):
        self.write(event.data, output)
        output.finish()


class FinishesOnAGuess(Small):
    @hookimpl
    def parse_response(self, payload, output):
        super().parse_response(payload, output)
        output.finish()


class MintsCallIds(Small):
    @hookimpl
    def handle_stream_event(self, event, output):
        self.write(event.data | ({"id": None} if "id" in event.data else {}), output)


class NoUsageInStreams(Small):
    @hookimpl
    def handle_stream_event(self, event, output):
        if event.data.get("type") == "stop":
            output.finish()
        else:
            self.write(event.data, output)


class WritesEventsItself(Small):
    def stop(self, payload, output):
        if "stop" in payload:
            output._emit("response.output_text.delta", output_index=99, delta="psst")
        super().stop(payload, output)


class KnowsAllBlocks(Small):
    def write(self, block, output):
        if block["type"] not in {"text", "thought", "call", "stop", "error"}:
            raise KeyError(block["type"])
        super().write(block, output)


class KnowsAllFields(Small):
    def stop(self, payload, output):
        if "stop" in payload:
            sum(payload["tokens"].values())
        super().stop(payload, output)


class RaisesOnForeignErrors(Small):
    @hookimpl
    def parse_error(self, status, body):
        return self.error(status, json.loads(body))


class ReadsNoErrors(Small):
    @hookimpl
    def parse_error(self):
        return None


class AllIsBadRequest(Small):
    @hookimpl
    def parse_error(self, status, body):
        return ProviderError(message="oh", status=400)


class RemembersOtherAnswers(Small):
    answers = 0

    def stop(self, payload, output):
        if "stop" in payload:
            self.answers += 1
            output.model(f"small-{self.answers}")
        super().stop(payload, output)


class CountsTheSameForAll(Small):
    @hookimpl
    def translate_token_count(self, request, target):
        return self.http({"turns": []}, target)


class ReadsAnotherCount(Small):
    @hookimpl
    def parse_token_count(self, payload):
        return len(payload)


class CompactsTheSameForAll(Small):
    @hookimpl
    def translate_compaction(self, request, target):
        return self.http({"turns": []}, target)


class ReadsAnotherWindow(Small):
    @hookimpl
    def parse_compaction(self, payload):
        return Compacted(output=[{**item, "id": "cmp_ours"} for item in payload["window"]])


BROKEN = {
    CompactsTheSameForAll: "test_a_window_is_compacted",
    ReadsAnotherWindow: "test_a_window_is_compacted",
    CountsTheSameForAll: "test_tokens_are_counted",
    ReadsAnotherCount: "test_tokens_are_counted",
    KeyIsNoSecret: "test_settings_are_well_formed",
    NobodySaysWhereTheKeyIs: "test_missing_settings_are_named",
    KeyInTheAddress: "test_secrets_never_show",
    KeyInAWarning: "test_secrets_never_show",
    KeyInTheLog: "test_secrets_never_show",
    NoDocumentation: "test_the_provider_describes_itself",
    HeadersInUpperCase: "test_the_provider_describes_itself",
    GroupInTheTable: "test_the_provider_describes_itself",
    ForgottenParameter: "test_every_parameter_has_a_policy",
    IgnoredParameter: "test_carried_parameters_reach_the_upstream",
    RefusedThoughCarried: "test_carried_parameters_reach_the_upstream",
    ChangesTheRequest: "test_translation_is_pure",
    NeverTheSame: "test_translation_is_pure test_warned_parameters_are_left_out",
    DropsParts: "test_every_item_is_carried_or_refused test_bad_input_is_refused",
    DropsItems: "test_every_item_is_carried_or_refused test_bad_input_is_refused",
    NamesNoPlace: "test_every_item_is_carried_or_refused test_bad_input_is_refused",
    TripsOverArguments: "test_bad_input_is_refused",
    NeverFinishes: "test_answers_say_what_they_should test_a_stream_says_the_same_as_a_whole_answer",
    FinishesEarly: "test_a_cut_stream_fails",
    FinishesOnAGuess: "test_malformed_answers_fail",
    MintsCallIds: "test_a_stream_says_the_same_as_a_whole_answer",
    NoUsageInStreams: "test_answers_say_what_they_should test_a_stream_says_the_same_as_a_whole_answer",
    WritesEventsItself: "test_events_are_legal test_a_cut_stream_fails test_malformed_answers_fail",
    KnowsAllBlocks: "test_the_unknown_changes_nothing",
    KnowsAllFields: "test_the_unknown_changes_nothing",
    RaisesOnForeignErrors: "test_refusals_have_the_right_class",
    ReadsNoErrors: "test_the_providers_own_errors",
    AllIsBadRequest: "test_refusals_have_the_right_class test_refusals_say_when_to_come_back "
    "test_the_providers_own_errors",
    RemembersOtherAnswers: "test_a_stream_says_the_same_as_a_whole_answer "
    "test_any_split_of_the_bytes_gives_the_same_events test_sync_and_async_give_the_same_events "
    "test_the_unknown_changes_nothing",
}


@pytest.mark.parametrize("plugin", BROKEN, ids=lambda plugin: plugin.__name__)
def test_a_broken_provider_fails_where_it_is_broken(plugin, monkeypatch):
    monkeypatch.setattr(failures, "_CUTS", 40)
    failed, _ = failing(conformance(plugin()))
    assert sorted(failed) == sorted(BROKEN[plugin].split()), failed


def test_the_kit_hears_a_core_that_ignores_the_table(monkeypatch):
    monkeypatch.setattr(attempt, "apply_policy", lambda request, table, **_: (request, []))
    failed, _ = failing(SmallConformance)
    assert {"test_rejected_parameters_are_refused", "test_warned_parameters_are_left_out"} <= failed.keys()


def test_the_kit_hears_a_decoder_that_needs_whole_lines(monkeypatch):
    feed = SSEDecoder.feed
    monkeypatch.setattr(SSEDecoder, "feed", lambda self, chunk: feed(self, chunk) if len(chunk) > 9 else [])
    failed, _ = failing(SmallConformance)
    assert "test_any_split_of_the_bytes_gives_the_same_events" in failed


def test_the_kit_hears_a_driver_that_stops_early(monkeypatch):
    batches = AsyncTransport.batches

    async def all_but_the_last(self, session, timeout):
        held = None
        async for batch in batches(self, session, timeout):
            if held is not None:
                yield held
            held = batch

    monkeypatch.setattr(AsyncTransport, "batches", all_but_the_last)
    failed, _ = failing(SmallConformance)
    assert failed.keys() == {"test_sync_and_async_give_the_same_events"}


# ---- broken declarations ---------------------------------------------------------------------------------


def test_what_is_not_declared_must_not_come_out():
    text = exchange({"type": "text", "text": "Hello"}, text="Hello!")
    failed, _ = failing(conformance(Small(), text=text, tool_call=None, reasoning=None))
    assert failed.keys() == {"test_answers_say_what_they_should"}


def test_a_short_secret_proves_nothing():
    failed, _ = failing(conformance(Small(), settings={"api_key": "k"}))
    assert "6 characters" in failed["test_secrets_never_show"]


def test_exchanges_have_to_be_declared():
    with pytest.raises(pytest.fail.Exception, match="declare `text"):
        type(
            "Bare", (ProviderConformance,), {"plugin": Small(), "settings": SmallConformance.settings}
        )().declared()


def test_a_check_is_only_overridden_with_a_reason():
    def off(self):
        pass

    failed, _ = failing(conformance(Small(), test_events_are_legal=off))
    assert "test_events_are_legal" in failed["test_no_standard_test_is_overridden"]
    failed, _ = failing(conformance(Small(), test_events_are_legal=None))
    assert "test_events_are_legal" in failed["test_no_standard_test_is_overridden"]
    marked = pytest.mark.xfail(reason="Small streams backwards")(off)
    assert failing(conformance(Small(), test_events_are_legal=marked))[0] == {}


# ---- installed providers ---------------------------------------------------------------------------------

NATIVE = """
from dragoman.hookspecs import Credentials, HTTPRequest, ProviderInfo, hookimpl

@hookimpl
def provider_info():
    return ProviderInfo(name="tiny", spec_version=1, wire="responses", documentation="https://tiny.example")

@hookimpl
def translate_request(request, target):
    return HTTPRequest(url="https://tiny.example/responses", json={**request, "model": target.model})
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """A function that installs a distribution of one module with an entry point."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, source, entry_point, requires=""):
        (tmp_path / f"{name}_module.py").write_text(source, encoding="utf-8")
        information = tmp_path / f"dragoman_{name}-1.0.dist-info"
        information.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: dragoman-{name}\nVersion: 1.0\n{requires}\n"
        (information / "METADATA").write_text(metadata, encoding="utf-8")
        (information / "entry_points.txt").write_text(
            f"[dragoman.providers]\n{entry_point} = {name}_module\n", encoding="utf-8"
        )
        discovery._installed.cache_clear()

    yield write
    for module in [module for module in sys.modules if module.endswith("_module")]:
        del sys.modules[module]
    discovery._installed.cache_clear()


class TinyConformance(ProviderConformance):
    provider = "tiny"


LAZY = "test_nothing_loads_before_it_is_called"
FOUND = "test_the_entry_point_leads_here"


def test_an_installed_provider_is_found_and_loaded_late(install):
    install("tiny", NATIVE, "tiny")
    getattr(TinyConformance(), LAZY)()
    getattr(TinyConformance(), FOUND)()
    TinyConformance().test_what_is_unknown_passes_a_native_wire()


def test_a_native_provider_may_lose_nothing(install):
    install("tiny", NATIVE.replace("**request", "'input': request['input']"), "tiny")
    with pytest.raises(pytest.fail.Exception, match="x_unknown"):
        TinyConformance().test_what_is_unknown_passes_a_native_wire()


def test_an_sdk_is_not_loaded_by_its_name(install, tmp_path):
    (tmp_path / "boto3.py").touch()
    install("tiny", f"import boto3\n{NATIVE}", "tiny")
    with pytest.raises(pytest.fail.Exception, match="boto3 is loaded by preparing a call"):
        getattr(TinyConformance(), LAZY)()


def test_another_provider_is_only_loaded_where_it_is_required(install):
    install("other", NATIVE.replace("tiny", "other"), "other")
    install("tiny", f"import other_module\n{NATIVE}", "tiny")
    with pytest.raises(pytest.fail.Exception, match="other_module is loaded by preparing a call"):
        getattr(TinyConformance(), LAZY)()


def test_a_provider_may_build_on_one_that_it_requires(install):
    install("other", NATIVE.replace("tiny", "other"), "other")
    install("tiny", f"import other_module\n{NATIVE}", "tiny", requires="Requires-Dist: dragoman_other>=1")
    getattr(TinyConformance(), LAZY)()


def test_a_name_has_one_owner(install):
    install("tiny", NATIVE, "tiny")
    install("other", NATIVE, "tiny")
    with pytest.raises(pytest.fail.Exception, match="claimed more than once"):
        getattr(TinyConformance(), FOUND)()


def test_an_entry_point_that_is_missing_is_named():
    with pytest.raises(pytest.fail.Exception, match="no entry point 'tiny'"):
        TinyConformance().test_settings_are_well_formed()


# ---- what authors use beside the kit ---------------------------------------------------------------------


@pytest.mark.parametrize("content_type", ["text/event-stream", "application/vnd.amazon.eventstream"])
def test_streams_can_be_taken_apart_and_put_together(content_type):
    streams = {
        "text/event-stream": sse_stream({"type": "a"}, {"type": "b"}, named_by="type", end=b"[DONE]"),
        "application/vnd.amazon.eventstream": aws_stream(("a", {"text": "x"}), ("b", {})),
    }
    frames = split_frames(streams[content_type], content_type)
    assert [frame.type for frame in frames[:2]] == ["a", "b"]
    assert join_frames(frames, content_type) == streams[content_type]


def test_a_fake_upstream_answers_and_remembers():
    upstream = FakeUpstream([b'{"a"', b": 1}"], status=418, headers={"x": "y"})
    with upstream.client() as client:
        answer = client.post("https://small.example", content=b"?")
    assert (answer.status_code, answer.json(), answer.headers["x"]) == (418, {"a": 1}, "y")
    assert [request.content for request in upstream.requests] == [b"?"]


def test_what_came_is_kept_as_it_came():
    run = run_stream(SmallConformance().session(stream=True), [SmallConformance.text.stream])
    assert run.events[0]["response"]["status"] == "in_progress"
    assert run.events[-1]["response"] == run.response
