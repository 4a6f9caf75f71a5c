"""The connections to one origin, kept to be used again."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from interlock.upstreams.connection import Connection
from interlock.upstreams.dialing import Dialer
from interlock.upstreams.response import ConnectionFailed
from interlock.upstreams.slots import Slots

JUST_USED: Final = 0.1  # seconds


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How many connections are kept, and for how long; times in seconds."""

    max_open: int
    max_idle: int
    idle_timeout: float


class Pool:
    """The connections to one origin: the one that was used last is used next."""

    def __init__(self, dialer: Dialer, limits: PoolLimits) -> None:
        self._loop = asyncio.get_running_loop()
        self._dialer = dialer
        self._limits = limits
        # A slot is held by each connection in use. As a new one is opened only where none is
        # idle, slots bound the open ones too.
        self._slots = Slots(limits.max_open)
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
        return [*self._opening, *[connection.lost for connection in self._open]]

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
        connection = await self._dialer.dial(self._create)
        self._check_alive(connection)
        self._open.add(connection)
        if self._closed:
            connection.abort()
        return connection

    def _check_alive(self, connection: Connection) -> None:
        if connection.is_closing():
            raise self._dialer.unreachable("it ended the connection at once")

    def _check_open(self) -> None:
        if self._closed:
            raise ConnectionFailed("The client is closed.", sent=False)

    def _create(self) -> Connection:
        return Connection(str(self._dialer.origin), freed=self._free, gone=self._forget)

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
