"""When garbage is looked for: hardly ever beside calls, and all of it now and then."""

import asyncio
import gc
from typing import Final

COLLECT_AFTER: Final = (
    10_000,
    20,
    20,
)  # objects more than before, and collections of the younger ones
EVERY: Final = 300.0  # seconds


def settle() -> None:
    """Spare the collector what a process keeps for good; call it once it has started.

    Hardly anything of a call is part of a cycle, and walking over all that was imported and built
    again and again would hold up calls for tens of milliseconds.
    """
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)


async def collect(every: float = EVERY) -> None:
    """Look for all garbage every so many seconds, for as long as the program runs.

    Sessions that ended and failures that were told hold themselves for a while. There are too few of
    them for the collector to begin by itself within hours, so that memory would seem to leak.
    """
    while True:
        await asyncio.sleep(every)
        gc.collect()
