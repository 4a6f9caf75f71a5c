"""Handing a request over whole to another process of the same gateway, over its Unix socket."""

from collections.abc import Iterable, Sequence
from contextlib import aclosing
from typing import Final

from interlock.errors import BadInput, InterlockError, Unavailable, UpstreamFailed
from interlock.gateway.http import Receive, Scope, Send, send_part, until_gone
from interlock.telemetry.logs import get_logger
from interlock.upstreams.connections import HTTPClient
from interlock.upstreams.response import HTTPResponse

# Streams last as long as their clients, so that many are open at once; the front bounds them.
MAX_OPEN: Final = 65_536
IDLE_TIMEOUT: Final = 30.0  # seconds; the doors keep idle connections for longer
DOOR_KEEP_ALIVE: Final = 120  # seconds

HANDED_OVER: Final = "interlock.handed_over"  # in a scope: by which process
_BY: Final = b"x-interlock-relayed-by"
_FOR: Final = b"x-interlock-relayed-for"
_HOP_BY_HOP: Final = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"upgrade"),
        *(b"transfer-encoding", b"content-length", b"expect", _BY, _FOR),
    }
)
_OF_THE_CONNECTION: Final = frozenset({b"connection", b"keep-alive", b"transfer-encoding"})
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_NOT_IN_A_LINE: Final = frozenset(b"\r\n\0")

log = get_logger(__name__)


class ProcessLost(Unavailable):
    """The process of the gateway that holds what the request is about does not answer."""

    reason = "process_lost"


class HandedOverTwice(InterlockError):
    """Two processes each took the other for the one that must serve a request."""

    reason = "handed_over_twice"


class Relay:
    """Passes requests to the processes behind `sockets`, which are numbered from 0."""

    def __init__(self, number: int, sockets: Sequence[str]) -> None:
        self._number = number
        self._sockets = sockets
        self._client = HTTPClient(max_open_per_origin=MAX_OPEN, idle_timeout=IDLE_TIMEOUT)

    async def send(
        self, process: int, scope: Scope, body: bytes, receive: Receive, send: Send
    ) -> bool:
        """Let `process` answer a request; its answer goes to the client as it comes.

        A client that leaves takes the request back: the other process sees it leave. The wait has
        no deadline of its own, as the process that serves has them. False says that the answer
        broke off, so that the client's connection must not end well. Raises ProcessLost before
        the first byte of an answer, and HandedOverTwice.
        """
        if HANDED_OVER in scope:
            by = scope[HANDED_OVER]
            log.error("handover.loop", path=scope["path"], handed_over_by=by, wanted=process)
            raise HandedOverTwice("This request was handed over twice; please report this fault.")
        message = _head(scope, len(body), self._number) + body
        whole: list[bool] = []

        async def reply() -> None:
            whole.append(await self._answer(process, scope["method"], message, send))

        return not await until_gone(receive, reply()) or whole == [True]

    async def _answer(self, process: int, method: str, message: bytes, send: Send) -> bool:
        try:
            response = await self._client.exchange(
                self._sockets[process], message, bodyless=method == "HEAD"
            )
        except UpstreamFailed as fault:
            log.warning("handover.failed", to=process, reason=fault.message)
            raise ProcessLost(
                f"Process {process} of the gateway, which must serve this, does not answer; "
                "try again."
            ) from None
        headers = _kept(response.fields, _OF_THE_CONNECTION)
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        try:
            async with aclosing(response.chunks()) as parts:
                async for part in parts:
                    await send_part(send, part)
        except UpstreamFailed as fault:
            log.warning("handover.broke_off", to=process, reason=fault.message)
            return False
        await send({"type": "http.response.body", "body": b""})
        return True

    async def request(
        self, process: int, method: str, path: str, body: bytes = b""
    ) -> HTTPResponse:
        """Make a request of the gateway's own to another process. Raises UpstreamFailed."""
        head = f"{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
        message = head.encode() + body
        return await self._client.exchange(self._sockets[process], message, bodyless=False)

    async def close(self) -> None:
        """End all connections."""
        await self._client.close()


def received(scope: Scope) -> Scope:
    """Return the scope of a request at a Unix socket as its client's own process had it.

    Only processes of this user reach the socket, so that what is said of the client is believed.
    """
    said = {name: value for name, value in scope["headers"] if name in {_BY, _FOR}}
    if _BY not in said:
        return scope
    host, _, port = said.get(_FOR, b"").decode("latin-1").rpartition(" ")
    return {
        **scope,
        "headers": _kept(scope["headers"], {_BY, _FOR}),
        "client": (host, int(port)) if host else None,
        HANDED_OVER: int(said[_BY]),
    }


def _head(scope: Scope, length: int, number: int) -> bytes:
    method: str = scope["method"]
    target: bytes = scope["raw_path"]
    if scope["query_string"]:
        target += b"?" + scope["query_string"]
    named = {
        word.strip().lower()
        for name, value in scope["headers"]
        if name == b"connection"
        for word in value.split(b",")
    }
    fields = _kept(scope["headers"], _HOP_BY_HOP | named)
    if length or method in _WITH_BODY:
        fields.append((b"content-length", b"%d" % length))
    fields.append((_BY, b"%d" % number))
    if scope.get("client"):
        host, port = scope["client"]
        fields.append((_FOR, f"{host} {port}".encode("latin-1")))
    if not _NOT_IN_A_LINE.isdisjoint(b"".join((target, *(name + value for name, value in fields)))):
        raise BadInput("A header or the path has characters that HTTP forbids.")
    lines = [b"%s %s HTTP/1.1" % (method.encode(), target)]
    lines += [b"%s: %s" % field for field in fields]
    return b"\r\n".join((*lines, b"", b""))


def _kept(
    fields: Iterable[tuple[bytes, bytes]], without: frozenset[bytes] | set[bytes]
) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), value) for name, value in fields if name.lower() not in without]
