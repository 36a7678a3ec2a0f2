"""Requests: checked once, where they enter, strictly for what is known and openly for what isn't yet."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, SchemaSerializer, core_schema

from dragoman.errors import BadRequestError
from dragoman.models import shapes
from dragoman.models.shapes import ShapeError, show

__all__ = ["Request", "validate_request"]


def _shaped(check: Callable[[Any], None]) -> PlainValidator:
    """Return the validator of a parameter whose shape is a table in `shapes`."""

    def validate(value: Any) -> Any:
        check(value)
        return value

    return PlainValidator(validate)


Object = dict[str, Any]


class Request(BaseModel):
    """The parameters of ``POST /responses``; one that isn't among them is kept as it is."""

    model_config = ConfigDict(
        extra="allow", strict=True, defer_build=True, allow_inf_nan=False, protected_namespaces=()
    )

    model: str | None = None
    input: Annotated[str | list[Object], _shaped(shapes.INPUT)] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: Annotated[str | Object, _shaped(shapes.CONVERSATION)] | None = None
    prompt: Annotated[Object, _shaped(shapes.PROMPT)] | None = None

    tools: Annotated[list[Object], _shaped(shapes.TOOLS)] | None = None
    tool_choice: Annotated[str | Object, _shaped(shapes.TOOL_CHOICE)] | None = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: int | None = Field(None, ge=1)

    reasoning: Annotated[Object, _shaped(shapes.REASONING)] | None = None
    text: Annotated[Object, _shaped(shapes.TEXT)] | None = None
    max_output_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    top_logprobs: int | None = Field(None, ge=0, le=20)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    truncation: Literal["auto", "disabled"] | None = None
    context_management: Annotated[list[Object], _shaped(shapes.CONTEXT_MANAGEMENT)] | None = None

    stream: bool | None = None
    stream_options: Annotated[Object, _shaped(shapes.STREAM_OPTIONS)] | None = None
    background: bool | None = None
    background_options: Object | None = None
    store: bool | None = None
    include: list[str] | None = None
    metadata: (
        dict[
            Annotated[str, StringConstraints(max_length=64)],
            Annotated[str, StringConstraints(max_length=512)],
        ]
        | None
    ) = Field(None, max_length=16)

    service_tier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: Object | None = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    user: str | None = None
    moderation: Object | None = None
    access_programs: Object | None = None
    image: Object | None = None

    @model_validator(mode="after")
    def _check_together(self) -> "Request":
        """Check what no parameter shows by itself."""
        if self.model is None and self.prompt is None:
            raise ShapeError("is required.", "model", code="missing_required_parameter")
        if self.previous_response_id is not None and self.conversation is not None:
            raise ShapeError(
                "and conversation exclude each other: each of them says what came before.",
                "previous_response_id",
                code="mutually_exclusive_parameters",
            )
        history = self.previous_response_id or self.conversation
        if self.input is None and not history and self.prompt is None:
            raise ShapeError(
                "is required, unless prompt, previous_response_id or conversation is given.",
                "input",
                code="missing_required_parameter",
            )
        if isinstance(self.input, list) and not history:
            _check_answers(self.input)
        return self


_CALLS = {"function_call_output": "function_call", "custom_tool_call_output": "custom_tool_call"}
# Behind these stand items that aren't in the request.
_HIDDEN_HISTORY = {"item_reference", "compaction"}


def _check_answers(items: list[Object]) -> None:
    """Check that each answer of a tool belongs to a call before it, and each call has at most one answer."""
    calls: Counter[tuple[str, str]] = Counter()
    wrong: ShapeError | None = None
    for index, item in enumerate(items):
        kind = item.get("type") or ("message" if "role" in item else "item_reference")
        if kind in _HIDDEN_HISTORY:
            return
        if kind in _CALLS.values():
            calls[kind, item["call_id"]] += 1
        elif kind in _CALLS and wrong is None:
            call = _CALLS[kind], item["call_id"]
            if calls[call] > 0:
                calls[call] -= 1
            else:
                wrong = _unasked(call, calls).inside("input", index)
    if wrong:
        raise wrong


def _unasked(call: tuple[str, str], calls: Counter[tuple[str, str]]) -> ShapeError:
    """Return the problem of an answer to a call that isn't there, or that has its answer already."""
    kind, call_id = call
    known = [known_id for known_kind, known_id in calls if known_kind == kind]
    if call_id in known:
        return ShapeError(f"{show(call_id)} was answered already: one answer for each {kind}.", "call_id")
    before = f"known are {', '.join(map(show, known[-10:]))}" if known else f"there is no {kind} before it"
    return ShapeError(f"{show(call_id)} belongs to no {kind} in the input: {before}.", "call_id")


# From what the caller gave to plain JSON, in Rust: models become objects, tuples lists. Nothing is shared
# with the caller afterwards.
_PLAIN = SchemaSerializer(core_schema.any_schema())
_AS_THEY_ARE = (str, int, float, bool)


def _dump(value: Any) -> Any:
    """Return an object that knows how to dump itself as plain JSON."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", by_alias=True, exclude_unset=True)
    raise ValueError(f"{type(value).__name__} is not JSON")


def _dump_all(value: Any) -> Any:
    """Return `value` with each model in it dumped."""
    if isinstance(value, dict):
        return {name: _dump_all(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_dump_all(part) for part in value]
    return _dump(value) if hasattr(value, "model_dump") else value


def _to_json(value: Any) -> Any:
    return _PLAIN.to_python(
        value, mode="json", by_alias=True, exclude_unset=True, warnings=False, fallback=_dump
    )


def _plain(name: str, value: Any) -> Any:
    """Return the parameter `name` as plain JSON."""
    if type(value) in _AS_THEY_ARE:
        return value
    try:
        try:
            plain = _to_json(value)
        except TypeError:  # older releases of pydantic can't use a serializer they have put off building
            plain = _to_json(_dump_all(value))
    except (ValueError, TypeError, RecursionError) as error:
        param = _written((name,))
        message = f"{param} cannot be sent as JSON: {str(error)[:200]}."
        raise BadRequestError(message, param=param, code="invalid_type") from None
    if name == "input" and isinstance(value, list | tuple):
        for item, dumped in zip(value, plain, strict=True):
            if hasattr(item, "model_dump"):
                _forget_parsed(dumped)
    return plain


def _forget_parsed(item: Any) -> None:
    """Remove what the OpenAI SDK's ``parse()`` adds to output items: no API takes it back."""
    if isinstance(item, dict):
        item.pop("parsed_arguments", None)
        content = item.get("content")
        for part in content if isinstance(content, list) else ():
            if isinstance(part, dict):
                part.pop("parsed", None)


def validate_request(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return `params`, the parameters of ``POST /responses``, as plain JSON, checked.

    Parameters that are None count as not given. What isn't known here passes unchanged. `params` and what
    is in it stay as they are.

    Raises:
        BadRequestError: the first thing that is wrong; `param` is its place, such as ``input[2].role``.
    """
    if not isinstance(params, Mapping):
        raise BadRequestError(f"The request must be an object, not {show(params)}.", code="invalid_type")
    plain = {name: _plain(name, value) for name, value in params.items() if value is not None}
    try:
        Request.model_validate(plain)
    except ValidationError as error:
        raise _bad_request(error.errors(include_url=False)[0]) from None
    return plain


_EXPECTED = {
    "string_type": "must be a string, not {input}.",
    "int_type": "must be an integer, not {input}.",
    "float_type": "must be a number, not {input}.",
    "finite_number": "must be a finite number.",
    "bool_type": "must be true or false, not {input}.",
    "list_type": "must be a list, not {input}.",
    "dict_type": "must be an object, not {input}.",
    "greater_than_equal": "must be at least {ge:g}, not {input}.",
    "less_than_equal": "must be at most {le:g}, not {input}.",
    "string_too_long": "must have at most {max_length} characters.",
    "too_long": "must have at most {max_length} entries.",
    "literal_error": "must be one of {expected}, not {input}.",
}


def _bad_request(details: ErrorDetails) -> BadRequestError:
    """Return the error for what pydantic, or a check of ours that it called, found wrong."""
    context = details.get("ctx", {})
    problem = context.get("error")
    if not isinstance(problem, ShapeError):
        kind = details["type"]
        message = _EXPECTED.get(kind, "is wrong: {message}.").format_map(
            context | {"input": show(details["input"]), "message": details["msg"]}
        )
        problem = ShapeError(message, code="invalid_type" if kind.endswith("_type") else "invalid_value")
    place = details["loc"]
    if place[-1:] == ("[key]",):  # how pydantic says that it is the key, not the value
        problem.message = f"has the key {show(place[-2])}, which {problem.message}"
        place = place[:-2]
    param = _written(place + problem.path)
    return BadRequestError(f"{param} {problem.message}", param=param or None, code=problem.code)


def _written(path: tuple[str | int, ...]) -> str:
    """Return a path as people write it: ``input[2].content[0].image_url``."""
    return "".join(f"[{place}]" if isinstance(place, int) else f".{place[:80]}" for place in path).lstrip(".")
