"""What a type checker says of a plugin and of the API: good code passes, each wrong line is found."""

import re
import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("mypy")

PLUGIN = """
    from __future__ import annotations

    from collections.abc import Mapping
    from typing import Any

    from dragoman.errors import ProviderError
    from dragoman.hookspecs import HTTPRequest, ProviderInfo, StreamEvent, Target, hookimpl
    from dragoman.output import Output

    @hookimpl
    def provider_info() -> ProviderInfo:
        return ProviderInfo(name="acme", spec_version=1, wire="generate")

    @hookimpl
    def translate_request(request: dict[str, Any], target: Target) -> HTTPRequest:
        return HTTPRequest(url="https://acme.example", json=request)

    @hookimpl
    def parse_error(
        status: int, headers: Mapping[str, str], body: bytes, target: Target
    ) -> ProviderError | None:
        return None
"""
PARSERS = """
    @hookimpl
    def parse_response(payload: Any, output: Output, target: Target) -> None:
        output.text(payload["text"])

    @hookimpl
    def handle_stream_event(event: StreamEvent, output: Output, target: Target) -> None:
        output.text(event.data["text"])
"""
USE = """
    from __future__ import annotations

    import dragoman
    import native
    import whole
    import wrong_argument
    import wrong_return
    from dragoman.hookspecs import NativeProviderModule, ProviderModule

    good: ProviderModule = whole
    also_good: NativeProviderModule = native
    bad_1: ProviderModule = wrong_argument  # error: handle_stream_event
    bad_2: ProviderModule = wrong_return  # error: translate_request
    bad_3: ProviderModule = native  # error: parse_response

    reveal_type(dragoman.responses(model="a/b", input="hi"))  # reveals: Response
    reveal_type(dragoman.responses("hi", "a/b"))  # reveals: Response
    reveal_type(dragoman.responses("hi", "a/b", stream=True))  # reveals: ResponseStream
    dragoman.responses(model="a/b", input=3)  # error: call-overload
    dragoman.responses(model="a/b", input="hi", temprature=1)  # error: call-overload

    with dragoman.Dragoman(timeout=dragoman.Timeout(total=1), api_key="key") as client:
        reveal_type(client.responses.create(model="a/b", input=[{"role": "user"}]))  # reveals: Response
        reveal_type(client.responses.create(model="a/b", stream=False))  # reveals: Response
        reveal_type(client.responses.create(model="a/b", stream=True))  # reveals: ResponseStream
        reveal_type(client.responses.parse(model="a/b", input="hi").output_text)  # reveals: str
        with client.responses.stream(model="a/b", input="hi") as stream:
            for event in stream:
                if event.type == "response.output_text.delta":
                    reveal_type(event.delta)  # reveals: str
            reveal_type(stream.get_final_response())  # reveals: Response

    async def main() -> None:
        reveal_type(await dragoman.aresponses("hi", "a/b"))  # reveals: Response
        reveal_type(await dragoman.aresponses("hi", "a/b", stream=True))  # reveals: AsyncResponseStream
        async with dragoman.AsyncDragoman() as client:
            reveal_type(await client.responses.create(model="a/b", input="hi"))  # reveals: Response
            async with client.responses.stream(model="a/b", input="hi") as stream:
                async for event in stream:
                    if event.type == "response.completed":
                        reveal_type(event.response)  # reveals: Response

    def failed(error: dragoman.APIError) -> None:
        reveal_type(error.response)  # reveals: Response | None
"""


def test_a_type_checker_proves_plugins_and_calls(tmp_path):
    modules = {
        "whole": PLUGIN + PARSERS,
        "native": PLUGIN,
        "wrong_argument": PLUGIN
        + PARSERS.replace("event: StreamEvent", "event: str").replace('event.data["text"]', "event"),
        "wrong_return": PLUGIN.replace(") -> HTTPRequest:", ") -> str:")
        .replace("HTTPRequest(url=", "str(dict(url=")
        .replace("json=request)", "))")
        + PARSERS,
        "use": USE,
    }
    for name, source in modules.items():
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--no-color-output"]
    result = subprocess.run(
        [*command, "--config-file=", f"--cache-dir={tmp_path / 'cache'}", "use.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.stderr == ""
    said = {}
    for file, line, text in re.findall(r"^(\w+\.py):(\d+): (.*)$", result.stdout, re.MULTILINE):
        assert file == "use.py", text
        said.setdefault(int(line), []).append(text)
    for number, line in enumerate((tmp_path / "use.py").read_text().splitlines(), 1):
        kind, _, what = line.partition("  # ")[2].partition(": ")
        words = "\n".join(said.pop(number, []))
        if kind == "reveals":
            types = re.sub(r"\w+\.", "", words.partition('"')[2].partition('"')[0])
            assert types.replace("builtins.", "") == what, line
        else:
            assert ("error:" in words) == (kind == "error"), f"{line}\n{words}"
            assert (what if kind == "error" else "") in words, f"{line}\n{words}"
    assert said == {}
