"""The key: where it is found, and that it is told to Google alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dragoman import errors

if TYPE_CHECKING:
    from .conftest import Gemini


def test_the_key_is_a_header(gemini: Gemini) -> None:
    http = gemini.http(settings={"api_key": "gemini-key-1"})
    assert http.headers["x-goog-api-key"] == "gemini-key-1"
    assert "gemini-key-1" not in http.url


def test_geminis_own_variable_counts_before_googles(gemini: Gemini, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.setenv("GOOGLE_API_KEY", "google-key-1")
    assert gemini.http(settings={}).headers["x-goog-api-key"] == "google-key-1"
    monkeypatch.setenv("GEMINI_API_KEY", "gemini-key-1")
    assert gemini.http(settings={}).headers["x-goog-api-key"] == "gemini-key-1"


def test_without_a_key_the_variables_are_named(gemini: Gemini, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    with pytest.raises(errors.AuthenticationError, match=r"GEMINI_API_KEY \(or GOOGLE_API_KEY\)"):
        gemini.http(settings={})


def test_another_address(gemini: Gemini) -> None:
    settings = {"api_key": "gemini-key-1", "api_base": "http://localhost:8080/v1/"}
    assert gemini.http(settings=settings).url == (
        "http://localhost:8080/v1/models/gemini-3.5-flash:generateContent"
    )
