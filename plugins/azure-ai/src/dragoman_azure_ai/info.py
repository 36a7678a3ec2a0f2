"""What core and users know of Foundry before it is called."""

from __future__ import annotations

from dataclasses import replace

from dragoman.hookspecs import Setting
from dragoman.parameters import Policy
from dragoman_anthropic.info import INFO as ANTHROPIC
from dragoman_azure.info import INFO as AZURE
from dragoman_azure_ai.deployments import CHAT, MESSAGES, RESPONSES
from dragoman_azure_ai.hosts import ANY_MODEL
from dragoman_openai.info import PARAMETERS as RESPONSES_PARAMETERS
from dragoman_openai_compatible.info import chat_parameters

__all__ = ["INFO", "INFOS"]

_OWN = (
    Setting(
        name="api_key",
        env=("AZURE_AI_API_KEY",),
        secret=True,
        description="one of the resource's two keys, or a deployment's own; not needed with Entra ID",
    ),
    Setting(
        name="api_base",
        env=("AZURE_AI_API_BASE",),
        required=True,
        description="the resource: https://NAME.services.ai.azure.com, or any address of it from the portal",
    ),
    Setting(
        name="api_version",
        env=("AZURE_AI_API_VERSION",),
        description="of Chat Completions: a date (2024-05-01-preview if nothing is said), or v1 or preview",
    ),
    Setting(
        name="wire",
        env=("AZURE_AI_WIRE",),
        description="what the deployment speaks, where its name does not tell: chat, messages or responses",
    ),
    Setting(name="base_model", description="what is deployed, where the deployment's name does not tell"),
)
_SIGN_IN = tuple(
    setting for setting in AZURE.settings if setting.name not in {"api_key", "api_base", "api_version"}
)

INFO = replace(
    AZURE,
    name="azure_ai",
    wire=CHAT,
    settings=(*_OWN, *_SIGN_IN),
    parameters={
        **chat_parameters(ANY_MODEL),
        "max_output_tokens": Policy("mapped", "max_tokens; max_completion_tokens for gpt-5, o1, o3, o4"),
    },
    models=(
        "claude-opus-5",
        "claude-sonnet-5",
        "claude-haiku-4-5",
        "grok-4",
        "DeepSeek-V3.2",
        "Mistral-Large-3",
        "Llama-3.3-70B-Instruct",
        "gpt-5-mini",
    ),
    request_id_headers=("apim-request-id", "request-id", "x-request-id"),
    documentation="https://learn.microsoft.com/azure/foundry/foundry-models/concepts/endpoints",
)
"""Foundry, and a deployment that speaks Chat Completions, as most do."""

INFOS = {
    CHAT: INFO,
    MESSAGES: replace(
        INFO,
        wire=MESSAGES,
        author="azure_ai.messages",
        parameters={
            **ANTHROPIC.parameters,
            "tools.code_interpreter": Policy(
                "mapped", "code_execution_20250825, which Foundry refuses where it does not run it"
            ),
        },
    ),
    RESPONSES: replace(INFO, wire=RESPONSES, author="azure_ai.responses", parameters=RESPONSES_PARAMETERS),
}
"""By wire: what counts for a deployment that speaks it. What one wire has sealed no other can read."""
