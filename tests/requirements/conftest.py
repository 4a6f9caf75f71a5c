"""One running program for the tests of each module, with servers that do nothing special."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.requirements.stage import Stage, staged


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Stage]:
    async with staged() as stage:
        yield stage


@pytest.fixture
def stage(running: Stage) -> Stage:
    for puppet in (running.old, running.new):
        puppet.acts.clear()
        puppet.seen.clear()
    return running
