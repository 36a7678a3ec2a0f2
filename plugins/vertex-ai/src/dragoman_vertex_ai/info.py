"""What core and users know of Vertex AI before it is called."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dragoman.hookspecs import ProviderInfo, Setting
from dragoman_vertex_ai.models import ANTHROPIC
from dragoman_vertex_ai.parameters import CLAUDE, GEMINI

if TYPE_CHECKING:
    from dragoman_vertex_ai.models import Model

__all__ = ["INFO", "info_for"]

# Two settings for one thing where two kinds of variables hold it: those for Vertex AI count before what the
# caller gave to aiplatform.init(), and those for all of Google Cloud behind it.
INFO = ProviderInfo(
    name="vertex_ai",
    spec_version=1,
    wire="generateContent",
    documentation="https://cloud.google.com/vertex-ai/generative-ai/docs",
    models=(
        "gemini-3.5-flash",
        "gemini-3.1-pro-preview",
        "gemini-2.5-pro",
        "gemini-2.5-flash",
        "claude-opus-5",
        "claude-sonnet-5",
        "claude-opus-4-8",
        "claude-haiku-4-5@20251001",
    ),
    request_id_headers=("request-id", "x-request-id", "x-goog-request-id"),
    settings=(
        Setting(
            name="vertex_project",
            env=("VERTEXAI_PROJECT", "VERTEX_PROJECT", "GOOGLE_VERTEX_PROJECT"),
            description="the project's id",
        ),
        Setting(
            name="vertex_location",
            env=("VERTEXAI_LOCATION", "VERTEX_LOCATION", "GOOGLE_VERTEX_LOCATION"),
            description="a region, us, eu, or global, which it is where nothing else is said",
        ),
        Setting(
            name="vertex_credentials",
            env=("VERTEXAI_CREDENTIALS", "VERTEX_CREDENTIALS"),
            description="a file of credentials, its JSON as text or dict, or an object of google-auth",
        ),
        Setting(
            name="vertex_access_token",
            env=("VERTEXAI_ACCESS_TOKEN",),
            secret=True,
            description="an access token that is there already",
        ),
        Setting(
            name="api_key",
            env=("VERTEXAI_API_KEY", "VERTEX_API_KEY"),
            secret=True,
            description="a key of express mode, for Gemini without a project",
        ),
        Setting(
            name="api_base",
            env=("VERTEXAI_API_BASE", "GOOGLE_VERTEX_BASE_URL"),
            description="another host, with as much of the path as you like",
        ),
        Setting(name="api_version", env=("VERTEXAI_API_VERSION",), default="v1", description="v1 or v1beta1"),
        Setting(
            name="base_model", description="what a tuned endpoint was made from; gemini-2.5-flash if not said"
        ),
        Setting(
            name="google_cloud_project",
            env=("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUD_ML_PROJECT_ID"),
            description="the project, where neither vertex_project nor aiplatform.init() names one",
        ),
        Setting(
            name="google_cloud_location",
            env=("GOOGLE_CLOUD_LOCATION", "GOOGLE_CLOUD_REGION", "CLOUD_ML_REGION"),
            description="the location, in the same way",
        ),
        Setting(
            name="google_application_credentials",
            env=("GOOGLE_APPLICATION_CREDENTIALS",),
            description="a file of credentials, in the same way",
        ),
        Setting(
            name="google_api_key",
            env=("GOOGLE_API_KEY",),
            secret=True,
            description="a key of express mode, where there is no project and no credentials file",
        ),
    ),
    parameters=GEMINI,
)
_CLAUDE = replace(INFO, wire="messages", parameters=CLAUDE, author="vertex_ai.claude")


def info_for(model: Model) -> ProviderInfo:
    """Return what is to be known of a model: the families cannot read what the other one sealed."""
    return _CLAUDE if model.publisher == ANTHROPIC else INFO
