"""Where the commands that the suite runs as its clients have their scenarios driven."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance.upstream_scenarios import Order, drive
from tests.conformance.verdicts import FINISHED

COMMAND = Path(__file__).with_name("client_driver.py")
SECONDS = 120.0  # for all commands to come, and for each gateway


@dataclass(frozen=True, slots=True)
class _Visitor:
    order: Order
    writer: asyncio.StreamWriter

    async def answer(self, failure: str | None) -> None:
        said = "" if failure else FINISHED
        self.writer.write(json.dumps({"said": said, "failure": failure}).encode() + b"\n")
        await self.writer.drain()


class Desk:
    """Takes orders from as many commands as come, and drives them, one gateway after another."""

    def __init__(self, port: int, visitors: "asyncio.Queue[_Visitor]") -> None:
        self._port = port
        self._visitors = visitors

    @property
    def command(self) -> Sequence[str]:
        """The command that brings a scenario here."""
        return sys.executable, "-S", "-E", str(COMMAND), str(self._port)

    async def serve(self, count: int) -> None:
        """Drive so many scenarios.

        None begins before all commands have come: a gateway that is run must leave no process
        behind, and a command that started meanwhile would look like one.
        """
        async with asyncio.timeout(SECONDS):
            visitors = [await self._visitors.get() for _ in range(count)]
        for group in _groups(visitors):
            outcomes = await _outcomes([each.order for each in group])
            for visitor, failure in zip(group, outcomes, strict=True):
                await visitor.answer(failure)


def _groups(visitors: Sequence[_Visitor]) -> list[list[_Visitor]]:
    """Return who shares a gateway: the many that only try the door, as long as none gets in."""
    doors = [each for each in visitors if each.order.scenario.startswith("auth/")]
    return [doors, *([each] for each in visitors if each not in doors)]


async def _outcomes(orders: Sequence[Order]) -> Sequence[str | None]:
    """Drive scenarios and say for each what went wrong, if anything did."""
    try:
        async with asyncio.timeout(SECONDS):
            return await drive(orders)
    except Exception as error:  # noqa: BLE001 -- whatever it is, the suite's report tells it
        return [f"{type(error).__name__}: {error}"] * len(orders)


@asynccontextmanager
async def open_desk() -> AsyncIterator[Desk]:
    """Keep a desk open for as long as the block runs."""
    visitors: asyncio.Queue[_Visitor] = asyncio.Queue()
    writers: list[asyncio.StreamWriter] = []

    async def welcome(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        order: dict[str, Any] = json.loads(await reader.readline())
        visitors.put_nowait(_Visitor(Order(**order), writer))

    server = await asyncio.start_server(welcome, "127.0.0.1", 0)
    try:
        yield Desk(server.sockets[0].getsockname()[1], visitors)
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.gather(*(each.wait_closed() for each in writers), return_exceptions=True)
        await server.wait_closed()
