"""An upstream in memory, behind the seam that dragoman's clients have for users: ``http_client=``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

__all__ = ["FakeUpstream"]


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


class FakeUpstream:
    """Gives every request the same answer, chunk by chunk, and remembers what it was asked.

    Example::

        upstream = FakeUpstream([b'{"error": {"message": "slower"}}'], status=429)
        client = Dragoman(http_client=upstream.client(), api_key="test-key-123456")
    """

    def __init__(
        self, chunks: Iterable[bytes], *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        self.requests: list[httpx.Request] = []
        self._chunks = list(chunks)
        self._status = status
        self._headers = dict(headers or {"content-type": "application/json"})

    def client(self) -> httpx.Client:
        """Return a client whose every request comes here."""
        return httpx.Client(transport=httpx.MockTransport(self._answer))

    def async_client(self) -> httpx.AsyncClient:
        """Return an async client whose every request comes here."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self._status, headers=self._headers, stream=_Body(self._chunks))
