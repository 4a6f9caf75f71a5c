"""One gateway for all tests that leave it well; each test has a client of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.faults.stage import DEADLINE, VICTIMS, Stage, attached, bad
from tests.support.workers import Processes, processes

OTHERS = ("good", "bad", "dying", "falling")


@pytest.fixture(scope="session")
def gateway() -> Iterator[Processes]:
    servers = {name: bad() for name in (*OTHERS, *VICTIMS)}
    servers["impatient"] = bad(timeout=DEADLINE)
    with processes(1, {"mcpServers": servers}) as running:
        yield running


@pytest.fixture
async def on(gateway: Processes) -> AsyncIterator[Stage]:
    async with attached(gateway, "good", "bad", "impatient") as running:
        yield running
