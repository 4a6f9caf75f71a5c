"""Answers of many megabytes of small values: others do not wait until they are read and written."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from interlock.protocol.json import dumps, loads
from tests.faults.moody_server import moody
from tests.faults.stage import MIB, SECONDS, Stage, neighbour
from tests.integration.clients import open_session, request
from tests.upstreams.fakes import HTTPRequest

ROW = b'{"type":"text","text":"row","_meta":{"tags":["a","b"]}}'
SHAPES: dict[str, dict[str, Any]] = {
    "rows": {"mib": 20, "rows": True},
    "values": {"mib": 20, "values": True},
}
MEMORY = 64 * MIB
# The parser alone, on the same machine at the same time, holds up others for longer by far.
SHARE = 0.5


def result_of(shape: str) -> bytes:
    """Return the result that `bad_server.py` answers with."""
    if shape == "values":
        count = 20 * MIB // 8 // 1000 * 1000
        return b'{"content":[],"structuredContent":{"rows":[%b[0]]}}' % (b"[1,2,3]," * count)
    count = 20 * MIB // (len(ROW) + 1) // 1000 * 1000
    return b'{"content":[%b{"type":"text","text":""}]}' % ((ROW + b",") * count)


def inside(result: bytes) -> bytes:
    """Return the members of a result, as they stand beside others that the gateway adds."""
    return result[1:-1]


@dataclass(frozen=True, slots=True)
class Got:
    """The body of an answer, and when its call began and ended."""

    body: bytes
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


Call = Callable[[], Awaitable[Got]]


async def timed(answer: Awaitable[Any]) -> Got:
    began = time.monotonic()
    response = await answer
    assert response.status_code == 200
    return Got(response.content, began, time.monotonic())


def as_modern(on: Stage, server: str, tool: str, **arguments: Any) -> Call:
    sent = on._request(server, tool, token=False, **arguments)
    return lambda: timed(on.client.send(sent))


async def as_legacy(on: Stage, server: str, tool: str, **arguments: Any) -> Call:
    path = f"/mcp/default/{server}"
    headers = await open_session(on.client, path, on.gateway.key)
    message = request("tools/call", {"name": tool, "arguments": arguments})
    return lambda: timed(on.client.post(path, json=message, headers=headers))


def in_place(text: bytes) -> float:
    """Return the seconds that it takes to read and write a text at once."""
    began = time.monotonic()
    dumps(loads(text))
    return time.monotonic() - began


async def check(on: Stage, call: Call, expected: bytes) -> None:
    """Hold that a call's answer is what its server said, and that a neighbour did not wait for it."""
    async with neighbour(on, "good") as other:
        answers = [await call() for _ in range(3)]
    waits = [max(other.between(each.began, each.ended)) for each in answers]
    at_once = in_place(expected)
    on.tell(seconds=min(a.seconds for a in answers), least_wait=min(waits), at_once=at_once)

    assert all(inside(expected) in each.body for each in answers)
    assert min(waits) < SHARE * at_once


@pytest.mark.parametrize("shape", SHAPES)
async def test_of_a_process_small_values_arrive_while_neighbours_hardly_wait(
    on: Stage, shape: str
) -> None:
    await check(on, as_modern(on, "bad", "big", **SHAPES[shape]), result_of(shape))


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_legacy_client_has_them_too(on: Stage, shape: str) -> None:
    await check(on, await as_legacy(on, "bad", "big", **SHAPES[shape]), result_of(shape))


@asynccontextmanager
async def remote(on: Stage, result: bytes, *, is_streamed: bool) -> AsyncIterator[None]:
    """Have a server over HTTP that answers every call with this result."""

    async def answer(sent: HTTPRequest) -> None:
        text = b'{"jsonrpc":"2.0","id":%d,"result":%b}' % (sent.message["id"], result)
        if is_streamed:
            await sent.stream(b"data: %b\n\n" % text)
        else:
            await sent.reply(200, text, content_type="application/json")

    async with moody() as server, on.beside("remote", url=server.url):
        server.turn(answer)
        yield


@pytest.mark.parametrize("is_streamed", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
async def test_over_http_small_values_arrive_while_neighbours_hardly_wait(
    on: Stage, shape: str, is_streamed: bool
) -> None:
    expected = result_of(shape)
    async with remote(on, expected, is_streamed=is_streamed):
        await check(on, as_modern(on, "remote", "store"), expected)


@pytest.mark.parametrize("shape", SHAPES)
async def test_small_values_take_no_more_memory_than_their_text_three_times(
    on: Stage, shape: str
) -> None:
    call = as_modern(on, "bad", "big", **SHAPES[shape])
    before = on.forget_peak()
    await call()
    grown = on.peak() - before
    on.tell(grown_mib=grown / MIB)

    # As values they would take ten times that.
    assert grown < 1.5 * MEMORY


async def test_a_call_whose_client_leaves_while_its_answer_is_read_hurts_nobody(on: Stage) -> None:
    call = as_modern(on, "bad", "big", **SHAPES["values"])
    whole = (await call()).seconds
    for share in (0.5, 0.7, 0.9):
        leaving = asyncio.ensure_future(call())
        await asyncio.wait({leaving}, timeout=share * whole)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)

    assert (await on.call("bad", "echo", text="well")).text == "well"
    assert inside(result_of("values")) in (await call()).body


async def test_the_answer_of_a_process_that_ends_behind_it_is_delivered(on: Stage) -> None:
    answer = await as_modern(on, "bad", "big", **SHAPES["values"], and_die=True)()
    await on.back("bad")

    assert inside(result_of("values")) in answer.body


async def test_many_large_answers_at_once_arrive_all(on: Stage) -> None:
    call = as_modern(on, "bad", "big", mib=4, values=True)
    async with asyncio.timeout(SECONDS):
        answers = await asyncio.gather(*(call() for _ in range(5)))

    expected = 4 * MIB // 8 // 1000 * 1000 + 1
    rows = [json.loads(each.body)["result"]["structuredContent"]["rows"] for each in answers]
    assert [expected] * 5 == [len(each) for each in rows]
