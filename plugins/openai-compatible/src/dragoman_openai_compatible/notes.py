"""What comes up while a request is translated, beside its body."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dragoman_openai_compatible.host import Host

__all__ = ["Notes"]


@dataclass(slots=True)
class Notes:
    """For whom a request is translated, and what was left out of it."""

    provider: str
    """Who seals and unseals."""
    host: Host
    warnings: list[dict[str, Any]] = field(default_factory=list)

    def warn(self, message: str, param: str) -> None:
        """Tell the caller that something was left out."""
        self.warnings.append({"message": message, "param": param})
