"""Azure's refusals: OpenAI's form, with codes of its own."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from dragoman_openai import errors as openai

if TYPE_CHECKING:
    from dragoman.errors import ProviderError

__all__ = ["parse_error"]

_POLICY = "content_policy_violation"
_FILTERED = "content management policy"
_FILTERED_INSIDE = "ResponsibleAIPolicyViolation"
# "Please retry after 27 seconds.", "Try again in 86400 seconds."
_WAIT = re.compile(r"(?:retry after|try again in) (\d+(?:\.\d+)?) (milli)?seconds?", re.IGNORECASE)


def parse_error(status: int, body: bytes) -> ProviderError | None:
    """Return what a refusal says; None where it is in another dialect, such as the API gateway's.

    Codes are strings: words (``DeploymentNotFound``, ``RateLimitReached``), or the status once more
    (``"401"``). The content filter says so in ``code``, in ``innererror.code``, or in words alone.
    """
    said = openai.parse_error(status, body)
    if said is None:
        return None
    if status < 500 and _is_filtered(said, body):
        said = replace(said, code=_POLICY)
    if status == 429 and (found := _WAIT.search(said.message)):
        said = replace(said, retry_after=float(found[1]) * (0.001 if found[2] else 1.0))
    return said


def _is_filtered(said: ProviderError, body: bytes) -> bool:
    error = json.loads(body)["error"]
    inner = error.get("innererror") if isinstance(error, dict) else None
    inside = inner.get("code") if isinstance(inner, dict) else None
    return inside == _FILTERED_INSIDE or _FILTERED in said.message.lower()
