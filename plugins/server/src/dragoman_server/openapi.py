"""``/openapi.json``: what there is, for people and for machines that try everything.

Requests and responses are described by core's models; what is JSON of our own making is written here.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from dragoman.models import Request, Response
from dragoman_server.key_terms import LAST_MOMENT, MOST_DOLLARS
from dragoman_server.periods import PERIOD
from dragoman_server.spending import CHOSEN_BY, TOLD_BY

__all__ = ["document"]

_Schema = dict[str, Any]

_TEXT: _Schema = {"type": "string"}
_NAME: _Schema = {"type": "string", "minLength": 1}
_ID: _Schema = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$"}
_NUMBER: _Schema = {"type": "integer"}
_OBJECT: _Schema = {"type": "object"}
_METADATA: _Schema = {
    "type": "object",
    "additionalProperties": {"type": "string", "maxLength": 512},
    "propertyNames": {"maxLength": 64},
    "maxProperties": 16,
}


def _ref(name: str) -> _Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: str = "", *, closed: bool = False, **properties: _Schema) -> _Schema:
    schema: _Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required.split()
    if closed:
        schema["additionalProperties"] = False
    return schema


def _list_of(schema: _Schema, **more: Any) -> _Schema:
    return {"type": "array", "items": schema, **more}


def _nullable(schema: _Schema) -> _Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_INPUT: _Schema = {"anyOf": [_TEXT, _list_of(_OBJECT)]}
_NULLABLE_TEXT: _Schema = {"type": ["string", "null"]}
_SHORT_TEXT: _Schema = {"type": "string", "minLength": 1, "maxLength": 200}
_MODEL_PATTERN: _Schema = {
    **_SHORT_TEXT,
    "pattern": r"^[^*]*\*?[^*]*$",
    "description": "a model as callers write it; one star stands for anything",
}
_LIMIT: _Schema = {"type": "integer", "minimum": 1, "maximum": 10**12}
_ITEM = _ref("Item")
_NEW_ITEM: _Schema = {
    "type": "object",
    "anyOf": [
        {"properties": {"type": _TEXT}, "required": ["type"]},
        {
            "properties": {
                "role": {"enum": ["user", "assistant", "system", "developer"]},
                "content": {"anyOf": [_TEXT, _list_of(_object("type", type=_TEXT))]},
            },
            "required": ["role", "content"],
        },
    ],
}
_NEW_ITEMS = _list_of(_NEW_ITEM, maxItems=20)  # a message needs no type
_SCHEMAS: dict[str, _Schema] = {
    "Item": _object("type", type=_TEXT, id=_TEXT),
    "ItemList": _object(
        "object data first_id last_id has_more",
        object={"const": "list"},
        data=_list_of(_ITEM),
        first_id=_NULLABLE_TEXT,
        last_id=_NULLABLE_TEXT,
        has_more={"type": "boolean"},
    ),
    "Deleted": _object("id object deleted", id=_TEXT, object=_TEXT, deleted={"const": True}),
    "Conversation": _object(
        "id object created_at metadata",
        id=_TEXT,
        object={"const": "conversation"},
        created_at=_NUMBER,
        metadata=_METADATA,
    ),
    "NewConversation": _object(
        closed=True,
        items={"anyOf": [_NEW_ITEMS, {"type": "null"}]},
        metadata={"anyOf": [_METADATA, {"type": "null"}]},
    ),
    "ConversationUpdate": _object("metadata", closed=True, metadata=_METADATA),
    "NewItems": _object("items", closed=True, items=_NEW_ITEMS),
    "CompactRequest": _object(
        "model",
        model=_NAME,
        input=_INPUT,
        previous_response_id=_ID,
        instructions=_TEXT,
        service_tier=_TEXT,
        prompt_cache_key=_TEXT,
    ),
    "Compaction": _object(
        "id object created_at output usage",
        id=_TEXT,
        object={"const": "response.compaction"},
        created_at=_NUMBER,
        output=_list_of(_ITEM),
        usage=_OBJECT,
    ),
    "InputTokens": _object(
        "object input_tokens",
        object={"const": "response.input_tokens"},
        input_tokens=_NUMBER,
        estimated={"const": True, "description": "there where the provider has no counter"},
    ),
    "Model": _object(
        "id object created owned_by", id=_TEXT, object={"const": "model"}, created=_NUMBER, owned_by=_TEXT
    ),
    "ModelList": _object("object data", object={"const": "list"}, data=_list_of(_ref("Model"))),
    "Key": _object(
        "id object name created_at expires_at revoked_at models rpm tpm max_parallel_requests budget "
        "metadata",
        id=_TEXT,
        object={"const": "key"},
        key={"type": "string", "description": "only where it was just made: it is told once"},
        name=_NULLABLE_TEXT,
        created_at=_NUMBER,
        expires_at=_nullable(_NUMBER),
        revoked_at=_nullable(_NUMBER),
        models=_nullable(_list_of(_TEXT)),
        rpm=_nullable(_NUMBER),
        tpm=_nullable(_NUMBER),
        max_parallel_requests=_nullable(_NUMBER),
        budget=_nullable(
            _object(
                "amount period unknown_prices",
                amount=_TEXT,
                period=_NULLABLE_TEXT,
                unknown_prices={"type": "boolean"},
                spent=_TEXT,
                reserved=_TEXT,
                resets_at=_nullable(_NUMBER),
            )
        ),
        metadata=_METADATA,
    ),
    "NewKey": {
        **_object(
            closed=True,
            name=_nullable(_SHORT_TEXT),
            models=_nullable(_list_of(_MODEL_PATTERN, maxItems=1000)),
            expires_at=_nullable({"type": "integer", "minimum": 0, "maximum": LAST_MOMENT}),
            expires_in=_nullable({"type": "string", "pattern": f"^{PERIOD}$"}),
            rpm=_nullable(_LIMIT),
            tpm=_nullable(_LIMIT),
            max_parallel_requests=_nullable(_LIMIT),
            budget=_nullable(
                _object(
                    "amount",
                    closed=True,
                    amount={
                        "anyOf": [
                            {"type": "number", "minimum": 0, "maximum": MOST_DOLLARS},
                            {"type": "string", "pattern": r"^[0-9]{1,6}(\.[0-9]{1,12})?$"},
                        ],
                        "description": "dollars",
                    },
                    period={
                        "anyOf": [
                            {"enum": ["month", None]},
                            {"type": "string", "pattern": f"^{PERIOD}$"},
                        ]
                    },
                    unknown_prices=_nullable({"type": "boolean"}),
                )
            ),
            metadata=_nullable(_METADATA),
        ),
        "not": {  # one of them at most
            "properties": {"expires_at": {"type": "integer"}, "expires_in": {"type": "string"}},
            "required": ["expires_at", "expires_in"],
        },
    },
    "KeyList": _object("object data", object={"const": "list"}, data=_list_of(_ref("Key"))),
    "Spend": _object(
        "calls failed_calls unpriced_calls input_tokens cached_tokens output_tokens reasoning_tokens cost "
        "currency",
        calls=_NUMBER,
        failed_calls=_NUMBER,
        unpriced_calls=_NUMBER,
        input_tokens=_NUMBER,
        cached_tokens=_NUMBER,
        output_tokens=_NUMBER,
        reasoning_tokens=_NUMBER,
        cost={**_NULLABLE_TEXT, "description": "Of the calls whose price is known; null: of none."},
        currency={"const": "USD"},
    ),
    "SpendList": _object(
        "object by since until data total",
        object={"const": "list"},
        by=_list_of(_TEXT),
        since=_NULLABLE_TEXT,
        until=_NULLABLE_TEXT,
        data=_list_of(_ref("Spend")),
        total=_ref("Spend"),
    ),
    "Health": _object("status", status=_TEXT),
    "Error": _object(
        "error",
        error=_object(
            "message type param code", message=_TEXT, type=_TEXT, param=_NULLABLE_TEXT, code=_NULLABLE_TEXT
        ),
    ),
}
_WHEN: _Schema = {
    "type": "string",
    "anyOf": [{"format": "date"}, {"pattern": "^[0-9]{1,4}d$"}],
}
_PARAMETERS: dict[str, tuple[str, _Schema, str]] = {
    "response_id": ("path", _ID, "The id of a response."),
    "conversation_id": ("path", _ID, "The id of a conversation."),
    "item_id": ("path", _ID, "The id of an item."),
    "key_id": ("path", _ID, "The id of a key, which is not the key."),
    "model": ("path", _NAME, "A model as callers name it; it may hold slashes."),
    "after": ("query", _TEXT, "The id of the item behind which the page begins."),
    "limit": ("query", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}, "Items on a page."),
    "order": ("query", {"enum": ["asc", "desc"], "default": "desc"}, "Oldest or newest first."),
    "stream": ("query", {"type": "boolean", "default": False}, "Whether to answer with events."),
    "by": ("query", _list_of({"enum": list(TOLD_BY)}), "What calls are told apart by."),
    "since": ("query", _WHEN, "The first day, in UTC: 2026-11-23, or 7d for seven days ago."),
    "until": ("query", _WHEN, "The last day."),
    **{f"only-{name}": ("query", _TEXT, f"Only calls with this {name}.") for name in CHOSEN_BY},
    "starting_after": (
        "query",
        {"type": "integer", "minimum": -1},
        "The number of the last event that is known; -1: none is.",
    ),
}
_PAGE = "after limit order"
_SPEND = ("by", "since", "until", *(f"only-{name}" for name in CHOSEN_BY))
_SSE = "text/event-stream"
_EVENT = _object("data", event=_TEXT, data=_TEXT)  # one of those that the stream is made of
# path: method: summary, schema of the body, schema of the answer, parameters of path and query
_OPERATIONS: dict[str, dict[str, tuple[str, str | None, str, str]]] = {
    "/responses": {"post": ("Ask a model; with `stream` its events.", "Request", "Response", "")},
    "/responses/compact": {
        "post": ("Make a conversation's window short.", "CompactRequest", "Compaction", "")
    },
    "/responses/input_tokens": {"post": ("Count the tokens of an input.", "Request", "InputTokens", "")},
    "/responses/{response_id}": {
        "get": (
            "Return a response; with `stream` its events.",
            None,
            "Response",
            "response_id stream starting_after",
        ),
        "delete": ("Delete a response.", None, "Deleted", "response_id"),
    },
    "/responses/{response_id}/cancel": {
        "post": ("Cancel a background response.", None, "Response", "response_id")
    },
    "/responses/{response_id}/input_items": {
        "get": ("List what a response's own turn brought.", None, "ItemList", f"response_id {_PAGE}")
    },
    "/conversations": {"post": ("Begin a conversation.", "NewConversation", "Conversation", "")},
    "/conversations/{conversation_id}": {
        "get": ("Return a conversation.", None, "Conversation", "conversation_id"),
        "post": ("Replace its metadata.", "ConversationUpdate", "Conversation", "conversation_id"),
        "delete": ("Delete a conversation with its items.", None, "Deleted", "conversation_id"),
    },
    "/conversations/{conversation_id}/items": {
        "get": ("List its items.", None, "ItemList", f"conversation_id {_PAGE}"),
        "post": ("Append items.", "NewItems", "ItemList", "conversation_id"),
    },
    "/conversations/{conversation_id}/items/{item_id}": {
        "get": ("Return an item.", None, "Item", "conversation_id item_id"),
        "delete": ("Delete an item.", None, "Conversation", "conversation_id item_id"),
    },
    "/keys": {
        "post": ("Make a key (with the master key).", "NewKey", "Key", ""),
        "get": ("List all keys (with the master key).", None, "KeyList", ""),
    },
    "/keys/{key_id}": {"delete": ("Revoke a key (with the master key).", None, "Key", "key_id")},
    "/models": {"get": ("List what is served.", None, "ModelList", "")},
    "/models/{model}": {"get": ("Return a model.", None, "Model", "model")},
    "/spend": {"get": ("Say what calls have cost.", None, "SpendList", " ".join(_SPEND))},
    "/openapi.json": {"get": ("Return this document.", None, "Object", "")},
    "/metrics": {"get": ("Return what Prometheus scrapes.", None, "Metrics", "")},
    "/health/live": {"get": ("Tell whether the process answers.", None, "Health", "")},
    "/health/ready": {"get": ("Tell whether it can do its work.", None, "Health", "")},
}
_STREAMED = frozenset({("/responses", "post"), ("/responses/{response_id}", "get")})
_KINDS = {"Metrics": "text/plain"}
_WITHOUT_KEY = frozenset({"/health/live", "/health/ready"})


@cache
def document(*, locked: bool) -> dict[str, Any]:
    """Return the OpenAPI document; paths may also be written without ``/v1``, or with ``/openai/v1``.

    Args:
        locked: whether callers need a key.
    """
    schemas = {**_SCHEMAS, "Object": _OBJECT, "Metrics": _TEXT}
    for name, model in (("Request", Request), ("Response", Response)):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[name] = schema
    schemas["Request"]["required"] = ["model"]
    schemas["Request"]["properties"] |= {"model": _NAME, "input": _INPUT}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "dragoman",
            "version": "1",
            "description": "OpenAI's Responses API, over every model provider. "
            "GET /responses with an upgrade is a WebSocket, whose frames are the same requests and events.",
        },
        "servers": [{"url": "/v1"}, {"url": "/"}, {"url": "/openai/v1"}],
        "security": [{"bearer": []}, {"api-key": []}, {"x-api-key": []}] if locked else [],
        "paths": {
            path: {method: _operation(path, method, about) for method, about in methods.items()}
            for path, methods in _OPERATIONS.items()
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "api-key": {"type": "apiKey", "in": "header", "name": "api-key"},
                "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def _operation(path: str, method: str, about: tuple[str, str | None, str, str]) -> dict[str, Any]:
    summary, body, answer, parameters = about
    content = {_KINDS.get(answer, "application/json"): {"schema": _ref(answer)}}
    if (path, method) in _STREAMED:
        content[_SSE] = {"schema": _EVENT}
    operation: dict[str, Any] = {
        "summary": summary,
        "operationId": "_".join([method, *path.strip("/").replace("{", "").replace("}", "").split("/")]),
        "responses": {
            "200": {"description": "As asked.", "content": content},
            "default": {
                "description": "An error; `message` says what to do.",
                "content": {"application/json": {"schema": _ref("Error")}},
            },
        },
    }
    if path in _WITHOUT_KEY:
        operation["security"] = []
        operation["responses"]["503"] = operation["responses"]["200"] | {"description": "Not now."}
    if body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref(body)}},
        }
    if parameters:
        operation["parameters"] = [_parameter(name) for name in parameters.split()]
    return operation


def _parameter(name: str) -> dict[str, Any]:
    place, schema, description = _PARAMETERS[name]
    return {
        "name": name.removeprefix("only-"),
        "in": place,
        "required": place == "path",
        "schema": schema,
        "description": description,
    }
