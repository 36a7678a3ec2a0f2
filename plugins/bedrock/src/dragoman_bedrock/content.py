"""Content parts of the Responses API as content blocks of Converse.

Bedrock fetches nothing: media come as data, or stand in S3 (``s3://bucket/key`` as `file_id`, `file_url` or
`image_url`).
"""

from __future__ import annotations

import base64
import binascii
import mimetypes
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from dragoman.errors import BadRequestError
from dragoman_bedrock.citations import citations_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman_bedrock.documents import DocumentNames
    from dragoman_bedrock.notes import Notes

__all__ = ["cache_point", "content_blocks"]

Block = dict[str, Any]
Part = dict[str, Any]

_IMAGES = {"png": "png", "jpeg": "jpeg", "jpg": "jpeg", "gif": "gif", "webp": "webp"}
_VIDEOS = {
    "x-matroska": "mkv", "mkv": "mkv", "quicktime": "mov", "mov": "mov", "mp4": "mp4", "webm": "webm",
    "x-flv": "flv", "flv": "flv", "mpeg": "mpeg", "mpg": "mpg", "x-ms-wmv": "wmv", "wmv": "wmv",
    "3gpp": "three_gp", "3gp": "three_gp",
}  # fmt: skip
_AUDIOS = {
    "mp3": "mp3", "opus": "opus", "wav": "wav", "x-wav": "wav", "wave": "wav", "aac": "aac", "flac": "flac",
    "x-flac": "flac", "mp4": "mp4", "ogg": "ogg", "m4a": "m4a", "x-m4a": "m4a", "mpeg": "mp3", "webm": "webm",
    "pcm": "pcm",
}  # fmt: skip
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/markdown": "md",
    "application/json": "txt",
    "application/xml": "txt",
}
_KINDS = {"image": _IMAGES, "video": _VIDEOS, "audio": _AUDIOS}
_GUESSES = {".md": "text/markdown", ".webp": "image/webp", ".csv": "text/csv", ".flv": "video/x-flv"}
_UNKNOWN = "application/octet-stream"
# Blocks that Converse has and OpenAI does not: callers may write them, in the wire's words, under `type`.
_OWN_BLOCKS = {
    "document": "document",
    "guard_content": "guardContent",
    "search_result": "searchResult",
    "json": "json",
}
# What Bedrock lets a document carry, beside what OpenAI's input_file has.
_DOCUMENT_FIELDS = ("context", "citations")


def content_blocks(parts: list[Part], param: str, names: DocumentNames, notes: Notes) -> list[Block]:
    """Return the blocks for these parts; `param` says where they stand. Blank text has no block.

    Raises:
        BadRequestError: a part that Bedrock cannot take.
    """
    blocks: list[Block] = []
    for index, part in enumerate(parts):
        where = f"{param}[{index}]"
        type_ = part["type"]
        if type_ in _OWN_BLOCKS:
            wire = _OWN_BLOCKS[type_]
            own = {name: value for name, value in part.items() if name not in {"type", "cache_control"}}
            blocks.append({wire: own.get("json") if wire == "json" else own})
        elif type_ in _TEXTS:
            blocks += _texts(part, where, notes)
        elif type_ in _MEDIA:
            blocks.append(_MEDIA[type_](part, where, names, notes))
        else:
            raise BadRequestError(f"Bedrock cannot read a content part of the type {type_!r}", param=where)
        mark = cache_point(part)
        if mark is not None and blocks:
            blocks.append(mark)
    return blocks


def cache_point(marked: Part) -> Block | None:
    """Return the cache point that a part, item or tool asks for, in Anthropic's way or in OpenAI's."""
    control = marked.get("cache_control")
    if not control and not marked.get("prompt_cache_breakpoint"):
        return None
    ttl = control.get("ttl") if isinstance(control, dict) else None
    return {"cachePoint": {"type": "default", **({"ttl": ttl} if ttl else {})}}


# ---- text -------------------------------------------------------------------------------------------


def _texts(part: Part, param: str, notes: Notes) -> list[Block]:
    text = part.get(_TEXTS[part["type"]])
    if not isinstance(text, str) or not text.strip():
        return []  # Bedrock refuses blank text
    annotations = part.get("annotations") if notes.cites else None
    cited = citations_in(annotations or (), notes.provider, f"{param}.annotations")
    own = cited.pop(0, None)
    block: Block = {"text": text}
    if own:
        block = {"citationsContent": {"content": [block], "citations": own}}
    return [block, *({"citationsContent": {"citations": cited[number]}} for number in sorted(cited))]


_TEXTS = {"input_text": "text", "output_text": "text", "refusal": "refusal"}

# ---- media ------------------------------------------------------------------------------------------


def _image(part: Part, param: str, names: DocumentNames, notes: Notes) -> Block:
    if part.get("detail") not in {None, "auto"}:
        notes.warn("Bedrock has no levels of image detail; it was left out", f"{param}.detail")
    name = "file_id" if part.get("file_id") else "image_url"
    return _medium(part, name, "image/jpeg", param, names)


def _file(part: Part, param: str, names: DocumentNames, notes: Notes) -> Block:  # noqa: ARG001
    name = next((name for name in _SOURCES if part.get(name)), "file_data")
    return _medium(part, name, None, param, names)


def _audio(part: Part, param: str, names: DocumentNames, notes: Notes) -> Block:  # noqa: ARG001
    audio = part.get("input_audio") or {}
    media_type = f"audio/{audio.get('format') or 'wav'}"
    data = _checked(audio.get("data"), f"{param}.input_audio")
    return _block(media_type, {"bytes": data}, part, f"{param}.input_audio", names)


_SOURCES = ("file_id", "file_url", "video_url", "file_data")
_MEDIA: dict[str, Callable[[Part, str, DocumentNames, Notes], Block]] = {
    "input_image": _image,
    "input_file": _file,
    "input_video": _file,
    "input_audio": _audio,
}


def _medium(part: Part, name: str, guess: str | None, param: str, names: DocumentNames) -> Block:
    """Return the block for the media that the field `name` of a part holds or points to."""
    where = f"{param}.{name}"
    given = part.get(name)
    if not isinstance(given, str) or not given:
        raise BadRequestError("there is no data: pass a data URL or an s3:// address", param=where)
    named = _media_type(part.get("filename"))
    if given[:5].lower() == "s3://":
        location = {"uri": given}
        if part.get("bucket_owner"):
            location["bucketOwner"] = part["bucket_owner"]
        media_type = named or _media_type(given) or guess or "application/pdf"
        return _block(media_type, {"s3Location": location}, part, where, names)
    if name == "file_id":
        raise BadRequestError(
            "Bedrock has no store of files: pass the data, or an s3:// address as file_id", param=where
        )
    if given[:5].lower() == "data:":
        media_type, data = _data_url(given, where)
        if media_type in {"", _UNKNOWN}:
            media_type = named or guess or _UNKNOWN
        return _block(media_type, {"bytes": _checked(data, where)}, part, where, names)
    if name == "file_data":
        media_type = named or guess or "application/pdf"
        return _block(media_type, {"bytes": _checked(given, where)}, part, where, names)
    raise BadRequestError(
        "Bedrock fetches nothing from the web: pass a data URL, or an s3:// address", param=where
    )


def _block(media_type: str, source: Block, part: Part, param: str, names: DocumentNames) -> Block:
    kind, _, subtype = media_type.lower().partition("/")
    if kind in _KINDS:
        format_ = _KINDS[kind].get(subtype)
        if format_ is None:
            takes = ", ".join(sorted(set(_KINDS[kind].values())))
            raise BadRequestError(f"Bedrock's {kind} formats are {takes}, not {media_type}", param=param)
        return {kind: {"format": format_, "source": source}}
    format_ = _DOCUMENTS.get(media_type.lower()) or ("txt" if kind == "text" else None)
    if format_ is None:
        raise BadRequestError(
            f"Bedrock reads no {media_type}, but images, video, audio, and documents: pdf, csv, doc, docx, "
            "xls, xlsx, html, txt, md",
            param=param,
        )
    document: Block = {"format": format_, "name": names.name_for(part.get("filename")), "source": source}
    document.update({name: part[name] for name in _DOCUMENT_FIELDS if part.get(name) is not None})
    return {"document": document}


def _media_type(name: Any) -> str | None:
    if not isinstance(name, str) or "." not in name:
        return None
    ending = f".{name.rpartition('.')[2].lower()}"
    return _GUESSES.get(ending) or mimetypes.guess_type(f"a{ending}")[0]


def _data_url(url: str, param: str) -> tuple[str, str]:
    """Return the media type and the base64 of a data URL."""
    head, comma, data = url[5:].partition(",")
    media_type, *options = (word.strip().lower() for word in head.split(";"))
    if not comma:
        raise BadRequestError("a data URL is data:<media type>;base64,<data>", param=param)
    if "base64" not in options:
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    return media_type, data


def _checked(data: Any, param: str) -> str:
    """Return base64 data that is data: Bedrock's answer to what is not names nothing."""
    try:
        decoded = base64.b64decode(data, validate=True) if isinstance(data, str) else b""
    except (binascii.Error, ValueError) as problem:
        raise BadRequestError(f"the data is not base64: {problem}", param=param) from None
    if not decoded:
        raise BadRequestError("there is no data", param=param)
    return str(data)
