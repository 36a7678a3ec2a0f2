"""The hosts that are known: one row of data each, and no code.

A new host is a row here and a line among the entry points of ``pyproject.toml``. What a row does not say is
as a plain server has it, which is what ``openai_compatible/`` assumes of an address that it knows nothing of.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dragoman_openai_compatible.host import Host

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HOSTS", "Host"]

_NOT_TAKEN = "this host has no such parameter"
_LOGPROBS = ("top_logprobs", "include.message.output_text.logprobs")
_PENALTIES = ("presence_penalty", "frequency_penalty")
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
        efforts="none low medium high",
        takes="service_tier",
        lacks={"logit_bias": _NOT_TAKEN, **dict.fromkeys(_LOGPROBS, _NOT_TAKEN)},
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
        acknowledges_results=True,
        own="random_seed safe_prompt prediction prompt_mode",
        lacks={
            "seed": "use random_seed",
            **dict.fromkeys(("logit_bias", "user", *_LOGPROBS), _NOT_TAKEN),
        },
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
        models=("deepseek-v4-flash", "deepseek-v4-pro"),
    ),
    _openai(
        "openrouter",
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        "OPENROUTER_API_KEY",
        "OR_API_KEY",
        documentation="https://openrouter.ai/docs/api-reference",
        developer_role="developer",
        effort="reasoning",
        reasoning_field="reasoning",
        file_url="file_data",
        returns_annotations=True,
        web_search="tool",
        tool_prefix="openrouter:",
        takes="service_tier prompt_cache_key safety_identifier text.verbosity",
        own=f"{_OPEN_WEIGHTS} top_a provider route transforms plugins modalities image_config "
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
        own=f"{_OPEN_WEIGHTS} safety_model",
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
        limit="max_completion_tokens",
        reasoning_field="reasoning",
        efforts="none low medium high",
        takes="service_tier",
        own="disable_reasoning clear_thinking reasoning_format",
        lacks=dict.fromkeys((*_PENALTIES, "logit_bias"), _NOT_TAKEN),
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
        functions=False,
        forced_choice="",
        efforts="minimal low medium high",
        own="search_domain_filter search_recency_filter search_mode web_search_options disable_search top_k",
        lacks=dict.fromkeys(
            ("stop", "seed", "logit_bias", "user", "parallel_tool_calls", *_LOGPROBS), _NOT_TAKEN
        ),
        models=("sonar-pro", "sonar"),
    ),
    _openai(
        "moonshot",
        "Moonshot AI",
        "https://api.moonshot.ai/v1",
        "MOONSHOT_API_KEY",
        documentation="https://platform.moonshot.ai/docs/api/chat",
        limit="max_completion_tokens",
        effort="thinking",
        reasoning_field="reasoning_content",
        takes="prompt_cache_key safety_identifier",
        own="thinking",
        models=("kimi-k2.6",),
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
        forced_choice="",
        lacks=dict.fromkeys(("seed", "logit_bias", "user", *_PENALTIES, *_LOGPROBS), _NOT_TAKEN),
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
