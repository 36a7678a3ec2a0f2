"""The base of the typed objects, and the parts that items are made of.

Class and attribute names are those of the official OpenAI SDK. Upstreams are not as disciplined as its
types, so the fields say what to expect and enforce nothing: see `WireModel`.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

__all__ = [
    "Annotation",
    "AnnotationContainerFileCitation",
    "AnnotationFileCitation",
    "AnnotationFilePath",
    "AnnotationURLCitation",
    "ApplyPatchOperation",
    "Caller",
    "CodeInterpreterOutput",
    "ContentPart",
    "FileSearchResult",
    "LocalShellCallAction",
    "Logprob",
    "McpListToolsTool",
    "OpenObject",
    "ReasoningText",
    "ResponseOutputRefusal",
    "ResponseOutputText",
    "SafetyCheck",
    "ShellCallAction",
    "ShellCallOutcome",
    "ShellCallOutputContent",
    "SummaryText",
    "Tool",
    "TopLogprob",
    "UnknownAnnotation",
    "UnknownContentPart",
    "WebSearchAction",
    "WireModel",
]


class WireModel(BaseModel):
    """The base of everything that an upstream sends: typed where it is as expected, kept as it is where not.

    A missing field has a neutral default, an unknown one becomes an attribute, and a value of another type
    (null included) stays as it came. So validation never fails, nothing is coerced, and
    ``model_dump(exclude_unset=True)`` gives back the very JSON that came in.
    """

    # Building the schemas of some hundred classes takes long: only those that are used are built.
    model_config = ConfigDict(extra="allow", strict=True, defer_build=True, protected_namespaces=())

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON that came in, and nothing else: no defaults for what was not there."""
        return self.model_dump(mode="json", exclude_unset=True)

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Return the schema of the class as written, with "or anything" added to each field."""
        schema = handler(source)
        holder: Any = handler.resolve_ref_schema(schema)
        while "fields" not in holder:
            holder = holder["schema"]
        for field in holder["fields"].values():
            field["schema"] = _tolerant(field["schema"])
        return schema


def _tolerant(schema: Any) -> Any:
    """Return `schema` or anything: for the whole value, and for each element of a list."""
    match schema["type"]:
        case "literal":  # `type`, which tells the members of a union apart
            return schema
        case "default":
            return schema | {"schema": _tolerant(schema["schema"])}
        case "nullable":
            schema = schema | {"schema": _tolerant(schema["schema"])}
        case "list":
            schema = schema | {"items_schema": _tolerant(schema["items_schema"])}
    return core_schema.union_schema([schema, core_schema.any_schema()], mode="left_to_right")


if TYPE_CHECKING:
    # Type checkers narrow a union by ``event.type == "..."`` only where each member's type is a literal.
    UnknownType = Literal[""]
else:
    UnknownType = str


class OpenObject(WireModel):
    """An object of which only part is known here: what else it holds are attributes too."""

    type: str = ""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Return a field that is not declared."""


# Content parts


class AnnotationURLCitation(WireModel):
    """A web page that a stretch of the text rests on; offsets count characters."""

    type: Literal["url_citation"]
    url: str = ""
    title: str = ""
    start_index: int = 0
    end_index: int = 0


class AnnotationFileCitation(WireModel):
    """A file that the text rests on; `index` is where in the text the mark stands."""

    type: Literal["file_citation"]
    file_id: str = ""
    filename: str = ""
    index: int = 0


class AnnotationContainerFileCitation(WireModel):
    """A file in a code interpreter's container that a stretch of the text speaks of."""

    type: Literal["container_file_citation"]
    container_id: str = ""
    file_id: str = ""
    filename: str = ""
    start_index: int = 0
    end_index: int = 0


class AnnotationFilePath(WireModel):
    """A file that the text points to."""

    type: Literal["file_path"]
    file_id: str = ""
    index: int = 0


class UnknownAnnotation(OpenObject):
    """An annotation of a kind that is not known here."""

    type: UnknownType = ""


Annotation = Annotated[
    Annotated[
        AnnotationURLCitation | AnnotationFileCitation | AnnotationContainerFileCitation | AnnotationFilePath,
        Field(discriminator="type"),
    ]
    | UnknownAnnotation,
    Field(union_mode="left_to_right"),
]
"""Where a stretch of text comes from."""


class TopLogprob(WireModel):
    """One of the likeliest tokens at a place."""

    token: str = ""
    bytes: list[int] | None = None
    logprob: float = 0.0


class Logprob(TopLogprob):
    """The token that was chosen, and the likeliest ones beside it."""

    top_logprobs: list[TopLogprob] = []


class ResponseOutputText(WireModel):
    """Text of an answer."""

    type: Literal["output_text"]
    text: str = ""
    annotations: list[Annotation] = []
    logprobs: list[Logprob] | None = None


class ResponseOutputRefusal(WireModel):
    """The model's words for why it does not answer."""

    type: Literal["refusal"]
    refusal: str = ""


class ReasoningText(WireModel):
    """A stretch of raw reasoning."""

    type: Literal["reasoning_text"]
    text: str = ""


class SummaryText(WireModel):
    """A stretch of the summary of the reasoning."""

    type: Literal["summary_text"]
    text: str = ""


class UnknownContentPart(OpenObject):
    """A content part of a kind that is not known here."""

    type: UnknownType = ""


ContentPart = Annotated[
    Annotated[
        ResponseOutputText | ResponseOutputRefusal | ReasoningText | SummaryText, Field(discriminator="type")
    ]
    | UnknownContentPart,
    Field(union_mode="left_to_right"),
]
"""A part of a message or of a reasoning item."""


# What items are made of


class Caller(WireModel):
    """Who asked for a call: the model (`direct`) or a program (`program`, with its `caller_id`)."""

    type: str = ""
    caller_id: str | None = None


class Tool(OpenObject):
    """A tool as the response repeats it; the fields of hosted tools are attributes too."""

    name: str | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class WebSearchAction(WireModel):
    """What a web search did: `search`, `open_page` or `find_in_page`."""

    type: str = ""
    query: str | None = None
    queries: list[str] | None = None
    sources: list[OpenObject] | None = None
    url: str | None = None
    pattern: str | None = None


class FileSearchResult(WireModel):
    """A piece of a file that a search found."""

    file_id: str | None = None
    filename: str | None = None
    score: float | None = None
    text: str | None = None
    attributes: dict[str, Any] | None = None


class CodeInterpreterOutput(WireModel):
    """What code printed (`logs`) or drew (`image`, with its `url`)."""

    type: str = ""
    logs: str | None = None
    url: str | None = None


class SafetyCheck(WireModel):
    """A doubt about a computer action that the caller has to acknowledge."""

    id: str = ""
    code: str | None = None
    message: str | None = None


class ShellCallAction(WireModel):
    """Commands to run in a shell."""

    commands: list[str] = []
    timeout_ms: int | None = None
    max_output_length: int | None = None


class ShellCallOutcome(WireModel):
    """How a command ended: `exit` with its code, or `timeout`."""

    type: str = ""
    exit_code: int | None = None


class ShellCallOutputContent(WireModel):
    """What a command wrote, and how it ended."""

    stdout: str | None = None
    stderr: str | None = None
    outcome: ShellCallOutcome | None = None


class LocalShellCallAction(WireModel):
    """A command to run on the caller's own machine."""

    type: str = ""
    command: list[str] = []
    env: dict[str, str] | None = None
    timeout_ms: int | None = None
    user: str | None = None
    working_directory: str | None = None


class ApplyPatchOperation(WireModel):
    """One change to one file: `create_file`, `update_file` or `delete_file`."""

    type: str = ""
    path: str = ""
    diff: str | None = None


class McpListToolsTool(WireModel):
    """A tool that an MCP server offers."""

    name: str = ""
    description: str | None = None
    input_schema: Any = None
    annotations: Any = None
