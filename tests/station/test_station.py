"""The station starts servers, ends all of them with itself, and leaves none even when killed."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from interlock.errors import Unavailable
from interlock.settings import StationSettings
from interlock.station.failures import StartFailed
from interlock.station.process import HostedProcess
from interlock.station.station import Station
from interlock.upstreams.definition import StdioTarget
from tests.station.inbox import Inbox, child
from tests.station.lifeline import Lifeline

SETTINGS = StationSettings(stop_timeout=0.5)
ROOT = Path(__file__).parents[2]


async def start(station: Station, target: StdioTarget, inbox: Inbox) -> HostedProcess:
    return await station.start(
        "demo", target, receive=inbox.messages.put_nowait, closed=inbox.closed
    )


async def test_a_hosted_server_answers() -> None:
    station, inbox = Station(SETTINGS), Inbox()
    process = await start(station, child("echo"), inbox)

    await process.send(b"hello")

    assert await inbox.line() == b"hello"
    assert station.hosted == {process}
    await station.close()


async def test_closing_the_station_ends_every_server(tmp_path: Path) -> None:
    station, inboxes = Station(SETTINGS), [Inbox(), Inbox()]
    async with Lifeline(tmp_path) as lifeline:
        for inbox in inboxes:
            await start(station, child("stubborn", lifeline.path), inbox)
        await lifeline.held_by(4)

        await station.close()

        await lifeline.broken()
    assert station.hosted == set()
    assert [len(inbox.ends) for inbox in inboxes] == [1, 1]


async def test_a_server_that_ended_is_forgotten() -> None:
    station, inbox = Station(SETTINGS), Inbox()
    await start(station, child("failing", "1"), inbox)

    await inbox.end()

    assert station.hosted == set()
    await station.close()


async def test_a_log_can_be_kept_across_restarts() -> None:
    station = Station(SETTINGS)
    log = station.new_log()
    for _ in range(2):
        inbox = Inbox()
        await station.start(
            "demo",
            child("failing", "1"),
            receive=inbox.messages.put_nowait,
            closed=inbox.closed,
            log=log,
        )
        await inbox.end()

    assert [line.text for line in log.lines(10)] == ["first line", "cannot log in with None"] * 2
    await station.close()


async def test_a_failed_start_leaves_nothing() -> None:
    station = Station(SETTINGS)

    with pytest.raises(StartFailed):
        await start(station, StdioTarget("no-such-command-1"), Inbox())

    assert station.hosted == set()
    await station.close()


async def test_a_closed_station_starts_nothing() -> None:
    station = Station(SETTINGS)
    await station.close()

    with pytest.raises(Unavailable, match="shutting down"):
        await start(station, child("echo"), Inbox())


async def test_a_start_that_meets_the_end_of_the_station_leaves_nothing(tmp_path: Path) -> None:
    station = Station(SETTINGS)
    async with Lifeline(tmp_path) as lifeline:
        starting = asyncio.create_task(start(station, child("stubborn", lifeline.path), Inbox()))
        await asyncio.sleep(0)

        await station.close()

        with pytest.raises(Unavailable):
            await starting
        await lifeline.broken()
    assert station.hosted == set()


async def test_nothing_is_left_when_the_program_is_killed(tmp_path: Path) -> None:
    async with Lifeline(tmp_path) as lifeline:
        gateway = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.station.gateway", lifeline.path, "2"), cwd=ROOT
        )
        pids = await lifeline.held_by(4)
        assert gateway.pid not in pids

        os.kill(gateway.pid, signal.SIGKILL)

        assert await gateway.wait() == -signal.SIGKILL
        await lifeline.broken()
