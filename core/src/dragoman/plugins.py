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
    from collections.abc import Generator, Sequence

    from pluggy import HookCaller, HookImpl

__all__ = ["Plugins", "are_loaded", "load_plugins", "plugins", "register_plugin"]

_log = logging.getLogger("dragoman.plugins")


class Plugins:
    """What is installed in the group ``dragoman.plugins``, behind one plugin manager."""

    def __init__(self) -> None:
        """Start without any; see `plugins` for what is installed."""
        self._manager = pluggy.PluginManager("dragoman")
        self._manager.add_hookspecs(PluginSpec)
        self._told: set[tuple[str, str]] = set()
        self._loading = threading.Lock()
        self.loaded = False
        """Whether all there are have loaded what they need."""

    def load(self) -> None:
        """Let plugins load what their hooks need: this may take a second, and is not for an event loop."""
        with self._loading:
            if not self.loaded:
                self.tell("load")
                self.loaded = True

    def has(self, hook: str) -> bool:
        """Tell whether any plugin has a hook of this name."""
        return bool(self._implementations(hook))

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
            self._check_wrappers(plugin)
            self.loaded = False
        except (pluggy.PluginValidationError, ValueError) as problem:
            if self._manager.get_plugin(name) is plugin:
                self._manager.unregister(plugin)
            raise PluginError(f"{origin or name} does not fit the hooks of dragoman: {problem}") from problem

    def unregister(self, name: str) -> None:
        """Take a plugin out again, if it is there."""
        self._manager.unregister(name=name)

    def first(self, hook: str, **arguments: Any) -> Any:
        """Return the first answer to a hook, None where there is none; nothing that a plugin raises.

        The plugin installed last is asked first; what wraps the hook has the last word. One that fails is
        logged by its name, once for each kind of failure, and the others are asked. Not by calling pluggy's
        hook: that ends with the first failure, and takes as long as a price does.
        """
        answer: Any = None
        wrapping: list[tuple[HookImpl, Generator[None, Any, Any]]] = []
        for implementation in reversed(self._implementations(hook)):  # what wraps comes before all others
            try:
                answer = implementation.function(*[arguments[name] for name in implementation.argnames])
                if implementation.wrapper:
                    next(answer)
                    wrapping.append((implementation, answer))
                    answer = None
            except Exception as problem:
                self._tell(implementation.plugin_name, hook, problem)
                answer = None
            if answer is not None:
                break
        for implementation, wrapper in reversed(wrapping):
            try:
                wrapper.send(answer)
            except StopIteration as end:
                answer = end.value
            except Exception as problem:
                self._tell(implementation.plugin_name, hook, problem)
        return answer

    def tell(self, hook: str, **arguments: Any) -> None:
        """Call every implementation of a hook; one that fails is logged, and keeps no other from it."""
        for implementation in self._implementations(hook):
            try:
                implementation.function(*[arguments[name] for name in implementation.argnames])
            except Exception as problem:
                self._tell(implementation.plugin_name, hook, problem)

    def _check_wrappers(self, plugin: object) -> None:
        for caller in self._manager.get_hookcallers(plugin) or ():
            for implementation in caller.get_hookimpls():
                answers = caller.spec is not None and caller.spec.opts["firstresult"]
                if implementation.plugin is plugin and (
                    implementation.hookwrapper or (implementation.wrapper and not answers)
                ):
                    reason = f"{caller.name} is wrapped: wrapper=True is for a hook that answers"
                    raise pluggy.PluginValidationError(plugin, reason)

    def _implementations(self, hook: str) -> Sequence[HookImpl]:
        caller: HookCaller = getattr(self._manager.hook, hook)
        return caller.get_hookimpls()

    def _tell(self, name: str, hook: str, problem: Exception) -> None:
        kind = (name, type(problem).__name__)
        if kind not in self._told:
            self._told.add(kind)
            _log.warning(
                "%s failed in %s and is left out: %s: %s", name, hook, type(problem).__name__, problem
            )


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


def are_loaded() -> bool:
    """Tell whether ``load_plugins`` has nothing left to do."""
    return _plugins is not None and _plugins.loaded


def load_plugins() -> None:
    """Import all plugins and let them load what their hooks need (see ``Plugins.load``)."""
    plugins().load()


def register_plugin(plugin: object, name: str) -> None:
    """Make a plugin known without an entry point, for this process: for tests, notebooks, applications.

    Args:
        plugin: a module or an object with hook implementations.
        name: what messages call it.

    Raises:
        PluginError: the plugin does not fit the contract, or there is one of this name.
    """
    plugins().register(plugin, name)
