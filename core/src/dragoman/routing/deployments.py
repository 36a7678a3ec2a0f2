"""Deployments: the places where a model of some name is served."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.network.timeouts import Timeout

__all__ = ["Deployment", "StreamRecovery", "is_price"]

StreamRecovery = Literal["fail", "continue", "buffer"]
"""What becomes of a stream that breaks after output began. "fail": it ends there. "continue": another attempt
goes on, where its text begins with what was told. "buffer": cannot be; nothing is told before an attempt is
whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One place where a model is served; those of one name form a group that shares its calls."""

    id: str = ""
    """Unique in a fleet, and stable: what is bound to a deployment names it. By default name and model."""
    name: str
    """What callers ask for: "claude", or a pattern with one star: "anthropic/*"."""
    model: str
    """``provider/model``; a star in it is replaced by what the star of `name` matched."""
    arguments: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Keyword arguments of its calls: settings, credentials, defaults of parameters. The caller's own win."""
    overrides: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Keyword arguments that win over the caller's: what a fallback changes. Only on a journey's legs."""
    weight: float | None = None
    """Its share of the calls, beside the others of its order. None: by `rpm` where all of the group have one,
    else by `tpm`, else 1."""
    order: int = 0
    """Deployments of a lower order go first; the next one is for when none of them can be had."""
    rpm: int | None = None
    """Requests in any 60 seconds."""
    tpm: int | None = None
    """Tokens in 60 seconds; what a call will need is estimated, and corrected by what it took."""
    max_parallel_requests: int | None = None
    tags: frozenset[str] = frozenset()
    timeout: Timeout | float | None = None
    """Limits of one attempt, where the caller says nothing; a number is seconds for the whole attempt."""
    stream_timeout: float | None = None
    """Seconds until the first event of a stream."""
    total_timeout: float | None = None
    """Seconds that a call for `name` may take altogether, fallbacks included; of a group the least counts.
    None: as the fleet's settings say."""
    num_retries: int | None = None
    """How often a passing failure is tried again; None: as the fleet's settings say."""
    cooldown_time: float | None = None
    """Seconds that the circuit stays open; None: as the fleet's settings say."""
    stream_recovery: StreamRecovery | None = None
    prices: Mapping[str, Any] = field(default_factory=dict)
    """Its own prices in USD, by LiteLLM's names: ``input_cost_per_token`` ..., and ``base_model``, the model
    whose prices count where it has none."""
    info: Mapping[str, Any] = field(default_factory=dict)
    """What the operator says about it; LiteLLM's model_info."""

    def __post_init__(self) -> None:
        """Make an id where none is given."""
        if not self.id:
            object.__setattr__(
                self, "id", self.model if self.name == self.model else f"{self.name}={self.model}"
            )


_PRICE = re.compile(
    r"""
    ( (input|output)_cost_per_
      ( token(_cache_(hit|creation))? | (reasoning|audio|image|video)_token | character | query | request
      | pixel | ((audio|video)_per_)?second(_\d+[kp])? | image(_[\d.]+K?)? | text_message )
    | (explicit_)?cache_(read|creation)_input(_audio|_image)?_token_cost
    | (input|output)_(dbu_cost_per_token|token_cost) | cost_per_second
    | code_interpreter_cost_per_session | file_search_cost_per_\w+
    | computer_use_(input|output)_cost_per_1k_tokens
    | search_context_cost_per_query | google_maps_grounding_cost_per_query | citation_cost_per_token
    | (annotation|ocr)_cost_per_(page|credit) | guardrail_cost_per_unit | vector_store_cost_per_gb_per_day
    )
    (_above_(\d+k_tokens|\d+s_interval|1hr))*(_(priority|flex|batches|ultrafast|balanced|decisions))?
    | (tiered|custom|off_peak)_pricing | regional_(processing|endpoint)_uplift_multiplier(_\w\w)?
    """,
    re.VERBOSE,
)


def is_price(name: str) -> bool:
    """Tell whether a key says what tokens cost."""
    return _PRICE.fullmatch(name) is not None
