"""The HTTP/1.1 client that servers are called with: its requests, and its connections per origin."""

import asyncio
import os
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from aiohappyeyeballs import start_connection  # pyright: ignore[reportUnknownVariableType] -- its types leave addresses open

from interlock.errors import BadInput
from interlock.upstreams.connection import Connection, ConnectionFailed, HTTPResponse
from interlock.upstreams.definition import ConnectionLimits
from interlock.upstreams.proxies import Proxies, Proxy
from interlock.upstreams.tunnel import TunnelRefused, open_tunnel

__all__ = ["ConnectionFailed", "HTTPClient", "HTTPResponse"]

MAX_OPEN_PER_ORIGIN = 1024
# The second address of a name is tried when the first has been silent for this long (RFC 8305).
NEXT_ADDRESS_AFTER = 0.25
CLOSE_TIMEOUT = 5.0
JUST_USED = 0.1  # seconds
DEFAULT_PORTS = {"http": 80, "https": 443}
UNIX = "unix"

_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_VALUE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
_NOT_IN_URL = re.compile(r"[^\x21-\x7e]")
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]*:[0-9a-f:.]*")


class Origin(NamedTuple):
    """Where a connection leads: what two requests must share to go over the same one.

    The host of the scheme `unix` is a socket's path.
    """

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class _Target:
    origin: Origin
    host: str
    path: str


@dataclass(frozen=True, slots=True)
class _Limits:
    max_open: int
    max_idle: int
    idle_timeout: float
    connect_timeout: float


class HTTPClient:
    """Sends requests over connections that it keeps and uses again, in one event loop.

    Follows no redirects, keeps no cookies, decompresses nothing. Certificates are verified against
    the system's authorities, or as `ssl_context` says. Addresses that have a proxy in `proxies` are
    reached by it: with https through a tunnel, with http by asking the proxy. Times are seconds.
    """

    def __init__(
        self,
        *,
        max_open_per_origin: int | None = None,
        max_idle_per_origin: int = 64,
        idle_timeout: float = 50.0,
        connect_timeout: float = 10.0,
        ssl_context: ssl.SSLContext | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        max_open = max_open_per_origin or MAX_OPEN_PER_ORIGIN
        self._limits = _Limits(max_open, max_idle_per_origin, idle_timeout, connect_timeout)
        self._pools: dict[Origin, _Pool] = {}
        self._tls = _TLS(ssl_context)
        self._proxies = proxies or Proxies()
        self._closed = False

    def beside(self, limits: ConnectionLimits) -> "HTTPClient":
        """Return a client with connections and limits of its own, which its user closes.

        It uses the same proxies, and trusts the same certificates, so that they are not read again.
        """
        client = HTTPClient(
            max_open_per_origin=limits.max,
            idle_timeout=limits.idle_timeout,
            connect_timeout=limits.connect_timeout,
            proxies=self._proxies,
        )
        client._tls = self._tls
        return client

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        repeatable: bool = False,
    ) -> HTTPResponse:
        """Send a request and return its answer as soon as the head is there.

        `repeatable` says that the server may see the request twice: it is sent once more where a
        kept connection proves dead. There is no deadline but that of connecting; the caller sets
        one, and cancelling ends the connection. Raises BadInput where the request could not be
        written safely, ConnectionFailed, and UpstreamFailed where the answer is not HTTP.
        """
        target = _read_url(url)
        proxy = self._proxies.of(*target.origin)
        message = _write_head(method, target, headers, len(body), proxy) + body
        bodyless = method == "HEAD"
        pool = self._pool(target.origin)
        connection = await pool.take()
        try:
            return await connection.exchange(message, bodyless=bodyless)
        except ConnectionFailed as error:
            if not (repeatable and error.stale):
                raise
        try:
            connection = await pool.take(fresh=True)
        except ConnectionFailed as error:
            raise ConnectionFailed(error.message, sent=True) from error
        return await connection.exchange(message, bodyless=bodyless)

    async def exchange(self, socket_path: str, message: bytes, *, bodyless: bool) -> HTTPResponse:
        """Send a request that the caller wrote out, over the Unix socket at `socket_path`.

        `bodyless` says that the answer has no body whatever its headers say, as that to a HEAD.
        Otherwise as `request`.
        """
        connection = await self._pool(Origin(UNIX, socket_path, 0)).take()
        return await connection.exchange(message, bodyless=bodyless)

    def head(self, url: str, headers: Sequence[tuple[str, str]]) -> bytes:
        """Return the head of a POST up to the number of its `Content-Length`. Raises BadInput."""
        target = _read_url(url)
        proxy = self._proxies.of(*target.origin)
        return _write_head("POST", target, headers, 0, proxy).removesuffix(b"0\r\n\r\n")

    def idle(self, url: str) -> Connection | None:
        """Return a kept connection that takes a request at once by its `start`, if there is one.

        Its head is what `head` returns.
        """
        pool = self._pools.get(_read_url(url).origin)
        return pool.take_idle() if pool is not None else None

    async def close(self) -> None:
        """End all connections; requests under way fail with ConnectionFailed."""
        self._closed = True
        endings = [ending for pool in self._pools.values() for ending in pool.close()]
        if endings:
            await asyncio.wait(endings, timeout=CLOSE_TIMEOUT)

    def _pool(self, origin: Origin) -> "_Pool":
        if self._closed:
            raise ConnectionFailed("The client is closed.", sent=False)
        pool = self._pools.get(origin)
        if pool is None:
            self._pools = {known: pool for known, pool in self._pools.items() if pool.is_used()}
            proxy = self._proxies.of(*origin)
            pool = self._pools[origin] = _Pool(origin, self._limits, self._tls, proxy)
        return pool


class _TLS:
    """The context of all TLS connections, made when the first one is."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._building = asyncio.Lock()

    async def __call__(self) -> ssl.SSLContext:
        async with self._building:
            if self._context is None:
                # Reading the authorities takes some 20 ms, too long for the event loop.
                self._context = await asyncio.to_thread(ssl.create_default_context)
            return self._context


class _Slots(asyncio.Semaphore):
    """A semaphore that can also be taken without waiting."""

    def take(self) -> bool:
        """Take a slot if one is free and nobody waits for it."""
        if self._value <= 0 or self._waiters:
            return False
        self._value -= 1
        return True

    def release(self) -> None:
        """Give a slot back."""
        if self._waiters:
            super().release()
        else:
            self._value += 1


class _Pool:
    """The connections to one origin: the one that was used last is used next."""

    def __init__(
        self,
        origin: Origin,
        limits: _Limits,
        tls: Callable[[], Awaitable[ssl.SSLContext]],
        proxy: Proxy | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._origin = origin
        self._limits = limits
        self._tls = tls
        self._proxy = proxy
        # A slot is held by each connection in use. As a new one is opened only where none is
        # idle, slots bound the open ones too.
        self._slots = _Slots(limits.max_open)
        self._open: set[Connection] = set()
        self._idle: list[Connection] = []
        self._opening: set[asyncio.Task[Connection]] = set()
        self._takers = 0
        self._expiry: asyncio.TimerHandle | None = None
        self._closed = False

    async def take(self, *, fresh: bool = False) -> Connection:
        """Return an idle connection or a new one; waits while too many are in use.

        With `fresh` all idle ones are given up, since one of them proved dead.
        """
        self._takers += 1
        try:
            await self._slots.acquire()
            try:
                if fresh:
                    self._drop_idle_since(float("inf"))
                connection = self._pop() or await self._connect()
            except BaseException:
                self._slots.release()
                raise
        finally:
            self._takers -= 1
        connection.busy = True
        return connection

    def take_idle(self) -> Connection | None:
        """Return an idle connection, if there is one and not too many are in use."""
        if self._closed or not self._idle or not self._slots.take():
            return None
        # The kernel is not asked, which costs much, about what was used a moment ago.
        moment = self._loop.time() - JUST_USED
        newest = self._idle[-1]
        is_hot = newest.idle_since > moment and not newest.is_closing()
        connection = self._idle.pop() if is_hot else self._pop()
        if connection is None:
            self._slots.release()
            return None
        connection.busy = True
        return connection

    def is_used(self) -> bool:
        """Say whether anybody holds, or waits for, a connection to this origin."""
        return bool(self._open or self._opening or self._takers)

    def close(self) -> list[asyncio.Future[Any]]:
        """End all connections; return a future for each, done when it has ended."""
        self._closed = True
        if self._expiry is not None:
            self._expiry.cancel()
        for connection in self._open:
            connection.abort()
        return [*self._opening, *(connection.lost for connection in self._open)]

    def _pop(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_quiet():
                return connection
            connection.abort()
        return None

    async def _connect(self) -> Connection:
        self._check_open()
        # Left in the moment of its success, asyncio's race between addresses loses the socket; so
        # it runs to its end, and what nobody waits for any more is kept for the next request.
        opening = asyncio.create_task(self._establish())
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)
        try:
            connection = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(self._keep)
            raise
        self._check_open()
        self._check_alive(connection)
        return connection

    def _keep(self, opening: "asyncio.Task[Connection]") -> None:
        if not opening.cancelled() and opening.exception() is None and not self._closed:
            self._free(opening.result())

    async def _establish(self) -> Connection:
        if self._proxy is not None and self._proxy.fault is not None:
            raise self._unreachable(self._proxy.fault)
        try:
            async with asyncio.timeout(self._limits.connect_timeout):
                connection = await self._connected()
        except TimeoutError:
            seconds = f"{self._limits.connect_timeout:g}"
            raise self._unreachable(f"no connection within {seconds} seconds") from None
        except TunnelRefused as refusal:
            raise self._unreachable(str(refusal)) from None
        except (OSError, UnicodeError) as error:
            raise self._unreachable(_explain(error)) from error
        self._check_alive(connection)
        self._open.add(connection)
        if self._closed:
            connection.abort()
        return connection

    async def _connected(self) -> Connection:
        scheme, host, port = self._origin
        loop, proxy = self._loop, self._proxy
        if scheme == UNIX:
            _, connection = await loop.create_unix_connection(self._create, host)
            return connection
        tls = await self._tls() if scheme == "https" else None
        place = (proxy.host, proxy.port) if proxy is not None else (host, port)
        found = await loop.getaddrinfo(*place, type=socket.SOCK_STREAM)
        connected = await start_connection(found, happy_eyeballs_delay=NEXT_ADDRESS_AFTER)
        if proxy is not None and tls is not None:
            await open_tunnel(connected, proxy, str(self._origin))
        name = host if tls is not None else None
        _, connection = await loop.create_connection(
            self._create, sock=connected, ssl=tls, server_hostname=name
        )
        return connection

    def _check_alive(self, connection: Connection) -> None:
        if connection.is_closing():
            raise self._unreachable("it ended the connection at once")

    def _check_open(self) -> None:
        if self._closed:
            raise ConnectionFailed("The client is closed.", sent=False)

    def _create(self) -> Connection:
        return Connection(str(self._origin), freed=self._free, gone=self._forget)

    def _unreachable(self, why: str) -> ConnectionFailed:
        by = f" by the proxy {self._proxy}" if self._proxy and self._proxy.host else ""
        return ConnectionFailed(f"{self._origin} cannot be reached{by}: {why}.", sent=False)

    def _free(self, connection: Connection) -> None:
        if connection.busy:
            connection.busy = False
            self._slots.release()
        if len(self._idle) >= self._limits.max_idle:
            connection.abort()
            return
        connection.idle_since = self._loop.time()
        self._idle.append(connection)
        if self._expiry is None:
            self._schedule(connection.idle_since)

    def _forget(self, connection: Connection) -> None:
        self._release(connection)
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)

    def _release(self, connection: Connection) -> None:
        if connection.busy:
            connection.busy = False
            self._slots.release()

    def _schedule(self, oldest: float) -> None:
        due = oldest + self._limits.idle_timeout
        self._expiry = self._loop.call_at(due, self._expire)

    def _expire(self) -> None:
        self._expiry = None
        self._drop_idle_since(self._loop.time() - self._limits.idle_timeout)
        if self._idle:
            self._schedule(self._idle[0].idle_since)

    def _drop_idle_since(self, latest: float) -> None:
        for connection in self._idle:
            if connection.idle_since <= latest:
                connection.abort()
        self._idle = [kept for kept in self._idle if kept.idle_since > latest]


def _explain(error: OSError | UnicodeError) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted ({error.verify_message})"
        case ssl.SSLError():
            return f"TLS failed ({error.reason})"
        case socket.gaierror() | UnicodeError():
            return "its name is not known"
        case _:
            return os.strerror(error.errno).lower() if error.errno else str(error)


@lru_cache(maxsize=1024)
def _read_url(url: str) -> _Target:
    if _NOT_IN_URL.search(url):
        raise BadInput('"url" has characters that must be percent-encoded.')
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise BadInput('"url" has no valid host and port.') from error
    if parts.scheme not in DEFAULT_PORTS:
        raise BadInput('"url" must begin with http:// or https://.')
    if "@" in parts.netloc:
        raise BadInput('"url" must not carry a user or password; use a header.')
    if not _HOST.fullmatch(host):
        raise BadInput('"url" has no valid host.')
    default = DEFAULT_PORTS[parts.scheme]
    origin = Origin(parts.scheme, host, default if port is None else port)
    shown = str(origin).removesuffix(f":{default}") if port in (None, default) else str(origin)
    query = f"?{parts.query}" if parts.query else ""
    return _Target(origin, shown, f"{parts.path or '/'}{query}")


def _write_head(
    method: str,
    target: _Target,
    headers: Sequence[tuple[str, str]],
    length: int,
    proxy: Proxy | None,
) -> bytes:
    if not _TOKEN.fullmatch(method):
        raise BadInput('"method" must be a word such as GET.')
    # Through a tunnel the server itself is asked.
    is_asked_of_proxy = proxy is not None and target.origin.scheme == "http"
    path = f"http://{target.host}{target.path}" if is_asked_of_proxy else target.path
    lines = [f"{method} {path} HTTP/1.1", f"Host: {target.host}"]
    if is_asked_of_proxy and proxy is not None and proxy.credential is not None:
        lines.append(f"Proxy-Authorization: {proxy.credential}")
    names = [_field_name(name) for name, _ in headers]
    for name, value in headers:
        if _NOT_IN_VALUE.search(value):
            raise BadInput(f'The value of header "{name}" has characters that HTTP forbids.')
        lines.append(f"{name}: {value}")
    if "accept-encoding" not in names:
        lines.append("Accept-Encoding: identity")
    if length or method in _WITH_BODY:
        lines.append(f"Content-Length: {length}")
    lines.append("\r\n")
    return "\r\n".join(lines).encode("latin-1")


@lru_cache(maxsize=1024)
def _field_name(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise BadInput(f"The header name {name!r} has characters that HTTP forbids.")
    lower = name.lower()
    if lower in _OWN_HEADERS:
        raise BadInput(f'The header "{name}" is set for every request; leave it out.')
    return lower
