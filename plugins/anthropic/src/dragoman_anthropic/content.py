"""Content parts of the Responses API as content blocks of the Messages API."""

from __future__ import annotations

import base64
import binascii
import mimetypes
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from dragoman.errors import BadRequestError
from dragoman_anthropic.citations import citations_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman_anthropic.notes import Notes

__all__ = ["content_blocks"]

Block = dict[str, Any]
Part = dict[str, Any]

_IMAGE_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
# Blocks that Anthropic has and OpenAI does not: callers may write them as they are.
_OWN_BLOCKS = frozenset(
    {"container_upload", "document", "search_result", "tool_addition", "tool_reference", "tool_removal"}
)
# What Anthropic lets a document carry, beside what OpenAI's input_file has.
_DOCUMENT_FIELDS = ("title", "context", "citations")


def content_blocks(parts: list[Part], param: str, notes: Notes) -> list[Block]:
    """Return the blocks for these parts; `param` says where they stand. Empty text has no block.

    Raises:
        BadRequestError: a part that Claude cannot take.
    """
    blocks = []
    for index, part in enumerate(parts):
        where = f"{param}[{index}]"
        type_ = part["type"]
        if type_ in _OWN_BLOCKS:
            blocks.append(part)
            continue
        translate = _PARTS.get(type_)
        if translate is None:
            raise BadRequestError(f"Claude cannot read a content part of the type {type_!r}", param=where)
        block = translate(part, where, notes)
        if block is not None:
            blocks.append(_with_cache_mark(block, part))
    return blocks


def _with_cache_mark(block: Block, part: Part) -> Block:
    mark = part.get("cache_control") or (
        {"type": "ephemeral"} if part.get("prompt_cache_breakpoint") else None
    )
    return block if mark is None else {**block, "cache_control": mark}


def _text(part: Part, param: str, notes: Notes) -> Block | None:
    text = part.get("text") if part["type"] != "refusal" else part.get("refusal")
    if not text:
        return None  # the API refuses empty text
    citations = citations_in(part.get("annotations") or (), notes.provider, f"{param}.annotations")
    return {"type": "text", "text": text} | ({"citations": citations} if citations else {})


def _image(part: Part, param: str, notes: Notes) -> Block:
    if part.get("detail") not in {None, "auto"}:
        notes.warn("Claude has no levels of image detail; it was left out", f"{param}.detail")
    if part.get("file_id"):
        return {"type": "image", "source": _uploaded(part["file_id"], notes)}
    url = part.get("image_url")
    if not url:
        raise BadRequestError("an image needs image_url or file_id", param=param)
    if url[:5].lower() != "data:":
        return {"type": "image", "source": {"type": "url", "url": url}}
    media_type, data = _data_url(url, f"{param}.image_url")
    media_type = {"image/jpg": "image/jpeg"}.get(media_type, media_type)
    if media_type not in _IMAGE_TYPES:
        raise BadRequestError(
            f"Claude takes {', '.join(_IMAGE_TYPES)}, not {media_type or 'an image without a media type'}",
            param=f"{param}.image_url",
        )
    return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}


def _file(part: Part, param: str, notes: Notes) -> Block:
    filename = part.get("filename")
    block: Block = {"type": "document", "source": _file_source(part, param, notes)}
    if block["source"].get("media_type") in _IMAGE_TYPES:
        return {**block, "type": "image"}
    if filename:
        block["title"] = filename
    return {**block, **{name: part[name] for name in _DOCUMENT_FIELDS if part.get(name) is not None}}


def _file_source(part: Part, param: str, notes: Notes) -> Block:
    if part.get("file_id"):
        return _uploaded(part["file_id"], notes)
    if part.get("file_url"):
        return {"type": "url", "url": part["file_url"]}
    where = f"{param}.file_data"
    data = part.get("file_data")
    if not data:
        raise BadRequestError("a file needs file_data, file_url or file_id", param=param)
    filename = part.get("filename") or ""
    media_type = mimetypes.guess_type(filename)[0] or "application/pdf"
    if data[:5].lower() == "data:":
        given, data = _data_url(data, where)
        media_type = given if given not in {"", "application/octet-stream"} else media_type
    if media_type == "application/pdf" or media_type in _IMAGE_TYPES:
        return {"type": "base64", "media_type": media_type, "data": data}
    if media_type.startswith("text/") or media_type in {"application/json", "application/xml"}:
        return {"type": "text", "media_type": "text/plain", "data": _decoded_text(data, where)}
    raise BadRequestError(f"Claude reads PDF, text and images, not {media_type}", param=where)


def _uploaded(file_id: str, notes: Notes) -> Block:
    """Return the source for a file of Anthropic's Files API."""
    notes.beta("files-api-2025-04-14")
    return {"type": "file", "file_id": file_id}


def _data_url(url: str, param: str) -> tuple[str, str]:
    """Return the media type and the base64 of a data URL."""
    head, comma, data = url[5:].partition(",")
    media_type, *options = (word.strip().lower() for word in head.split(";"))
    if not comma:
        raise BadRequestError("a data URL is data:<media type>;base64,<data>", param=param)
    if "base64" not in options:
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    return media_type, data


def _decoded_text(data: str, param: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError) as problem:
        raise BadRequestError(f"the file is not base64 of UTF-8 text: {problem}", param=param) from None


_PARTS: dict[str, Callable[[Part, str, Notes], Block | None]] = {
    "input_text": _text,
    "output_text": _text,
    "refusal": _text,
    "input_image": _image,
    "input_file": _file,
}
