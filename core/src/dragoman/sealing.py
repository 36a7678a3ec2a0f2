"""Sealed provider state: what a provider must get back verbatim, in one opaque string.

Signatures of reasoning, encrypted search results and the like ride in `encrypted_content`, of the item,
part or annotation that they belong to, and come back in the next request's input. The envelope names the
provider that can read it, so that a conversation may move between providers: another one leaves it out.

    dragoman:<provider>:<base64url of JSON>

It is opaque to callers, not secret to them: a provider's own seals are inside.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from dragoman.errors import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["is_sealed", "seal", "sealed_by", "sealed_state", "unseal"]

_MARK = "dragoman:"


def seal(provider: str, state: Any) -> str:
    """Return `state` (anything JSON) in an envelope that names its provider."""
    payload = json.dumps(state, ensure_ascii=False, separators=(",", ":")).encode()
    return f"{_MARK}{provider}:{base64.urlsafe_b64encode(payload).decode()}"


def is_sealed(value: object) -> bool:
    """Tell whether this is an envelope of ours, whatever provider it names."""
    return isinstance(value, str) and value.startswith(_MARK)


def sealed_by(value: object) -> str | None:
    """Return the provider that an envelope names; None where the value is no envelope."""
    if not isinstance(value, str) or not value.startswith(_MARK):
        return None
    return value[len(_MARK) :].partition(":")[0]


def unseal(provider: str, value: object, *, param: str) -> Any:
    """Return the state that `provider` sealed; None where the value is absent or another provider's.

    Raises:
        BadRequestError: the envelope names this provider but was changed; `param` says where it stands.
    """
    if not isinstance(value, str) or sealed_by(value) != provider:
        return None
    payload = value[len(_MARK) + len(provider) + 1 :]
    try:
        return json.loads(base64.b64decode(payload, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise BadRequestError(
            f"{param} was changed since {provider} produced it; send it back exactly as it came, "
            "or leave the item out",
            param=param,
            code="invalid_encrypted_content",
        ) from None


def sealed_state(author: str, item: Mapping[str, Any], param: str) -> dict[str, Any] | None:
    """Return the object that `author` sealed into an item's `encrypted_content`; None where there is none.

    Raises:
        BadRequestError: it was changed; `param` is the item's place.
    """
    state = unseal(author, item.get("encrypted_content"), param=f"{param}.encrypted_content")
    return state if isinstance(state, dict) else None
