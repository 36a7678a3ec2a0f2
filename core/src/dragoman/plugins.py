"""Plugins that are no providers: one plugin manager for all, loaded at first need."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pluggy

from dragoman import discovery
from dragoman.errors import PluginError
from dragoman.pluginspecs import PluginSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType

    from pluggy import HookCaller, HookRelay

__all__ = ["Plugins", "plugins", "register_plugin"]

_log = logging.getLogger("dragoman.plugins")


class Plugins:
    """What is installed in the group ``dragoman.plugins``, behind one plugin manager."""

    def __init__(self) -> None:
        """Start without any; see `plugins` for what is installed."""
        self._manager = pluggy.PluginManager("dragoman")
        self._manager.add_hookspecs(PluginSpec)
        self._told: set[tuple[str, str]] = set()

    @property
    def hook(self) -> HookRelay:
        """The hooks themselves: ``plugins().hook.price(use=use)``. What a plugin raises comes through."""
        return self._manager.hook

    def has(self, hook: str) -> bool:
        """Tell whether any plugin has a hook of this name."""
        return bool(getattr(self._manager.hook, hook).get_hookimpls())

    def register(self, plugin: object, name: str, *, origin: str = "") -> None:
        """Add a plugin.

        Args:
            plugin: a module or an object with hook implementations.
            name: the entry point's name.
            origin: where it comes from, for messages: distribution and version.

        Raises:
            PluginError: it has a hook that there is not, or one with wrong arguments.
        """
        try:
            self._manager.register(plugin, name)
            self._manager.check_pending()
        except (pluggy.PluginValidationError, ValueError) as problem:
            if self._manager.get_plugin(name) is plugin:
                self._manager.unregister(plugin)
            raise PluginError(f"{origin or name} does not fit the hooks of dragoman: {problem}") from problem

    def unregister(self, name: str) -> None:
        """Take a plugin out again, if it is there."""
        self._manager.unregister(name=name)

    def first(self, hook: str, **arguments: Any) -> Any:
        """Return the first answer to a hook, None where there is none; nothing that a plugin raises.

        A plugin that fails is logged by its name, once for each kind of failure, and the others are asked.
        """
        caller: HookCaller = getattr(self._manager.hook, hook)
        failed: list[object] = []
        while True:
            try:
                return caller(**arguments)
            except Exception as problem:
                culprit = _culprit(problem, caller)
                self._tell(culprit.plugin_name if culprit else "a plugin", hook, problem)
                if culprit is None or culprit.plugin in failed:
                    return None
                failed.append(culprit.plugin)
                caller = self._manager.subset_hook_caller(hook, failed)

    def tell(self, hook: str, **arguments: Any) -> None:
        """Call every implementation of a hook; one that fails is logged, and keeps no other from it."""
        caller: HookCaller = getattr(self._manager.hook, hook)
        for implementation in caller.get_hookimpls():
            try:
                implementation.function(*(arguments[name] for name in implementation.argnames))
            except Exception as problem:
                self._tell(implementation.plugin_name, hook, problem)

    def _tell(self, name: str, hook: str, problem: Exception) -> None:
        kind = (name, type(problem).__name__)
        if kind not in self._told:
            self._told.add(kind)
            _log.warning(
                "%s failed in %s and is left out: %s: %s", name, hook, type(problem).__name__, problem
            )


def _culprit(problem: Exception, caller: HookCaller) -> pluggy.HookImpl | None:
    """Return the implementation that raised: the one that the traceback goes through."""
    passed = set(_code_of(problem))
    return next(
        (
            implementation
            for implementation in caller.get_hookimpls()
            if getattr(implementation.function, "__code__", None) in passed
        ),
        None,
    )


def _code_of(problem: Exception) -> Iterator[CodeType]:
    trace = problem.__traceback__
    while trace is not None:
        yield trace.tb_frame.f_code
        trace = trace.tb_next


_lock = threading.Lock()
_plugins: Plugins | None = None


def plugins() -> Plugins:
    """Return all installed plugins that are no providers; the first call imports them.

    One that cannot be loaded is named in the log (logger ``dragoman.plugins``), with what mends it, and left
    out.
    """
    global _plugins  # noqa: PLW0603
    if _plugins is None:
        with _lock:
            if _plugins is None:
                _plugins = _installed()
    return _plugins


def _installed() -> Plugins:
    found = Plugins()
    for name in discovery.names(discovery.PLUGINS):
        try:
            loaded = discovery.load(discovery.PLUGINS, name)
            if loaded is not None:
                plugin, listing = loaded
                found.register(plugin, name, origin=listing.origin)
        except PluginError as problem:
            _log.warning("the plugin %r is left out: %s", name, problem)
    return found


def register_plugin(plugin: object, name: str) -> None:
    """Make a plugin known without an entry point, for this process: for tests, notebooks, applications.

    Args:
        plugin: a module or an object with hook implementations.
        name: what messages call it.

    Raises:
        PluginError: the plugin does not fit the contract, or there is one of this name.
    """
    plugins().register(plugin, name)
