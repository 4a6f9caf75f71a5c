"""Thousands of clients that only listen: little memory for each, all of it given back, none in excess."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.faults.crowd import crowd, fewer_files, heard, open_files, room_for
from tests.faults.raw_client import head, post, raw
from tests.faults.stage import ASK_AGAIN, IS_FULL, SECONDS, Stage, bad, stage
from tests.support.workers import MODERN, PREFIX

SESSIONS = room_for(10_000 if IS_FULL else 1_000)
WARM = 200  # of each kind, opened before: what is allocated once is no session's own
EACH = 10 * 1024  # bytes of the gateway's memory
PATH, OLDER = "/mcp/default", "/sse/default"
LEGACY = "2025-11-25"
IDLE = 60.0 if IS_FULL else 5.0  # seconds until an idle session ends
HOUSE = 10.0  # seconds between two looks for idle ones

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": LEGACY,
        "capabilities": {},
        "clientInfo": {"name": "idle-client", "version": "1.2.3"},
    },
}
LISTEN = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "subscriptions/listen",
    "params": {
        "notifications": {"toolsListChanged": True},
        "_meta": {f"{PREFIX}protocolVersion": MODERN, f"{PREFIX}clientCapabilities": {}},
    },
}


@pytest.fixture
async def idle() -> AsyncIterator[Stage]:
    async with stage({"good": bad()}, INTERLOCK_GATEWAY__SESSION_IDLE=str(IDLE)) as running:
        yield running


async def numbers(on: Stage) -> tuple[int, int]:
    """Return how many sessions and open streams the gateway counts."""
    # With a key only what concerns its project is told.
    async with raw(on) as client:
        await client.send(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        _, _, body = await client.answer()
    text = body.decode()
    names = ("interlock_sessions", "interlock_streams")
    found = (re.search(rf"^{name}(?:{{.*}})? ([0-9.]+)$", text, re.MULTILINE) for name in names)
    sessions, streams = (int(float(each[1])) for each in found if each)
    return sessions, streams


async def initialized(on: Stage, count: int) -> list[str]:
    """Open so many sessions on a few connections, and return their ids."""
    request, lines = post(PATH, on.gateway.key, json.dumps(INITIALIZE).encode()), 8
    found: list[str] = []

    async def some(number: int) -> None:
        async with raw(on) as client:
            for _ in range(number, count, lines):
                await client.send(request)
                status, fields, _ = await client.answer()
                assert status == 200, fields
                found.append(_session_of(fields))

    await asyncio.gather(*(some(number) for number in range(lines)))
    return found


def _session_of(fields: bytes) -> str:
    found = re.search(rb"(?i)mcp-session-id: (\S+)", fields)
    assert found is not None
    return found[1].decode()


async def all_expired(on: Stage) -> None:
    """Wait until no session is left, and no stream."""
    async with asyncio.timeout(IDLE + HOUSE + SECONDS):
        while True:
            if await numbers(on) == (0, 0):
                return
            await asyncio.sleep(ASK_AGAIN)


def legacy_streams(on: Stage, sessions: list[str]) -> list[bytes]:
    version = f"Mcp-Protocol-Version: {LEGACY}"
    key = on.gateway.key
    return [
        head(f"GET {PATH} HTTP/1.1", key, version, f"Mcp-Session-Id: {session}")
        for session in sessions
    ]


def modern_streams(on: Stage, count: int) -> list[bytes]:
    fields = (f"Mcp-Protocol-Version: {MODERN}", "Mcp-Method: subscriptions/listen")
    return [post(PATH, on.gateway.key, json.dumps(LISTEN).encode(), *fields)] * count


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_an_idle_session_with_its_open_stream_costs_at_most_10_kib_and_goes_whole(
    idle: Stage, era: str
) -> None:
    on, files = idle, open_files(idle)

    async def requests(count: int) -> list[bytes]:
        if era == "modern":
            return modern_streams(on, count)
        return legacy_streams(on, await initialized(on, count))

    async with crowd(on, await requests(WARM), are_answered=True):
        before = on.resident()
        async with crowd(on, await requests(SESSIONS), are_answered=True) as connections:
            sessions, streams = await numbers(on)
            each = (on.resident() - before) / SESSIONS
            on.tell(sessions=SESSIONS, bytes_each=each)

            assert streams == SESSIONS + WARM
            assert sessions == (streams if era == "legacy" else 0)
            assert each < EACH
            # All of them hear what changes.
            async with on.beside("new", **bad()), asyncio.timeout(SECONDS):
                for connection in connections:
                    assert b"list_changed" in await heard(connection, b"list_changed")
    await fewer_files(on, files + 20)
    await all_expired(on)


@asynccontextmanager
async def older(on: Stage, count: int) -> AsyncIterator[list[socket.socket]]:
    """Open so many streams of the older transport, and a session in each."""
    first, answers = head(f"GET {OLDER} HTTP/1.1", on.gateway.key), dict[socket.socket, bytes]()
    async with crowd(
        on, [first] * count, are_answered=True, mark=b"\n\n", answers=answers
    ) as connections:
        waiting, lines = iter(answers.values()), 8

        async def some() -> None:
            async with raw(on) as client:
                for answer in waiting:
                    found = re.search(rb"data: (\S+)", answer)
                    assert found is not None
                    body = json.dumps(INITIALIZE).encode()
                    await client.send(post(found[1].decode(), on.gateway.key, body))
                    status, fields, _ = await client.answer()
                    assert status == 202, fields

        await asyncio.gather(*(some() for _ in range(lines)))
        async with asyncio.timeout(SECONDS):
            for connection in connections:
                assert b"serverInfo" in await heard(connection, b"serverInfo")
        yield connections


async def test_so_does_one_over_the_older_transport(idle: Stage) -> None:
    on, files = idle, open_files(idle)
    async with older(on, WARM):
        before = on.resident()
        async with older(on, SESSIONS) as connections:
            sessions, streams = await numbers(on)
            each = (on.resident() - before) / SESSIONS
            on.tell(sessions=SESSIONS, bytes_each=each)

            assert (sessions, streams) == (SESSIONS + WARM, SESSIONS + WARM)
            assert each < EACH
            async with on.beside("new", **bad()), asyncio.timeout(SECONDS):
                for connection in connections:
                    assert b"list_changed" in await heard(connection, b"list_changed")
    await fewer_files(on, files + 20)
    await all_expired(on)


async def test_a_flood_of_sessions_is_refused_to_the_one_who_floods() -> None:
    flood = 2_000 if IS_FULL else 500
    async with stage({"good": bad()}, INTERLOCK_GATEWAY__SESSION_RATE="120") as on:
        keys = "/api/v1/projects/default/keys"
        made = await on.client.post(keys, json={"name": "another", "role": "developer"})
        other = made.raise_for_status().json()["secret"]
        before = on.resident()
        request = post(PATH, on.gateway.key, json.dumps(INITIALIZE).encode())
        statuses: list[int] = []
        async with raw(on) as client:
            for _ in range(flood):
                await client.send(request)
                status, fields, _ = await client.answer()
                statuses.append(status)
                assert status == 200 or b"retry-after: " in fields
        async with raw(on) as client:
            await client.send(post(PATH, other, json.dumps(INITIALIZE).encode()))
            others = (await client.answer())[0]
        sessions, _ = await numbers(on)
        on.tell(taken=statuses.count(200), refused=statuses.count(429))

        assert set(statuses) == {200, 429}
        # Sixty at once, and two more for each second that the flood takes.
        assert statuses[:60] == [200] * 60
        assert statuses.count(429) > flood // 2
        assert others == 200
        assert sessions == statuses.count(200) + 1
        assert on.resident() - before < flood * EACH
