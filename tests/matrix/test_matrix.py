"""Every feature works between every kind of client and every kind of server."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.matrix import (
    board,
    features_calls,
    features_changes,
    features_lists,
    features_questions,
    features_resources,
    features_sessions,
    features_streams,
    features_task_news,
    features_tasks,
    features_wire,
)
from tests.matrix.cell import SERVERS, Cell
from tests.matrix.features import FEATURES
from tests.matrix.kinds import BACKS, CLIENTS
from tests.support.processes import running
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODULES = (
    *(features_lists, features_calls, features_resources),
    *(features_questions, features_changes, features_wire),
    *(features_tasks, features_task_news, features_sessions, features_streams),
)
FIXTURE = str(Path(__file__).with_name("everything_server.py"))
SECONDS = 60.0


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=BACKS)
async def back(request: pytest.FixtureRequest) -> AsyncIterator[tuple[str, RunningProgram]]:
    """Run the gateway before two servers of one era and transport."""
    with ExitStack() as stack:
        config = {name: stack.enter_context(_server(name, request.param)) for name in SERVERS}
        settings = {"page_size": features_lists.PAGE_SIZE}
        async with program({"mcpServers": config}, gateway=settings) as gateway:
            await gateway.up(*SERVERS)
            yield request.param, gateway


@contextmanager
def _server(name: str, back: str) -> Iterator[dict[str, Any]]:
    era, _, transport = back.partition("-")
    command = [sys.executable, FIXTURE, "--name", name, "--era", era]
    if transport == "stdio":
        yield {"command": command[0], "args": [*command[1:], "--stdio"]}
        return
    with running([*command, f"--{transport}", "0"], ready=r"listening on (\S+)") as server:
        assert server.ready is not None
        if transport == "sse":
            yield {"type": "sse", "url": f"{server.ready[1]}/sse"}
        else:
            yield {"type": "streamable-http", "url": f"{server.ready[1]}/mcp"}


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("feature", FEATURES)
async def test_cell(
    back: tuple[str, RunningProgram],
    feature: str,
    client: str,
    record_property: Callable[[str, object], None],
) -> None:
    kind, gateway = back
    record_property(*board.property_of(list(FEATURES).index(feature), feature, client, kind))
    async with asyncio.timeout(SECONDS):
        await FEATURES[feature](Cell(gateway, client, kind))
