"""Content parts of the Responses API as those of Chat Completions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman_openai_compatible.notes import Notes

__all__ = ["content_of", "parts_of"]

Part = dict[str, Any]

_AUDIO_TYPES = {"audio/wav": "wav", "audio/x-wav": "wav", "audio/mpeg": "mp3", "audio/mp3": "mp3"}


def content_of(parts: list[Part], param: str, notes: Notes) -> str | list[Part]:
    """Return a message's content: a string where one text is all there is, else a list.

    Raises:
        BadRequestError: a part that Chat Completions, or this host, cannot take.
    """
    translated = parts_of(parts, param, notes)
    if not translated:
        return ""
    if len(translated) == 1 and set(translated[0]) == {"type", "text"}:
        return str(translated[0]["text"])
    if notes.host.plain_content:
        for index, part in enumerate(translated):
            if part["type"] != "text":
                raise BadRequestError(f"{notes.provider} takes text alone", param=f"{param}[{index}]")
        return "".join(part["text"] for part in translated)
    return translated


def parts_of(parts: list[Part], param: str, notes: Notes) -> list[Part]:
    """Return the parts, one for one; `param` says where they stand."""
    result = []
    for index, part in enumerate(parts):
        where = f"{param}[{index}]"
        translate = _PARTS.get(part["type"])
        if translate is None:
            raise BadRequestError(
                f"Chat Completions has no content part of the type {part['type']!r}", param=where
            )
        result.append({**translate(part, where, notes), **_cache_marks(part, where, notes)})
    return result


def _cache_marks(part: Part, param: str, notes: Notes) -> Part:
    """Return what of a part says where a cached prefix may end."""
    marks = {name: part[name] for name in ("cache_control",) if part.get(name) is not None}
    if part.get("prompt_cache_breakpoint") is not None:
        if "prompt_cache_options" in notes.host.takes.split():
            marks["prompt_cache_breakpoint"] = part["prompt_cache_breakpoint"]
        else:
            notes.warn(
                f"{notes.provider} finds prefixes by itself; the breakpoint was left out",
                f"{param}.prompt_cache_breakpoint",
            )
    return marks


def _text(part: Part, param: str, notes: Notes) -> Part:  # noqa: ARG001
    text = part.get("refusal") if part["type"] == "refusal" else part.get("text")
    return {"type": "text", "text": text or ""}


def _image(part: Part, param: str, notes: Notes) -> Part:  # noqa: ARG001
    url = part.get("image_url")
    if not url:
        raise BadRequestError("Chat Completions takes images by image_url alone", param=param)
    image = {"url": url}
    if part.get("detail") not in {None, "auto"}:
        image["detail"] = part["detail"]
    return {"type": "image_url", "image_url": image}


def _file(part: Part, param: str, notes: Notes) -> Part:
    mistral = notes.host.file_url == "document_url"
    if part.get("file_id"):
        by_id = {"file_id": part["file_id"]}
        return {"type": "file", **by_id} if mistral else {"type": "file", "file": by_id}
    data = part.get("file_data") or part.get("file_url")
    if not data:
        raise BadRequestError("a file needs file_data, file_url or file_id", param=param)
    if not part.get("file_data") and not notes.host.file_url:
        raise BadRequestError(
            f"{notes.provider} takes no files by address: send file_data", param=f"{param}.file_url"
        )
    name = part.get("filename")
    if mistral:
        return {"type": "document_url", "document_url": data, **({"document_name": name} if name else {})}
    return {"type": "file", "file": {**({"filename": name} if name else {}), "file_data": data}}


def _audio(part: Part, param: str, notes: Notes) -> Part:  # noqa: ARG001
    audio = part.get("input_audio")
    audio = audio if isinstance(audio, dict) else part
    data, form = audio.get("data"), audio.get("format")
    if not isinstance(data, str) or not data:
        raise BadRequestError("audio needs input_audio with data and format", param=param)
    if data[:5].lower() == "data:":
        head, _, data = data[5:].partition(",")
        form = form or _AUDIO_TYPES.get(head.partition(";")[0].lower())
    return {"type": "input_audio", "input_audio": {"data": data, "format": form or "wav"}}


_PARTS: dict[str, Callable[[Part, str, Notes], Part]] = {
    "input_text": _text,
    "output_text": _text,
    "text": _text,
    "refusal": _text,
    "input_image": _image,
    "input_file": _file,
    "input_audio": _audio,
}
