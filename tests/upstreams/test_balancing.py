"""Which endpoint takes a request: pure, and with three real ones of which one dies."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from interlock.errors import TooMany, UpstreamFailed
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject
from interlock.upstreams.balancing import (
    Endpoint,
    EndpointHealth,
    Endpoints,
    UpstreamBusy,
    pause_of,
)
from interlock.upstreams.connections import HTTPClient
from interlock.upstreams.definition import HTTPTarget
from interlock.upstreams.port import SessionExpired
from interlock.upstreams.response import ConnectionFailed
from interlock.upstreams.sse import SSEConnector
from interlock.upstreams.streamable_http import HTTPConnector, HTTPLink
from tests.policy.clock import Clock
from tests.upstreams.fakes import INITIALIZED, HTTPRequest, answering
from tests.upstreams.raw_server import DEADLINE, RawServer, serving

URLS = ("http://a/", "http://b/", "http://c/")
TUESDAY = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


def endpoints(*urls: str) -> tuple[Endpoints, Clock]:
    clock = Clock()
    return Endpoints("docs", urls or URLS, clock), clock


def turns(balanced: Endpoints, count: int) -> str:
    """Return the hosts that take the next requests, none of which lasts."""
    return "".join(balanced.choose().url[7] for _ in range(count))


def ejected(balanced: Endpoints, *letters: str) -> None:
    for endpoint in all_of(balanced):
        if endpoint.url[7] in letters:
            balanced.failed(endpoint, is_unreachable=True)


def all_of(balanced: Endpoints) -> list[Endpoint]:
    return list(balanced._all)


def test_requests_that_do_not_last_go_round() -> None:
    balanced, _ = endpoints()

    assert turns(balanced, 6) == "abcabc"


def test_the_endpoint_with_the_fewest_requests_under_way_is_next() -> None:
    balanced, _ = endpoints()
    first, second, third = all_of(balanced)
    first.pending, second.pending, third.pending = 2, 3, 1

    assert turns(balanced, 3) == "ccc"


def test_the_same_address_twice_is_one_endpoint() -> None:
    balanced, _ = endpoints("http://a/", "http://b/", "http://a/")

    assert len(balanced) == 2


def test_an_endpoint_that_fails_three_times_in_a_row_is_ejected_for_five_seconds() -> None:
    balanced, clock = endpoints()
    bad = all_of(balanced)[0]
    balanced.failed(bad)
    balanced.failed(bad)
    assert turns(balanced, 3) == "abc"

    balanced.failed(bad)
    assert turns(balanced, 4) == "bcbc"
    assert balanced.health()[0] == EndpointHealth("http://a/", "ejected", 0, 5)

    clock.pass_(5)
    assert "a" in turns(balanced, 3)


def test_an_endpoint_that_fails_again_after_its_ejection_is_ejected_for_twice_as_long() -> None:
    balanced, clock = endpoints()
    bad = all_of(balanced)[0]
    balanced.failed(bad, is_unreachable=True)
    times: list[float | None] = []
    for _ in range(8):
        clock.pass_(balanced.health()[0].for_seconds or 0)
        balanced.failed(bad)
        times.append(balanced.health()[0].for_seconds)

    assert times == [10, 20, 40, 80, 160, 300, 300, 300]


def test_an_endpoint_that_answers_is_as_good_as_new() -> None:
    balanced, clock = endpoints()
    bad = all_of(balanced)[0]
    balanced.failed(bad, is_unreachable=True)
    clock.pass_(5)
    balanced.answered(bad, 200, {})
    balanced.failed(bad)

    assert balanced.health()[0].state == "ok"


def test_where_all_are_ejected_the_one_that_comes_back_first_is_used() -> None:
    balanced, clock = endpoints()
    ejected(balanced, "b")
    clock.pass_(1)
    ejected(balanced, "a", "c")

    assert turns(balanced, 3) == "bbb"


def test_a_call_given_up_soon_is_no_failure_and_one_given_up_late_is() -> None:
    balanced, clock = endpoints()
    silent = all_of(balanced)[0]
    began = clock.now
    for _ in range(3):
        balanced.gave_up(silent, began)
    assert balanced.health()[0].state == "ok"

    clock.pass_(5)
    for _ in range(3):
        balanced.gave_up(silent, began)
    assert balanced.health()[0].state == "ejected"


def test_an_endpoint_that_names_a_time_is_not_used_before() -> None:
    balanced, clock = endpoints()
    first = all_of(balanced)[0]
    balanced.answered(first, 429, {"retry-after": "7"})

    assert "a" not in turns(balanced, 6)
    assert balanced.health()[0] == EndpointHealth("http://a/", "busy", 0, 7)
    assert balanced.turned_away(first).has_others
    assert not balanced.turned_away(first, is_home=True).has_others
    clock.pass_(7)
    assert "a" in turns(balanced, 3)


def test_where_all_are_busy_the_refusal_says_when_the_first_comes_back() -> None:
    balanced, _ = endpoints()
    for seconds, endpoint in zip((9, 4, 7), all_of(balanced), strict=True):
        balanced.answered(endpoint, 503, {"retry-after": str(seconds)})

    with pytest.raises(UpstreamBusy) as refusal:
        balanced.choose()

    busy = refusal.value
    assert (busy.retry_after, busy.has_others) == (4, False)
    assert busy.data == {"retry_after_ms": 4000}
    assert (busy.status, busy.rpc_code, busy.reason) == (429, -31429, "upstream_busy")
    assert isinstance(busy, TooMany)
    assert isinstance(busy, UpstreamFailed)
    assert busy.message == "docs asked not to be called for another 4.0 s."


def test_a_busy_endpoint_is_not_used_even_if_all_others_are_ejected() -> None:
    balanced, _ = endpoints()
    balanced.answered(all_of(balanced)[0], 429, {"retry-after": "7"})
    ejected(balanced, "b", "c")

    assert "a" not in turns(balanced, 4)


@pytest.mark.parametrize(
    ("status", "value", "pause"),
    [
        (429, "7", 7.0),
        (429, "0", 0.0),
        (429, None, 1.0),
        (429, "soon", 1.0),
        (429, "-5", 1.0),
        (429, "1.5", 1.0),
        (429, "99999999999999999999", 300.0),
        (429, "٣", 1.0),
        (429, "Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        (429, "Tue, 14 Nov 2023 22:13:00 GMT", 0.0),
        (429, "Tue, 14 Nov 2099 22:13:00 GMT", 300.0),
        (503, "7", 7.0),
        (503, None, None),
        (503, "soon", None),
        (500, "7", None),
        (200, "7", None),
    ],
)
def test_seconds_and_dates_are_understood_and_bounded(
    status: int, value: str | None, pause: float | None
) -> None:
    headers = {} if value is None else {"retry-after": value}

    assert pause_of(status, headers, lambda: TUESDAY) == pause


CALL = jsonrpc.request(1, "tools/call", {"name": "t"})
INITIALIZE = jsonrpc.request(1, "initialize", {})
Counts = list[int]


class Three:
    """Three real endpoints of one server, which count what they are asked."""

    def __init__(self, session: bool) -> None:
        self.counts: Counts = [0, 0, 0]
        self.servers: list[RawServer] = []
        self.client: HTTPClient
        self.balanced: Endpoints
        self._session = session

    def handler(self, index: int) -> Callable[[HTTPRequest], Awaitable[None]]:
        async def handle(request: HTTPRequest) -> None:
            if request.verb != "POST":
                await request.reply(405)
                return
            self.counts[index] += 1
            if request.message["method"] == "initialize" and self._session:
                await request.result(INITIALIZED, mcp_session_id=f"s{index}")
            else:
                await request.result({"from": index})

        return handle

    async def link(self) -> HTTPLink:
        urls = [server.url for server in self.servers]
        target = HTTPTarget(urls[0], more_urls=tuple(urls[1:]))
        connector = HTTPConnector(self.client, target, "docs", self.balanced)
        return await connector.connect(lambda _: None, lambda _: None)

    async def kill(self, index: int) -> None:
        """End one of them with all its connections, and let nobody connect again."""
        server = self.servers[index]
        server.stop_listening()
        for script in server.scripts:
            script.cancel()
        await asyncio.gather(*server.scripts, return_exceptions=True)
        server.scripts.clear()


async def three(stack: AsyncExitStack, *, session: bool = False) -> Three:
    made = Three(session)
    for index in range(3):
        server, client = await stack.enter_async_context(serving(answering(made.handler(index))))
        made.servers.append(server)
        made.client = client
    made.balanced = Endpoints("docs", [server.url for server in made.servers])
    return made


async def answered_by(link: HTTPLink) -> int:
    answer: JSONObject = await link.exchange(CALL, lambda _: None)
    return answer["result"]["from"]


async def test_calls_choose_their_endpoint_one_by_one_and_one_that_dies_is_left_alone() -> None:
    async with asyncio.timeout(DEADLINE), AsyncExitStack() as stack:
        servers = await three(stack)
        link = await servers.link()
        assert [await answered_by(link) for _ in range(6)] == [0, 1, 2, 0, 1, 2]

        await servers.kill(1)
        failures = 0
        for _ in range(20):
            try:
                assert await answered_by(link) in {0, 2}
            except ConnectionFailed:
                failures += 1

        assert failures == 1
        assert servers.counts[1] == 2
        assert [each.state for each in servers.balanced.health()] == ["ok", "ejected", "ok"]
        assert [each.pending for each in servers.balanced.health()] == [0, 0, 0]


async def test_a_legacy_session_stays_at_its_endpoint_and_is_over_when_that_dies() -> None:
    async with asyncio.timeout(DEADLINE), AsyncExitStack() as stack:
        servers = await three(stack, session=True)
        link = await servers.link()
        await link.exchange(INITIALIZE, lambda _: None)
        assert [await answered_by(link) for _ in range(4)] == [0, 0, 0, 0]

        await servers.kill(0)
        with pytest.raises(SessionExpired):
            await answered_by(link)
        with pytest.raises(SessionExpired):
            await answered_by(link)

        other = await servers.link()
        await other.exchange(INITIALIZE, lambda _: None)
        assert await answered_by(other) == 1
        await link.close()
        await other.close()


async def test_a_legacy_stream_is_opened_at_an_endpoint_that_answers() -> None:
    async with asyncio.timeout(DEADLINE), AsyncExitStack() as stack:
        servers = await three(stack)
        urls = [server.url for server in servers.servers]
        await servers.kill(0)
        connector = SSEConnector(
            servers.client, HTTPTarget(urls[0], more_urls=tuple(urls[1:])), "docs", servers.balanced
        )
        with pytest.raises(ConnectionFailed):
            await connector.connect(lambda _: None, lambda _: None)
        assert [each.state for each in servers.balanced.health()] == ["ejected", "ok", "ok"]
