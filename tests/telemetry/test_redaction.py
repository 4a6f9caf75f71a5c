from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlock.protocol.json import dumps
from interlock.telemetry.redaction import (
    MAX_TEXT,
    MAX_TRACEBACK,
    clean,
    clean_text,
    clean_traceback,
)

SECRET = "ilk_Zk3-Jq_9"

NAMES = [
    "authorization",
    "Proxy-Authorization",
    "x-api-key",
    "X_API_KEY",
    "apiKey",
    "cookie",
    "Set-Cookie",
    "password",
    "passwd",
    "client_secret",
    "accessToken",
    "headers",
    "request_headers",
    "env",
    "server_env",
    "serverEnv",
    "environment",
    "private_key",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["hunter2", 4711, b"hunter2", ["hunter2"], {"a": "hunter2"}])
def test_values_of_fields_named_for_secrets_are_masked(name: str, value: object) -> None:
    assert clean(name, value) == "***"
    assert {"inner": {name: "***"}} == clean("detail", {"inner": {name: value}})


@pytest.mark.parametrize("name", ["event", "tool", "envelope", "server", "author", "path", "key"])
def test_other_fields_keep_their_value(name: str) -> None:
    assert clean(name, "plain") == "plain"


def test_a_missing_secret_shows_as_missing() -> None:
    assert clean("token", None) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"key {SECRET}.", "key ilk_***."),
        (f"a{SECRET} b{SECRET}", "ailk_*** bilk_***"),
        ("got Bearer abc.def-ghi, sorry", "got Bearer ***, sorry"),
        ("bearer abc", "bearer ***"),
        ("Basic dXNlcjpwYXNz", "Basic ***"),
        ("Authorization: Digest x, y", "Authorization: ***"),
        ("Cookie: a=1; b=2\nnext", "Cookie: ***\nnext"),
        ("GET /x?token=abc&page=2", "GET /x?token=***&page=2"),
        ("api_key = 'a b c', n=1", "api_key = ***, n=1"),
        ('{"password": "a \\"b\\" c", "n": 1}', '{"password": ***, "n": 1}'),
        ("client_secret_v2=abc", "client_secret_v2=***"),
        ("postgresql://me:hunter2@db/x", "postgresql://***@db/x"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "***"),
        ("tokenizer ready, 3 servers", "tokenizer ready, 3 servers"),
        ("http://localhost:8080/mail@x", "http://localhost:8080/mail@x"),
    ],
)
def test_secrets_within_text_are_masked_and_the_rest_stays(text: str, expected: str) -> None:
    assert expected == clean_text(text)


def test_headers_kept_as_pairs_are_masked() -> None:
    pairs = [(b"x-api-key", b"abc"), ("accept", "text/plain"), ["cookie", "a=b"]]

    expected = [["x-api-key", "***"], ["accept", "text/plain"], ["cookie", "***"]]
    assert expected == clean("detail", pairs)


@given(st.text(max_size=3000), st.text(max_size=3000))
def test_a_key_is_masked_wherever_it_stands_in_a_text(before: str, after: str) -> None:
    written = clean_text(before + SECRET + after)

    assert SECRET not in written
    assert "Zk3-Jq" not in written
    assert len(written.encode("unicode_escape")) <= 10 * MAX_TEXT + 100


@given(st.integers(min_value=0, max_value=MAX_TEXT + 10))
def test_a_key_at_the_cut_does_not_show_its_beginning(length: int) -> None:
    assert "Zk" not in clean_text("." * length + SECRET + "." * 50)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=30,
)


@given(JSON)
def test_whatever_is_logged_becomes_json_without_the_secret(value: Any) -> None:
    planted = {"a": value, "b": [value, {"c": f"x {SECRET}", "token": SECRET}], SECRET: value}

    written = dumps(clean("detail", planted))

    assert SECRET.encode() not in written


def test_containers_are_bounded_in_depth_and_number() -> None:
    endless: list[Any] = []
    endless.append(endless)
    wide = [{str(n): n for n in range(1000)} for _ in range(1000)]

    assert len(dumps(clean("detail", endless))) < 100
    assert len(dumps(clean("detail", wide))) < 2000


def test_an_object_that_cannot_be_written_shows_its_type() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    assert clean("detail", Broken()) == "<Broken>"


def test_an_object_is_written_as_text_and_masked() -> None:
    @dataclass
    class Held:
        password: str

    assert "hunter2" not in clean("detail", Held("hunter2"))


def test_of_a_long_traceback_the_end_stays_without_a_broken_first_line() -> None:
    text = "\n".join([f"password=abc{n}" for n in range(5000)] + ["ValueError: here"])

    written = clean_traceback(text)

    assert written.startswith("password=***\n")
    assert written.endswith("ValueError: here")
    assert len(written) <= MAX_TRACEBACK
    assert "abc" not in written
