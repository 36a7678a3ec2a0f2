"""The laws of translation, judged by real exchanges with servers of Chat Completions.

1. Every recorded answer comes out whole.
2. Every recorded stream is a legal sequence, the same for any split of its bytes; one that is cut fails.
3. Conversations survive the round trip: an answer given back as input becomes the message that it was.
"""

from __future__ import annotations

import base64
import json
import random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from tests.chat_wire import Said, read_stream, read_whole
from tests.judging import Judge, first_difference, pieces, single_bytes, without_chance
from tests.recordings import REAL, Recording, conversations, recordings
from tests.standard import official_types, standard

from dragoman import errors
from dragoman.testing.legality import check_events

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conftest import Tally

APIS = (
    "compat.chat",
    "openai.chat",
    "azure.chat",
    "azure_ai.chat",
    "gemini.openai-chat",
    "bedrock.openai-chat",
    "bedrock-mantle.chat",
)
JUDGE = Judge("openai_compatible", "gpt", {"api_key": "sk-test-123456", "api_base": "https://llm.example/v1"})
HOSTS = {
    "api.cerebras.ai": "cerebras",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral",
    "api.perplexity.ai": "perplexity",
    "api.z.ai": "zai",
    "localhost:11434": "ollama",
    "openrouter.ai": "openrouter",
    "router.huggingface.co": "huggingface",
}
"""Where a recording was taken -> the prefix of that host."""
JUDGES = {name: Judge(name, "gpt", {"api_key": "sk-test-123456"}) for name in HOSTS.values()}
_OUTCOMES = {
    "stop": None,
    "tool_calls": None,
    "function_call": None,
    "length": "max_output_tokens",
    "content_filter": "content_filter",
}
_CLASSES = {
    400: errors.BadRequestError,
    401: errors.AuthenticationError,
    403: errors.PermissionDeniedError,
    404: errors.NotFoundError,
    422: errors.UnprocessableEntityError,
    429: errors.RateLimitError,
}

apis = pytest.mark.parametrize("api", APIS)


def is_completion(recording: Recording) -> bool:
    """Tell whether an answer is a completion: some tests of other services stand among them."""
    return recording.status == 200 and (
        recording.streamed or (isinstance(recording.body, dict) and bool(recording.body.get("choices")))
    )


def answers(api: str) -> list[Recording]:
    return [each for each in recordings(api) if is_completion(each)]


def streams(api: str) -> list[Recording]:
    found = [each for each in recordings(api) if each.streamed and each.status == 200]
    if not found:
        pytest.skip(f"no streams of {api}")
    return found


def judge_of(recording: Recording) -> Judge:
    """Return the host's own prefix where there is one, else any server's."""
    place = urlsplit(recording.document["request"]["url"]).netloc
    return JUDGES[HOSTS[place]] if place in HOSTS else JUDGE


def said_in(recording: Recording) -> Said:
    return read_stream(recording.wire) if recording.streamed else read_whole(recording.body)


# ---- 1: whole -------------------------------------------------------------------------------------------


@apis
def test_every_recorded_answer_comes_out_whole(api: str, tally: Callable[[str], Tally]) -> None:
    law = tally(f"Chat 1, every recorded answer comes out whole ({api})")
    for recording in answers(api):
        with law.case(recording.name):
            check_whole(said_in(recording), JUDGE.response_to(recording))
    law.require()


def check_whole(said: Said, response: dict[str, Any]) -> None:
    output = response["output"]
    parts = [part for item in output if item["type"] == "message" for part in item["content"]]
    assert "".join(part.get("text", "") for part in parts) == said.text
    assert "".join(part.get("refusal", "") for part in parts) == said.refusal
    reasoning = [
        part["text"]
        for item in output
        if item["type"] == "reasoning"
        for part in [*item["summary"], *item.get("content", [])]
    ]
    assert "".join(reasoning) == said.reasoning
    calls = [(item["name"], item["arguments"]) for item in output if item["type"] == "function_call"]
    assert calls == [(name, arguments or "{}") for name, arguments in said.calls]
    notes = [note for part in parts for note in part.get("annotations", ()) if "url" in note]
    cited = [(note["url"], note["start_index"], note["end_index"]) for note in notes]
    assert not said.citations or cited == said.citations
    tokens = [token for part in parts for token in part.get("logprobs", ())]
    assert [(token["token"], token["logprob"]) for token in tokens] == said.logprobs
    kept = " ".join(opened(item["encrypted_content"]) for item in output if item.get("encrypted_content"))
    assert all(json.dumps(signature)[1:-1] in kept for signature in said.signatures)
    assert not said.model or response["model"] == said.model
    if said.failed is not None:
        assert response["status"] == "failed"
        assert said.failed in response["error"]["message"]
        return
    reason = _OUTCOMES.get(said.finish or "stop", said.finish)
    assert (response["incomplete_details"] or {}).get("reason") == reason
    assert response["status"] == ("incomplete" if reason else "completed")
    if said.usage:
        check_usage(said.usage, response["usage"])


def opened(sealed: str) -> str:
    return base64.urlsafe_b64decode(sealed.rpartition(":")[2]).decode()


def check_usage(usage: dict[str, Any], found: dict[str, Any]) -> None:
    assert found["total_tokens"] == usage["total_tokens"]
    assert found["input_tokens"] >= usage["prompt_tokens"]
    assert found["output_tokens"] >= usage["completion_tokens"]
    details = usage.get("completion_tokens_details") or {}
    assert found["output_tokens_details"]["reasoning_tokens"] == (details.get("reasoning_tokens") or 0)
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    # Grok on Foundry tells more cached tokens than the prompt had.
    cached = cached and min(cached, found["input_tokens"])
    assert cached is None or found["input_tokens_details"]["cached_tokens"] == cached


@apis
def test_every_recorded_answer_is_a_valid_response(api: str, tally: Callable[[str], Tally]) -> None:
    law = tally(f"Chat 1, every Response is valid for Open Responses and for OpenAI's types ({api})")
    oracles = (standard(), official_types())
    for recording in answers(api):
        with law.case(recording.name):
            response = JUDGE.response_to(recording)
            problems = [found for oracle in oracles for found in oracle.response_problems(response)]
            assert not problems, problems[0]
    law.require()


@apis
def test_every_recorded_refusal_is_the_right_error(api: str, tally: Callable[[str], Tally]) -> None:
    law = tally(f"Chat 1, every recorded refusal is the right error ({api})")
    refusals = [each for each in recordings(api) if each.status >= 400]
    if not refusals:
        pytest.skip(f"no refusals of {api}")
    for recording in refusals:
        with law.case(recording.name):
            with pytest.raises(errors.APIError) as caught:
                JUDGE.run([recording.wire], status=recording.status, headers=recording.headers)
            error = caught.value
            fallback = errors.InternalServerError if recording.status >= 500 else errors.APIStatusError
            assert isinstance(error, _CLASSES.get(recording.status, fallback))
            said = recording.body
            message = str(said["error"]["message"] if "error" in said else said["detail"])
            assert message in error.message
            if "maximum context length" in message or "too long" in message:
                assert isinstance(error, errors.ContextWindowExceededError)
    law.require()


# ---- 2: streams -----------------------------------------------------------------------------------------


@apis
def test_every_stream_is_legal_for_any_split_of_its_bytes(api: str, tally: Callable[[str], Tally]) -> None:
    law = tally(f"Chat 2, every stream is legal, and the same in random chunks and byte by byte ({api})")
    for recording in streams(api):
        wire = recording.wire
        with law.case(recording.name):
            check_events(JUDGE.events_of(recording))
            expected = without_chance(JUDGE.events_of(recording))
            chunked = pieces(wire, random.Random(recording.name))
            for how in (chunked, single_bytes(wire)):
                events = without_chance(JUDGE.run(how, stream=True)[1])
                assert events == expected, first_difference(events, expected)
    law.require()


@apis
def test_every_stream_has_valid_events(api: str, tally: Callable[[str], Tally]) -> None:
    law = tally(f"Chat 2, every event is valid for Open Responses and for OpenAI's types ({api})")
    oracles = (standard(), official_types())
    for recording in streams(api):
        with law.case(recording.name):
            events = JUDGE.events_of(recording)
            problems = [
                found for event in events for oracle in oracles for found in oracle.event_problems(event)
            ]
            assert not problems, problems[0]
    law.require()


@apis
def test_a_stream_that_is_cut_never_completes(api: str, tally: Callable[[str], Tally]) -> None:
    law = tally(f"Chat 2, no stream that is cut before its end mark completes ({api})")
    for recording in streams(api):
        wire = recording.wire
        with law.case(recording.name):
            end = end_mark(wire)
            for length in sorted({*range(0, end, max(1, end // 20)), end}):
                events = JUDGE.run([wire[:length]], stream=True)[1]
                assert events[-1]["type"] == "response.failed", f"cut at {length} of {len(wire)}"
                check_events(events)
    law.require()


def end_mark(wire: bytes) -> int:
    """Return where the event begins that says why the answer ended (or, where none does, its usage)."""
    place = 0
    for line in wire.split(b"\n"):
        data = line.strip()
        if data.startswith(b"data:") and data[5:].strip() not in (b"", b"[DONE]"):
            chunk = json.loads(data[5:])
            finished = [choice.get("finish_reason") for choice in chunk.get("choices") or []]
            if any(finished) or (chunk.get("usage") and 'finish_reason":"' not in wire.decode()):
                return place
        place += len(line) + 1
    return len(wire)


# ---- 3: conversations -----------------------------------------------------------------------------------


def sent(items: list[dict[str, Any]], judge: Judge) -> list[dict[str, Any]]:
    """Return the messages that go out for these items, which travel as JSON like any caller's."""
    session = judge.session(input=json.loads(json.dumps(items)))
    messages: list[dict[str, Any]] = json.loads(session.prepare().body)["messages"]
    return messages


@apis
def test_every_answer_given_back_becomes_the_message_that_it_was(
    api: str, tally: Callable[[str], Tally]
) -> None:
    law = tally(f"Chat 3, every recorded answer given back becomes its own message ({api})")
    hello = {"type": "message", "role": "user", "content": "Hello."}
    for recording in answers(api):
        said = said_in(recording)
        if said.failed is not None:
            law.notes["an answer that failed"] += 1
            continue
        with law.case(recording.name):
            judge = judge_of(recording)
            output = judge.response_to(recording)["output"]
            results = [
                {"type": "function_call_output", "call_id": item["call_id"], "output": "done"}
                for item in output
                if item["type"] == "function_call"
            ]
            given = [m for m in sent([hello, *output, *results], judge) if m["role"] == "assistant"]
            assert len(given) == bool(output), "one answer, one message"
            if not output:
                continue
            (message,) = given
            assert (message.get("content") or "") == said.text + said.refusal
            calls = [call["function"] for call in message.get("tool_calls") or []]
            assert [(call["name"], call["arguments"]) for call in calls] == [
                (name, arguments.strip() or "{}") for name, arguments in said.calls
            ]
            details = message.get("reasoning_details") or []
            back = [detail[name] for detail in details for name in ("signature", "data") if name in detail]
            assert back == said.signatures
            if not details:
                field = message.get("reasoning_content") or message.get("reasoning") or ""
                assert field == said.reasoning
    law.require()


@apis
def test_conversations_survive_the_round_trip(api: str, tally: Callable[[str], Tally]) -> None:
    law = tally(f"Chat 3, every recorded conversation's next request is reproduced ({api})")
    for talk in conversations(api, fidelity=REAL).values():
        for _order, recording in sorted(talk.items()):
            if recording.reply_to is None or not recording.request or recording.status != 200:
                continue
            answer = talk.get(recording.reply_to)
            if answer is None or not is_completion(answer):
                continue
            with law.case(recording.name):
                check_reproduced(recording.request["messages"], answer, law)
    if not law.cases:
        pytest.skip(f"no conversations of {api}")
    law.require(0.95)


def check_reproduced(messages: list[dict[str, Any]], answer: Recording, law: Tally) -> None:
    """Rebuild the request's messages out of the answer as it was replayed; compare word for word."""
    judge = judge_of(answer)
    output = judge.response_to(answer)["output"]
    replayed = said_in(answer)
    spoken = [each for each in messages if each["role"] != "assistant" or set(each) - {"role", "content"}]
    spoken = [each for each in messages if each in spoken or words(each.get("content"))]
    if spoken != messages:
        law.notes["an empty message of the assistant, which nobody said"] += 1
        messages = spoken
    items: list[dict[str, Any]] = []
    ids: dict[str, str] = {}
    used = False
    for message in messages:
        role, content = message["role"], message.get("content")
        calls = message.get("tool_calls") or []
        if role == "assistant" and not used and is_replay(message, replayed):
            used = True
            items += output
            own = [item["call_id"] for item in output if item["type"] == "function_call"]
            ids.update(zip((call["id"] for call in calls), own, strict=True))
        elif role == "assistant":
            if words(content):
                items.append({"type": "message", "role": role, "content": words(content)})
            for call in calls:
                function = call["function"]
                items.append({"type": "function_call", "call_id": call["id"], **function})
        elif role == "tool":
            call_id = ids.get(message["tool_call_id"], message["tool_call_id"])
            items.append({"type": "function_call_output", "call_id": call_id, "output": words(content)})
        else:
            items.append({"type": "message", "role": role, "content": parts(content)})
    if not used:
        law.notes["the client changed the answer"] += 1
    found = sent(items, judge)
    expected = [plain(message, ids) for message in messages]
    mine = [plain(message, {}) for message in found]
    assert mine == expected, first_difference(mine, expected)
    for ours, theirs in zip(found, messages, strict=True):
        for name in ("reasoning", "reasoning_content", "reasoning_details"):
            if theirs.get(name):
                law.notes["reasoning that the client gave back"] += 1
                kept = ours.get(name)
                if isinstance(kept, list):  # some clients give back what they know of each detail
                    kept = [
                        {field: detail.get(field) for field in known}
                        for detail, known in zip(kept, theirs[name], strict=True)
                    ]
                assert kept == theirs[name], first_difference(kept, theirs[name])


def is_replay(message: dict[str, Any], said: Said) -> bool:
    calls = [call["function"] for call in message.get("tool_calls") or []]
    same = words(message.get("content")) == said.text and bool(calls or said.text)
    return same and [(call["name"], json.loads(call["arguments"] or "{}")) for call in calls] == [
        (name, json.loads(arguments or "{}")) for name, arguments in said.calls
    ]


def words(content: Any) -> str:
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def parts(content: Any) -> Any:
    if not isinstance(content, list):
        return content
    return [_PARTS[part["type"]](part) for part in content]


_PARTS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "text": lambda part: {**part, "type": "input_text"},
    "image_url": lambda part: (
        {"type": "input_image", "detail": "auto"}
        | {{"url": "image_url"}.get(name, name): value for name, value in part["image_url"].items()}
    ),
    "file": lambda part: {"type": "input_file", **part["file"]},
    "input_audio": lambda part: part,
}


def plain(message: dict[str, Any], ids: dict[str, str]) -> dict[str, Any]:
    """Return what a message says, without the ways there are to write the same."""
    content = message.get("content")
    if isinstance(content, list) and all(part.get("type") == "text" for part in content):
        content = words(content)
    if isinstance(content, list):
        content = [
            {
                **part,
                "image_url": {k: v for k, v in part["image_url"].items() if (k, v) != ("detail", "auto")},
            }
            if part["type"] == "image_url"
            else part
            for part in content
        ]
    role = "system" if message["role"] == "developer" else message["role"]  # as the host has it
    result = {"role": role, "content": content or ""}
    if message.get("tool_calls"):
        result["tool_calls"] = [
            (
                ids.get(call["id"], call["id"]),
                call["function"]["name"],
                json.loads(call["function"]["arguments"] or "{}"),
            )
            for call in message["tool_calls"]
        ]
    if message.get("tool_call_id"):
        result["tool_call_id"] = ids.get(message["tool_call_id"], message["tool_call_id"])
    return result
