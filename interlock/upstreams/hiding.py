"""What of a definition is secret, and how that reads wherever it is shown."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from interlock.upstreams.definition import HTTPTarget, StdioTarget

HIDDEN: Final = "***"
MIN_SECRET: Final = 6
_TELLS_SECRET = re.compile(r"(?i)(key|token|secret|passw|credential|auth)")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")


class Mask:
    """Hides secret values in text; values shorter than `MIN_SECRET` characters stay visible.

    Each line of a value of several lines is hidden by itself, as a log shows it line by line.
    """

    def __init__(self, values: Iterable[str]) -> None:
        parts = {printable(part) for value in values for part in (value, *value.splitlines())}
        self._secrets = sorted((p for p in parts if len(p) >= MIN_SECRET), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, self._secrets)) or r"(?!)")

    def apply(self, text: str) -> str:
        """Return `text` with every secret replaced."""
        return self._pattern.sub(HIDDEN, text)

    def trim(self, text: str) -> str:
        """Return `text` without the beginning of a secret at its end, where a cut may leave one."""
        longest = max((_overlap(text, secret) for secret in self._secrets), default=0)
        return text[: len(text) - longest]


def printable(text: str) -> str:
    """Return `text` without the characters that steer a terminal."""
    return _CONTROL.sub("", text)


def secrets_of(target: StdioTarget | HTTPTarget) -> list[str]:
    """Return every value of a target that nobody but its server may be told."""
    if isinstance(target, StdioTarget):
        args = (secret for _, secret in _told_apart(target.args) if secret)
        return [*target.env.values(), *args]
    # A server that speaks of a credential may leave out the scheme before it.
    headers = (part for value in target.headers.values() for part in (value, *value.split()))
    return [*headers, *(secret for url in target.urls for secret in _secrets_in(url))]


def _secrets_in(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    yield from (value or name for name, value in parse_qsl(parts.query, keep_blank_values=True))
    yield parts.password or ""


def hidden_args(args: Sequence[str]) -> list[str]:
    """Return a command's arguments with the values of secret-looking options hidden."""
    return [shown for shown, _ in _told_apart(args)]


def hidden_url(url: str) -> str:
    """Return an address with its password and the values in its query hidden."""
    parts = urlsplit(url)
    if parts.password is not None:
        user, host = parts.username or "", parts.netloc.rpartition("@")[2]
        parts = parts._replace(netloc=f"{user}:{HIDDEN}@{host}")
    if parts.query:
        parts = parts._replace(query="&".join(map(_hidden_pair, parts.query.split("&"))))
    return urlunsplit(parts)


def _told_apart(args: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each argument as it may be shown, and what of it is secret."""
    is_value = False
    for arg in args:
        name, is_pair, value = arg.partition("=")
        if is_value and not arg.startswith("-"):
            yield HIDDEN, arg
        elif is_pair and _TELLS_SECRET.search(name):
            yield f"{name}={HIDDEN}", value
        else:
            yield arg, ""
        option = arg.startswith("-") and not is_pair
        is_value = option and bool(_TELLS_SECRET.search(arg))


def _hidden_pair(pair: str) -> str:
    name, is_pair, _ = pair.partition("=")
    return f"{name}={HIDDEN}" if is_pair else HIDDEN


def _overlap(text: str, secret: str) -> int:
    sizes = range(min(len(secret) - 1, len(text)), 0, -1)
    return next((size for size in sizes if text.endswith(secret[:size])), 0)
