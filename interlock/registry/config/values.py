"""What the value of a field may be; every refusal says what to write instead."""

import math
import re
from typing import Any
from urllib.parse import urlsplit

from interlock.protocol.json import JSONObject, as_list, as_object

MAX_NAME = 100
_LARGEST = 1e9
_FEW = 10
_MANY = 65_536
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UNSENDABLE = re.compile(r"[\x00\ud800-\udfff]")
_UNSAFE_IN_URL = re.compile(r"[\x00-\x20\x7f-\xa0\ud800-\udfff]")
_UNSAFE_IN_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class WrongValue(Exception):
    """A value is not what its field takes; the message begins with a verb and names the cure."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def text(value: Any) -> str:
    """Return a text that is not empty and can be handed to a process."""
    if not isinstance(value, str):
        raise WrongValue(f"must be a text, not {kind(value)}.")
    if not value.strip():
        raise WrongValue("is empty. Fill it in, or remove it.")
    return sendable(value)


def item(value: Any) -> str:
    """Return one member of a list of texts; it may be empty."""
    if not isinstance(value, str):
        raise WrongValue(f"must be a text, not {kind(value)}. Put it in quotes.")
    return sendable(value)


def scalar(value: Any) -> str:
    """Return a text, a number or a boolean as text, booleans as `true` and `false`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return item(value)


def sendable(value: str) -> str:
    """Return `value` if it can be handed to a process."""
    if _UNSENDABLE.search(value):
        raise WrongValue("holds a character that no process takes. Remove it.")
    return value


def flag(value: Any) -> bool:
    """Return a boolean."""
    if not isinstance(value, bool):
        raise WrongValue(f"must be true or false, not {kind(value)}.")
    return value


def positive(value: Any) -> float:
    """Return a finite number above zero."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongValue(f"must be a number above 0, not {kind(value)}.")
    if not 0 < value <= _LARGEST or math.isnan(value):
        raise WrongValue("must be a number above 0 and below a billion.")
    return float(value)


def few(value: Any) -> int:
    """Return a whole number from 0 to 10."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _FEW:
        raise WrongValue(f"must be a whole number from 0 to {_FEW}.")
    return value


def many(value: Any) -> int:
    """Return a whole number from 1 to 65536."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MANY:
        raise WrongValue(f"must be a whole number from 1 to {_MANY}.")
    return value


def number_map(value: Any) -> JSONObject:
    """Return an object; its members are checked one by one."""
    members = as_object(value)
    if members is None:
        raise WrongValue(f'must be an object such as {{"NAME": 5}}, not {kind(value)}.')
    return members


def texts(value: Any) -> list[Any]:
    """Return a list; its members are checked one by one."""
    members = as_list(value)
    if members is None:
        raise WrongValue(f'must be a list of texts such as ["a", "b"], not {kind(value)}.')
    return members


def text_map(value: Any) -> JSONObject:
    """Return an object; its members are checked one by one."""
    members = as_object(value)
    if members is None:
        raise WrongValue(f'must be an object such as {{"NAME": "value"}}, not {kind(value)}.')
    return members


def url(value: str) -> str:
    """Return an absolute http or https address."""
    if _UNSAFE_IN_URL.search(value):
        raise WrongValue("holds a space or a control character. Write %20 for a space.")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise WrongValue("is not an address. Write one such as https://host/mcp.") from None
    if parts.scheme not in {"http", "https"}:
        raise WrongValue("must begin with http:// or https://.")
    if not parts.hostname or port == 0:
        raise WrongValue("names no host. Write one such as https://host/mcp.")
    return value


def header_name(name: str) -> None:
    """Check the name of a header."""
    if not _HEADER_NAME.fullmatch(name):
        raise WrongValue("is not the name of a header. Use letters, digits and hyphens.")


def header_value(value: str) -> str:
    """Return the value of a header, without white space around it."""
    if _UNSAFE_IN_HEADER.search(value):
        raise WrongValue("holds a line break or a character that no header takes. Remove it.")
    return value.strip()


def env_name(name: str) -> None:
    """Check the name of an environment variable."""
    if not name or "=" in name or _UNSENDABLE.search(name):
        raise WrongValue("is not the name of an environment variable. It may hold no =.")


def server_name(name: str) -> str:
    """Return the name of a server: 1 to 100 characters, no control character, no slash."""
    if not name.strip():
        raise WrongValue("is empty. Give the server a name.")
    if len(name) > MAX_NAME:
        raise WrongValue(f"is longer than {MAX_NAME} characters. Shorten it.")
    if "/" in name or _CONTROL.search(name):
        raise WrongValue("holds a slash or a control character. Remove it.")
    if name in {".", ".."}:
        raise WrongValue("means a folder in an address. Choose another.")
    return name


def kind(value: Any) -> str:
    """Say what a value is, in words and without its content."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    if as_list(value) is not None:
        return "a list"
    return "an object" if as_object(value) is not None else f"a {type(value).__name__}"
