"""Sessions belong to their owner, are counted, and end when nobody needs them or their server dies."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from interlock.errors import (
    BadInput,
    NotFound,
    RPCError,
    TooMany,
    Unavailable,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from interlock.settings import StationSettings
from interlock.station.sessions import ProcessSessions, SessionEnded, interpreted
from interlock.station.station import Station
from interlock.upstreams.definition import StdioTarget
from tests.station.inbox import DEADLINE, child
from tests.station.lifeline import Lifeline
from tests.station.talk import Talks

SERVER = child("server")


@asynccontextmanager
async def sessions(
    **settings: float,
) -> AsyncGenerator[tuple[ProcessSessions, Talks]]:
    """Open sessions on a real station; close both in the order of a real shutdown."""
    chosen = StationSettings.model_validate({"stop_timeout": 0.5, **settings})
    station = Station(chosen)
    talks = Talks(station)
    opened = ProcessSessions(talks.connect, chosen)
    try:
        yield opened, talks
    finally:
        await opened.close()
        await station.close()


async def ended(talks: Talks) -> str:
    """Wait until the first conversation is over, and return why."""
    async with asyncio.timeout(DEADLINE):
        return await asyncio.shield(talks.opened[0].ended)


async def test_a_session_answers_calls() -> None:
    async with sessions() as (all_, talks):
        session = await all_.create("me", "python", SERVER)

        assert session.pid == talks.opened[0].pid
        assert await all_.request("me", session.id, "repeat", {"a": 1}) == {"a": 1}
        assert all_.get("me", session.id) == session
        assert all_.owned_by("me") == [session]


async def test_the_servers_own_error_passes_through() -> None:
    async with sessions() as (all_, _):
        session = await all_.create("me", "python", SERVER)

        with pytest.raises(RPCError) as caught:
            await all_.request("me", session.id, "fail", {})

        assert (caught.value.code, caught.value.data) == (-32000, {"why": "asked for"})


async def test_owners_do_not_see_each_others_sessions() -> None:
    async with sessions() as (all_, _):
        session = await all_.create("me", "python", SERVER)

        assert all_.owned_by("you") == []
        with pytest.raises(NotFound):
            all_.get("you", session.id)
        with pytest.raises(NotFound):
            await all_.request("you", session.id, "repeat", {})
        with pytest.raises(NotFound):
            await all_.delete("you", session.id)
        assert all_.owned_by("me") == [session]


async def test_a_deleted_session_is_gone_with_its_process() -> None:
    async with sessions() as (all_, talks):
        session = await all_.create("me", "python", SERVER)

        await all_.delete("me", session.id)

        assert talks.opened[0].ended.done()
        assert all_.owned_by("me") == []
        with pytest.raises(NotFound) as caught:
            all_.get("me", session.id)
        assert not isinstance(caught.value, SessionEnded)


async def test_deleting_twice_at_once_succeeds_twice() -> None:
    async with sessions() as (all_, talks):
        session = await all_.create("me", "python", SERVER)

        await asyncio.gather(all_.delete("me", session.id), all_.delete("me", session.id))

        assert talks.opened[0].ended.done()
        with pytest.raises(NotFound):
            await all_.delete("me", session.id)


async def test_a_session_whose_server_dies_is_cleaned_up_and_says_why() -> None:
    async with sessions() as (all_, talks):
        session = await all_.create("me", "python", SERVER)

        with pytest.raises(UpstreamUnavailable):
            await all_.request("me", session.id, "die", {})
        await ended(talks)

        assert all_.owned_by("me") == []
        with pytest.raises(SessionEnded) as caught:
            await all_.request("me", session.id, "repeat", {})
        assert caught.value.message.startswith(f"Session {session.id} has ended. Server `")
        assert caught.value.message.endswith(
            "ended with exit code 4. Its last line on stderr was: told to die"
        )
        with pytest.raises(NotFound):
            all_.get("you", session.id)


async def test_a_session_that_ended_can_be_deleted_once() -> None:
    async with sessions() as (all_, talks):
        session = await all_.create("me", "python", SERVER)
        with pytest.raises(UpstreamUnavailable):
            await all_.request("me", session.id, "die", {})
        await ended(talks)

        await all_.delete("me", session.id)

        with pytest.raises(NotFound) as caught:
            await all_.delete("me", session.id)
        assert not isinstance(caught.value, SessionEnded)


async def test_an_idle_session_ends() -> None:
    async with sessions(session_idle=0.3) as (all_, talks):
        session = await all_.create("me", "python", SERVER)

        assert "was stopped" in await ended(talks)

        with pytest.raises(SessionEnded, match=r"It was idle for 0\.3 s"):
            all_.get("me", session.id)


async def test_a_session_with_a_call_under_way_is_not_idle() -> None:
    async with sessions(session_idle=0.2) as (all_, talks):
        session = await all_.create("me", "python", SERVER)
        call = asyncio.create_task(all_.request("me", session.id, "hang", {}))

        # The session outlives several idle times while the call waits, and ends once it is over.
        done, _ = await asyncio.wait({talks.opened[0].ended}, timeout=1.0)
        assert done == set()
        call.cancel()

        await ended(talks)
        with pytest.raises(SessionEnded, match="idle"):
            all_.get("me", session.id)
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_there_are_at_most_so_many_sessions() -> None:
    async with sessions(max_sessions=2) as (all_, talks):
        first, *_ = await asyncio.gather(
            all_.create("me", "python", SERVER), all_.create("you", "python", SERVER)
        )

        with pytest.raises(TooMany, match="There are 2 sessions already"):
            await all_.create("me", "python", SERVER)

        assert len(talks.opened) == 2
        await all_.delete("me", first.id)
        await all_.create("me", "python", SERVER)


async def test_a_failed_start_does_not_use_up_a_place() -> None:
    async with sessions(max_sessions=1) as (all_, _):
        with pytest.raises(BadInput, match="`no-such-command-1` was not found on PATH"):
            await all_.create("me", "other", StdioTarget("no-such-command-1"))

        await all_.create("me", "python", SERVER)


async def test_a_server_that_never_answers_the_handshake_is_stopped() -> None:
    async with sessions(start_timeout=1.0) as (all_, talks):
        with pytest.raises(UpstreamTimeout, match="did not answer the handshake in 1 s"):
            await all_.create("me", "python", child("server", "hanging"))

        assert talks.opened[0].ended.done()
        assert all_.owned_by("me") == []


async def test_a_server_that_refuses_the_handshake_is_stopped() -> None:
    async with sessions() as (all_, talks):
        with pytest.raises(UpstreamFailed, match="refused the handshake: no"):
            await all_.create("me", "python", child("server", "refusing"))

        assert talks.opened[0].ended.done()


async def test_a_server_that_ends_at_once_says_why() -> None:
    async with sessions() as (all_, _):
        with pytest.raises(UpstreamUnavailable, match="ended with exit code 5"):
            await all_.create("me", "python", child("failing", "5"))


async def test_closing_ends_all_sessions_and_admits_no_more() -> None:
    async with sessions() as (all_, talks):
        await all_.create("me", "python", SERVER)
        await all_.create("you", "python", SERVER)

        await all_.close()

        assert [talk.ended.done() for talk in talks.opened] == [True, True]
        with pytest.raises(Unavailable):
            await all_.create("me", "python", SERVER)


async def test_a_session_that_starts_while_all_end_is_stopped(tmp_path: Path) -> None:
    async with sessions() as (all_, _), Lifeline(tmp_path) as lifeline:
        creating = asyncio.create_task(all_.create("me", "python", child("holding", lifeline.path)))
        await lifeline.held_by(1)

        await all_.close()

        with pytest.raises(Unavailable):
            await creating
        await lifeline.broken()


@pytest.mark.parametrize(
    ("server_type", "command", "expected"),
    [
        ("python", "/srv/server.py", (sys.executable, "/srv/server.py", "-v")),
        ("Python", "server.py", (sys.executable, "server.py", "-v")),
        ("python", "uvx", ("uvx", "-v")),
        ("node", "server.js", ("node", "server.js", "-v")),
        ("node", "server.mjs", ("node", "server.mjs", "-v")),
        ("node", "server.py", ("server.py", "-v")),
        ("binary", "server.py", ("server.py", "-v")),
    ],
)
def test_scripts_are_run_by_their_interpreter(
    server_type: str, command: str, expected: tuple[str, ...]
) -> None:
    target = StdioTarget(command, ("-v",), {"KEY": "k"}, "/srv")

    assert interpreted(server_type, target) == replace(
        target, command=expected[0], args=expected[1:]
    )
