"""An application that is built once it is wanted, so that others are served before it."""

import asyncio
import threading
from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from interlock.errors import Unavailable

DEADLINE: Final = 60.0  # seconds that a request waits
# The schemas of the framework must not be made by two threads at once.
_ONE_AT_A_TIME: Final = threading.Lock()


class Late:
    """Builds an application in a thread, at the latest when it is first asked for.

    Requests that come before it is built wait for it. Close it at the end.
    """

    def __init__(self, build: Callable[[], ASGIApp]) -> None:
        self._build = build
        self._building: asyncio.Task[ASGIApp] | None = None

    def begin(self) -> "asyncio.Task[ASGIApp]":
        """Begin to build; does nothing where that has begun."""
        if self._building is None:
            work = asyncio.to_thread(self._build_alone)
            self._building = asyncio.create_task(work, name="control API")
        return self._building

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises Unavailable where the application takes too long to build."""
        building = self.begin()
        if not building.done():
            await asyncio.wait({building}, timeout=DEADLINE)
            if not building.done():
                raise Unavailable("The control API is still being loaded; try again.")
        await building.result()(scope, receive, send)

    async def close(self) -> None:
        """Wait for what is being built: a thread cannot be ended."""
        if self._building is not None:
            await asyncio.wait({self._building})

    def _build_alone(self) -> ASGIApp:
        with _ONE_AT_A_TIME:
            return self._build()
