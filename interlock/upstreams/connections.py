"""The HTTP/1.1 client that servers are called with: its requests, and its connections per origin."""

import asyncio
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from interlock.errors import BadInput
from interlock.upstreams.connection import Connection
from interlock.upstreams.definition import ConnectionLimits
from interlock.upstreams.dialing import TLS, UNIX, Dialer, Origin
from interlock.upstreams.pool import Pool, PoolLimits
from interlock.upstreams.proxies import Proxies, Proxy
from interlock.upstreams.response import ConnectionFailed, HTTPResponse

MAX_OPEN_PER_ORIGIN = 1024
CLOSE_TIMEOUT = 5.0
DEFAULT_PORTS = {"http": 80, "https": 443}

_OWN_HEADERS = frozenset({"host", "content-length", "transfer-encoding"})
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_IN_VALUE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")
_NOT_IN_URL = re.compile(r"[^\x21-\x7e]")
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]*:[0-9a-f:.]*")


@dataclass(frozen=True, slots=True)
class _Target:
    origin: Origin
    host: str
    path: str


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
        self._limits = PoolLimits(max_open, max_idle_per_origin, idle_timeout)
        self._connect_timeout = connect_timeout
        self._pools: dict[Origin, Pool] = {}
        self._tls = TLS(ssl_context)
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

    def _pool(self, origin: Origin) -> Pool:
        if self._closed:
            raise ConnectionFailed("The client is closed.", sent=False)
        pool = self._pools.get(origin)
        if pool is None:
            self._pools = {known: pool for known, pool in self._pools.items() if pool.is_used()}
            proxy = self._proxies.of(*origin)
            dialer = Dialer(origin, self._tls, proxy, self._connect_timeout)
            pool = self._pools[origin] = Pool(dialer, self._limits)
        return pool


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
