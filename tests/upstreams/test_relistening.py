"""A server whose streams end is listened to again, ever more slowly where they end at once."""

import asyncio
from itertools import pairwise

import pytest

from interlock.errors import RPCError, UpstreamUnavailable
from interlock.upstreams.relistening import LASTED, MAX_RELISTEN, RELISTEN_AFTER, listen_on
from tests.gateway.virtual_time import now, run

HOUR = 3600.0


@pytest.mark.parametrize("fails", [False, True])
def test_a_server_that_ends_streams_at_once_is_asked_more_and_more_seldom(*, fails: bool) -> None:
    asked: list[float] = []

    async def listen() -> None:
        asked.append(now())
        if fails:
            raise UpstreamUnavailable("It is not there.")

    async def work() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(HOUR):
                await listen_on(listen)

    run(work())

    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert pauses[:6] == [RELISTEN_AFTER * 2**number for number in range(5)] + [MAX_RELISTEN]
    assert set(pauses[5:]) == {MAX_RELISTEN}


def test_a_stream_that_lasted_is_taken_up_soon() -> None:
    asked: list[float] = []

    async def listen() -> None:
        asked.append(now())
        await asyncio.sleep(LASTED * 2)

    async def work() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(HOUR):
                await listen_on(listen)

    run(work())

    between = {later - earlier for earlier, later in pairwise(asked)}
    assert between == {LASTED * 2 + RELISTEN_AFTER}


def test_a_server_that_refuses_is_asked_no_more() -> None:
    async def listen() -> None:
        raise RPCError(-32601, "Nothing to hear here.")

    with pytest.raises(RPCError, match="Nothing to hear"):
        run(listen_on(listen))
