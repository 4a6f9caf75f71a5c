"""The few pieces of HTTP that the endpoints need, on plain ASGI."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Coroutine, Iterable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeAlias

from interlock.errors import BadInput, InterlockError, RPCError, TooLarge, TooMany
from interlock.protocol import jsonrpc
from interlock.protocol.json import dumps

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
HeaderList: TypeAlias = Iterable[tuple[bytes, bytes]]

MAX_LENGTH_DIGITS = 18
MAX_DRAINED = 16 * 1024 * 1024  # bytes read on after a body was found too large
NAMED_SERVER = "interlock.named_server"  # in a scope: the one that its path names, and no project
ATTEMPTS = "interlock.attempts"  # in a scope: how often its call was made already
CALLER = "interlock.caller"  # in a scope: a function that returns who calls, known by a login
LOGIN_PROOF = b"x-csrf-token"  # a header that only pages of our own console can send
# Pages of other sites are answered otherwise, so that no cache may mix the two up.
VARY = (b"vary", b"Origin")
JSON_TYPE = (b"content-type", b"application/json")
SSE_HEADERS = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)


class UnsupportedMediaType(BadInput):
    """The body is of a type that the endpoint does not read."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    reason = "unsupported_media_type"


class NotAcceptable(BadInput):
    """The client accepts nothing that the endpoint can answer."""

    status = HTTPStatus.NOT_ACCEPTABLE
    reason = "not_acceptable"


class MethodNotAllowed(BadInput):
    """The endpoint does not know this HTTP method; `allow` lists those that it takes."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    reason = "method_not_allowed"

    def __init__(self, message: str, *, allow: str = "POST") -> None:
        super().__init__(message)
        self.allow = allow


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the client can read."""

    json: bool
    sse: bool


def accepted(headers: dict[str, str]) -> Accepted:
    """Read what the client accepts; a client that does not say accepts everything."""
    named = {part.partition(";")[0].strip() for part in headers.get("accept", "*/*").split(",")}
    json = bool(named & {"application/json", "application/*", "*/*"})
    sse = bool(named & {"text/event-stream", "text/*", "*/*"})
    if not json and not sse:
        raise NotAcceptable("Accept must name application/json and text/event-stream.")
    return Accepted(json=json, sse=sse)


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


def headers_of(scope: Scope) -> dict[str, str]:
    """Return the headers by lower-case name, without the white space around their values.

    Repeated headers are joined by a comma, so that no check looks at one and no use at another.
    """
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1").strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


async def read_body(headers: dict[str, str], receive: Receive, limit: int) -> bytes:
    """Return the body of a request. Raises TooLarge over `limit` bytes, ClientGone."""
    announced = headers.get("content-length", "0")
    if announced.isdecimal() and (len(announced) > MAX_LENGTH_DIGITS or int(announced) > limit):
        if "expect" not in headers:
            await _drain(receive)
        raise TooLarge(f"The body is larger than {limit} bytes.")
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part: bytes = message.get("body", b"")
        size += len(part)
        is_last = not message.get("more_body", False)
        if size > limit:
            if not is_last:
                await _drain(receive)
            raise TooLarge(f"The body is larger than {limit} bytes.")
        parts.append(part)
        if is_last:
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def _drain(receive: Receive) -> None:
    """Drop what is still sent, up to a bound: a client that sends on would not read the refusal."""
    size = 0
    while size < MAX_DRAINED:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body", False):
            return


def is_json(headers: dict[str, str]) -> bool:
    """Tell whether the body is JSON."""
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def check_content_type(headers: dict[str, str]) -> None:
    """Refuse a body that is not JSON. Raises UnsupportedMediaType."""
    if not is_json(headers):
        raise UnsupportedMediaType("The body must be JSON, with Content-Type: application/json.")


async def send_body(
    send: Send, status: int, body: bytes = b"", headers: HeaderList = (JSON_TYPE,)
) -> None:
    """Send a whole answer."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


async def send_failure(
    send: Send, fault: InterlockError | RPCError, request_id: jsonrpc.RequestId | None, trace: str
) -> int:
    """Send a refusal as a JSON-RPC error with its HTTP status, and return that status."""
    status = HTTPStatus.OK if isinstance(fault, RPCError) else fault.status
    headers = [JSON_TYPE, (b"x-request-id", trace.encode())]
    if isinstance(fault, TooMany):
        headers.append((b"retry-after", str(max(1, math.ceil(fault.retry_after))).encode()))
    if status == HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", b'Bearer realm="interlock"'))
    if isinstance(fault, MethodNotAllowed):
        headers.append((b"allow", fault.allow.encode()))
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        # What is left of the body will not be read, so the connection cannot be used again.
        headers.append((b"connection", b"close"))
    await send_body(send, status, dumps(jsonrpc.failure(request_id, fault)), headers)
    return status


async def send_part(send: Send, part: bytes) -> None:
    """Send a part of an answer that goes on."""
    await send({"type": "http.response.body", "body": part, "more_body": True})


async def until_gone(receive: Receive, reply: Coroutine[None, None, None]) -> bool:
    """Run `reply` to its end, or until the client closes the connection; then return False."""
    sending = asyncio.create_task(reply)
    gone = asyncio.create_task(_disconnected(receive))
    try:
        await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not sending.done():
            return False
        sending.result()
        return True
    finally:
        sending.cancel()
        gone.cancel()
        await asyncio.wait({sending, gone})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
