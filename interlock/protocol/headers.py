"""Modern requests mirrored into HTTP headers: writing them, and checking them against the body.

Source: 2026-07-28, basic/transports/streamable-http, "Request Metadata" and "Server Validation".
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from interlock.errors import BadInput
from interlock.protocol.json import JSONObject, as_object
from interlock.protocol.versions import HEADER_MISMATCH, META_VERSION

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PLAIN = re.compile(r"[!-~](?:[ -~\t]*[!-~])?|")
_SENTINEL = re.compile(r"=\?base64\?(.*)\?=", re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]{1,16}(?:\.[0-9]{1,16})?")
_NAMED_BY = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    # The extension io.modelcontextprotocol/tasks, "Routing Headers".
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
_MAX_SAFE_INTEGER = 2**53 - 1


class HeaderMismatch(BadInput):
    """A mirrored header is missing, malformed, or says something else than the body."""

    status = HTTPStatus.BAD_REQUEST
    rpc_code = HEADER_MISMATCH
    reason = "header_mismatch"


class InvalidAnnotation(ValueError):
    """An `x-mcp-header` breaks the specification's rules, so its tool must not be offered."""


@dataclass(frozen=True, slots=True)
class HeaderParam:
    """One tool argument that is mirrored: header name (lower case) and path in the arguments."""

    header: str
    path: tuple[str, ...]


def encode_value(value: str) -> str:
    """Return `value` as a header value, in Base64 where plain ASCII could not carry it."""
    looks_encoded = value.startswith("=?base64?") and value.endswith("?=")
    if _PLAIN.fullmatch(value) and not looks_encoded:
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def decode_value(value: str) -> str:
    """Return what a header value stands for. Raises HeaderMismatch where it is malformed."""
    encoded = _SENTINEL.fullmatch(value)
    if encoded is None:
        if not _PLAIN.fullmatch(value):
            raise HeaderMismatch("A header value holds invalid characters; encode it in Base64.")
        return value
    try:
        return base64.b64decode(encoded[1], validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise HeaderMismatch("A header value is not valid Base64 of UTF-8.") from error


def header_params(schema: Any) -> tuple[HeaderParam, ...]:
    """Return the arguments that a tool's input schema mirrors into headers.

    Raises InvalidAnnotation where an `x-mcp-header` breaks a rule of the specification.
    """
    found: list[HeaderParam] = []
    _collect(schema, (), found, reachable=True)
    names = [param.header for param in found]
    if len(set(names)) != len(names):
        raise InvalidAnnotation("two parameters have the same x-mcp-header")
    return tuple(found)


def _collect(
    schema: Any, path: tuple[str, ...], found: list[HeaderParam], *, reachable: bool
) -> None:
    if isinstance(schema, list):
        for item in schema:  # pyright: ignore[reportUnknownVariableType]
            _collect(item, path, found, reachable=False)
    node = as_object(schema)
    if node is None:
        return
    if "x-mcp-header" in node:
        found.append(_annotation(node, path, reachable=reachable))
    for key, value in node.items():
        members = as_object(value) if key == "properties" else None
        if members is not None:
            for name, member in members.items():
                _collect(member, (*path, name), found, reachable=reachable)
        elif key not in {"default", "const", "enum", "examples"}:
            _collect(value, path, found, reachable=False)


def _annotation(node: JSONObject, path: tuple[str, ...], *, reachable: bool) -> HeaderParam:
    name = node["x-mcp-header"]
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise InvalidAnnotation("an x-mcp-header is not a header name")
    if not reachable or not path:
        raise InvalidAnnotation(f"x-mcp-header {name} stands where it cannot be reached statically")
    if node.get("type") not in ("string", "integer", "boolean"):
        raise InvalidAnnotation(f"x-mcp-header {name} is not on a string, an integer or a boolean")
    return HeaderParam(f"mcp-param-{name.lower()}", path)


def request_headers(
    method: str, params: JSONObject, mirrored: tuple[HeaderParam, ...] = ()
) -> list[tuple[str, str]]:
    """Return the headers that a modern request must carry over Streamable HTTP."""
    headers = [("mcp-method", method)]
    name = params.get(_NAMED_BY.get(method, ""))
    if isinstance(name, str):
        headers.append(("mcp-name", encode_value(name)))
    for param in mirrored:
        value = _text(_at(params.get("arguments"), param.path))
        if value is not None:
            headers.append((param.header, encode_value(value)))
    return headers


def check_headers(
    headers: Mapping[str, str],
    method: str,
    params: JSONObject,
) -> None:
    """Check the standard headers of a modern request. Raises HeaderMismatch.

    `headers` has lower-case names.
    """
    meta = as_object(params.get("_meta")) or {}
    _same(headers, "mcp-protocol-version", meta.get(META_VERSION), encoded=False)
    _same(headers, "mcp-method", method, encoded=False)
    key = _NAMED_BY.get(method)
    if key is not None and isinstance(params.get(key), str):
        _same(headers, "mcp-name", params[key], encoded=True)


def _same(headers: Mapping[str, str], name: str, expected: Any, *, encoded: bool) -> None:
    value = headers.get(name)
    if value is None:
        raise HeaderMismatch(f"Header mismatch: the header {name} is missing.")
    if (decode_value(value) if encoded else value) != expected:
        raise HeaderMismatch(f"Header mismatch: {name} differs from the value in the body.")


def check_params(
    headers: Mapping[str, str], params: JSONObject, mirrored: tuple[HeaderParam, ...]
) -> None:
    """Check the mirrored arguments of a tool call. Raises HeaderMismatch."""
    for param in mirrored:
        value = _at(params.get("arguments"), param.path)
        expected = _text(value)
        sent = headers.get(param.header)
        if (expected is None) != (sent is None):
            fault = "missing" if sent is None else "sent for an argument that is not there"
            raise HeaderMismatch(f"Header mismatch: the header {param.header} is {fault}.")
        if sent is not None and expected is not None and not _equal(decode_value(sent), value):
            raise HeaderMismatch(f"Header mismatch: {param.header} differs from the argument.")


def _equal(sent: str, value: Any) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _NUMBER.fullmatch(sent) is not None and float(sent) == value
    return sent == _text(value)


def _at(arguments: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        node = as_object(arguments)
        if node is None:
            return None
        arguments = node.get(step)
    return arguments


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) <= _MAX_SAFE_INTEGER else None
    if isinstance(value, float) and value.is_integer():
        return _text(int(value))
    return value if isinstance(value, str) else None
