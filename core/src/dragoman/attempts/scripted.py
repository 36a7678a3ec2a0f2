"""`mock_response`: an answer that the caller wrote, on the way that every answer takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from dragoman.hookspecs import SPEC_VERSION, HTTPRequest, LocalAnswer, ProviderInfo, hookimpl

if TYPE_CHECKING:
    from dragoman.hookspecs import StreamEvent, Target
    from dragoman.output import Output

__all__ = ["ScriptedProvider"]


class ScriptedProvider:
    """Stands in for a provider and gives one fixed answer: its text, or an error to raise."""

    def __init__(self, name: str, answer: str | Exception) -> None:
        self._name = name
        self._answer = answer

    @hookimpl
    def provider_info(self) -> ProviderInfo:
        """Describe the mock; the caller lets every parameter pass, because nobody reads them."""
        return ProviderInfo(name=self._name, spec_version=SPEC_VERSION, wire="mock")

    @hookimpl
    def translate_request(self) -> HTTPRequest:
        """Raise the error, if that is the answer."""
        if isinstance(self._answer, Exception):
            raise self._answer
        return HTTPRequest(url="mock:", json={})

    @hookimpl
    def answer_locally(self) -> LocalAnswer:
        """Give the text."""
        return LocalAnswer(chunks=[json.dumps(self._answer).encode()])

    @hookimpl
    def parse_response(self, payload: Any, output: Output) -> None:
        """Write the text."""
        output.text(payload)
        output.usage(input_tokens=0, output_tokens=0)
        output.finish()

    @hookimpl
    def handle_stream_event(self, event: StreamEvent, output: Output, target: Target) -> None:
        """Never called: the answer is always whole."""
