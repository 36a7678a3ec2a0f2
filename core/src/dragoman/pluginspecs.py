"""The contract between core and a plugin that is no provider.

Such a plugin is a package with one entry point::

    [project.entry-points."dragoman.plugins"]
    thrift = "dragoman_thrift"

The value is a module, or an object, with functions that are marked ``@hookimpl`` (of ``dragoman``) and named
as below. It is loaded when the first hook is needed, never by ``import dragoman``. One that cannot be loaded,
or that fails, is named in the log and left out: it breaks no call, and no other plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dragoman.hookspecs import hookspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.costs import Cost, Use

__all__ = ["PluginSpec"]


class PluginSpec:
    """The hooks, all optional."""

    @hookspec
    def load(self) -> None:
        """Load what the other hooks need and what takes long: packages, tables.

        Called in a thread, while the first call on an event loop is under way or before a server serves;
        again where another plugin is registered later. Where calls only block, nobody calls it: hooks load
        what they miss.
        """

    @hookspec(firstresult=True)
    def price(self, use: Use) -> Cost | None:
        """Return what a finished (or cut) answer costs; None where this plugin knows no price.

        Pure, and quick: it is called once for every answer (``load`` is for what it needs first). Several
        plugins are asked in turn, the one installed last first (``@hookimpl(tryfirst=True)`` goes before),
        until one knows. What it does know only in part is a `Cost` with warnings; what it does not know is
        None, never a cost of 0. One with ``@hookimpl(wrapper=True)`` yields for what the others know, and
        returns what counts: a discount.
        """

    @hookspec
    def serving(self) -> None:
        """Begin what the environment asks of this plugin: ``dragoman serve`` is about to start."""

    @hookspec
    def request_came(self, headers: Mapping[bytes, bytes]) -> None:
        """Take what a request to the server brings along: the trace that it belongs to.

        Called for every request, before anything else, in the request's own task: what is set in its
        ``contextvars`` holds for what comes of it. Quick, and without I/O. The headers' names are in lower
        case; they are the caller's word, and nobody has looked at its key yet.
        """
