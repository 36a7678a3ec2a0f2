"""What comes up while a request is translated, beside its body: things left out."""

from __future__ import annotations

from typing import Any

__all__ = ["Notes"]


class Notes:
    """Warnings of one request, and who seals."""

    def __init__(self, provider: str) -> None:
        """Start empty; `provider` is who seals and unseals."""
        self.provider = provider
        self.warnings: list[dict[str, Any]] = []

    def warn(self, message: str, param: str) -> None:
        """Tell the caller that something was left out."""
        self.warnings.append({"message": message, "param": param})
