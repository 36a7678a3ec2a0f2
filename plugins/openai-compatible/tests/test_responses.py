"""Answers: the shapes and oddities of many servers, whole and streamed."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

import json

import pytest

USAGE = {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}


def chunk(reason=None, usage=None, **delta):
    said = {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}
    return {**said, "usage": usage} if usage else said


def entry(index=0, id=None, name=None, arguments=None, **more):  # noqa: A002
    function = {"name": name} if name is not None else {}
    function["arguments"] = arguments
    return {"index": index, "id": id, "type": "function", "function": function, **more}


def calls(response):
    return [(i["call_id"], i["name"], i["arguments"]) for i in response["output"] if "arguments" in i]


def text(response):
    return "".join(p["text"] for i in response["output"] if i["type"] == "message" for p in i["content"])


def test_the_first_chunk_of_azure_has_no_choices_and_a_choice_may_have_no_delta(server):
    opening = {"choices": [], "id": "", "model": "", "created": 0, "prompt_filter_results": []}
    no_delta = {"choices": [{"index": 0, "finish_reason": None, "content_filter_results": {}}]}
    response = server.stream(opening, chunk(content="Hi"), no_delta, chunk("stop"))
    assert (text(response), response["status"]) == ("Hi", "completed")


@pytest.mark.parametrize(
    "ending",
    [
        [chunk("stop"), {"choices": [], "usage": USAGE}],
        [chunk("stop", usage=USAGE)],
        [chunk("stop"), chunk(content="", role="assistant", usage=USAGE)],
        [{**chunk("stop"), "x_groq": {"usage": USAGE}}],
    ],
    ids=["its own chunk", "the last choice", "after the finish reason", "x_groq"],
)
def test_usage_comes_in_four_places(server, ending):
    assert server.stream(chunk(content="Hi"), *ending)["usage"]["total_tokens"] == 12


def test_arguments_may_be_absent_or_null(server):
    first = {"index": 0, "id": "f:0", "type": "function", "function": {"name": "f"}}
    response = server.stream(
        chunk(role="assistant", tool_calls=[first]),
        chunk(role="assistant", tool_calls=[{"index": 0, "function": {"arguments": "{}"}}]),
        chunk(tool_calls=[entry(1, "0", "g", None)]),
        chunk("tool_calls", role="assistant", content=""),
    )
    assert calls(response) == [("f:0", "f", "{}"), ("0", "g", "{}")]


def test_calls_without_a_finish_reason_end_with_their_usage(server):
    response = server.stream(chunk(tool_calls=[entry(0, "0", "f", "{}")]), chunk(content="", usage=USAGE))
    assert response["status"] == "completed"


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ({"choices": [], "usage": USAGE}, "completed"),
        (chunk(content="", usage=USAGE), "failed"),
        (chunk(content=""), "failed"),
    ],
    ids=["usage in a chunk of its own", "usage beside a choice, as some tell it all the time", "nothing"],
)
def test_text_without_a_finish_reason_ends_with_a_chunk_of_usage_alone(server, ending, status):
    assert server.stream(chunk(content="Hi"), ending)["status"] == status
    assert server.stream(chunk(tool_calls=[entry(0, "a", "f", '{"x')]), ending)["status"] == "failed"


def test_ids_may_be_missing_empty_or_repeated(server):
    response = server.stream(
        chunk(tool_calls=[entry(0, "", "f", "{}")]),
        chunk(tool_calls=[entry(1, "a", "g", '{"x"')]),
        chunk(tool_calls=[entry(1, "a", "g", ": 1}")]),
        chunk("tool_calls"),
    )
    (first, f, _), (second, g, arguments) = calls(response)
    assert first.startswith("call_")
    assert (f, second, g, arguments) == ("f", "a", "g", '{"x": 1}')


def test_several_calls_may_have_the_same_number(server):
    response = server.stream(
        chunk(tool_calls=[entry(0, "a", "f", "{}"), entry(0, "b", "f", '{"x": 1}')]), chunk("tool_calls")
    )
    assert calls(response) == [("a", "f", "{}"), ("b", "f", '{"x": 1}')]


def test_a_name_may_be_repeated_on_each_piece(server):
    pieces = ['{"x"', ": 1}", ""]
    response = server.stream(
        *(chunk(tool_calls=[entry(0, None, "f", piece)]) for piece in pieces), chunk("tool_calls")
    )
    assert [arguments for _, _, arguments in calls(response)] == ['{"x": 1}']


def test_whole_calls_without_ids_may_have_the_same_number(server):
    response = server.stream(
        *(chunk(tool_calls=[entry(0, None, "f", arguments)]) for arguments in ("{}", '{"x": 1}')),
        chunk("tool_calls"),
    )
    assert [arguments for _, _, arguments in calls(response)] == ["{}", '{"x": 1}']


def test_calls_without_numbers_are_told_apart_by_id(server):
    first, second = entry(None, "a", "f", "{"), entry(None, "b", "g", "{}")
    response = server.stream(
        chunk(tool_calls=[first]), chunk(tool_calls=[entry(None, "a", None, "}")]),
        chunk(tool_calls=[second]), chunk("tool_calls"),
    )  # fmt: skip
    assert calls(response) == [("a", "f", "{}"), ("b", "g", "{}")]


def test_a_reused_call_id_is_made_unique(server):
    history = [
        {"type": "function_call", "call_id": "call_0", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_0", "output": "1"},
    ]
    response = server.stream(
        chunk(tool_calls=[entry(0, "call_0", "f", "{}")]), chunk("tool_calls"), input=history
    )
    assert calls(response)[0][0] != "call_0"


@pytest.mark.parametrize(
    ("reason", "status", "why"),
    [
        ("stop", "completed", None),
        ("function_call", "completed", None),
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
        ("sensitive", "incomplete", "content_filter"),
        ("model_length", "incomplete", "max_output_tokens"),
        ("MAX_TOKENS", "incomplete", "max_output_tokens"),
        ("eos", "completed", None),
        ("boredom", "incomplete", "boredom"),
    ],
)
def test_finish_reasons_beside_calls(server, reason, status, why):
    response = server.answer({"content": None, "tool_calls": [entry(0, "a", "f", "{}")]}, reason)
    assert response["status"] == status
    assert (response["incomplete_details"] or {}).get("reason") == why


def test_a_filtered_answer_may_have_no_message(server):
    response = server.answer(None, "content_filter")
    assert (response["output"], response["incomplete_details"]) == ([], {"reason": "content_filter"})


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        ({"error": {"message": "No call", "code": "tool_use_failed", "status_code": 400}}, "No call"),
        (
            {"error": {"code": 502, "message": "Gone"}, "choices": [{"index": 0, "delta": {"content": ""}}]},
            "Gone",
        ),
        (
            {"choices": [{"index": 0, "delta": {}, "finish_reason": "error", "error": {"message": "Hm"}}]},
            "Hm",
        ),
        ({"object": "error", "message": "Bad", "code": 400}, "Bad"),
    ],
    ids=["groq", "openrouter beside a choice", "openrouter in a choice", "vllm"],
)
def test_errors_inside_a_stream(server, failure, message):
    response = server.stream(chunk(content="maybe"), chunk("length"), failure)
    assert (response["status"], response["error"]["message"]) == ("failed", message)
    assert text(response) == "maybe"


def test_a_refusal_streams(server):
    response = server.stream(chunk(refusal="I "), chunk(refusal="won't"), chunk("stop"))
    assert response["output"][0]["content"] == [{"type": "refusal", "refusal": "I won't"}]


def test_reasoning_goes_back_where_it_came_from(server):
    response = server.stream(chunk(reasoning_content="Hm"), chunk(content="Hi"), chunk("stop"))
    assert server.messages(*response["output"]) == [
        {"role": "assistant", "reasoning_content": "Hm", "content": "Hi"}
    ]


def test_reasoning_details_go_back_whole_even_late_ones(server):
    text_detail = {"type": "reasoning.text", "text": "Th", "format": "x", "index": 0}
    encrypted = {"type": "reasoning.encrypted", "data": "ZGF0YQ==", "id": "rs_1", "index": 1}
    response = server.stream(
        chunk(reasoning="Th", reasoning_details=[text_detail]),
        chunk(reasoning="ink", reasoning_details=[{**text_detail, "text": "ink"}]),
        chunk(reasoning_details=[{"type": "reasoning.text", "signature": "c2ln", "index": 0}]),
        chunk(content="Hi"),
        chunk(reasoning_details=[encrypted]),
        chunk("stop"),
    )
    (message,) = server.messages(*response["output"])
    assert message["reasoning_details"] == [{**text_detail, "text": "Think", "signature": "c2ln"}, encrypted]
    assert message["content"] == "Hi"


def test_mistral_thinks_among_its_content(server):
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]},
        {"type": "text", "text": "Hi"},
    ]
    response = server.answer({"content": content})
    assert text(response) == "Hi"
    assert server.messages(*response["output"])[0]["content"] == content


def test_signatures_of_gemini_come_back(server):
    extra = {"google": {"thought_signature": "c2ln"}}
    response = server.answer(
        {"extra_content": extra, "tool_calls": [entry(0, "", "f", "{}", extra_content=extra)]}
    )
    (message,) = server.messages(*response["output"])
    assert message["extra_content"] == message["tool_calls"][0]["extra_content"] == extra


def test_citations_that_come_before_the_text_wait_for_it(server):
    note = {"type": "url_citation", "url_citation": {"url": "https://a.example", "content": "found"}}
    response = server.stream(chunk(content="", annotations=[note]), chunk(content="Hi"), chunk("stop"))
    assert response["output"][0]["content"][0]["annotations"][0]["url"] == "https://a.example"


def test_perplexity_numbers_its_sources(server):
    response = server.answer({"content": "It is[2]."}, citations=["https://a.example", "https://b.example"])
    notes = response["output"][0]["content"][0]["annotations"]
    assert [(n["url"][8], n["start_index"], n["end_index"]) for n in notes] == [("a", 0, 9), ("b", 5, 8)]


def test_images_and_audio_of_an_answer_are_items(server):
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    audio = {"id": "audio_1", "data": "aGk=", "transcript": "Hello"}
    response = server.answer({"content": None, "images": [image], "audio": audio})
    kinds = [item["type"] for item in response["output"]]
    assert kinds == ["image_generation_call", "message", "openai_compatible:audio"]
    (message,) = server.messages(*response["output"])
    assert (message["images"], message["audio"], message["content"]) == ([image], {"id": "audio_1"}, "Hello")


def test_logprobs(server):
    token = {"token": "Hi", "bytes": None, "logprob": -0.5, "top_logprobs": []}
    choice = {"message": {"content": "Hi"}, "finish_reason": "stop", "logprobs": {"content": [token]}}
    response = server.whole({"choices": [choice]})
    assert response["output"][0]["content"][0]["logprobs"] == [{**token, "bytes": []}]


def test_reasoning_outside_of_the_completion_is_added_to_it(server):
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "total_tokens": 42}
    details = {"reasoning_tokens": 30}
    response = server.answer({"content": "Hi"}, usage={**usage, "completion_tokens_details": details})
    assert response["usage"]["output_tokens"] == 32
    assert response["usage"]["output_tokens_details"]["reasoning_tokens"] == 30


def test_an_answer_without_choices_is_malformed(server):
    assert server.whole({"status": 200})["status"] == "failed"


def test_an_answer_that_fails_keeps_what_came(server):
    choice = {"index": 0, "message": {"content": "maybe"}, "finish_reason": "error"}
    failure = {"error": {"code": 502, "message": "Gone"}}
    response = server.whole({"choices": [{**choice, **failure}], "usage": USAGE})
    assert (response["status"], response["error"]["message"]) == ("failed", "Gone")
    assert (text(response), response["usage"]["total_tokens"]) == ("maybe", 12)
    response = server.stream({"choices": [{"index": 0, "delta": {"content": "maybe"}}], **failure})
    assert (response["status"], text(response)) == ("failed", "maybe")


def test_only_the_first_choice_counts(server):
    choices = [{"index": n, "message": {"content": str(n)}, "finish_reason": "stop"} for n in (0, 1)]
    response = server.whole({"choices": choices})
    assert text(response) == "0"
    assert "several choices" in response["dragoman"]["warnings"][0]["message"]


def test_content_may_be_missing_beside_calls(server):
    assert calls(server.answer({"tool_calls": [entry(0, "a", "f", "{}")]}, "tool_calls")) == [
        ("a", "f", "{}")
    ]


def test_comments_and_a_whole_message_may_come_in_a_stream(server):
    message = {"choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}]}
    wire = [b": OPENROUTER PROCESSING\n\n", f"data: {json.dumps(message)}\n\n".encode()]
    assert text(server.fed(wire)[1]) == "Hi"


@pytest.mark.parametrize(
    ("said", "cached", "written"),
    [
        ({"prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1}}, 4, 1),
        ({"prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 1}, 4, 0),
        ({"num_cached_tokens": 4, "prompt_tokens_details": None}, 4, 0),
        ({"cached_tokens": 4}, 4, 0),
        ({"prompt_tokens_details": {"cached_tokens": 9}}, 5, 0),
    ],
    ids=["OpenAI and OpenRouter", "DeepSeek", "Mistral", "Hugging Face", "more than there was"],
)
def test_what_was_cached_is_told_in_many_places(server, said, cached, written):
    usage = server.answer({"content": "Hi"}, usage={**USAGE, **said})["usage"]
    assert usage["input_tokens_details"] == {"cached_tokens": cached, "cache_write_tokens": written}
    assert usage["input_tokens"] == 5


def test_sound_is_told_apart(server):
    spoken = {"prompt_tokens_details": {"audio_tokens": 3}, "completion_tokens_details": {"audio_tokens": 1}}
    response = server.answer({"content": "Hi"}, usage={**USAGE, **spoken})
    assert response["dragoman"]["usage_details"] == {"input_audio_tokens": 3, "output_audio_tokens": 1}
    assert "usage_details" not in server.answer({"content": "Hi"}, usage=USAGE)["dragoman"]


def test_a_voice_streams_in_pieces_and_is_one_item(server):
    pieces = [{"id": "audio_1", "transcript": "He"}, {"data": "aA=="}, {"transcript": "y"}, {"data": "aQ=="}]
    response = server.stream(*(chunk(audio=piece) for piece in pieces), chunk("stop"))
    message, item = response["output"]
    assert message["content"][0]["text"] == item["audio"]["transcript"] == "Hey"
    assert (item["audio"]["data"], item["audio"]["id"]) == ("aGk=", "audio_1")


def test_an_image_by_address_goes_back_as_it_was(server):
    image = {"type": "image_url", "image_url": {"url": "https://a.example/a.png"}}
    response = server.answer({"content": None, "images": [image]})
    assert response["output"][0]["result"] == "https://a.example/a.png"
    assert server.messages(*response["output"])[0]["images"] == [image]


def test_citations_count_from_the_start_of_their_own_part(server):
    note = {
        "type": "url_citation",
        "url_citation": {"url": "u", "title": "t", "start_index": 7, "end_index": 9},
    }
    response = server.stream(
        chunk(content="Before "),
        chunk(reasoning="Hm"),
        chunk(content="it", annotations=[note]),
        chunk("stop"),
    )
    found = response["output"][-1]["content"][0]["annotations"][0]
    assert (found["start_index"], found["end_index"]) == (0, 2)


def test_mistrals_thoughts_keep_their_place(server):
    def thought(words):
        return {"type": "thinking", "thinking": [{"type": "text", "text": words}]}

    content = [
        thought("Hm"),
        {"type": "text", "text": "One."},
        thought("So"),
        {"type": "text", "text": "Two."},
    ]
    (message,) = server.messages(*server.answer({"content": content})["output"])
    assert message["content"] == content


def test_reasoning_in_the_middle_does_not_tear_an_answer_apart(server):
    said = (chunk(content="One. "), chunk(reasoning="Hm"), chunk(content="Two."), chunk("stop"))
    assert server.messages(*server.stream(*said)["output"]) == [
        {"role": "assistant", "content": "One. Two.", "reasoning": "Hm"}
    ]


def test_whole_details_of_reasoning_stay_apart(server):
    details = [{"type": "reasoning.text", "text": word, "index": 0} for word in ("One", "Two")]
    output = server.answer({"content": "Hi", "reasoning_details": details})["output"]
    assert server.messages(*output)[0]["reasoning_details"] == details


def test_what_groq_executed_is_told(server):
    tool = {"index": 0, "type": "search", "arguments": "{}", "output": None}
    response = server.stream(
        chunk(executed_tools=[tool]),
        chunk(executed_tools=[{"index": 0, "output": "found"}]),
        chunk(content="Hi"),
        chunk("stop"),
    )
    item = response["output"][-1]
    assert (item["type"], item["tool"]["output"]) == ("openai_compatible:executed_tool", "found")
    assert server.messages(*response["output"])[0]["content"] == "Hi"


def test_logprobs_stream_those_of_hidden_marks_included(server):
    def tokens(*names):
        return {"content": [{"token": name, "logprob": -1.5, "top_logprobs": []} for name in names]}

    pieces = [("", "<|channel|>"), ("Hi", "Hi"), ("", "<|end|>")]
    chunks = [
        {"choices": [{"index": 0, "delta": {"content": text}, "logprobs": tokens(token)}]}
        for text, token in pieces
    ]
    (message,) = server.stream(*chunks, chunk("stop"))["output"]
    assert [each["token"] for each in message["content"][0]["logprobs"]] == ["<|channel|>", "Hi", "<|end|>"]


def test_logprobs_as_completions_once_had_them(server):
    said = {"tokens": ["H", "i"], "token_logprobs": [-0.5, None]}
    response = server.whole({"choices": [{"message": {"content": "Hi"}, "logprobs": said}]})
    found = response["output"][0]["content"][0]["logprobs"]
    assert [(each["token"], each["logprob"]) for each in found] == [("H", -0.5), ("i", 0)]


def test_the_tier_is_told_in_openais_words(server):
    assert server.answer({"content": "Hi"}, service_tier="on_demand")["service_tier"] == "default"
    assert server.answer({"content": "Hi"}, service_tier="flex")["service_tier"] == "flex"
