"""The hosts that are known: one row of data each, and no code.

A new host is a row here and a line among the entry points of ``pyproject.toml``. What a row does not say is
as a plain server has it, which is what ``openai_compatible/`` assumes of an address that it knows nothing of.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HOSTS", "Host"]

_NOT_TAKEN = "this host has no such parameter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A server that speaks Chat Completions (or the Responses API), and where it differs from others."""

    name: str
    """The model prefix."""
    title: str
    documentation: str
    base: str | None = None
    """Where ``/chat/completions`` stands; None: the caller says so."""
    base_suffix: str = ""
    """What belongs at the end of the address, where people usually leave it out."""
    base_variables: tuple[str, ...] = ()
    key_variables: tuple[str, ...] = ()
    key_required: bool = True
    models: tuple[str, ...] = ()
    native: bool = False
    """Whether it speaks the Responses API itself: then requests and answers go through as they are."""

    developer_role: Literal["system", "developer"] = "system"
    """What a developer message is called."""
    limit: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    """What bounds the output."""
    effort: Literal["reasoning_effort", "reasoning", "thinking"] = "reasoning_effort"
    """How `reasoning.effort` is said: a word, ``{"effort": ...}``, or ``{"type": "enabled"}`` and a word."""
    reasoning_field: str | None = None
    """Where readable reasoning that nobody sealed goes in an assistant's message; None: it is left out."""
    structured: Literal["json_schema", "json_object"] = "json_schema"
    """The strictest form of answer it knows; a schema is then told in words."""
    asks_for_usage: bool = True
    """Whether a stream must be asked for its usage (others tell it anyway, and refuse to be asked)."""
    forced_choice: Literal["required", "any"] = "required"
    file_url: Literal["", "file_data", "document_url"] = ""
    """How a file is sent by its address, where it can be."""
    plain_content: bool = False
    """Whether content may be a string alone: no parts, no images."""
    short_call_ids: bool = False
    """Whether ids of calls must be nine letters and digits."""
    returns_annotations: bool = False
    """Whether an answer's annotations are to be sent back (parsed files: not to be paid for twice)."""
    web_search: Literal["", "tool", "options", "always"] = ""
    """How the web is searched: by a tool of the host's, by ``web_search_options``, or at every call."""
    tool_prefix: str = ""
    """How the types of the host's own tools begin; those are sent as they are."""
    takes: str = ""
    """Parameters of OpenAI's that it takes as well (see ``info.OPTIONAL``)."""
    own: str = ""
    """Parameters of its own, sent under their own names."""
    lacks: Mapping[str, str] = field(default_factory=dict)
    """Tuning knobs that others have and it refuses, with the reason: left out with a warning."""


_EVERYTHING = (
    "service_tier safety_identifier prompt_cache_key prompt_cache_retention prompt_cache_options "
    "text.verbosity"
)
_OPEN_WEIGHTS = "top_k min_p repetition_penalty chat_template_kwargs"


def _openai(name: str, title: str, base: str, *keys: str, documentation: str, **row: object) -> Host:
    """Return the row of a host on the internet, whose variables are called after it."""
    stem = keys[0].removesuffix("_API_KEY").removesuffix("_TOKEN")
    variables = (f"{stem}_API_BASE", f"{stem}_BASE_URL")
    plain = Host(
        name=name,
        title=title,
        base=base,
        key_variables=keys,
        base_variables=variables,
        documentation=documentation,
    )
    return replace(plain, **row)  # type: ignore[arg-type]


def _local(name: str, title: str, base: str | None, stem: str, *, documentation: str, **row: object) -> Host:
    """Return the row of a server that people run themselves: a key is possible, and rarely there."""
    plain = Host(
        name=name,
        title=title,
        base=base,
        base_suffix="/v1",
        base_variables=(f"{stem}_API_BASE", f"{stem}_BASE_URL"),
        key_variables=(f"{stem}_API_KEY",),
        key_required=False,
        documentation=documentation,
        own=_OPEN_WEIGHTS,
    )
    return replace(plain, **row)  # type: ignore[arg-type]


_ROWS = (
    _local(
        "openai_compatible",
        "any server",
        None,
        "OPENAI_COMPATIBLE",
        documentation="https://platform.openai.com/docs/api-reference/chat",
        base_suffix="",
        takes=_EVERYTHING,
        own=f"{_OPEN_WEIGHTS} thinking web_search_options modalities audio prediction",
    ),
    _openai(
        "groq",
        "Groq",
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
        documentation="https://console.groq.com/docs/api-reference",
        limit="max_completion_tokens",
        reasoning_field="reasoning",
        takes="service_tier",
        own="reasoning_format include_reasoning compound_custom search_settings",
        models=("openai/gpt-oss-120b", "llama-3.3-70b-versatile"),
    ),
    _openai(
        "mistral",
        "Mistral",
        "https://api.mistral.ai/v1",
        "MISTRAL_API_KEY",
        documentation="https://docs.mistral.ai/api",
        asks_for_usage=False,
        forced_choice="any",
        file_url="document_url",
        short_call_ids=True,
        own="random_seed safe_prompt prediction prompt_mode",
        lacks={"seed": "use random_seed", "logit_bias": _NOT_TAKEN, "user": _NOT_TAKEN},
        models=("mistral-large-latest", "mistral-medium-latest", "mistral-small-latest"),
    ),
    _openai(
        "deepseek",
        "DeepSeek",
        "https://api.deepseek.com",
        "DEEPSEEK_API_KEY",
        documentation="https://api-docs.deepseek.com",
        effort="thinking",
        reasoning_field="reasoning_content",
        structured="json_object",
        plain_content=True,
        own="thinking",
        models=("deepseek-chat", "deepseek-reasoner"),
    ),
    _openai(
        "openrouter",
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        "OR_API_KEY",
        documentation="https://openrouter.ai/docs/api-reference",
        effort="reasoning",
        reasoning_field="reasoning",
        file_url="file_data",
        returns_annotations=True,
        web_search="tool",
        tool_prefix="openrouter:",
        takes="service_tier prompt_cache_key safety_identifier text.verbosity",
        own=f"{_OPEN_WEIGHTS} top_a route transforms plugins modalities image_config "
        "thinking usage session_id trace",
        models=("anthropic/claude-sonnet-4.5", "openai/gpt-5-mini", "google/gemini-2.5-flash"),
    ),
    _openai(
        "xai",
        "xAI",
        "https://api.x.ai/v1",
        "XAI_API_KEY",
        documentation="https://docs.x.ai/docs/api-reference",
        native=True,
        models=("grok-4", "grok-3-mini"),
    ),
    _openai(
        "together_ai",
        "Together AI",
        "https://api.together.xyz/v1",
        "TOGETHERAI_API_KEY",
        "TOGETHER_API_KEY",
        "TOGETHER_AI_API_KEY",
        documentation="https://docs.together.ai/reference/chat-completions-1",
        reasoning_field="reasoning",
        own=f"{_OPEN_WEIGHTS} safety_model reasoning",
        models=("meta-llama/Llama-3.3-70B-Instruct-Turbo",),
    ),
    _openai(
        "fireworks_ai",
        "Fireworks AI",
        "https://api.fireworks.ai/inference/v1",
        "FIREWORKS_API_KEY",
        "FIREWORKS_AI_API_KEY",
        "FIREWORKSAI_API_KEY",
        documentation="https://docs.fireworks.ai/api-reference/post-chatcompletions",
        reasoning_field="reasoning_content",
        takes="prompt_cache_key service_tier",
        own=f"{_OPEN_WEIGHTS} context_length_exceeded_behavior",
        models=("accounts/fireworks/models/llama-v3p3-70b-instruct",),
    ),
    _openai(
        "cerebras",
        "Cerebras",
        "https://api.cerebras.ai/v1",
        "CEREBRAS_API_KEY",
        documentation="https://inference-docs.cerebras.ai/api-reference/chat-completions",
        developer_role="developer",
        limit="max_completion_tokens",
        reasoning_field="reasoning",
        takes="service_tier",
        own="disable_reasoning clear_thinking reasoning_format",
        lacks={"presence_penalty": _NOT_TAKEN, "frequency_penalty": _NOT_TAKEN, "logit_bias": _NOT_TAKEN},
        models=("gpt-oss-120b",),
    ),
    _openai(
        "nvidia_nim",
        "NVIDIA NIM",
        "https://integrate.api.nvidia.com/v1",
        "NVIDIA_NIM_API_KEY",
        "NVIDIA_API_KEY",
        documentation="https://docs.api.nvidia.com/nim/reference/llm-apis",
        own=f"{_OPEN_WEIGHTS} nvext",
        models=("meta/llama-3.3-70b-instruct",),
    ),
    _openai(
        "perplexity",
        "Perplexity",
        "https://api.perplexity.ai",
        "PERPLEXITYAI_API_KEY",
        "PERPLEXITY_API_KEY",
        documentation="https://docs.perplexity.ai/api-reference/chat-completions-post",
        asks_for_usage=False,
        web_search="always",
        own="search_domain_filter search_recency_filter search_mode web_search_options return_images "
        "return_related_questions disable_search",
        models=("sonar-pro", "sonar"),
    ),
    _openai(
        "moonshot",
        "Moonshot AI",
        "https://api.moonshot.ai/v1",
        "MOONSHOT_API_KEY",
        documentation="https://platform.moonshot.ai/docs/api/chat",
        effort="thinking",
        reasoning_field="reasoning_content",
        takes="prompt_cache_key safety_identifier",
        own="thinking",
        models=("kimi-k2-0905-preview",),
    ),
    _openai(
        "zai",
        "Z.ai",
        "https://api.z.ai/api/paas/v4",
        "ZAI_API_KEY",
        documentation="https://docs.z.ai/api-reference/llm/chat-completion",
        effort="thinking",
        reasoning_field="reasoning_content",
        structured="json_object",
        own="thinking do_sample tool_stream request_id",
        models=("glm-4.7", "glm-4.6v"),
    ),
    _openai(
        "deepinfra",
        "DeepInfra",
        "https://api.deepinfra.com/v1/openai",
        "DEEPINFRA_API_KEY",
        documentation="https://deepinfra.com/docs/openai_api",
        own=_OPEN_WEIGHTS,
    ),
    _openai(
        "sambanova",
        "SambaNova",
        "https://api.sambanova.ai/v1",
        "SAMBANOVA_API_KEY",
        documentation="https://docs.sambanova.ai",
        own=_OPEN_WEIGHTS,
    ),
    _openai(
        "huggingface",
        "Hugging Face's router",
        "https://router.huggingface.co/v1",
        "HF_TOKEN",
        "HUGGINGFACE_API_KEY",
        documentation="https://huggingface.co/docs/inference-providers",
        own=_OPEN_WEIGHTS,
    ),
    _local(
        "ollama",
        "Ollama",
        "http://localhost:11434",
        "OLLAMA",
        documentation="https://docs.ollama.com/api/openai-compatibility",
        reasoning_field="reasoning",
    ),
    _local(
        "hosted_vllm",
        "vLLM",
        "http://localhost:8000",
        "HOSTED_VLLM",
        documentation="https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html",
        reasoning_field="reasoning",
        own=f"{_OPEN_WEIGHTS} structured_outputs include_reasoning priority",
    ),
    _local(
        "lm_studio",
        "LM Studio",
        "http://localhost:1234",
        "LM_STUDIO",
        documentation="https://lmstudio.ai/docs/developer/openai-compat",
        native=True,
    ),
    _local(
        "llamacpp",
        "llama.cpp",
        "http://localhost:8080",
        "LLAMACPP",
        documentation="https://github.com/ggml-org/llama.cpp/tree/master/tools/server",
        reasoning_field="reasoning_content",
        own=f"{_OPEN_WEIGHTS} grammar cache_prompt",
    ),
)
_ALSO_CALLED = {
    "together": "together_ai",
    "fireworks": "fireworks_ai",
    "nvidia": "nvidia_nim",
    "vllm": "hosted_vllm",
}
_BY_NAME = {row.name: row for row in _ROWS}

HOSTS: Mapping[str, Host] = {
    **_BY_NAME,
    **{alias: replace(_BY_NAME[name], name=alias) for alias, name in _ALSO_CALLED.items()},
}
"""Model prefix -> row. The prefixes are LiteLLM's; where its name is longer than the host's, both."""
