"""What comes up while a request is translated, beside its messages: things left out, a model's own fields."""

from __future__ import annotations

from typing import Any

__all__ = ["Notes"]


class Notes:
    """Warnings of one request, fields for ``additionalModelRequestFields``, and who seals."""

    def __init__(self, provider: str, maker: str, *, cites: bool) -> None:
        """Start empty.

        Args:
            provider: who seals and unseals.
            maker: who made the model, as far as known: others' signatures mean nothing to it.
            cites: whether the model takes back its citations.
        """
        self.provider = provider
        self.maker = maker
        self.cites = cites
        self.warnings: list[dict[str, Any]] = []
        self.fields: dict[str, Any] = {}
        """What only this family of models understands: ``additionalModelRequestFields``."""

    def warn(self, message: str, param: str) -> None:
        """Tell the caller that something was left out."""
        self.warnings.append({"message": message, "param": param})

    def add_fields(self, fields: dict[str, Any]) -> None:
        """Add fields of the model's own; objects are merged, and what comes later counts."""
        for name, value in fields.items():
            known = self.fields.get(name)
            if isinstance(known, dict) and isinstance(value, dict):
                self.fields[name] = {**known, **value}
            else:
                self.fields[name] = value
