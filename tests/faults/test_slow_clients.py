"""Thousands of slow clients: each is let go at its deadline, and a good one hardly notices them."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress

import pytest

from tests.faults.crowd import crowd, fewer_files, heard, open_files, room_for, small_buffer
from tests.faults.raw_client import head
from tests.faults.stage import IS_FULL, MIB, Stage, attached, bad, neighbour, percentile, until
from tests.requirements.puppet import Puppet, serving
from tests.support.workers import Processes, processes
from tests.upstreams.fakes import HTTPRequest

HEADERS, BODY = (10.0, 30.0) if IS_FULL else (2.0, 4.0)  # seconds
CLIENTS = 2000 if IS_FULL else 400
DEAF = 64 if IS_FULL else 16
EARLY, LATE = 0.2, 10.0  # seconds that a busy machine may be early or late
QUIET = 3.0  # seconds in which the neighbour is watched before
WAIT = 0.05  # seconds that other programs on this machine may hold up any call
MEMORY = 16 * 1024  # bytes of a slow connection
PATH = "/mcp/default/good"


@pytest.fixture(scope="module")
def slow_gateway() -> Iterator[Processes]:
    room_for(CLIENTS)
    prefix = "INTERLOCK_GATEWAY__"
    deadlines = {f"{prefix}HEADER_TIMEOUT": str(HEADERS), f"{prefix}BODY_TIMEOUT": str(BODY)}
    with processes(1, {"mcpServers": {"good": bad(), "bad": bad()}}, **deadlines) as running:
        yield running


@pytest.fixture
async def slow(slow_gateway: Processes) -> AsyncIterator[Stage]:
    async with attached(slow_gateway, "good", "bad") as running:
        yield running


async def let_go(connection: socket.socket, since: float) -> tuple[bytes, float]:
    """Return how a connection was ended, and after how many seconds."""
    answer = await heard(connection, b"never")
    return answer.split(b"\r\n")[0], time.monotonic() - since


async def drip(connections: list[socket.socket], piece: bytes, every: float) -> None:
    """Send a piece on each connection now and then, whether it is still there or not."""
    while True:
        await asyncio.sleep(every)
        for number, connection in enumerate(connections):
            try:
                connection.send(piece)
            except OSError:
                continue
            if number % 50 == 0:
                await asyncio.sleep(0)


async def test_slow_clients_are_let_go_at_their_deadlines_and_a_good_one_hardly_waits(
    slow: Stage,
) -> None:
    on, share = slow, CLIENTS // 4
    key = on.gateway.key
    begun = head(f"POST {PATH} HTTP/1.1", key)[:-2]
    with_body = head(f"POST {PATH} HTTP/1.1", key, "Content-Length: 100000") + b"{"
    async with neighbour(on, "good") as good:
        await asyncio.sleep(QUIET)
        files, before, calm = open_files(on), on.resident(), time.monotonic()
        async with AsyncExitStack() as stack:
            start = time.monotonic()
            silent = await stack.enter_async_context(crowd(on, [b""] * share))
            dripping = await stack.enter_async_context(crowd(on, [begun] * share))
            stalling = await stack.enter_async_context(crowd(on, [with_body] * share))
            moving = await stack.enter_async_context(crowd(on, [with_body] * share))
            await until(lambda: open_files(on) - files >= CLIENTS)
            opened = time.monotonic()
            cost = (on.resident() - before) / CLIENTS
            drips = [
                asyncio.create_task(drip(dripping, b"X-A: b\r\n", HEADERS / 4)),
                asyncio.create_task(drip(moving, b" ", BODY / 4)),
            ]
            ends = await asyncio.gather(
                *(let_go(each, start) for each in (*silent, *dripping, *stalling))
            )
            over = time.monotonic()
            # Whoever goes on sending a body is slow, and no more.
            assert open_files(on) - files == pytest.approx(share, abs=20)
            for each in drips:
                each.cancel()
            await asyncio.wait(drips)
            await asyncio.gather(*(heard(each, b"never") for each in moving))
            await fewer_files(on, files + 20)
    calls, under_load = good.between(0, calm), good.between(opened, over)
    p99, p99_under_load = percentile(calls, 0.99), percentile(under_load, 0.99)
    on.tell(
        bytes_each=cost,
        latest_head=max(took for _, took in ends[: 2 * share]),
        latest_body=max(took for _, took in ends[2 * share :]),
        p99_before=p99,
        p99_during=p99_under_load,
    )

    assert {how for how, _ in ends} <= {b"HTTP/1.1 408 Request Timeout", b""}
    assert all(
        HEADERS - EARLY <= took <= opened - start + HEADERS + LATE for _, took in ends[: 2 * share]
    )
    assert all(
        BODY - EARLY <= took <= opened - start + BODY + LATE for _, took in ends[2 * share :]
    )
    assert cost < MEMORY
    assert p99_under_load <= max(2 * p99, WAIT)


async def test_clients_that_read_nothing_of_their_streams_are_let_go(slow: Stage) -> None:
    on = slow
    files, before = open_files(on), on.forget_peak()
    request = on.written("bad", "notify", token=True, times=40, size=MIB // 4)
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack, neighbour(on, "good") as good:
        await asyncio.sleep(QUIET)
        calm = time.monotonic()
        for _ in range(DEAF):
            deaf = stack.enter_context(small_buffer(on))
            await loop.sock_sendall(deaf, request)
        await until(lambda: open_files(on) >= files + DEAF)
        took = await fewer_files(on, files + 3, 2 * BODY + LATE + 60)
        over = time.monotonic()
    peak = on.peak()
    calls, under_load = good.between(0, calm), good.between(calm, over)
    p99, p99_under_load = percentile(calls, 0.99), percentile(under_load, 0.99)
    on.tell(
        seconds=took,
        grown_mib=(peak - before) / MIB,
        p99_before=p99,
        p99_during=p99_under_load,
    )

    assert took >= BODY - EARLY
    # Each stream is 10 MiB, and all of them are held until their clients are let go.
    assert peak - before < DEAF * 16 * MIB
    assert p99_under_load <= max(2 * p99, WAIT)


async def test_a_client_that_reads_no_answer_gets_no_more_of_them(slow: Stage) -> None:
    on, calls, puppet = slow, 64, Puppet("modern")

    async def answer_at_length(request: HTTPRequest) -> None:
        await request.result(
            {"content": [{"type": "text", "text": "x" * MIB}], **puppet.complete()}
        )

    puppet.acts["tools/call"] = answer_at_length
    request = on.written("far", "act", token=False)
    loop = asyncio.get_running_loop()
    async with serving(puppet), on.beside("far", url=puppet.url):
        before = on.forget_peak()
        with small_buffer(on) as deaf:
            for _ in range(calls):
                with suppress(ConnectionError):
                    await loop.sock_sendall(deaf, request)
                # By then it is answered, or waits.
                await on.call("far", "act")
            peak = on.peak()
    made = len(puppet.received("tools/call")) - calls
    on.tell(grown_mib=(peak - before) / MIB, made=made)

    assert 0 < made < calls // 4
    assert peak - before < calls * MIB
