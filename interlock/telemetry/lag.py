"""How late the event loop is: what every call of this process waits for, whatever it does."""

import asyncio
from typing import Final

from interlock.telemetry.families import Family
from interlock.telemetry.metrics import Times

INTERVAL: Final = 0.25  # seconds between two looks


class LoopLag:
    """Looks at the loop now and then: a short sleep that ends late tells how long others held it."""

    def __init__(self) -> None:
        self._times = Times()

    async def watch(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + INTERVAL
            await asyncio.sleep(INTERVAL)
            self._times.add(max(0.0, loop.time() - due))

    def family(self) -> Family:
        """Return what was seen."""
        return Family(
            "interlock_event_loop_lag_seconds",
            "histogram",
            "How late the event loop came to what was due, four times a second.",
            (),
            (((), self._times.distribution),),
        )
