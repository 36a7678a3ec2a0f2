"""Clients by URL: what one process was told, the next one knows."""

from __future__ import annotations

import pytest

from dragoman import Dragoman, NotFoundError

pytest.importorskip("dragoman_echo", reason="dragoman-echo is not installed")


def test_a_conversation_goes_on_after_a_restart(url):
    with Dragoman(store=url) as client:
        first = client.responses.create(model="echo/echo", input="My name is Ann.")
        conversation = client.conversations.create(items=[{"role": "user", "content": "a\0b"}])
        client.responses.create(model="echo/echo", input="Hello", conversation=conversation["id"])
    with Dragoman(store=url) as client:
        assert client.responses.retrieve(first.id).model_dump() == first.model_dump()
        second = client.responses.create(model="echo/echo", input="Who am I?", previous_response_id=first.id)
        assert second.previous_response_id == first.id
        listed = client.conversations.items.list(conversation["id"], order="asc")
        assert [item["role"] for item in listed["data"]] == ["user", "user", "assistant"]
        assert listed["data"][0]["content"][0]["text"] == "a\0b"
        client.responses.delete(first.id)
    with Dragoman(store=url) as client, pytest.raises(NotFoundError):
        client.responses.retrieve(first.id)
