"""What watches a process while it runs: its loop, its numbers, and who is told of them."""

import asyncio
from contextlib import AsyncExitStack

from interlock.app.data_plane import DataPlane
from interlock.app.ground import Ground
from interlock.app.metrics import ProcessMetrics
from interlock.telemetry.lag import LoopLag


def observe(number: int, plane: DataPlane, ground: Ground, stack: AsyncExitStack) -> ProcessMetrics:
    """Begin to watch the process `number`, until `stack` ends, and return its numbers."""
    lag = LoopLag()
    metrics = ProcessMetrics(number, plane, ground, lag)
    watching = [asyncio.create_task(lag.watch(), name="loop lag")]
    if plane.otlp is not None:
        telling = plane.otlp.tell_numbers(metrics.families)
        watching.append(asyncio.create_task(telling, name="OTLP numbers"))

    async def stop() -> None:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)

    stack.push_async_callback(stop)
    return metrics
