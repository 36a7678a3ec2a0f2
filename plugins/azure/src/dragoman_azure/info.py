"""What core and users must know of Azure OpenAI before it is called."""

from __future__ import annotations

from dragoman.hookspecs import ProviderInfo, Setting
from dragoman_openai.info import PARAMETERS

__all__ = ["INFO"]

INFO = ProviderInfo(
    name="azure",
    spec_version=1,
    wire="responses",
    settings=(
        Setting(
            name="api_key",
            env=("AZURE_API_KEY", "AZURE_OPENAI_API_KEY"),
            secret=True,
            description="one of the resource's two keys; not needed with Entra ID",
        ),
        Setting(
            name="api_base",
            env=("AZURE_API_BASE", "AZURE_OPENAI_ENDPOINT"),
            required=True,
            description="the resource: https://NAME.openai.azure.com, or any address of it from the portal",
        ),
        Setting(
            name="api_version",
            env=("AZURE_API_VERSION", "OPENAI_API_VERSION", "AZURE_OPENAI_API_VERSION"),
            description="a dated api-version; without one, or with v1, latest or preview: the v1 surface",
        ),
        Setting(
            name="azure_ad_token",
            env=("AZURE_AD_TOKEN", "AZURE_OPENAI_AD_TOKEN"),
            secret=True,
            description="an access token of Entra ID",
        ),
        Setting(
            name="azure_ad_token_provider",
            secret=True,
            description="a function without arguments that returns an access token, asked before every call",
        ),
        Setting(
            name="tenant_id",
            env=("AZURE_TENANT_ID",),
            description="the tenant of a service principal (with azure-identity)",
        ),
        Setting(
            name="client_id",
            env=("AZURE_CLIENT_ID",),
            description="a service principal, or a managed identity where no client_secret is given",
        ),
        Setting(
            name="client_secret",
            env=("AZURE_CLIENT_SECRET",),
            secret=True,
            description="the secret of the service principal",
        ),
        Setting(
            name="azure_scope",
            env=("AZURE_SCOPE",),
            default="https://cognitiveservices.azure.com/.default",
            description="what tokens are asked for; other clouds than the public one have their own",
        ),
    ),
    parameters=PARAMETERS,
    request_id_headers=("apim-request-id", "x-request-id"),
    documentation="https://learn.microsoft.com/azure/ai-foundry/openai/how-to/responses",
)
