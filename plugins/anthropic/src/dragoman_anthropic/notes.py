"""What comes up while a request is translated, beside its body: beta features used, things left out."""

from __future__ import annotations

from typing import Any

__all__ = ["Notes"]


class Notes:
    """Betas and warnings of one request."""

    def __init__(self, provider: str) -> None:
        """Start empty; `provider` is who seals and unseals."""
        self.provider = provider
        self.betas: list[str] = []
        """Names for the ``anthropic-beta`` header, in the order of their use."""
        self.warnings: list[dict[str, Any]] = []

    def beta(self, name: str) -> None:
        """Ask for a beta feature."""
        if name not in self.betas:
            self.betas.append(name)

    def warn(self, message: str, param: str) -> None:
        """Tell the caller that something was left out."""
        self.warnings.append({"message": message, "param": param})
