"""What core and users know of Bedrock before it is called: settings and the parameter policy."""

from __future__ import annotations

from dragoman.hookspecs import ProviderInfo, Setting
from dragoman.parameters import policies
from dragoman_bedrock.options import OWN_BODY

__all__ = ["INFO"]

_OWN_PARAMETERS = " ".join([*OWN_BODY, "additionalModelRequestFields", "thinking"])
_GROUNDING = "systemTool nova_grounding, on Nova 2 and Nova Premier alone"
_NO_SUCH_TOOL = "Bedrock has no such tool"
_FUNCTIONS_ALONE = "functions alone can be demanded"
_NOT_REPORTED = "Bedrock does not report it"

INFO = ProviderInfo(
    name="bedrock",
    spec_version=1,
    wire="converse",
    documentation="https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
    models=(
        "us.anthropic.claude-sonnet-5",
        "us.anthropic.claude-opus-4-6-v1",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "us.amazon.nova-2-lite-v1:0",
        "us.amazon.nova-pro-v1:0",
        "openai.gpt-oss-120b-1:0",
        "us.meta.llama4-maverick-17b-instruct-v1:0",
    ),
    request_id_headers=("x-amzn-requestid", "x-request-id"),
    settings=(
        Setting(
            name="api_key",
            env=("AWS_BEARER_TOKEN_BEDROCK",),
            secret=True,
            description="a Bedrock API key, sent as a bearer token: nothing is signed",
        ),
        Setting(
            name="aws_region_name",
            env=("AWS_REGION_NAME", "AWS_REGION", "AWS_DEFAULT_REGION"),
            description="else the region of the model's ARN or of the profile",
        ),
        Setting(name="aws_access_key_id", secret=True, description="with aws_secret_access_key"),
        Setting(name="aws_secret_access_key", secret=True),
        Setting(name="aws_session_token", secret=True, description="of temporary keys"),
        Setting(name="aws_profile_name", description="a profile of AWS's configuration files"),
        Setting(name="aws_role_name", description="the ARN of a role to assume"),
        Setting(name="aws_session_name", description="how the assumed role's session is called"),
        Setting(name="aws_external_id", description="what the role's owner asks for"),
        Setting(
            name="aws_web_identity_token",
            secret=True,
            description="a token, or the file that holds it, to assume the role with",
        ),
        Setting(name="aws_sts_endpoint", description="where roles are assumed"),
        Setting(name="aws_bedrock_runtime_endpoint", description="as api_base"),
        Setting(
            name="api_base",
            env=("AWS_BEDROCK_RUNTIME_ENDPOINT", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"),
            description="in place of https://bedrock-runtime.<region>.amazonaws.com",
        ),
        Setting(
            name="model_id", description="an ARN to call, where the model's name says which family it is"
        ),
    ),
    parameters=policies(
        native=f"temperature {_OWN_PARAMETERS} tools.*",
        mapped={
            "instructions": "system",
            "max_output_tokens": "inferenceConfig.maxTokens",
            "top_p": "inferenceConfig.topP",
            "stop": "inferenceConfig.stopSequences",
            "top_k": "additionalModelRequestFields, as the family has it",
            "tools.function": "toolSpec; strict where the model has structured output",
            "tools.web_search": _GROUNDING,
            "tools.web_search_2025_08_26": _GROUNDING,
            "tools.web_search_preview": _GROUNDING,
            "tools.web_search_preview_2025_03_11": _GROUNDING,
            "tools.code_interpreter": "systemTool nova_code_interpreter, on Nova 2 and Nova Premier alone",
            "tool_choice.auto": "auto",
            "tool_choice.required": "any",
            "tool_choice.function": "tool; Mistral: any, with that tool alone",
            "tool_choice.custom": "tool; Mistral: any, with that tool alone",
            "reasoning.effort": "additionalModelRequestFields, as the family has it; see below",
            "service_tier": "default, flex, priority, reserved; others are left out with a warning",
            "prompt_cache_options": "mode implicit: a cachePoint behind the last user turn; with a ttl: 1h",
        },
        emulated={
            "tool_choice.none": "tools are sent only where the history needs them; calls are left out",
            "parallel_tool_calls": "Claude: tool_choice.disable_parallel_tool_use; others: a warning",
            "reasoning.summary": "shown as the model gives it; Claude from 4.6 on: thinking.display",
            "reasoning.generate_summary": "as reasoning.summary",
            "text.format.json_schema": "outputConfig.textFormat where the model has it, else a tool",
            "text.format.json_object": "an instruction to answer in JSON alone",
            "include.code_interpreter_call.outputs": "always included",
        },
        warned={
            "max_tool_calls": "Bedrock has no such limit",
            "reasoning.context": "models keep what is sent back",
            "reasoning.mode": "there is one mode",
            "text.verbosity": "ask for it in the instructions",
            "top_logprobs": _NOT_REPORTED,
            "include.message.output_text.logprobs": _NOT_REPORTED,
            "include.web_search_call.results": _NOT_REPORTED,
            "include.web_search_call.action.sources": "what is cited stands in the annotations",
            "include.file_search_call.results": _NO_SUCH_TOOL,
            "include.computer_call_output.output.image_url": "input is not returned",
            "presence_penalty": "Converse has none",
            "frequency_penalty": "Converse has none",
            "truncation": "too long an input is an error",
            "safety_identifier": "see requestMetadata",
            "user": "see requestMetadata",
            "prompt_cache_key": "prefixes are found by their content",
            "prompt_cache_retention": "use prompt_cache_options or cache_control",
            "image": "images are sent as they are",
        },
        rejected={
            "moderation": "see guardrailConfig",
            "access_programs": "there are none",
            "tools.file_search": _NO_SUCH_TOOL,
            "tools.image_generation": _NO_SUCH_TOOL,
            "tools.mcp": _NO_SUCH_TOOL,
            "tools.tool_search": _NO_SUCH_TOOL,
            "tools.computer": "use Claude's own computer_20251124",
            "tools.computer_use_preview": "use Claude's own computer_20251124",
            "tools.local_shell": "use Claude's own bash_20250124",
            "tools.shell": "use Claude's own bash_20250124",
            "tools.apply_patch": "use Claude's own text_editor_20250728",
            "tools.programmatic_tool_calling": _NO_SUCH_TOOL,
            "tool_choice.web_search": _FUNCTIONS_ALONE,
            "tool_choice.web_search_2025_08_26": _FUNCTIONS_ALONE,
            "tool_choice.web_search_preview": _FUNCTIONS_ALONE,
            "tool_choice.web_search_preview_2025_03_11": _FUNCTIONS_ALONE,
            "tool_choice.code_interpreter": _FUNCTIONS_ALONE,
            "tool_choice.file_search": _NO_SUCH_TOOL,
            "tool_choice.image_generation": _NO_SUCH_TOOL,
            "tool_choice.mcp": _NO_SUCH_TOOL,
            "tool_choice.apply_patch": _NO_SUCH_TOOL,
            "tool_choice.shell": _NO_SUCH_TOOL,
        },
    ),
)
