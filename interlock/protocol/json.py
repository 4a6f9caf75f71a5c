"""JSON in and out: strict for what callers send, lossless for what servers answer."""

import json
import math
import re
from typing import Any, NoReturn, TypeAlias, cast

import orjson

from interlock.errors import BadMessage

JSONObject: TypeAlias = dict[str, Any]

MAX_DEPTH = 128
_INT64_DIGITS = 19
_LONG_DIGITS = re.compile(rb"[0-9]{19,}")
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


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


def loads(text: bytes | bytearray | memoryview) -> Any:
    """Parse what a server answered, keeping integers beyond 64 bits exact.

    Raises ValueError where `text` is not JSON.
    """
    if _LONG_DIGITS.search(text):
        return json.loads(bytes(text))
    return orjson.loads(text)


def loads_strict(text: bytes) -> Any:
    """Parse what a caller sent; refuse whatever another parser could read differently.

    Refused are bad UTF-8, NaN and infinities, repeated keys, integers beyond 64 bits and nesting
    deeper than `MAX_DEPTH`. Raises HostileJSON.
    """
    _check_depth(text)
    try:
        return _STRICT.decode(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise HostileJSON("The body is not UTF-8; send JSON encoded as UTF-8.") from error
    except ValueError as error:
        raise HostileJSON(f"The body is not valid JSON: {error}.") from error


def as_object(value: Any) -> JSONObject | None:
    """Return `value` if it is a JSON object, else None."""
    return cast("JSONObject", value) if isinstance(value, dict) else None


def as_list(value: Any) -> list[Any] | None:
    """Return `value` if it is a JSON array, else None."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def _check_depth(text: bytes) -> None:
    if text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for char in _STRINGS.sub(b"", text):
        if char in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise HostileJSON(f"The body is nested deeper than {MAX_DEPTH} levels.")
        elif char in b"]}":
            depth -= 1


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
        raise HostileJSON("A number in the body is too large; send it as a string.")
    return number


def _constant(name: str) -> NoReturn:
    raise HostileJSON(f"The body contains {name}, which is not JSON.")


_STRICT = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)
