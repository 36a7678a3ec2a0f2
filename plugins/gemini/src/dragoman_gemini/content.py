"""Content parts of the Responses API as Gemini's parts."""

from __future__ import annotations

import base64
import mimetypes
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

from dragoman.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman_gemini.models import Model
    from dragoman_gemini.notes import Notes

__all__ = ["content_parts"]

Part = dict[str, Any]

_FILES = "https://generativelanguage.googleapis.com/v1beta/"
_RESOLUTIONS = {"low": "LOW", "medium": "MEDIUM", "high": "HIGH", "original": "ULTRA_HIGH"}
_AUDIO_TYPES = {"mp3": "audio/mp3", "wav": "audio/wav"}
_GUESSES = {".md": "text/markdown", ".heic": "image/heic", ".heif": "image/heif", ".webp": "image/webp"}
_UNKNOWN = "application/octet-stream"


def content_parts(parts: list[Part], param: str, model: Model, notes: Notes) -> list[Part]:
    """Return Gemini's parts for these; `param` says where they stand. Empty text has none.

    Raises:
        BadRequestError: a part that Gemini cannot take.
    """
    found = []
    for index, part in enumerate(parts):
        where = f"{param}[{index}]"
        translate = _PARTS.get(part["type"])
        if translate is None:
            raise BadRequestError(
                f"Gemini cannot read a content part of the type {part['type']!r}", param=where
            )
        sent = translate(part, where, notes)
        if sent is not None:
            found.append(_with_resolution(sent, part, where, model, notes))
    return found


def _with_resolution(sent: Part, part: Part, param: str, model: Model, notes: Notes) -> Part:
    detail = part.get("detail")
    if detail in {None, "auto"}:
        return sent
    if not model.new or detail not in _RESOLUTIONS:
        notes.warn(
            "this model takes one media_resolution for the whole request; the detail was left out",
            f"{param}.detail",
        )
        return sent
    return {**sent, "mediaResolution": {"level": f"MEDIA_RESOLUTION_{_RESOLUTIONS[detail]}"}}


def _text(part: Part, param: str, notes: Notes) -> Part | None:  # noqa: ARG001
    text = part.get("text") if part["type"] != "refusal" else part.get("refusal")
    return {"text": text} if text else None


def _image(part: Part, param: str, notes: Notes) -> Part:
    if part.get("file_id"):
        return _uploaded(part, notes, param)
    if not part.get("image_url"):
        raise BadRequestError("an image needs image_url or file_id", param=param)
    return _at(part["image_url"], "image/jpeg", f"{param}.image_url")


def _file(part: Part, param: str, notes: Notes) -> Part:
    sent = _file_source(part, param, notes)
    if part.get("video_metadata"):
        sent["videoMetadata"] = part["video_metadata"]
    return sent


def _file_source(part: Part, param: str, notes: Notes) -> Part:
    if part.get("file_id"):
        return _uploaded(part, notes, param)
    guess = _media_type(part.get("filename"))
    if part.get("file_url"):
        return _at(part["file_url"], guess, f"{param}.file_url")
    if part.get("video_url"):
        return _at(part["video_url"], guess or "video/mp4", f"{param}.video_url")
    data = part.get("file_data")
    if not data:
        raise BadRequestError("a file needs file_data, file_url or file_id", param=param)
    if data[:5].lower() == "data:":
        return _at(data, guess, f"{param}.file_data")
    return _inline(guess or "application/pdf", data, f"{param}.file_data")


def _audio(part: Part, param: str, notes: Notes) -> Part:  # noqa: ARG001
    audio = part.get("input_audio") or {}
    format_ = str(audio.get("format") or "wav").lower()
    return _inline(_AUDIO_TYPES.get(format_, f"audio/{format_}"), audio.get("data"), f"{param}.input_audio")


def _uploaded(part: Part, notes: Notes, param: str) -> Part:
    """Return the part for a file of Gemini's Files API: by its address, or by its name ``files/...``."""
    file_id = part["file_id"]
    if part.get("file_url") or part.get("image_url") or part.get("file_data"):
        notes.warn("a part names a file twice; file_id was taken", param)
    uri = f"{_FILES}{file_id}" if file_id.startswith("files/") else file_id
    media_type = _media_type(part.get("filename"))
    return {"fileData": {**({"mimeType": media_type} if media_type else {}), "fileUri": uri}}


def _at(url: str, guess: str | None, param: str) -> Part:
    """Return the part for an address: the data itself, or where Gemini finds it."""
    if url[:5].lower() != "data:":
        try:
            address = urlsplit(url)
        except ValueError as problem:
            raise BadRequestError(f"this is no address: {problem}", param=param) from None
        # YouTube has no files, and no media type.
        youtube = "youtu" in (address.hostname or "")
        media_type = _media_type(address.path) or (None if youtube else guess)
        return {"fileData": {**({"mimeType": media_type} if media_type else {}), "fileUri": url}}
    head, comma, data = url[5:].partition(",")
    media_type, *options = (word.strip() for word in head.split(";"))
    if not comma:
        raise BadRequestError("a data URL is data:<media type>;base64,<data>", param=param)
    if "base64" not in (option.lower() for option in options):
        data = base64.b64encode(unquote_to_bytes(data)).decode()
    if media_type.lower() in {"", _UNKNOWN}:
        media_type = guess or _UNKNOWN
    return _inline(media_type, data, param)


def _inline(media_type: str, data: Any, param: str) -> Part:
    if not data:
        raise BadRequestError("there is no data", param=param)
    return {"inlineData": {"mimeType": media_type, "data": data}}


def _media_type(name: Any) -> str | None:
    if not isinstance(name, str) or not name:
        return None
    ending = f".{name.rpartition('.')[2].lower()}" if "." in name else ""
    return _GUESSES.get(ending) or mimetypes.guess_type(name)[0]


_PARTS: dict[str, Callable[[Part, str, Notes], Part | None]] = {
    "input_text": _text,
    "output_text": _text,
    "refusal": _text,
    "input_image": _image,
    "input_file": _file,
    "input_video": _file,
    "input_audio": _audio,
}
