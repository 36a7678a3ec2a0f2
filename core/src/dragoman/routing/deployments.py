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
    r"((input|output|cache_read_input|cache_creation_input|output_reasoning|input_audio|output_audio|input_image)"
    r"_(cost_per|token_cost|cost)"
    r"(_(token|second|character|image|pixel|query|request|video_per_second|audio_per_second|audio_token"
    r"|reasoning_token|image_token|token_cache_hit|token_cache_creation))?"
    r"|code_interpreter_cost_per_session|file_search_cost_per_\w+|search_context_cost_per_query"
    r"|citation_cost_per_token|ocr_cost_per_page)"
    r"(_above_\d+k_tokens|_above_1hr|_priority|_flex|_batches)*"
    r"|tiered_pricing|custom_pricing|regional_processing_uplift_multiplier"
)


def is_price(name: str) -> bool:
    """Tell whether a key says what tokens cost."""
    return _PRICE.fullmatch(name) is not None
