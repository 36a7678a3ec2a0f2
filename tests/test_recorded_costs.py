"""The laws of accounting, judged by what providers really counted, and by genai-prices' own sums.

1. Usage is complete, and keeps the standard's invariants: parts are no more than the whole, totals add up.
2. A cost is what genai-prices makes of the provider's own body, to the last digit.
3. A stream is counted and priced as the same answer come whole.

genai-prices reads bodies by a table of its own, so nothing that dragoman has translated judges itself.
"""

from __future__ import annotations

import contextlib
import functools
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from genai_prices import Usage, calc_price, extract_usage
from tests.converse_wire import frames
from tests.gemini_wire import chunks_of
from tests.judging import Judge
from tests.recordings import REAL, Recording, recordings

import dragoman
from dragoman.costs import price_of, use_of
from dragoman.decoding.sse import SSEDecoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.conftest import Tally

    from dragoman.costs import Use

Body = dict[str, Any]
NOW = datetime(2026, 1, 15, tzinfo=UTC)
KEY = {"api_key": "test-key-123456"}


class Wire(NamedTuple):
    """Where answers of one form come from."""

    apis: tuple[str, ...]
    provider: str
    settings: dict[str, Any]
    seller: str | None
    """genai-prices' name of who is paid; None where it does not know them: no price must come of it."""
    flavor: str
    """What it calls the form."""
    fold: Callable[[list[Body]], Body]
    """What a stream's payloads say of model and usage, as a body come whole."""
    usage: str = "usage"
    content: Body | None = None
    """What makes usage a whole answer."""
    stream_type: str = "text/event-stream"
    model: str = "gemini-2.5-flash"
    """What is asked where nothing says it."""
    place: str = ""
    """The host, among recordings of many."""
    reader: str | None = None
    """Under whose name genai-prices can read the form, where it can't under the seller's."""

    @property
    def name(self) -> str:
        """Who, and what was recorded there."""
        return f"{self.provider}, {self.place or self.apis[0]}"


def fold_messages(payloads: list[Body]) -> Body:
    """Fold a stream of Messages: the figures are totals, and the last that is there counts."""
    body: Body = {"usage": {}}
    for payload in payloads:
        message = payload.get("message") or payload
        body["usage"] |= {n: v for n, v in (message.get("usage") or {}).items() if v is not None}
        body["model"] = message.get("model") or body.get("model")
        if payload.get("type") == "message_stop":
            break  # some files hold several answers, one after another
    return body


def fold_google(payloads: list[Body]) -> Body:
    """Fold a stream of generateContent, likewise."""
    body: Body = {"usageMetadata": {}}
    for payload in payloads:
        body["usageMetadata"] |= payload.get("usageMetadata") or {}
        body["modelVersion"] = payload.get("modelVersion") or body.get("modelVersion")
    return body


def fold_chat(payloads: list[Body]) -> Body:
    """Fold a stream of Chat Completions: the last usage, wherever it stands."""
    body: Body = {"usage": None}
    for payload in payloads:
        body["usage"] = payload.get("usage") or (payload.get("x_groq") or {}).get("usage") or body["usage"]
        body["model"] = payload.get("model") or body.get("model")
    return body


def fold_converse(payloads: list[Body]) -> Body:
    """Fold a stream of Converse: usage comes once."""
    return next(({**payload} for payload in payloads if payload.get("usage")), {"usage": None})


def fold_responses(payloads: list[Body]) -> Body:
    """Fold a stream of the Responses API: its first end."""
    ends = (p["response"] for p in payloads if p.get("type") in {"response.completed", "response.incomplete"})
    return next(ends, {"usage": None})


_MESSAGE = {
    "id": "msg_1", "type": "message", "role": "assistant", "stop_reason": "end_turn",
    "content": [{"type": "text", "text": "Yes."}],
}  # fmt: skip
_CANDIDATE = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Yes."}]}, "finishReason": "STOP"}]
}
_CHOICE = {
    "id": "chatcmpl-1", "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Yes."}, "finish_reason": "stop"}],
}  # fmt: skip
_CONVERSED = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Yes."}]}}, "stopReason": "end_turn"
}  # fmt: skip
_AZURE = {**KEY, "api_base": "https://here.openai.azure.com"}
_FOUNDRY = {**KEY, "api_base": "https://RESOURCE.services.ai.azure.com"}
_VERTEX = {"vertex_access_token": "vertex-test-token", "vertex_project": "PROJECT"}
_BEDROCK = {**KEY, "aws_region_name": "us-east-1"}


def chat(
    provider: str,
    seller: str | None,
    *apis: str,
    flavor: str = "chat",
    place: str = "",
    reader: str = "",
    **settings: Any,
) -> Wire:
    return Wire(
        apis or ("compat.chat",), provider, {**KEY, **settings}, seller, flavor, fold_chat, content=_CHOICE,
        place=place, reader=reader or seller or "openai",
    )  # fmt: skip


def relayed(
    provider: str, seller: str | None, *apis: str, place: str = "", reader: str = "", **settings: Any
) -> Wire:
    return Wire(
        apis, provider, {**KEY, **settings}, seller, "responses", fold_responses, place=place,
        reader=reader or seller or "openai",
    )  # fmt: skip


WIRES = [
    Wire(("anthropic.messages",), "anthropic", KEY, "anthropic", "default", fold_messages, content=_MESSAGE),
    Wire(
        ("vertex.anthropic.rawPredict", "vertex.anthropic.streamRawPredict"), "vertex_ai", _VERTEX, "google",
        "anthropic", fold_messages, content=_MESSAGE,
    ),
    Wire(
        ("azure_ai.anthropic.messages",), "azure_ai", _FOUNDRY, "azure", "anthropic", fold_messages,
        content=_MESSAGE,
    ),
    Wire(
        ("gemini.generateContent", "gemini.streamGenerateContent"), "gemini", KEY, "google", "default",
        fold_google, "usageMetadata", _CANDIDATE,
    ),
    Wire(
        ("vertex.generateContent", "vertex.streamGenerateContent"), "vertex_ai", _VERTEX, "google", "default",
        fold_google, "usageMetadata", _CANDIDATE,
    ),
    Wire(
        ("bedrock.converse", "bedrock.converse-stream"), "bedrock", _BEDROCK, "aws", "default", fold_converse,
        content=_CONVERSED, stream_type="application/vnd.amazon.eventstream",
    ),
    relayed("openai", "openai", "openai.responses", "openai.responses.get"),
    relayed("azure", "azure", "azure.responses", api_base="https://here.openai.azure.com"),
    relayed("xai", "x-ai", "compat.responses", place="api.x.ai"),
    relayed(
        "lm_studio", "deepseek", "compat.responses", place="api.deepseek.com", reader="openai",
        api_base="https://api.deepseek.com",
    ),
    relayed("lm_studio", None, "compat.responses", place="localhost:1234"),
    relayed(
        "lm_studio", None, "bedrock-mantle.responses", api_base="https://bedrock-mantle.us-east-1.api.aws"
    ),
    chat("openai_compatible", "openai", "openai.chat", api_base="https://api.openai.com/v1"),
    chat("azure_ai", "azure", "azure_ai.chat", "azure.chat", **_FOUNDRY),
    chat(
        "openai_compatible", "aws", "bedrock.openai-chat", reader="openai",
        api_base="https://bedrock-runtime.us-west-2.amazonaws.com/openai/v1",
    ),
    chat(
        "openai_compatible", None, "bedrock-mantle.chat", api_base="https://bedrock-mantle.us-east-1.api.aws/v1"
    ),
    chat(
        "openai_compatible", "google", "gemini.openai-chat",
        api_base="https://generativelanguage.googleapis.com/v1beta/openai",
    ),
    chat("cerebras", "cerebras", place="api.cerebras.ai"),
    chat("deepseek", "deepseek", place="api.deepseek.com"),
    chat("groq", "groq", place="api.groq.com", flavor="default"),
    chat("huggingface", None, place="router.huggingface.co"),
    chat("mistral", "mistral", place="api.mistral.ai", flavor="default"),
    chat("ollama", None, place="localhost:11434"),
    chat("openrouter", "openrouter", place="openrouter.ai"),
    chat("perplexity", "perplexity", place="api.perplexity.ai", flavor="default"),
    chat("zai", "zai", place="api.z.ai"),
]  # fmt: skip
each_wire = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)

UNREADABLE = {
    "anthropic.messages/ai__anthropic_spliced-message-start-chunks__0.json": "two answers spliced by hand: "
    "the first is cut, and its figures with it",
    "anthropic.messages/anthropic-sdk-python__fable-fallback_stream-a-toolrefusal__0.json": "made by hand: "
    "it searches, and does not count the search",
    "bedrock.converse/openinference__openinference-instrumentation-bedrock_should-handle-missing-token-counts"
    "__0.json": "counts removed by hand: genai-prices refuses the body",
}
"""Recordings that no two readers read alike: why."""


@functools.cache
def judge(wire_index: int, model: str) -> Judge:
    wire = WIRES[wire_index]
    return Judge(wire.provider, model, wire.settings, stream_type=wire.stream_type)


def cases(wire: Wire) -> Iterator[tuple[Recording, Body, Judge]]:
    """Yield the answers that tell their usage: each with model and usage as the provider said them."""
    for recording in (recording for api in wire.apis for recording in recordings(api)):
        place = urlsplit(recording.document["request"]["url"] or "").netloc
        if recording.status >= 300 or recording.fidelity not in REAL | {"synthetic", "sdk-parsed"}:
            continue
        if wire.place not in {"", place}:
            continue
        body = wire.fold(payloads(recording)) if recording.streamed else recording.body
        usage = body.get(wire.usage) if isinstance(body, dict) else None
        if usage and any("token" in name.lower() for name in usage):  # what was blocked tells none
            model = recording.document["model"] or body.get("modelVersion") or body.get("model") or wire.model
            yield recording, body, judge(WIRES.index(wire), model)


def payloads(recording: Recording) -> list[Body]:
    """Return what the events of a stream hold, read without dragoman's translators."""
    if "raw_base64" in recording.document["response"]:
        return [payload for _, payload, _ in frames(recording.wire)]
    if "enerateContent" in recording.name:
        return list(chunks_of(recording))
    decoder = SSEDecoder()
    found = []
    for event in [*decoder.feed(recording.wire), *decoder.close()]:
        with contextlib.suppress(ValueError):  # [DONE], and what some servers send that is no JSON
            found.append(json.loads(event.data))
    return [payload for payload in found if isinstance(payload, dict)]


# ---- 1: usage -------------------------------------------------------------------------------------------


@each_wire
def test_every_recorded_usage_is_complete(wire: Wire, tally: Callable[[str], Tally]) -> None:
    law = tally(f"Costs 1, every usage is complete and keeps the invariants ({wire.name})")
    for recording, body, its in cases(wire):
        with law.case(recording.name):
            usage = its.response_to(recording)["usage"]
            assert usage is not None, "no usage"
            of_input, of_output = usage["input_tokens_details"], usage["output_tokens_details"]
            cached, written = of_input["cached_tokens"], of_input.get("cache_write_tokens", 0)
            assert 0 <= cached + written <= usage["input_tokens"]
            assert 0 <= of_output["reasoning_tokens"] <= usage["output_tokens"]
            assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
            said, told = counted(wire, body)
            found = {
                "input_tokens": usage["input_tokens"],
                "output_tokens": usage["output_tokens"],
                "cache_read_tokens": cached,
                "cache_write_tokens": written,
                "output_reasoning_tokens": of_output["reasoning_tokens"],
            }
            assert found == {name: vars(said).get(name, 0) for name in found}
            law.notes.update(told)
    law.require(exceptions=UNREADABLE)


def counted(wire: Wire, body: Body) -> tuple[Usage, list[str]]:
    """Return what genai-prices counts in a provider's body, and what it had to be told."""
    told = []
    body = {name: value for name, value in body.items() if name not in {"model", "modelVersion"}}
    usage = body[wire.usage]
    if "promptTokensDetails" in usage and _number_modalities(usage):
        told.append("modalities written as numbers")
    seller = str(wire.reader or wire.seller)
    found = extract_usage(body, provider_id=seller, api_flavor=wire.flavor).usage
    counts = {"input_tokens": 0, "output_tokens": 0, **vars(found)}
    cached = usage.get("num_cached_tokens")
    if cached and not counts.get("cache_read_tokens"):
        counts["cache_read_tokens"] = cached
        told.append("cached tokens under a name that genai-prices does not know")
    missing = usage.get("total_tokens", 0) - counts["input_tokens"] - counts["output_tokens"]
    if wire.fold is fold_chat and missing > 0:
        counts["input_tokens" if wire.provider == "mistral" else "output_tokens"] += missing
        told.append("sound or reasoning that is in the total alone")
    if counts.get("cache_read_tokens", 0) > counts["input_tokens"]:
        counts["cache_read_tokens"] = counts["input_tokens"]
        told.append("more cached tokens than the input had, capped")
    return Usage(**counts), told


def _number_modalities(usage: Body) -> bool:
    """Write modalities as names where an old client wrote the numbers; tell whether it did."""
    entries = [entry for details in usage.values() if isinstance(details, list) for entry in details]
    numbered = [entry for entry in entries if isinstance(entry.get("modality"), int)]
    for entry in numbered:
        entry["modality"] = ("", "TEXT", "IMAGE", "VIDEO", "AUDIO", "DOCUMENT")[entry["modality"]]
    return bool(numbered)


# ---- 2: cost --------------------------------------------------------------------------------------------


@each_wire
def test_every_cost_is_what_the_library_makes_of_the_raw_body(
    wire: Wire, tally: Callable[[str], Tally]
) -> None:
    law = tally(f"Costs 2, every cost is genai-prices' own ({wire.name})")
    for recording, body, its in cases(wire):
        response = its.response_to(recording)
        use = use_of(response, target=its.session().target)
        use = replace(use, at=use.at or NOW)
        with law.case(recording.name):
            mine, told = price_of(use)
            theirs = listed(wire, body, use)
            if theirs is None:
                assert mine is None, "an unknown price is never a number"
                assert len(told) == 1
                law.notes["a model that genai-prices has no price for"] += 1
                continue
            assert mine is not None
            assert (mine.input, mine.output) == (theirs.input_price, theirs.output_price)
            tools = mine.total - theirs.input_price - theirs.output_price
            assert mine.tools == tools
            assert dragoman.Cost.from_json(json.loads(json.dumps(mine.as_json()))) == mine
            if use.tool_calls and wire.seller != "anthropic":  # the library reads only Anthropic's searches
                law.notes["with a fee for hosted tools"] += tools > 0
                assert tools > 0 or mine.warnings or wire.seller == "google"
            else:
                assert mine.total == theirs.total_price
    law.require(exceptions=UNREADABLE)


def listed(wire: Wire, body: Body, use: Use) -> Any:
    """Return genai-prices' calculation, None where it does not know the model, or lists no price."""
    tier = {"service_tier": use.service_tier} if use.service_tier else None
    usage = counted(wire, body)[0]
    # Who routes on to others may be answered by another model than was asked: an alias, or something else.
    asked = None if wire.seller == "openrouter" else use.asked
    for model in (body.get("model") or body.get("modelVersion"), asked):
        if isinstance(model, str) and wire.seller:
            with contextlib.suppress(LookupError):
                found = calc_price(
                    usage, model, provider_id=wire.seller, genai_request_timestamp=use.at, price_context=tier
                )
                free = model.endswith(":free")
                return found if free or any(vars(found.model_price).values()) else None
    return None


# ---- 3: streams -----------------------------------------------------------------------------------------


@each_wire
def test_a_stream_costs_what_the_answer_come_whole_does(wire: Wire, tally: Callable[[str], Tally]) -> None:
    law = tally(f"Costs 3, a stream costs what the whole answer does ({wire.name})")
    for recording, body, its in cases(wire):
        if not recording.streamed:
            continue
        with law.case(recording.name):
            streamed = its.response_to(recording)
            whole = its.run([json.dumps({**(wire.content or {}), **body}).encode()])[0].response
            assert streamed["usage"] == whole["usage"]
            assert streamed["dragoman"].get("usage_details") == whole["dragoman"].get("usage_details")
            assert by_token(streamed, its) == by_token(whole, its)
    law.require(exceptions=UNREADABLE)


def by_token(response: Body, its: Judge) -> tuple[Any, ...] | None:
    """Return what is paid by the token: the whole answer that is made up here calls no tools."""
    cost, _ = price_of(use_of(response, target=its.session().target))
    return None if cost is None else (cost.input, cost.output, cost.source)
