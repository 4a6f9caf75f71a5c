"""The gateway ends, politely or not: nothing that it started is left."""

import asyncio
import os
import signal
import uuid

import pytest

from tests.faults.stage import IS_FULL, JSONObject, Stage, bad, marked, stage, until

FAMILY = 3  # a stubborn server, its child and its grandchild
DRAIN = 30.0  # seconds
GONE_WITHIN = 5.0  # seconds
NOISE = 10.0  # seconds that a busy machine may add


def stubborn_ones(mark: str) -> dict[str, JSONObject]:
    """Define two servers that cannot be ended but by SIGKILL."""
    return {name: bad("--stubborn", mark) for name in ("one", "two")}


async def exit_status(on: Stage) -> int:
    """Wait until the gateway has ended, and return its exit status."""
    on.tell(ended_after=await until(lambda: on.program.process.poll() is not None, DRAIN + NOISE))
    return on.program.process.returncode or 0


async def test_sigterm_lets_a_call_finish_and_then_ends_stubborn_servers_and_their_families() -> (
    None
):
    mark = uuid.uuid4().hex
    async with stage(stubborn_ones(mark)) as on:
        assert len(marked(mark)) == 2 * FAMILY
        call = asyncio.create_task(on.call("one", "slow", seconds=2))
        await on.stderr("one", "slow", 1)
        os.kill(on.program.pid, signal.SIGTERM)

        assert (await call).text == "late"
        assert await exit_status(on) == 0
        assert marked(mark) == []


@pytest.mark.skipif(not IS_FULL, reason="It takes the half minute of a drain: TEST_FAULTS=full.")
async def test_sigterm_waits_half_a_minute_for_a_call_and_no_longer() -> None:
    mark = uuid.uuid4().hex
    async with stage(stubborn_ones(mark)) as on:
        call = asyncio.create_task(on.call("one", "hang"))
        await on.stderr("one", "hanging", 1)
        os.kill(on.program.pid, signal.SIGTERM)

        assert await exit_status(on) == 0
        assert marked(mark) == []
        await asyncio.gather(call, return_exceptions=True)


async def test_sigkill_of_the_gateway_leaves_no_process() -> None:
    mark = uuid.uuid4().hex
    async with stage(stubborn_ones(mark)) as on:
        assert len(marked(mark)) == 2 * FAMILY
        os.kill(on.program.pid, signal.SIGKILL)

        taken = await until(lambda: not marked(mark))
        on.tell(gone_after=taken)

        assert taken < GONE_WITHIN + NOISE
