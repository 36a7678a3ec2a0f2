"""Chat Completions: any server that speaks it, and a table of known hosts.

Each model prefix is an attribute of this module: ``dragoman_openai_compatible:groq`` is the host ``groq`` of
``hosts.HOSTS``, as an object with the hooks. Plugins for the same wire elsewhere (Foundry) make a ``Host`` of
their own and build on ``requests.chat_body``, ``responses`` and ``errors``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dragoman.hookspecs import HTTPRequest, ProviderInfo, StreamEvent, Target, hookimpl
from dragoman_openai.requests import responses_body
from dragoman_openai_compatible import errors, requests, responses
from dragoman_openai_compatible.host import Host
from dragoman_openai_compatible.hosts import HOSTS
from dragoman_openai_compatible.info import chat_info, responses_info

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dragoman.errors import ProviderError
    from dragoman.output import Output

__all__ = ["ChatHost", "Host", "ResponsesHost"]


class ResponsesHost:
    """A host that speaks the Responses API itself: requests go out as they are, core relays the answers."""

    def __init__(self, host: Host) -> None:
        """Serve the host of this row."""
        self.host = host
        self.info = responses_info(host)

    @hookimpl
    def provider_info(self) -> ProviderInfo:
        """Describe the host."""
        return self.info

    @hookimpl
    def translate_request(self, request: dict[str, Any], target: Target) -> HTTPRequest:
        """Address a request to ``POST {api_base}/responses``."""
        return HTTPRequest(
            url=requests.address(self.host, target, "/responses"),
            json=responses_body(request, target),
            headers=requests.credentials(target),
        )

    @hookimpl
    def parse_error(
        self,
        status: int,
        headers: Mapping[str, str],  # noqa: ARG002
        body: bytes,
        target: Target,  # noqa: ARG002
    ) -> ProviderError | None:
        """Read a refusal, in whichever dialect."""
        return errors.parse_error(status, body)


class ChatHost:
    """A host that speaks Chat Completions."""

    def __init__(self, host: Host) -> None:
        """Serve the host of this row."""
        self.host = host
        self.info = chat_info(host)

    @hookimpl
    def provider_info(self) -> ProviderInfo:
        """Describe the host: its settings, and what becomes of each parameter."""
        return self.info

    @hookimpl
    def translate_request(self, request: dict[str, Any], target: Target) -> HTTPRequest:
        """Turn a Responses request into ``POST {api_base}/chat/completions``."""
        return requests.translate_request(request, target, self.host)

    @hookimpl
    def parse_response(self, payload: Any, output: Output, target: Target) -> None:
        """Write a whole completion."""
        responses.parse_response(payload, output, target)

    @hookimpl
    def handle_stream_event(self, event: StreamEvent, output: Output, target: Target) -> None:
        """Write one chunk of a streamed completion."""
        responses.handle_stream_event(event, output, target)

    @hookimpl
    def parse_error(
        self,
        status: int,
        headers: Mapping[str, str],  # noqa: ARG002
        body: bytes,
        target: Target,  # noqa: ARG002
    ) -> ProviderError | None:
        """Read a refusal, in whichever dialect."""
        return errors.parse_error(status, body)


def __getattr__(name: str) -> ChatHost | ResponsesHost:
    """Return the plugin of a model prefix; made at first use, like any module."""
    host = HOSTS.get(name)
    if host is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    plugin = ResponsesHost(host) if host.native else ChatHost(host)
    globals()[name] = plugin
    return plugin
