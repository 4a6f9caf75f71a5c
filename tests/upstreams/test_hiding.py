"""What of a definition is secret is hidden where it is shown, and known to the mask of its log."""

import pytest

from interlock.upstreams.definition import HTTPTarget, StdioTarget
from interlock.upstreams.hiding import Mask, hidden_args, hidden_url, secrets_of


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        ([], []),
        (["--port", "80", "-v"], ["--port", "80", "-v"]),
        (["--token=abc", "x"], ["--token=***", "x"]),
        (["--api-key", "abc", "x"], ["--api-key", "***", "x"]),
        (["--password", "--verbose", "x"], ["--password", "--verbose", "x"]),
        (["--token", "a=b"], ["--token", "***"]),
        (["API_KEY=abc"], ["API_KEY=***"]),
        (["--secret", "--token=abc", "x"], ["--secret", "--token=***", "x"]),
    ],
)
def test_values_of_secret_looking_options_are_hidden(args: list[str], shown: list[str]) -> None:
    assert hidden_args(args) == shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://a.example/mcp", "http://a.example/mcp"),
        ("http://a.example/mcp?key=abc&page=", "http://a.example/mcp?key=***&page=***"),
        ("http://a.example/?abcdef", "http://a.example/?***"),
        ("https://me:abc@a.example:8443/x?k=v", "https://me:***@a.example:8443/x?k=***"),
        ("https://me@a.example/", "https://me@a.example/"),
    ],
)
def test_passwords_and_queries_of_addresses_are_hidden(url: str, shown: str) -> None:
    assert hidden_url(url) == shown


def test_every_secret_of_a_process_is_masked() -> None:
    args = ("--token=joined-one", "--api-key", "following", "--plain", "plain-word")
    target = StdioTarget("run", args, env={"X": "from-env"})

    text = Mask(secrets_of(target)).apply("joined-one following plain-word from-env")

    assert text == "*** *** plain-word ***"


def test_every_secret_of_an_address_is_masked_without_its_scheme_too() -> None:
    target = HTTPTarget(
        "http://me:pass-word@a.example/?k=quer%79-value&bare-value",
        {"Authorization": "Bearer the-token"},
    )

    text = Mask(secrets_of(target)).apply(
        "Bearer the-token, the-token: pass-word query-value bare-value"
    )

    assert text == "***, ***: *** *** ***"
