"""One server's sessions: shared where they may be, alone where they must, opened anew when lost."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from interlock.errors import RPCError, TooMany, UpstreamFailed, UpstreamUnavailable
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject
from interlock.protocol.versions import LATEST_LEGACY, LATEST_MODERN, Era
from interlock.upstreams.legacy import LegacySession
from interlock.upstreams.modern import ModernSession, request_meta
from interlock.upstreams.port import (
    ClientFacts,
    Connector,
    Ended,
    Hear,
    Link,
    Nobody,
    ProtocolBroken,
    SessionExpired,
)
from interlock.upstreams.streamable_http import HTTPRefused
from interlock.upstreams.upstream import Owner, SessionLimits, Upstream
from tests.upstreams.fakes import (
    CLIENT,
    DEADLINE,
    DISCOVERED,
    INITIALIZED,
    LEGACY,
    MODERN,
    FakeConnector,
    FakeServer,
    Listener,
    Reply,
    silent,
    speaking,
)

OK: JSONObject = {"ok": True}
CALL: tuple[str, JSONObject] = ("tools/call", {"name": "t"})
MODERN_CALL: tuple[str, JSONObject] = ("tools/call", {"_meta": request_meta(CLIENT)})
DUAL: dict[str, Reply] = {
    "server/discover": {**DISCOVERED, "supportedVersions": [LATEST_MODERN, LATEST_LEGACY]},
    "initialize": INITIALIZED,
    "tools/call": OK,
}
LEGACY_ONLY = frozenset({Era.LEGACY})


def owner(key: str, *, exclusive: bool = False) -> Owner:
    return Owner(key, ClientFacts({"name": key}, {"sampling": {}}), Nobody(), exclusive=exclusive)


@asynccontextmanager
async def upstream_to(
    *connectors: Connector,
    down: Callable[[UpstreamFailed], None] = lambda reason: None,
    eras: frozenset[Era] | None = LEGACY_ONLY,
    limit: int = 64,
) -> AsyncIterator[Upstream]:
    limits = SessionLimits(open_timeout=DEADLINE, max_sessions=limit)
    shared = Owner("", CLIENT, Nobody())
    upstream = Upstream("fake", connectors, shared, down=down, eras=eras, limits=limits)
    async with asyncio.timeout(DEADLINE):
        try:
            yield upstream
        finally:
            await upstream.close()


def hanging() -> FakeConnector:
    """Return a connector to servers whose calls are answered by the test."""
    return FakeConnector(speaking({**LEGACY, "tools/call": silent}))


def calling(upstream: Upstream, who: Owner | None = None) -> "asyncio.Task[JSONObject]":
    return asyncio.create_task(upstream.request(Era.LEGACY, who, CALL, Nobody()))


async def next_call(connector: FakeConnector) -> tuple[FakeServer, JSONObject]:
    """Wait until another server was opened and has its call."""
    server = await connector.opened.get()
    return server, await server.next("tools/call")


async def test_starting_learns_who_the_server_is_and_which_eras_it_speaks() -> None:
    async with upstream_to(FakeConnector(speaking(DUAL)), eras=None) as upstream:
        facts = await upstream.start()

        assert upstream.facts == facts
        assert (facts.era, facts.info["version"]) == (Era.MODERN, "2")
        assert upstream.eras == {Era.LEGACY, Era.MODERN}


@pytest.mark.parametrize(
    ("eras", "client", "era"),
    [
        (None, Era.LEGACY, Era.MODERN),
        ({Era.LEGACY}, Era.MODERN, Era.LEGACY),
        ({Era.MODERN}, Era.LEGACY, Era.MODERN),
        ({Era.LEGACY, Era.MODERN}, Era.LEGACY, Era.LEGACY),
        ({Era.LEGACY, Era.MODERN}, Era.MODERN, Era.MODERN),
    ],
)
async def test_a_call_is_made_in_its_clients_era_where_the_server_speaks_it(
    eras: set[Era] | None, client: Era, era: Era
) -> None:
    known = frozenset(eras) if eras is not None else None
    async with upstream_to(FakeConnector(silent), eras=known) as upstream:
        assert upstream.era_for(client) is era


async def test_callers_without_an_own_session_share_one_that_is_opened_once() -> None:
    connector = FakeConnector(speaking({**LEGACY, "tools/call": OK}))
    async with upstream_to(connector) as upstream:
        results = await asyncio.gather(*(calling(upstream) for _ in range(10)))

        assert results == [OK] * 10
        assert (len(connector.servers), upstream.session_count) == (1, 1)


async def test_a_client_that_can_be_asked_has_a_session_of_its_own() -> None:
    connector = FakeConnector(speaking({**LEGACY, "tools/call": OK}))
    async with upstream_to(connector) as upstream:
        for who in (owner("a"), owner("b"), owner("a")):
            await calling(upstream, who)

        opened = [await server.next("initialize") for server in connector.servers]
        assert [each["params"]["clientInfo"] for each in opened] == [{"name": "a"}, {"name": "b"}]
        assert opened[0]["params"]["capabilities"] == {"sampling": {}}


async def test_both_eras_of_a_server_are_spoken_beside_each_other() -> None:
    connector = FakeConnector(speaking(DUAL))
    async with upstream_to(connector, eras=None) as upstream:
        await upstream.start()
        await upstream.request(Era.MODERN, owner("a"), MODERN_CALL, Nobody())
        await upstream.request(Era.LEGACY, None, CALL, Nobody())

        assert upstream.session_count == 2
        assert isinstance(await upstream.shared(Era.LEGACY), LegacySession)
        assert isinstance(await upstream.shared(Era.MODERN), ModernSession)
        assert len(connector.servers) == 2


async def test_two_ways_to_the_same_session_leave_only_one_open() -> None:
    connector = FakeConnector(speaking(LEGACY))
    async with upstream_to(connector, eras=None) as upstream:
        first, second = await asyncio.gather(
            upstream.shared(Era.LEGACY), upstream.shared(Era.MODERN)
        )

        assert first is second
        assert [server.is_closed for server in connector.servers].count(False) == 1


async def test_a_forgotten_session_is_opened_anew_and_the_call_made_once_more() -> None:
    connector = FakeConnector(speaking({**LEGACY, "tools/call": OK}))
    sessions: list[object] = []

    async def work(session: LegacySession | ModernSession) -> JSONObject:
        sessions.append(session)
        if len(sessions) == 1:
            raise SessionExpired("fake ended our session.")
        return OK

    async with upstream_to(connector) as upstream:
        assert await upstream.within(Era.LEGACY, None, work) == OK

        assert sessions[0] is not sessions[1]
        assert [server.is_closed for server in connector.servers] == [True, False]


async def test_a_session_that_is_forgotten_again_fails_the_call() -> None:
    async def work(session: LegacySession | ModernSession) -> JSONObject:
        raise SessionExpired("fake ended our session.")

    connector = FakeConnector(speaking(LEGACY))
    async with upstream_to(connector) as upstream:
        with pytest.raises(SessionExpired):
            await upstream.within(Era.LEGACY, None, work)

        assert len(connector.servers) == 2


async def test_exclusive_calls_never_meet_in_a_session() -> None:
    connector = hanging()
    async with upstream_to(connector) as upstream:
        calls = [calling(upstream, owner("pool", exclusive=True)) for _ in range(3)]
        served = [await next_call(connector) for _ in calls]

        assert len({id(server) for server, _ in served}) == 3
        for server, request in served:
            server.answer(request, OK)
        await asyncio.gather(*calls)
        assert upstream.session_count == 3


async def test_an_exclusive_call_waits_for_no_one_and_takes_a_session_that_is_free() -> None:
    connector = hanging()
    async with upstream_to(connector) as upstream:
        first = calling(upstream, owner("pool", exclusive=True))
        server, request = await next_call(connector)
        server.answer(request, OK)
        await first

        again = calling(upstream, owner("pool", exclusive=True))
        server.answer(await server.next("tools/call"), OK)
        await again

        assert len(connector.servers) == 1


async def test_an_exclusive_session_is_not_taken_between_its_opening_and_its_call() -> None:
    who = owner("pool", exclusive=True)
    calls: list[asyncio.Task[JSONObject]] = []
    act = speaking({**LEGACY, "tools/call": silent})

    def call_again(server: FakeServer, message: JSONObject) -> None:
        # The session is there now, and the call that opened it has not been resumed yet.
        if message["method"] == "notifications/initialized" and len(calls) == 1:
            calls.append(calling(upstream, who))
        act(server, message)

    connector = FakeConnector(call_again)
    async with upstream_to(connector) as upstream:
        calls.append(calling(upstream, who))

        served = [await next_call(connector) for _ in range(2)]

        assert served[0][0] is not served[1][0]
        for server, request in served:
            server.answer(request, OK)
        assert await asyncio.gather(*calls) == [OK, OK]


async def test_exclusive_calls_are_limited() -> None:
    connector = hanging()
    async with upstream_to(connector, limit=1) as upstream:
        first = calling(upstream, owner("pool", exclusive=True))
        server, request = await next_call(connector)

        with pytest.raises(TooMany, match="fake has 1 calls"):
            await calling(upstream, owner("pool", exclusive=True))

        server.answer(request, OK)
        await first


async def test_the_session_that_was_idle_longest_makes_room() -> None:
    connector = FakeConnector(speaking({**LEGACY, "tools/call": OK}))
    async with upstream_to(connector, limit=3) as upstream:
        for who in (None, owner("a"), owner("b"), owner("a"), owner("c")):
            await calling(upstream, who)

        assert upstream.session_count == 3
        assert [server.is_closed for server in connector.servers] == [False, False, True, False]


async def test_no_session_is_opened_where_all_are_busy() -> None:
    connector = hanging()
    async with upstream_to(connector, limit=1) as upstream:
        first = calling(upstream, owner("a"))
        server, request = await next_call(connector)

        with pytest.raises(TooMany, match="all of them busy"):
            await calling(upstream, owner("b"))

        server.answer(request, OK)
        await first


async def test_the_end_of_the_shared_session_is_told_and_the_next_call_opens_another() -> None:
    ends: list[UpstreamFailed] = []
    connector = FakeConnector(speaking({**LEGACY, "tools/call": OK}))
    async with upstream_to(connector, down=ends.append) as upstream:
        await calling(upstream)

        connector.servers[0].die(UpstreamUnavailable("It ended with status 1."))

        assert [reason.message for reason in ends] == ["It ended with status 1."]
        assert upstream.session_count == 0
        assert await calling(upstream) == OK
        assert len(connector.servers) == 2


async def test_the_end_of_a_clients_own_session_is_no_news_of_the_server() -> None:
    ends: list[UpstreamFailed] = []
    connector = FakeConnector(speaking({**LEGACY, "tools/call": OK}))
    async with upstream_to(connector, down=ends.append) as upstream:
        await calling(upstream, owner("a"))

        connector.servers[0].die()

        assert (ends, upstream.session_count) == ([], 0)
    assert ends == []


async def test_closing_is_not_told_as_an_end() -> None:
    ends: list[UpstreamFailed] = []
    connector = FakeConnector(speaking(LEGACY))
    async with upstream_to(connector, down=ends.append) as upstream:
        await upstream.shared()

        await upstream.close()

    assert ends == []
    assert connector.servers[0].is_closed


async def test_one_caller_that_leaves_does_not_end_an_opening_that_others_wait_for() -> None:
    connector = FakeConnector(speaking({"initialize": silent, "tools/call": OK}))
    async with upstream_to(connector) as upstream:
        leaving, staying = calling(upstream), calling(upstream)
        server = await connector.opened.get()
        request = await server.next("initialize")

        leaving.cancel()
        await asyncio.wait({leaving})
        server.answer(request, INITIALIZED)

        assert await staying == OK
        assert len(connector.servers) == 1


async def test_an_opening_that_failed_is_tried_again_by_the_next_call() -> None:
    refusal = RPCError(-32000, "Not today")
    connector = FakeConnector(
        speaking({"initialize": refusal}), speaking({**LEGACY, "tools/call": OK})
    )
    async with upstream_to(connector, eras=frozenset(Era)) as upstream:
        with pytest.raises(ProtocolBroken, match="Not today"):
            await calling(upstream)

        assert await calling(upstream) == OK


async def test_a_server_that_no_longer_speaks_what_was_remembered_is_asked_again() -> None:
    refusal = RPCError(-32601, "Method not found")
    connector = FakeConnector(speaking({**MODERN, "initialize": refusal, "tools/call": OK}))
    async with upstream_to(connector) as upstream:
        facts = await upstream.start()

        assert facts.era is Era.MODERN
        assert Era.MODERN in (upstream.eras or ())
        assert connector.servers[0].is_closed


class Refusing:
    """A connector to an address that speaks another transport, or wants a credential."""

    is_duplex = False

    def __init__(self, code: int = 405) -> None:
        self.code = code

    async def connect(self, hear: Hear, ended: Ended) -> Link:
        raise HTTPRefused(f"fake answered HTTP {self.code}.", self.code)


async def test_an_address_that_refuses_one_transport_is_tried_with_the_next() -> None:
    async with upstream_to(Refusing(), FakeConnector(speaking(MODERN)), eras=None) as upstream:
        assert (await upstream.start()).era is Era.MODERN


async def test_an_address_that_refuses_every_transport_says_so() -> None:
    async with upstream_to(Refusing(), Refusing(), eras=None) as upstream:
        with pytest.raises(HTTPRefused, match="HTTP 405"):
            await upstream.start()


@pytest.mark.parametrize("code", [401, 403])
async def test_an_address_that_wants_a_credential_is_not_tried_with_the_next(code: int) -> None:
    other = FakeConnector(speaking(MODERN))
    async with upstream_to(Refusing(code), other, eras=None) as upstream:
        with pytest.raises(HTTPRefused, match=f"HTTP {code}"):
            await upstream.start()
    assert other.servers == []


async def test_a_blocked_server_is_not_called_and_says_why() -> None:
    connector = FakeConnector(speaking(LEGACY))
    async with upstream_to(connector) as upstream:
        upstream.blocked = UpstreamUnavailable("fake failed 5 times.")

        with pytest.raises(UpstreamUnavailable, match="failed 5 times"):
            await calling(upstream)

        assert connector.servers == []


async def test_a_closed_upstream_opens_nothing_and_fails_the_calls_that_wait() -> None:
    connector = hanging()
    async with upstream_to(connector) as upstream:
        call = calling(upstream)
        await next_call(connector)

        await upstream.close()

        with pytest.raises(UpstreamUnavailable):
            await call
        with pytest.raises(UpstreamUnavailable, match="removed"):
            await calling(upstream)


async def test_closing_ends_an_opening_too() -> None:
    connector = FakeConnector(silent)
    async with upstream_to(connector) as upstream:
        call = calling(upstream)
        server = await connector.opened.get()

        await upstream.close()

        with pytest.raises(UpstreamUnavailable, match="removed"):
            await call
        assert server.is_closed


async def test_releasing_an_owner_closes_its_sessions_and_no_other() -> None:
    connector = FakeConnector(speaking({**LEGACY, "tools/call": OK}))
    async with upstream_to(connector) as upstream:
        whose = (owner("a"), owner("a", exclusive=True), owner("ab"), None)
        for who in whose:
            await calling(upstream, who)

        await upstream.release("a")

        assert [server.is_closed for server in connector.servers] == [True, True, False, False]


async def test_idle_sessions_expire_but_not_busy_or_shared_ones() -> None:
    connector = FakeConnector(
        speaking({**LEGACY, "tools/call": OK}),
        speaking({**LEGACY, "tools/call": OK}),
        speaking({**LEGACY, "tools/call": silent}),
    )
    async with upstream_to(connector) as upstream:
        await calling(upstream)
        await calling(upstream, owner("idle"))
        busy = calling(upstream, owner("busy"))
        server = [await connector.opened.get() for _ in range(3)][2]
        request = await server.next("tools/call")

        await upstream.expire(DEADLINE)
        assert upstream.session_count == 3
        await upstream.expire(-1)

        assert [each.is_closed for each in connector.servers] == [False, True, False]
        server.answer(request, OK)
        await busy


async def test_a_notification_reaches_only_its_owners_session() -> None:
    connector = FakeConnector(speaking({**LEGACY, "tools/call": OK}))
    async with upstream_to(connector) as upstream:
        for who in (owner("a"), owner("b")):
            await calling(upstream, who)

        await upstream.notify("a", "notifications/roots/list_changed", {})

        told = await connector.servers[0].next("notifications/roots/list_changed")
        assert "params" not in told
        heard = [connector.servers[1].inbox.get_nowait()["method"] for _ in range(3)]
        assert heard == ["initialize", "notifications/initialized", "tools/call"]
        assert connector.servers[1].inbox.empty()


async def test_draining_waits_for_calls_but_not_for_ever() -> None:
    connector = hanging()
    async with upstream_to(connector) as upstream:
        call = calling(upstream)
        server, request = await next_call(connector)
        assert upstream.is_busy

        await upstream.drained(0.01)
        draining = asyncio.create_task(upstream.drained(DEADLINE))
        server.answer(request, OK)
        await call
        await draining

        assert not upstream.is_busy


async def test_a_reset_closes_the_shared_sessions_and_the_next_call_opens_another() -> None:
    connector = FakeConnector(speaking({**LEGACY, "tools/call": OK}))
    async with upstream_to(connector) as upstream:
        await calling(upstream)
        await calling(upstream, owner("a"))

        await upstream.reset()

        assert [server.is_closed for server in connector.servers] == [True, False]
        assert await calling(upstream) == OK


async def test_a_sessions_questions_reach_the_client_that_owns_it() -> None:
    connector = FakeConnector(speaking({**LEGACY, "tools/call": OK}))
    async with upstream_to(connector) as upstream:
        clients = {name: Listener({"roots": [{"uri": f"file:///{name}"}]}) for name in "ab"}
        for name, client in clients.items():
            await calling(upstream, Owner(name, CLIENT, client))

        for server in connector.servers:
            server.say(jsonrpc.request("q", "roots/list", None))

        for server, name in zip(connector.servers, "ab", strict=True):
            while (reply := await server.next()).get("id") != "q":
                pass
            assert reply["result"] == {"roots": [{"uri": f"file:///{name}"}]}
