"""How a connection to an origin is made: its name, TLS, and a proxy where one stands before it."""

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import NamedTuple, cast

from aiohappyeyeballs import start_connection  # pyright: ignore[reportUnknownVariableType] -- its types leave addresses open

from interlock.upstreams.connection import Connection
from interlock.upstreams.proxies import Proxy
from interlock.upstreams.response import ConnectionFailed
from interlock.upstreams.tunnel import TunnelRefused, open_tunnel

# The second address of a name is tried when the first has been silent for this long (RFC 8305).
NEXT_ADDRESS_AFTER = 0.25
UNIX = "unix"


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


class TLS:
    """The context of all TLS connections, made when the first one is."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._building = asyncio.Lock()

    async def __call__(self) -> ssl.SSLContext:
        """Return the context."""
        async with self._building:
            if self._context is None:
                # Reading the authorities takes some 20 ms, too long for the event loop.
                self._context = await asyncio.to_thread(ssl.create_default_context)
            return self._context


class Dialer:
    """Connects to one origin, within `timeout` seconds, by its proxy if it has one."""

    def __init__(
        self,
        origin: Origin,
        tls: Callable[[], Awaitable[ssl.SSLContext]],
        proxy: Proxy | None,
        timeout: float,
    ) -> None:
        self.origin = origin
        self._tls = tls
        self._proxy = proxy
        self._timeout = timeout

    async def dial(self, create: Callable[[], Connection]) -> Connection:
        """Return a connection that `create` made, and that is open. Raises ConnectionFailed."""
        if self._proxy is not None and self._proxy.fault is not None:
            raise self.unreachable(self._proxy.fault)
        try:
            async with asyncio.timeout(self._timeout):
                return await self._connected(create)
        except TimeoutError:
            raise self.unreachable(f"no connection within {self._timeout:g} seconds") from None
        except TunnelRefused as refusal:
            raise self.unreachable(str(refusal)) from None
        except (OSError, UnicodeError) as error:
            raise self.unreachable(_explain(error)) from error

    def unreachable(self, why: str) -> ConnectionFailed:
        """Return the failure of a connection that never served."""
        by = f" by the proxy {self._proxy}" if self._proxy and self._proxy.host else ""
        return ConnectionFailed(f"{self.origin} cannot be reached{by}: {why}.", sent=False)

    async def _connected(self, create: Callable[[], Connection]) -> Connection:
        scheme, host, port = self.origin
        loop, proxy = asyncio.get_running_loop(), self._proxy
        factory = cast("Callable[[], asyncio.Protocol]", create)
        if scheme == UNIX:
            _, made = await loop.create_unix_connection(factory, host)
            return cast("Connection", made)
        tls = await self._tls() if scheme == "https" else None
        place = (proxy.host, proxy.port) if proxy is not None else (host, port)
        found = await loop.getaddrinfo(*place, type=socket.SOCK_STREAM)
        connected = await start_connection(found, happy_eyeballs_delay=NEXT_ADDRESS_AFTER)
        if proxy is not None and tls is not None:
            await open_tunnel(connected, proxy, str(self.origin))
        name = host if tls is not None else None
        _, made = await loop.create_connection(
            factory, sock=connected, ssl=tls, server_hostname=name
        )
        return cast("Connection", made)


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
