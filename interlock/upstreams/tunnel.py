"""A tunnel through a proxy: what is said on a connection before the server's own words.

Source: RFC 9110, section 9.3.6 (CONNECT).
"""

import asyncio
import re
import socket
from http import HTTPStatus
from typing import Final

from interlock.upstreams.proxies import Proxy

MAX_HEAD: Final = 16 * 1024  # bytes of a proxy's answer
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})(?:[ \r]|$)")


class TunnelRefused(Exception):
    """A proxy opened no tunnel; the message is half a sentence without any credential."""


async def open_tunnel(connected: socket.socket, proxy: Proxy, address: str) -> None:
    """Let a proxy connect `connected` to an address (`host:port`); what follows is the server's.

    Closes the socket where that fails. Raises TunnelRefused and OSError.
    """
    try:
        await _ask(connected, proxy, address)
    except BaseException:
        connected.close()
        raise


async def _ask(connected: socket.socket, proxy: Proxy, address: str) -> None:
    loop = asyncio.get_running_loop()
    lines = [f"CONNECT {address} HTTP/1.1", f"Host: {address}"]
    if proxy.credential is not None:
        lines.append(f"Proxy-Authorization: {proxy.credential}")
    await loop.sock_sendall(connected, "\r\n".join((*lines, "", "")).encode("latin-1"))
    answer = b""
    # The server is silent until it is spoken to, so that nothing of it is read here.
    while b"\r\n\r\n" not in answer:
        part = await loop.sock_recv(connected, MAX_HEAD)
        answer += part
        if not part or len(answer) > MAX_HEAD:
            raise TunnelRefused("it gave no answer that is HTTP")
    _check(answer, proxy)


def _check(answer: bytes, proxy: Proxy) -> None:
    found = _STATUS.match(answer)
    if found is None:
        raise TunnelRefused("it gave no answer that is HTTP")
    status = int(found[1])
    if status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        raise TunnelRefused(
            f"it wants another user and password (HTTP 407); set them in {proxy.variable}, "
            "as http://user:password@host:port"
        )
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        raise TunnelRefused(f"it refused with HTTP {status}")
