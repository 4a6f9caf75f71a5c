"""Passing a client's connection on to the process of the gateway that serves its requests.

Requests are handed over one by one, at the price of a second request each. A client keeps asking the
same things by the same connection; so a connection whose requests were handed over to one process
again and again is passed on to it whole, between two requests, and costs no more than any other.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol, cast

from interlock.telemetry.logs import get_logger

OWNER: Final = "interlock.owner"  # in a scope: the process that the request is handed over to
PASS_AFTER: Final = 4  # requests in a row for the same other process
_MESSAGE: Final = b"c"
_INT_BYTES: Final = 4  # of a file descriptor, as the kernel counts

log = get_logger(__name__)


class TakenOver(Protocol):
    """A connection's protocol that can begin between two requests."""

    def taken_over(self) -> None:
        """Wait for the next request as after an answer."""
        ...


class Passage:
    """Passes connections on through `sockets`, one per process, and takes them by `own`.

    `own` is a bound datagram socket. `close` ends both directions.
    """

    def __init__(self, sockets: Sequence[str], own: socket.socket) -> None:
        self._sockets = sockets
        self._own = own
        self._out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._own.setblocking(False)
        self._out.setblocking(False)
        self._taking: set[asyncio.Task[None]] = set()
        self._is_open = False
        self.passed = 0
        self.taken = 0

    def send(self, process: int, transport: asyncio.Transport) -> bool:
        """Pass a connection on to a process, and say whether it went; ours has to be closed then."""
        connection = transport.get_extra_info("socket")
        try:
            # Not by `socket.send_fds`, which forgets the address.
            descriptor = connection.fileno().to_bytes(_INT_BYTES, sys.byteorder)
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptor)
            self._out.sendmsg([_MESSAGE], [rights], 0, self._sockets[process])
        except OSError:
            # It is busy, or gone: requests are handed over one by one still.
            return False
        self.passed += 1
        return True

    def listen(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Begin to take connections, each for a new `protocol`, which is a TakenOver."""
        self._is_open = True
        asyncio.get_running_loop().add_reader(self._own, self._take, protocol)

    def close(self) -> None:
        """Pass on and take no more; connections that were taken stay with their server."""
        if self._is_open:
            self._is_open = False
            asyncio.get_running_loop().remove_reader(self._own)
        self._out.close()
        self._own.close()

    def _take(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        try:
            _, descriptors, _, _ = socket.recv_fds(self._own, 1, 1)
        except OSError as error:
            log.warning("connection.not_taken", reason=error.strerror)
            return
        for descriptor in descriptors:
            task = asyncio.create_task(self._begin(descriptor, protocol), name="taking over")
            self._taking.add(task)
            task.add_done_callback(self._taking.discard)

    async def _begin(self, descriptor: int, protocol: Callable[[], asyncio.Protocol]) -> None:
        try:
            connection = socket.socket(fileno=descriptor)
        except OSError:
            with suppress(OSError):
                os.close(descriptor)
            return
        connection.setblocking(False)
        loop = asyncio.get_running_loop()
        try:
            _, began = await loop.connect_accepted_socket(protocol, connection)
        except OSError:
            # The client left meanwhile.
            connection.close()
            return
        self.taken += 1
        cast("TakenOver", began).taken_over()
