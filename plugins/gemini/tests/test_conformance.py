"""The kit, on answers of generateContent."""

from __future__ import annotations

import json
from typing import Any

from dragoman.errors import (
    APIStatusError,
    BadRequestError,
    ContextWindowExceededError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnavailableError,
)
from dragoman.testing import ErrorCase, Exchange, ProviderConformance, sse_stream

USAGE = {
    "promptTokenCount": 12,
    "toolUsePromptTokenCount": 8,
    "cachedContentTokenCount": 5,
    "candidatesTokenCount": 10,
    "thoughtsTokenCount": 20,
    "totalTokenCount": 50,
}
QUERY = "tallest tower"
GROUNDING = {
    "webSearchQueries": [QUERY],
    "groundingChunks": [{"web": {"uri": "https://towers.example/tallest", "title": "Towers"}}],
    "groundingSupports": [
        {"segment": {"startIndex": 0, "endIndex": 12, "text": "828 mètres."}, "groundingChunkIndices": [0]}
    ],
}


def chunk(*parts: dict[str, Any], **candidate: Any) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"role": "model", "parts": list(parts)}, "index": 0, **candidate}],
        "modelVersion": "gemini-3-flash-preview",
        "responseId": "r1",
        "usageMetadata": USAGE,
    }


def exchange(
    parts: list[dict[str, Any]],
    chunks: list[list[dict[str, Any]]],
    *,
    finish: str = "STOP",
    metadata: dict[str, Any] | None = None,
    **expected: Any,
) -> Exchange:
    last = {"finishReason": finish, **(metadata or {})}
    events = [chunk(*some, **(last if some is chunks[-1] else {})) for some in chunks]
    return Exchange(
        body=json.dumps(chunk(*parts, **last)).encode(),
        stream=sse_stream(*events),
        usage=(20, 30),
        **expected,
    )


def refusal(number: int, status: str, message: str, *details: dict[str, Any]) -> dict[str, Any]:
    error = {"error": {"code": number, "message": message, "status": status, "details": list(details)}}
    return {
        "status": number,
        "body": json.dumps(error).encode(),
        "stream": sse_stream(chunk({"text": "So"})) + json.dumps(error, indent=2).encode() + b"\r\n\r\n",
        "message": message,
    }


CALL = {
    "functionCall": {"name": "get_weather", "args": {"city": "Paris"}, "id": "c1"},
    "thoughtSignature": "c2ln",
}
OTHER_CALL = {"functionCall": {"name": "get_time", "id": "c2"}}
RUN = {"executableCode": {"language": "PYTHON", "code": "print(6 * 7)"}, "thoughtSignature": "Y29kZQ=="}
RESULT = {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "42\n"}}


class TestGemini(ProviderConformance):
    provider = "gemini"
    model = "gemini-3-flash-preview"
    settings = {"api_key": "gemini-test-key-123456"}
    token_count = (
        b'{"totalTokens": 61, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 61}]}',
        61,
    )
    text = exchange(
        [{"text": "Grüße to you"}],
        [[{"text": "Grü"}], [{"text": "ße "}], [{"text": "to you"}]],
        text="Grüße to you",
    )
    tool_call = exchange(
        [{"text": "Let me see."}, CALL, OTHER_CALL],
        [[{"text": "Let me "}], [{"text": "see."}], [CALL], [OTHER_CALL]],
        text="Let me see.",
        calls=[("get_weather", {"city": "Paris"}), ("get_time", {})],
    )
    reasoning = exchange(
        [
            {"text": "They greet me.", "thought": True},
            {"text": "Hello"},
            {"text": "", "thoughtSignature": "c2ln"},
        ],
        [
            [{"text": "They greet", "thought": True}],
            [{"text": " me.", "thought": True}],
            [{"text": "Hello"}],
            [{"text": "", "thoughtSignature": "c2ln"}],
        ],
        text="Hello",
        reasoning="They greet me.",
        request={"reasoning": {"effort": "high", "summary": "auto"}},
    )
    exchanges = {
        "cut off": exchange(
            [{"text": "Once upon"}],
            [[{"text": "Once"}], [{"text": " upon"}]],
            finish="MAX_TOKENS",
            text="Once upon",
            status="incomplete",
        ),
        "custom tool": exchange(
            [{"functionCall": {"name": "run_code", "args": {"input": 'print("hi")\n'}, "id": "c3"}}],
            [[{"functionCall": {"name": "run_code", "args": {"input": 'print("hi")\n'}, "id": "c3"}}]],
            calls=[("run_code", 'print("hi")\n')],
        ),
        "code": exchange(
            [RUN, RESULT, {"text": "It is 42."}],
            [[RUN], [RESULT], [{"text": "It is "}], [{"text": "42."}]],
            text="It is 42.",
            request={"tools": [{"type": "code_interpreter", "container": {"type": "auto"}}]},
        ),
        "grounded": exchange(
            [{"text": "828 mètres."}],
            [[{"text": "828 "}], [{"text": "mètres."}]],
            metadata={"groundingMetadata": GROUNDING},
            text="828 mètres.",
            request={"tools": [{"type": "web_search"}]},
        ),
        "arguments in pieces": exchange(
            [
                {
                    "functionCall": {
                        "name": "get_weather",
                        "args": {"city": "Paris", "days": [1, 2]},
                        "id": "c1",
                    }
                }
            ],
            [
                [{"functionCall": {"name": "get_weather", "id": "c1", "willContinue": True}}],
                [
                    {
                        "functionCall": {
                            "partialArgs": [
                                {"jsonPath": "$.city", "stringValue": "Pa", "willContinue": True}
                            ],
                            "willContinue": True,
                        }
                    }
                ],
                [
                    {
                        "functionCall": {
                            "partialArgs": [
                                {"jsonPath": "$.city", "stringValue": "ris"},
                                {"jsonPath": "$.days[0]", "numberValue": 1},
                                {"jsonPath": "$.days[1]", "numberValue": 2},
                            ],
                            "willContinue": True,
                        }
                    }
                ],
                [{"functionCall": {}}],
            ],
            calls=[("get_weather", {"city": "Paris", "days": [1, 2]})],
        ),
    }
    errors = (
        ErrorCase(
            raises=BadRequestError,
            param="contents",
            **refusal(
                400,
                "INVALID_ARGUMENT",
                "contents is not specified",
                {"fieldViolations": [{"field": "contents", "description": "contents is not specified"}]},
            ),
        ),
        ErrorCase(
            raises=ContextWindowExceededError,
            code="context_length_exceeded",
            **refusal(
                400,
                "INVALID_ARGUMENT",
                "The input token count (2000001) exceeds the maximum number of tokens allowed (1048576).",
            ),
        ),
        ErrorCase(
            raises=BadRequestError,
            code="invalid_api_key",
            **refusal(
                400, "INVALID_ARGUMENT", "API key not valid. Please pass one.", {"reason": "API_KEY_INVALID"}
            ),
        ),
        ErrorCase(raises=PermissionDeniedError, **refusal(403, "PERMISSION_DENIED", "not for you")),
        ErrorCase(
            raises=NotFoundError,
            code="model_not_found",
            **refusal(404, "NOT_FOUND", "models/gemini-9 is not found for API version v1beta"),
        ),
        ErrorCase(
            raises=RateLimitError,
            retry_after=34.5,
            **refusal(429, "RESOURCE_EXHAUSTED", "You exceeded your quota.", {"retryDelay": "34.5s"}),
        ),
        ErrorCase(raises=APIStatusError, **refusal(499, "CANCELLED", "The operation was cancelled.")),
        ErrorCase(raises=InternalServerError, **refusal(500, "INTERNAL", "An internal error has occurred.")),
        ErrorCase(raises=ServiceUnavailableError, **refusal(503, "UNAVAILABLE", "The model is overloaded.")),
    )
    samples = {
        "stop": "END",
        "top_k": 5,
        "seed": 7,
        "stop_sequences": ["END"],
        "response_modalities": ["TEXT"],
        "speech_config": {"languageCode": "de-DE"},
        "image_config": {"aspectRatio": "1:1"},
        "media_resolution": "MEDIA_RESOLUTION_LOW",
        "thinking_config": {"includeThoughts": True},
        "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
        "cached_content": "cachedContents/c1",
        "labels": {"team": "a"},
        "model_armor_config": {"promptTemplateName": "t"},
    }
