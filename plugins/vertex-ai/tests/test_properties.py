"""What holds for any name and any split: names lead nowhere else, bytes may come in any pieces."""

# mypy: allow-untyped-defs, allow-untyped-calls, no-check-untyped-defs
from __future__ import annotations

import json
from urllib.parse import urlsplit

from hypothesis import given
from hypothesis import strategies as st

import dragoman_vertex_ai as plugin
from dragoman.errors import BadRequestError
from dragoman.hookspecs import Target
from dragoman_vertex_ai.errors import parse_error

REQUEST = {
    "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}],
    "stream": False,
}
TRICKY = st.text(alphabet="ab1-_.@:/?#%&\\\u00e9 \n{}", max_size=30)
FAMILIES = st.sampled_from(
    ["gemini-", "claude-", "google/", "anthropic/", "endpoints/", "projects/p/locations/", ""]
)


@given(FAMILIES, TRICKY, TRICKY, TRICKY)
def test_no_name_or_setting_leaves_googles_hosts(family, name, project, location):
    settings = {"vertex_project": project, "vertex_location": location}
    target = Target("vertex_ai", family + name, {k: v for k, v in settings.items() if v.strip()})
    try:
        url = plugin.translate_request(REQUEST, target).url
    except BadRequestError:
        return
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.hostname.endswith("aiplatform.googleapis.com")
    assert (parts.username, parts.fragment) == (None, "")
    assert ".." not in parts.path.split("/")
    assert parts.path.startswith("/v1/projects/")


STRANGE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "type", "message", "status", "code", "details"]), inner)
    ),
)


@given(st.binary() | STRANGE.map(lambda value: json.dumps(value).encode()), st.sampled_from([400, 404, 429]))
def test_no_refusal_is_too_strange_to_be_read(body, status):
    said = parse_error(status, body, Target("vertex_ai", "claude-opus-4-8", {}))
    assert said is None or (said.message and said.status >= 400)
