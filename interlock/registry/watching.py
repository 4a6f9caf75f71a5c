"""Looks at a remote server as soon as its circuit wants to know whether the server answers."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

from interlock.policy.breaker import Circuit, Verdict

LOOK_DEADLINE = 2.0  # seconds
BETWEEN_LOOKS = 1.0  # seconds at least


class Watch:
    """The looks at one server that its `circuit` asks for, besides those made now and then."""

    def __init__(self, name: str) -> None:
        self._woken = asyncio.Event()
        self.circuit = Circuit(name, alarm=self._woken.set)

    async def run(self, look: Callable[[], Awaitable[Verdict]]) -> None:
        """Have `look` see whether the server answers whenever it is time, until cancelled."""
        while True:
            self._woken.clear()
            moment = self.circuit.look_at
            left = moment - time.monotonic() if moment is not None else None
            if left is not None and left <= 0:
                self.circuit.look(await look())
                await asyncio.sleep(BETWEEN_LOOKS)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._woken.wait()
