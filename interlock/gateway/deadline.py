"""The deadline of a call: moved on by progress, stopped while the client is being asked."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from interlock.errors import UpstreamTimeout
from interlock.protocol.json import JSONObject
from interlock.upstreams.port import Caller

PROGRESS_CAP = 10  # times the deadline, however much progress a server reports

T = TypeVar("T")


async def within_deadline(
    server: str, seconds: float, caller: Caller, work: Callable[["WatchedCaller"], Awaitable[T]]
) -> T:
    """Run `work` for at most `seconds` without progress. Raises UpstreamTimeout naming `server`."""
    clock = asyncio.timeout(seconds)
    watched = WatchedCaller(caller, clock, seconds)
    try:
        async with clock:
            return await work(watched)
    except TimeoutError:
        if not clock.expired():
            raise
        raise overdue(server, seconds) from None
    finally:
        watched.is_over = True


def overdue(server: str, seconds: float) -> UpstreamTimeout:
    """Return what is raised where a server has not answered in time."""
    return UpstreamTimeout(
        f"{server} did not answer within {seconds:g} s; "
        "a longer `timeout` in its configuration lets calls take longer."
    )


class WatchedCaller:
    """A caller that moves the deadline as the server talks through it.

    `is_heard` says that the server has talked.
    """

    def __init__(self, caller: Caller, clock: asyncio.Timeout, seconds: float) -> None:
        self._caller = caller
        self._clock = clock
        self._seconds = seconds
        self._latest = asyncio.get_running_loop().time() + seconds * PROGRESS_CAP
        self._asking = 0
        self.is_over = False
        self.is_heard = False

    @property
    def is_late(self) -> bool:
        """Whether the deadline is over."""
        return self._clock.expired()

    def notify(self, method: str, params: JSONObject) -> None:
        """Pass it on; progress starts the time anew."""
        self.is_heard = True
        if method == "notifications/progress":
            self._restart()
        self._caller.notify(method, params)

    async def ask(self, method: str, params: JSONObject) -> JSONObject:
        """Pass it on; meanwhile the time stands still."""
        self.is_heard = True
        self._asking += 1
        self._move(None)
        begun = asyncio.get_running_loop().time()
        try:
            return await self._caller.ask(method, params)
        finally:
            self._asking -= 1
            self._latest += asyncio.get_running_loop().time() - begun
            self._restart()

    def _restart(self) -> None:
        if not self._asking:
            now = asyncio.get_running_loop().time()
            self._move(min(now + self._seconds, self._latest))

    def _move(self, when: float | None) -> None:
        if not self.is_over and not self._clock.expired():
            self._clock.reschedule(when)
