"""The ``dragoman`` command: ``main(argv)`` runs it and returns its exit code.

Nothing of a provider, of httpx or of pydantic is imported before a command needs it. ``Command`` is what
another distribution implements to add a subcommand.
"""

from __future__ import annotations

from dragoman_cli.commands import Command
from dragoman_cli.program import main

__all__ = ["Command", "main"]
