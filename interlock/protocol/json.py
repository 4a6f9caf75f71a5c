"""JSON in and out: strict for what callers send, lossless for what servers answer."""

import json
import math
import re
from collections.abc import Iterable
from typing import Any, NoReturn, TypeAlias, cast

import orjson

from interlock.errors import BadMessage

JSONObject: TypeAlias = dict[str, Any]

MAX_DEPTH = 128
_INT64_DIGITS = 19
_LONG_DIGITS = re.compile(rb"[0-9]{19,}")
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class HostileJSON(BadMessage):
    """The body is not JSON, or JSON that two readers could understand differently."""

    rpc_code = -32700
    reason = "bad_json"


def dumps(value: Any) -> bytes:
    """Return `value` as compact UTF-8 JSON; integers of any size survive."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def loads(text: bytes | bytearray) -> Any:
    """Parse what a server answered, keeping integers beyond 64 bits exact.

    Raises ValueError where `text` is not JSON, or nested deeper than `MAX_DEPTH`.
    """
    value = _decode(_LOSSLESS, text) if _LONG_DIGITS.search(text) else orjson.loads(text)
    _check_depth(text, value)
    return value


def loads_strict(text: bytes) -> Any:
    """Parse what a caller sent; refuse whatever another parser could read differently.

    Refused are bad UTF-8, lone surrogates, NaN and infinities, repeated keys, integers beyond
    64 bits and nesting deeper than `MAX_DEPTH`. Raises HostileJSON.
    """
    try:
        value = _decode(_STRICT, text)
        _check_depth(text, value)
    except UnicodeDecodeError as error:
        raise HostileJSON("The body is not UTF-8; send JSON encoded as UTF-8.") from error
    except ValueError as error:
        raise HostileJSON(f"The body is not valid JSON: {error}.") from error
    return value


def as_object(value: Any) -> JSONObject | None:
    """Return `value` if it is a JSON object, else None."""
    return cast("JSONObject", value) if isinstance(value, dict) else None


def as_list(value: Any) -> list[Any] | None:
    """Return `value` if it is a JSON array, else None."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def _decode(decoder: json.JSONDecoder, text: bytes | bytearray) -> Any:
    try:
        value = decoder.decode(text.decode("utf-8"))
    except RecursionError as error:
        raise _too_deep() from error
    if _SURROGATE.search(text):
        # Only the other parser refuses half of a pair, which no UTF-8 could carry on.
        orjson.loads(text)
    return value


def _check_depth(text: bytes | bytearray, value: Any) -> None:
    if text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
        return
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _members(outer) if _is_nested(inner)]
        if not level:
            return
    raise _too_deep()


def _members(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return cast("JSONObject", value).values()
    return cast("list[Any]", value) if isinstance(value, list) else ()


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict | list)


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
