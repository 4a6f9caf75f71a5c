"""A program that hosts a stubborn server until it is killed: run as `gateway.py LIFELINE COUNT`."""

import asyncio
import sys

from interlock.settings import StationSettings
from interlock.station.station import Station
from tests.station.inbox import Inbox, child


async def host(lifeline: str, count: int) -> None:
    """Start the servers and wait for the end."""
    station = Station(StationSettings())
    for _ in range(count):
        inbox = Inbox()
        await station.start(
            "demo",
            child("stubborn", lifeline),
            receive=inbox.messages.put_nowait,
            closed=inbox.closed,
        )
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(host(sys.argv[1], int(sys.argv[2])))
