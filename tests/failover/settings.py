"""What dragoman is told, as its users would write it: the one place that knows the names of its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.failover.story import HEALTHY

if TYPE_CHECKING:
    from tests.failover.cells import Cell
    from tests.failover.profiles import Profile

__all__ = ["QUESTION", "credentials_of", "fallbacks_of", "model_list_of", "router_settings", "target_of"]

QUESTION = "Tell the story of the lighthouse keeper."
_CREDENTIALS: dict[str, dict[str, str]] = {
    "bedrock": {
        "aws_region_name": "us-east-1",
        "aws_access_key_id": "AKIATEST",
        "aws_secret_access_key": "secret",
    },
}
_KEY = {"api_key": "sk-for-faults"}


def credentials_of(provider: str) -> dict[str, str]:
    """Return the settings that a provider wants beside its address."""
    return _CREDENTIALS.get(provider, _KEY)


def target_of(cell: Cell, url: str, provider: str, model: str) -> dict[str, str]:
    """Return litellm_params."""
    address = cell.address(url, provider)
    return {"model": f"{provider}/{model}", "api_base": address, **credentials_of(provider)}


def model_list_of(cell: Cell, url: str, *, prefix: str = "") -> list[dict[str, Any]]:
    """Return the deployments of a cell; `prefix` tells those of several cells apart."""
    primary = target_of(cell, url, cell.provider, cell.primary)
    if cell.recovery:
        primary["stream_recovery"] = cell.recovery
    targets = {"m": primary, "healthy": target_of(cell, url, cell.provider, HEALTHY)}
    if cell.fallback_provider:
        targets["backup"] = target_of(cell, url, cell.fallback_provider, cell.fallback)
    return [{"model_name": f"{prefix}{name}", "litellm_params": target} for name, target in targets.items()]


def fallbacks_of(cell: Cell, *, prefix: str = "") -> list[dict[str, list[str]]]:
    """Return the fallbacks of its models."""
    return [{f"{prefix}m": [f"{prefix}backup"]}] if cell.fallback_provider else []


def router_settings(profile: Profile, *, streamed: bool) -> dict[str, Any]:
    """Return router_settings."""
    return {
        "num_retries": profile.retries,
        "timeout": profile.attempt if streamed else profile.first_token,
        "stream_timeout": profile.first_token,
        "allowed_fails": 3,
        "cooldown_time": profile.cooldown,
    }
