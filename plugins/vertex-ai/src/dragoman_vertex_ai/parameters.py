"""What becomes of each parameter: the families' own tables, with Vertex AI's differences."""

from __future__ import annotations

from dragoman.parameters import Policy
from dragoman_anthropic.info import INFO as ANTHROPIC
from dragoman_gemini.info import parameters

__all__ = ["CLAUDE", "GEMINI"]

_NOT_RUN = "Vertex AI runs no such tool for Claude"

_GEMINI = parameters()
GEMINI: dict[str, Policy] = {
    **_GEMINI,
    "service_tier": Policy(
        "mapped", "flex and priority: a header; default is what happens without; others with a warning"
    ),
    "tools.file_search": Policy("rejected", "Vertex AI has no file search stores; see the tool retrieval"),
}
"""The policy of Gemini on Vertex AI."""

CLAUDE: dict[str, Policy] = {
    **ANTHROPIC.parameters,
    # Anthropic's own tools end in a date and pass by `tools.*`; Google's do not.
    **{
        name: Policy("rejected", "Gemini's own tool")
        for name, policy in _GEMINI.items()
        if name.startswith("tools.") and policy.support == "native"
    },
    "tools.tool_search": Policy("mapped", "tool_search_tool_bm25_20251119"),
    "service_tier": Policy("warned", "capacity is bought from Google"),
    "include.code_interpreter_call.outputs": Policy("warned", _NOT_RUN),
    "inference_geo": Policy("rejected", "choose a vertex_location"),
    **{
        name: Policy("rejected", _NOT_RUN)
        for name in (
            "container",
            "mcp_servers",
            "tools.mcp",
            "tools.code_interpreter",
            "tool_choice.code_interpreter",
        )
    },
}
"""The policy of Claude on Vertex AI."""
