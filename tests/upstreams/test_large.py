"""Large answers on links: others have their turn while one is read, and each outcome is told once."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from interlock.errors import InterlockError, UpstreamUnavailable
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, dumps, loads
from interlock.protocol.sse import encode
from interlock.upstreams.large import LARGE, read_in_turns
from interlock.upstreams.port import Begun, ProtocolBroken, Way
from tests.upstreams.fakes import HTTPRequest, Listener, connected, silent
from tests.upstreams.test_duplex import begun, call
from tests.upstreams.test_streamable_http import exchanged, link_to, progress

DEADLINE = 30.0
ROWS = b'{"rows":[%b]}' % b",".join([b'[1,"a",null]'] * (2 * LARGE // 12))


def large(number: int, result: bytes = ROWS) -> bytes:
    return b'{"jsonrpc":"2.0","id":%d,"result":%b}' % (number, result)


@dataclass(slots=True)
class Outcome:
    """A sink that keeps what it was told, in order."""

    told: list[JSONObject | InterlockError] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, message: JSONObject, /) -> None:
        self.told.append(message)

    def answered(self, message: JSONObject, /) -> None:
        self.told.append(message)
        self.over.set()

    def failed(self, fault: InterlockError, /) -> None:
        self.told.append(fault)
        self.over.set()

    async def last(self) -> JSONObject | InterlockError:
        async with asyncio.timeout(DEADLINE):
            await self.over.wait()
        return self.told[-1]


def began(way: Way, outcome: Outcome) -> Begun:
    found = way.begin(b"{}", outcome)
    assert found is not None
    return found


async def other_turns() -> None:
    """Let others have their turn as often as the reading of a large answer needs it to begin."""
    for _ in range(3):
        await asyncio.sleep(0)


async def test_while_an_answer_is_read_others_have_their_turn() -> None:
    turns, is_over = 0, False

    async def count() -> None:
        nonlocal turns
        while not is_over:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    answers = await asyncio.gather(read_in_turns(large(1)), read_in_turns(large(2)))
    is_over = True
    await counting

    assert [large(1), large(2)] == [dumps(answer) for answer in answers]
    # Two read by turns, each in as many steps as there are 64 KiB.
    assert turns > 2 * (len(large(1)) // 65536)


async def test_a_small_answer_overtakes_a_large_one_that_is_read() -> None:
    link, server = connected(silent)
    big = await begun(link, server, call(1), Listener())
    small = await begun(link, server, call(2), Listener())

    server.say(large(1))
    server.answer(call(2), {"ok": True})

    assert (await small)["result"] == {"ok": True}
    assert not big.done()
    assert large(1) == dumps(await big)
    await link.close()


async def test_only_what_was_said_before_a_large_answer_is_heard_by_its_caller() -> None:
    late = Listener()
    link, server = connected(silent, late)
    outcome = Outcome()
    began(link.way("tools/call"), outcome)
    note = jsonrpc.notification("notifications/message", {"data": "before"})

    server.say(note)
    server.say(large(1))
    server.say(note)

    assert large(1) == dumps(await outcome.last())
    assert [note] == outcome.told[:-1]
    assert late.heard == [("notifications/message", note)]
    await link.close()


async def test_an_answer_that_has_come_is_given_though_its_server_ends_and_the_link_is_closed() -> (
    None
):
    link, server = connected(silent)
    outcome = Outcome()
    began(link.way("tools/call"), outcome)
    await server.next()
    awaited = await begun(link, server, call(2), Listener())

    server.say(large(1))
    server.say(large(2))
    server.die()
    await link.close()

    assert large(1) == dumps(await outcome.last())
    assert large(2) == dumps(await awaited)


async def test_a_call_that_is_given_up_while_its_answer_is_read_hears_no_answer() -> None:
    link, server = connected(silent)
    outcome = Outcome()
    given_up = began(link.way("tools/call"), outcome)
    await server.next()
    awaited = await begun(link, server, call(2), Listener())
    server.say(large(1))
    server.say(large(2))
    await other_turns()

    given_up.give_up()
    awaited.cancel()
    await asyncio.gather(awaited, return_exceptions=True)
    async with asyncio.timeout(DEADLINE):
        await link.close()

    assert awaited.cancelled()
    assert all(isinstance(told, UpstreamUnavailable) for told in outcome.told)


@pytest.mark.parametrize(
    "result", [b'{"rows":[%b,]}' % b",".join([b"1"] * LARGE), b'{"rows":"%b"' % (b"x" * LARGE)]
)
async def test_a_large_answer_that_is_no_json_fails_its_call(result: bytes) -> None:
    link, server = connected(silent)
    outcome = Outcome()
    began(link.way("tools/call"), outcome)

    server.say(large(1, result))

    told = await outcome.last()
    assert isinstance(told, dict)
    assert "cannot be read as JSON" in told["error"]["message"]
    assert len(outcome.told) == 1
    await link.close()


async def test_a_large_list_is_read_as_values() -> None:
    link, server = connected(silent)
    task = await begun(link, server, call(1, "tools/list"), Listener())

    server.say(large(1))

    assert loads(ROWS) == (await task)["result"]


def as_json(text: bytes) -> Callable[[HTTPRequest], Awaitable[None]]:
    async def handle(request: HTTPRequest) -> None:
        await request.reply(200, text, content_type="application/json")

    return handle


def as_events(text: bytes) -> Callable[[HTTPRequest], Awaitable[None]]:
    async def handle(request: HTTPRequest) -> None:
        await request.begin_stream(encode(dumps(progress(1))), encode(text))

    return handle


@pytest.mark.parametrize("how", [as_json, as_events])
async def test_over_http_a_large_answer_is_read_in_both_lanes(
    how: Callable[[bytes], Callable[[HTTPRequest], Awaitable[None]]],
) -> None:
    async with link_to(how(large(1))) as (link, _):
        assert large(1) == dumps(await exchanged(link))

    async def handle(request: HTTPRequest) -> None:
        await how(large(request.message["id"]))(request)

    async with link_to(handle) as (link, _):
        # The first opens the connection that the second is begun on.
        await link.exchange(jsonrpc.request(next(link.ids), "tools/call", {}), lambda _: None)
        if how is as_json:
            outcome = Outcome()
            began(link.way("tools/call"), outcome)
            assert large(2) == dumps(await outcome.last())
            outcome = Outcome()
            began(link.way("tools/call"), outcome).give_up()
            await other_turns()
            assert outcome.told == []


async def test_begun_over_http_an_event_is_heard_before_the_large_answer_behind_it() -> None:
    async def handle(request: HTTPRequest) -> None:
        if request.message["id"] == 1:
            await request.result({})
        else:
            await as_events(large(request.message["id"]))(request)

    async with link_to(handle) as (link, _):
        await link.exchange(jsonrpc.request(next(link.ids), "tools/call", {}), lambda _: None)
        outcome = Outcome()
        began(link.way("tools/call"), outcome)

        assert large(2) == dumps(await outcome.last())
        assert [progress(1)] == outcome.told[:-1]


@pytest.mark.parametrize("how", [as_json, as_events])
async def test_over_http_a_large_answer_that_is_no_json_fails_its_call(
    how: Callable[[bytes], Callable[[HTTPRequest], Awaitable[None]]],
) -> None:
    broken = b'{"rows":[%b,]}' % b",".join([b"1"] * LARGE)

    async def handle(request: HTTPRequest) -> None:
        if request.message["id"] == 1:
            await request.result({})
        else:
            await how(large(request.message["id"], broken))(request)

    async with link_to(handle) as (link, _):
        await link.exchange(jsonrpc.request(next(link.ids), "tools/call", {}), lambda _: None)
        outcome = Outcome()
        began(link.way("tools/call"), outcome)

        assert isinstance(await outcome.last(), ProtocolBroken)
