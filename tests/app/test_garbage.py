"""Garbage that holds itself does not stay for hours."""

import asyncio
import gc
import weakref

from interlock.app.garbage import collect

SECONDS = 60.0


class Held:
    """Holds itself, as a failure does that holds the frames that it came through."""

    def __init__(self) -> None:
        self.itself = self


async def test_garbage_goes_though_too_little_is_made_for_the_collector_to_begin() -> None:
    gone = asyncio.Event()
    weakref.finalize(Held(), gone.set)
    gc.disable()
    collecting = asyncio.create_task(collect(0.01))
    try:
        async with asyncio.timeout(SECONDS):
            await gone.wait()
    finally:
        gc.enable()
        collecting.cancel()
        await asyncio.gather(collecting, return_exceptions=True)
