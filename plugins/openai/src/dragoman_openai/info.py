"""What core and users must know of OpenAI before it is called."""

from __future__ import annotations

from dragoman.hookspecs import ProviderInfo, Setting
from dragoman.parameters import Policy

__all__ = ["INFO", "PARAMETERS"]

_NO_PENALTIES = "the Responses API has no penalties"

PARAMETERS = {
    "presence_penalty": Policy("warned", _NO_PENALTIES),
    "frequency_penalty": Policy("warned", _NO_PENALTIES),
    "client_metadata": Policy("emulated", "accepted, not forwarded"),
}
"""The exceptions: everything else is OpenAI's own, or passes through for OpenAI to judge."""

INFO = ProviderInfo(
    name="openai",
    spec_version=1,
    wire="responses",
    settings=(
        Setting(
            name="api_key",
            env=("OPENAI_API_KEY",),
            required=True,
            secret=True,
            description="a key from https://platform.openai.com/api-keys",
        ),
        Setting(
            name="api_base",
            env=("OPENAI_BASE_URL", "OPENAI_API_BASE"),
            default="https://api.openai.com/v1",
            description="where /responses stands",
        ),
        Setting(
            name="organization",
            env=("OPENAI_ORGANIZATION", "OPENAI_ORG_ID"),
            description="the organization that is billed, where a key belongs to several",
        ),
        Setting(
            name="project",
            env=("OPENAI_PROJECT", "OPENAI_PROJECT_ID"),
            description="the project that is billed, where a key may use several",
        ),
    ),
    parameters=PARAMETERS,
    models=(
        "gpt-5.5",
        "gpt-5.4",
        "gpt-5.2",
        "gpt-5-mini",
        "gpt-5-nano",
        "o3",
        "o4-mini",
        "gpt-4.1",
        "gpt-4o",
    ),
    documentation="https://platform.openai.com/docs/api-reference/responses",
)
