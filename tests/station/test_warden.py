"""The warden kills the groups that it guards when our end of its pipe closes, and no others."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from interlock.station.warden import Warden

DEADLINE = 60.0  # seconds; the machine may be slow


@asynccontextmanager
async def sleeper() -> AsyncGenerator[asyncio.subprocess.Process]:
    """Run a process that leads its own group and does nothing."""
    process = await asyncio.create_subprocess_exec("sleep", "3600", start_new_session=True)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def status(process: asyncio.subprocess.Process) -> int:
    async with asyncio.timeout(DEADLINE):
        return await process.wait()


async def test_guarded_groups_die_with_the_pipe_and_released_ones_do_not() -> None:
    warden = Warden()
    await warden.start()
    async with sleeper() as first, sleeper() as released, sleeper() as last:
        for group in (first.pid, released.pid, last.pid):
            warden.guard(group)
        warden.release(released.pid)

        await warden.close()

        assert [await status(first), await status(last)] == [-signal.SIGKILL] * 2
        assert released.returncode is None


async def test_a_group_that_is_gone_does_not_stop_the_warden() -> None:
    warden = Warden()
    await warden.start()
    async with sleeper() as gone, sleeper() as guarded:
        gone.kill()
        await gone.wait()
        warden.guard(gone.pid)
        warden.guard(guarded.pid)

        await warden.close()

        assert await status(guarded) == -signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
async def test_polite_signals_do_not_end_the_warden(number: signal.Signals) -> None:
    warden = Warden()
    await warden.start()
    assert warden._process is not None
    async with sleeper() as guarded:
        warden.guard(guarded.pid)
        os.kill(warden._process.pid, number)

        await warden.close()

        assert await status(guarded) == -signal.SIGKILL
        assert warden._process.returncode == 0


async def test_a_warden_that_was_killed_is_replaced_and_knows_its_groups() -> None:
    warden = Warden()
    await warden.start()
    killed = warden._process
    assert killed is not None
    async with sleeper() as guarded:
        warden.guard(guarded.pid)
        killed.kill()
        await status(killed)

        await warden.start()

        assert warden.pid not in (None, killed.pid)
        await warden.close()
        assert await status(guarded) == -signal.SIGKILL


async def test_starting_twice_starts_one() -> None:
    warden = Warden()
    await asyncio.gather(warden.start(), warden.start())
    pid = warden.pid

    await warden.start()

    assert warden.pid == pid
    await warden.close()
    assert warden.pid is None


async def test_a_warden_that_reads_nothing_costs_a_bounded_buffer() -> None:
    warden = Warden()
    await warden.start()
    assert warden._process is not None
    assert warden._process.stdin is not None
    os.kill(warden._process.pid, signal.SIGSTOP)
    # No such groups exist, as no process id is that large.
    for group in range(2**30, 2**30 + 2000):
        warden.guard(group)

    assert warden._process.stdin.transport.get_write_buffer_size() < 128 * 1024
    warden._process.kill()
    await warden.close()
