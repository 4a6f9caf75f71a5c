"""JSON in and out: strict for what callers send, lossless for what servers answer."""

import gc
import json
import math
import re
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final, NoReturn, TypeAlias

import orjson

from interlock.errors import BadMessage

JSONObject: TypeAlias = dict[str, Any]

MAX_DEPTH: Final = 128
_INT64_DIGITS: Final = 19
_SHALLOW: Final = 2 * MAX_DEPTH  # bytes: each level takes two at least
_SMALL: Final = 16 * 1024  # bytes up to which a second look costs little
_LONG: Final = b"0" * _INT64_DIGITS
_LARGE: Final = 1024 * 1024  # bytes from which on the collector is paused
_DIGITS_TO_ZEROS: Final = bytes.maketrans(b"123456789", b"0" * 9)
_BRACES_TO_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_NO_STRUCTURE: Final = bytes([byte for byte in range(256) if byte not in b'[]{}"'])
_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_parse: Final = orjson.loads
_write: Final = orjson.dumps


class HostileJSON(BadMessage):
    """The body is not JSON, or JSON that two readers could understand differently."""

    rpc_code = -32700
    reason = "bad_json"


def dumps(value: Any) -> bytes:
    """Return `value` as compact UTF-8 JSON; integers of any size survive.

    What is written JSON already, as `orjson.Fragment`, is put in as it is.
    """
    try:
        return _write(value)
    except TypeError:
        return _dumps_exact(value)


def loads(text: bytes | bytearray) -> Any:
    """Parse what a server answered, keeping integers beyond 64 bits exact.

    Raises ValueError where `text` is not JSON, or nested deeper than `MAX_DEPTH`.
    """
    value, is_exact = _loads_exact(text) if len(text) <= _SMALL else (None, False)
    if is_exact:
        return value
    if len(text) > _LARGE:
        with uncollected():
            value = _decode(_LOSSLESS, text) if _has_long_number(text) else _parse(text)
    else:
        value = _decode(_LOSSLESS, text) if _has_long_number(text) else _parse(text)
    _check_depth(text)
    return value


def loads_strict(text: bytes) -> Any:
    """Parse what a caller sent; refuse whatever another parser could read differently.

    Refused are bad UTF-8, lone surrogates, NaN and infinities, repeated keys, integers beyond
    64 bits and nesting deeper than `MAX_DEPTH`. Raises HostileJSON.
    """
    try:
        value = _decode(_STRICT, text)
        _check_depth(text)
    except UnicodeDecodeError as error:
        raise HostileJSON("The body is not UTF-8; send JSON encoded as UTF-8.") from error
    except ValueError as error:
        raise HostileJSON(f"The body is not valid JSON: {error}.") from error
    return value


def loads_quick(text: bytes) -> Any:
    """Parse what a caller sent where that is plainly safe; None where `loads_strict` must decide.

    What is returned is what `loads_strict` returns.
    """
    try:
        value = _parse(text)
        if _is_exact(value, text):
            return value
        # A repeated key is lost in the value, and its colon with it; only \\u003a can make up for one.
        if b"\\u" in text or text.count(b"[") + text.count(b"{") > MAX_DEPTH:
            return None
        is_whole = _write(value).count(b":") == text.count(b":")
    except ValueError:
        return None
    return value if is_whole and not _has_long_number(text) else None


def as_object(value: Any) -> JSONObject | None:
    """Return `value` if it is a JSON object, else None."""
    # Nothing is said by `cast`, which would be called for all that passes through here.
    return value if isinstance(value, dict) else None  # pyright: ignore[reportUnknownVariableType]


def as_list(value: Any) -> list[Any] | None:
    """Return `value` if it is a JSON array, else None."""
    return value if isinstance(value, list) else None  # pyright: ignore[reportUnknownVariableType]


@contextmanager
def uncollected() -> Generator[None]:
    """Keep the garbage collector from walking over a large value again and again as it grows."""
    is_paused = gc.isenabled()
    if is_paused:
        gc.disable()
    try:
        yield
    finally:
        if is_paused:
            gc.enable()


def _dumps_exact(value: Any) -> bytes:
    """Write integers beyond 64 bits as well."""
    written: dict[bytes, bytes] = {}

    def place(fragment: Any) -> str:
        if not isinstance(fragment, orjson.Fragment):
            raise TypeError(f"{type(fragment).__name__} is not JSON")
        name = secrets.token_hex(16)
        written[b'"%b"' % name.encode()] = _write(fragment)
        return name

    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=place).encode()
    for name, fragment in written.items():
        text = text.replace(name, fragment)
    return text


def _loads_exact(text: bytes | bytearray) -> tuple[Any, bool]:
    try:
        value = _parse(text)
        return value, _is_exact(value, text)
    except ValueError:
        return None, False


def _is_exact(value: Any, text: bytes | bytearray) -> bool:
    """Tell whether a value is certainly all that its text says: it is written just like that.

    Then no key was repeated, no number rounded and nothing escaped; most senders write compactly.
    """
    if len(text) > _SHALLOW and text.count(b"[") + text.count(b"{") > MAX_DEPTH:
        return False
    return _write(value) == text


def _decode(decoder: json.JSONDecoder, text: bytes | bytearray) -> Any:
    try:
        value = decoder.decode(text.decode("utf-8"))
    except RecursionError as error:
        raise _too_deep() from error
    if _SURROGATE.search(text):
        # Only the other parser refuses half of a pair, which no UTF-8 could carry on.
        _parse(text)
    return value


def _has_long_number(text: bytes | bytearray) -> bool:
    # Ten times as fast as a regular expression, which counts in answers of many megabytes.
    return _LONG in text.translate(_DIGITS_TO_ZEROS)


def _check_depth(text: bytes | bytearray) -> None:
    """Refuse JSON, known to be valid, that is nested too deep.

    It is measured on the text, with a few passes of C over all of it, since a walk over the values
    of a large answer would stop everything else for seconds.
    """
    if text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
        return
    brackets = _brackets(text)
    for _ in range(MAX_DEPTH):
        # Each pass takes away what holds nothing any more: the innermost level.
        brackets = brackets.replace(b"[]", b"")
        if not brackets:
            return
    raise _too_deep()


def _brackets(text: bytes | bytearray) -> bytes | bytearray:
    """Return the brackets and braces of `text`, all as brackets, without those in strings."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    # Two quotes side by side are a string without brackets, or leave a string and enter the next.
    text = text.translate(_BRACES_TO_BRACKETS, _NO_STRUCTURE).replace(b'""', b"")
    return b"".join(text.split(b'"')[::2]) if b'"' in text else text


def _too_deep() -> ValueError:
    return ValueError(f"it is nested deeper than {MAX_DEPTH} levels")


def _object(pairs: list[tuple[str, Any]]) -> JSONObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise HostileJSON("An object in the body has the same key twice.")
    return members


def _integer(digits: str) -> int:
    if len(digits) > _INT64_DIGITS + 1 or not -(1 << 63) <= (number := int(digits)) < 1 << 64:
        raise HostileJSON("An integer in the body does not fit into 64 bits; send it as a string.")
    return number


def _float(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number is too large; send it as a string")
    return number


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


_LOSSLESS = json.JSONDecoder(parse_float=_float, parse_constant=_constant)
_STRICT = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)
