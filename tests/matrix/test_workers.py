"""Every feature works where each request of a client comes to another process of the gateway.

Two kinds of servers show both ways: what we host is called by one process alone, which the others
hand requests over to; what we reach by HTTP is called by each, and sessions live where they began.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx2
import pytest
import pytest_asyncio

from tests.matrix import features_lists, test_matrix
from tests.matrix.cell import SERVERS, Cell
from tests.matrix.features import FEATURES
from tests.matrix.kinds import CLIENTS
from tests.support.workers import Processes, processes

pytestmark = pytest.mark.asyncio(loop_scope="module")
COUNT = 3
BACKS = ("legacy-stdio", "modern-http")


@dataclass(frozen=True, slots=True)
class SpreadCell(Cell):
    processes: Processes

    def transport(self) -> httpx2.AsyncBaseTransport:
        return self.processes.spread()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=BACKS)
async def back(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, Processes]]:
    with ExitStack() as stack:
        config = {n: stack.enter_context(test_matrix._server(n, request.param)) for n in SERVERS}
        page = str(features_lists.PAGE_SIZE)
        gateway = stack.enter_context(
            processes(COUNT, {"mcpServers": config}, INTERLOCK_GATEWAY__PAGE_SIZE=page)
        )
        await gateway.up()
        yield request.param, gateway


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("feature", FEATURES)
async def test_cell(back: tuple[str, Processes], feature: str, client: str) -> None:
    kind, gateway = back
    async with asyncio.timeout(60):
        await FEATURES[feature](SpreadCell(gateway, client, kind, gateway))
