"""The parameter policy: what becomes of every parameter, on every provider.

A provider declares one level for each parameter and for the features inside some of them, by dotted name:
``temperature``, ``reasoning.effort``, ``text.verbosity``, ``text.format.json_schema``, ``tools.web_search``,
``tool_choice.allowed_tools``, ``include.reasoning.encrypted_content``; ``tools.*`` is all that have no entry.

=========  ==========================================================================================
native     the upstream has the same
mapped     the upstream has an equivalent under another name or shape
emulated   the upstream has nothing like it; dragoman makes up for it
warned     cannot be honoured, and the answer keeps its meaning without: left out, with a warning
rejected   cannot be honoured, and leaving it out would change the meaning: a 400 that names it
=========  ==========================================================================================

The table is enforced here and nowhere else: a translator never sees what its table does not carry.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from dragoman.errors import UnsupportedParameterError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

__all__ = [
    "PARAMETERS",
    "Policy",
    "Support",
    "Unsupported",
    "apply_policy",
    "as_markdown",
    "full_table",
    "policies",
    "policy_for",
]

Support = Literal["native", "mapped", "emulated", "warned", "rejected"]
Unsupported = Literal["error", "warn"]


class Policy(NamedTuple):
    """What a provider makes of a parameter, and a few words on how or why."""

    support: Support
    note: str = ""


PARAMETERS = (
    "model", "input", "instructions", "previous_response_id", "conversation", "store", "stream",
    "stream_options", "background", "background_options", "tools", "tool_choice", "parallel_tool_calls",
    "max_tool_calls", "reasoning", "text", "max_output_tokens", "temperature", "top_p", "top_logprobs",
    "truncation", "include", "metadata", "service_tier", "prompt", "prompt_cache_key",
    "prompt_cache_options", "prompt_cache_retention", "context_management", "moderation",
    "access_programs", "image", "safety_identifier", "user", "presence_penalty", "frequency_penalty",
    "client_metadata",
)  # fmt: skip
"""Every parameter of ``POST /responses``."""

_STATE = "kept by dragoman"
_REMEMBERED: Mapping[str, Policy] = {
    # History is dragoman's on every wire, also where the upstream could keep it.
    "previous_response_id": Policy("emulated", _STATE),
    "conversation": Policy("emulated", _STATE),
    "background": Policy("emulated", _STATE),
    "background_options": Policy("emulated", "accepted, not used"),
}
_EVERYWHERE: Mapping[str, Policy] = {
    # What dragoman itself does, the same on every translated wire.
    "model": Policy("native"),
    "input": Policy("native"),
    "stream": Policy("native"),
    "stream_options": Policy("warned", "events carry no obfuscation"),
    "metadata": Policy("emulated", "returned with the response"),
    "client_metadata": Policy("emulated", "accepted, not forwarded"),
    "text.format.text": Policy("native"),
    "tool_choice.allowed_tools": Policy("emulated", "the other tools are not sent"),
    "tool_choice.custom": Policy("emulated", "as a function"),
    "tools.custom": Policy("emulated", "as a function with one string"),
    "tools.namespace": Policy("emulated", "as functions named namespace__name"),
    "include.reasoning.encrypted_content": Policy("emulated", "always included"),
    "include.message.input_image.image_url": Policy("warned", "input is not returned"),
    "store": Policy("emulated", _STATE),
    **_REMEMBERED,
    "context_management": Policy("emulated", "past the threshold, a summary by the same model comes first"),
    "prompt": Policy("rejected", "stored prompts live at OpenAI"),
}
# Values that ask for nothing: what happens without the parameter.
_NEUTRAL: Mapping[str, Any] = {
    "store": False,
    "background": False,
    "truncation": "disabled",
    "parallel_tool_calls": True,
    "service_tier": "auto",
    "top_logprobs": 0,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "tools": [],
    "include": [],
    "context_management": [],
    "stream_options": {"include_obfuscation": False},
    "tool_choice": "auto",
}
# What the answer rests on: without it, it would be an answer to something else.
_ESSENTIAL = frozenset({"previous_response_id", "conversation", "prompt"})
_NESTED = frozenset({"reasoning", "text"})


def policies(
    *,
    native: str = "",
    mapped: Mapping[str, str] | None = None,
    emulated: Mapping[str, str] | None = None,
    warned: Mapping[str, str] | None = None,
    rejected: Mapping[str, str] | None = None,
) -> dict[str, Policy]:
    """Return a provider's table, written by level; each mapping is {name: note}, `native` names alone.

    What dragoman does itself on every translated wire (metadata, custom tools, ...) need not be listed.
    """
    table = dict(_EVERYWHERE)
    table.update({name: Policy("native") for name in native.split()})
    table.update({name: Policy("mapped", note) for name, note in (mapped or {}).items()})
    table.update({name: Policy("emulated", note) for name, note in (emulated or {}).items()})
    table.update({name: Policy("warned", note) for name, note in (warned or {}).items()})
    table.update({name: Policy("rejected", note) for name, note in (rejected or {}).items()})
    return table


def policy_for(name: str, table: Mapping[str, Policy], *, native: bool) -> Policy:
    """Return the policy for a dotted name: its own entry, its group's, else what the wire does by itself."""
    found = table.get(name) or table.get(f"{name.partition('.')[0]}.*")
    if found is not None:
        return found
    if native:
        return _REMEMBERED.get(name, Policy("native"))
    return Policy("rejected")


def full_table(table: Mapping[str, Policy], *, native: bool) -> dict[str, Policy]:
    """Return the policy of every parameter and of every feature that a table names, in a fixed order."""
    names = [*PARAMETERS, *sorted(set(table) - set(PARAMETERS))]
    nested = {name.partition(".")[0] for name in table if "." in name}
    return {name: policy_for(name, table, native=native or name in nested) for name in names}


def as_markdown(table: Mapping[str, Policy], *, beyond: Mapping[str, Policy] | None = None) -> str:
    """Return what a table says that another does not, for a README; by default what is not so everywhere."""
    known = _EVERYWHERE if beyond is None else beyond
    own = {name: policy for name, policy in table.items() if known.get(name) != policy}
    native = ", ".join(f"`{name}`" for name, policy in own.items() if policy.support == "native")
    lines = [f"Native: {native}.", ""] if native else []
    lines += ["| parameter | support | note |", "|--|--|--|"]
    lines += [
        f"| `{name}` | {policy.support} | {policy.note} |"
        for name, policy in own.items()
        if policy.support != "native"
    ]
    return "\n".join(lines)


class _Use(NamedTuple):
    """One feature that a request uses."""

    feature: str
    """The dotted name in the policy table."""
    path: tuple[str | int, ...]
    """Where it stands in the request."""

    @property
    def param(self) -> str:
        head, *rest = self.path
        return str(head) + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in rest)


def _uses(request: Mapping[str, Any]) -> Iterator[_Use]:
    for name, value in request.items():
        if name in _NEUTRAL and value == _NEUTRAL[name]:
            continue
        if name in _NESTED and isinstance(value, dict):
            yield from _nested_uses(name, value)
        elif name == "tools":
            for index, tool in enumerate(value):
                yield _Use(f"tools.{tool['type']}", ("tools", index))
        elif name == "include":
            for index, what in enumerate(value):
                yield _Use(f"include.{what}", ("include", index))
        elif name == "tool_choice":
            yield _Use(f"tool_choice.{value if isinstance(value, str) else value['type']}", ("tool_choice",))
            if isinstance(value, dict) and value.get("mode", "auto") != "auto":
                yield _Use(f"tool_choice.{value['mode']}", ("tool_choice", "mode"))
        else:
            yield _Use(name, (name,))


def _nested_uses(name: str, value: Mapping[str, Any]) -> Iterator[_Use]:
    for key, inner in value.items():
        if inner is None:
            continue
        if key == "format":
            yield _Use(f"{name}.format.{inner['type']}", (name, key))
        else:
            yield _Use(f"{name}.{key}", (name, key))


def apply_policy(
    request: dict[str, Any],
    table: Mapping[str, Policy],
    *,
    provider: str,
    native: bool,
    unsupported: Unsupported | None = None,
    allowed: Collection[str] = (),
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the request without what the provider cannot honour, and the warnings about it.

    Args:
        request: a validated request; not changed.
        table: the provider's policy.
        provider: its name, for messages.
        native: whether the unknown passes through (native wire) or is rejected.
        unsupported: "warn" leaves out what would be rejected (but nothing that the answer rests on, such
            as its history), "error" rejects what would be left out; None follows the table.
        allowed: names that pass whatever the table says.

    Raises:
        UnsupportedParameterError: names the first parameter that is rejected.
    """
    dropped: list[_Use] = []
    warnings: list[dict[str, Any]] = []
    for use in _uses(request):
        policy = policy_for(use.feature, table, native=native)
        if policy.support not in {"warned", "rejected"} or use.feature in allowed or use.path[0] in allowed:
            continue
        message = f"{provider} does not support {_name(use)}" + (f": {policy.note}" if policy.note else "")
        essential = use.feature in _ESSENTIAL
        if essential or (unsupported != "warn" and (policy.support == "rejected" or unsupported == "error")):
            raise UnsupportedParameterError(
                f"{message}. {_advice(use.feature, essential=essential)}",
                param=use.param,
                code="unsupported_parameter",
                type="invalid_request_error",
                provider=provider,
            )
        dropped.append(use)
        warnings.append({"message": f"{message}; it was left out", "param": use.param})
    return (_without(request, dropped), warnings) if dropped else (request, warnings)


def _advice(feature: str, *, essential: bool) -> str:
    """Return what to do about a refusal."""
    unknown = "." not in feature and feature not in PARAMETERS
    if unknown and (close := difflib.get_close_matches(feature, PARAMETERS, n=1)):
        return f"Did you mean {close[0]!r}?"
    if essential:
        return "It cannot be left out: the answer would not know what it refers to."
    return 'Leave it out, or pass unsupported="warn" to have it left out for you.'


def _name(use: _Use) -> str:
    if use.path[0] in {"tools", "include", "tool_choice"} and len(use.feature.split(".")) > 1:
        head, _, rest = use.feature.partition(".")
        return f"{head} {rest!r}"
    return repr(use.feature)


def _without(request: dict[str, Any], dropped: list[_Use]) -> dict[str, Any]:
    result = dict(request)
    for use in reversed(dropped):  # from the back, so that the indexes of a list stay true
        name, *rest = use.path
        if not rest:
            result.pop(str(name))
            continue
        (step,) = rest
        container = result[str(name)]
        if isinstance(step, int):
            result[str(name)] = [value for index, value in enumerate(container) if index != step]
        else:
            result[str(name)] = {key: value for key, value in container.items() if key != step}
    return result
