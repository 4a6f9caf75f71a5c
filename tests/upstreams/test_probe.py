"""Which era a server speaks is found out whatever it makes of a question that it does not know."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from interlock.errors import RPCError, UpstreamTimeout, UpstreamUnavailable
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject
from interlock.protocol.versions import (
    HEADER_MISMATCH,
    LATEST_LEGACY,
    LATEST_MODERN,
    UNSUPPORTED_VERSION,
    Era,
)
from interlock.settings import StationSettings
from interlock.station.connector import StdioConnector
from interlock.station.station import Station
from interlock.upstreams import probe
from interlock.upstreams.connections import HTTPClient
from interlock.upstreams.definition import HTTPTarget, StdioTarget
from interlock.upstreams.port import Connector, Nobody, ProtocolBroken
from interlock.upstreams.probe import Opened, Probe
from interlock.upstreams.streamable_http import HTTPConnector, HTTPRefused
from tests.conformance.suite import FIXTURE_SERVER
from tests.support.processes import running
from tests.upstreams.fakes import (
    CLIENT,
    DEADLINE,
    DISCOVERED,
    INITIALIZED,
    LEGACY,
    MODERN,
    TOO_NEW,
    FakeConnector,
    FakeServer,
    HTTPRequest,
    Listener,
    Reply,
    answering,
    dying,
    silent,
    speaking,
)
from tests.upstreams.raw_server import serving

BOTH = frozenset({Era.LEGACY, Era.MODERN})
LEGACY_ONLY = frozenset({Era.LEGACY})
MODERN_ONLY = frozenset({Era.MODERN})
DUAL = {**DISCOVERED, "supportedVersions": [LATEST_MODERN, LATEST_LEGACY]}


def prober(deadline: float = DEADLINE) -> Probe:
    return Probe("fake", CLIENT, Nobody(), lambda reason: None, deadline=deadline)


async def opened(connector: Connector, known: frozenset[Era] | None = None) -> Opened:
    """Open a session and close it again."""
    found = await prober().open(connector, known)
    await found.session.close()
    return found


def methods(server: FakeServer) -> list[str]:
    """Return what a fake was asked, in order."""
    asked: list[str] = []
    while not server.inbox.empty():
        asked.append(server.inbox.get_nowait()["method"])
    return asked


@asynccontextmanager
async def fixture(transport: str, era: str) -> AsyncIterator[Connector]:
    arguments = (str(FIXTURE_SERVER), "--era", era)
    if transport == "stdio":
        station = Station(StationSettings())
        target = StdioTarget(sys.executable, (*arguments, "--stdio"))
        try:
            yield StdioConnector(station, target, "fixture", station.new_log())
        finally:
            await station.close()
        return
    with running(
        [sys.executable, *arguments, "--port", "0"], ready=r"listening on (\S+)"
    ) as server:
        assert server.ready is not None
        client = HTTPClient()
        yield HTTPConnector(client, HTTPTarget(server.ready[1]), "fixture")
        await client.close()


@pytest.mark.parametrize("transport", ["stdio", "http"])
@pytest.mark.parametrize(
    ("era", "spoken", "remembered"),
    [
        ("legacy", Era.LEGACY, LEGACY_ONLY),
        ("modern", Era.MODERN, MODERN_ONLY),
    ],
)
async def test_a_server_of_one_era_is_spoken_to_in_its_own(
    transport: str, era: str, spoken: Era, remembered: frozenset[Era]
) -> None:
    async with fixture(transport, era) as connector:
        found = await opened(connector)

    assert (found.session.facts.era, found.eras) == (spoken, remembered)
    assert found.session.facts.info["name"] == "interlock-fixture"


@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_a_server_of_both_eras_is_spoken_to_in_the_modern_one(transport: str) -> None:
    async with fixture(transport, "both") as connector:
        found = await opened(connector)

    assert found.session.facts.era is Era.MODERN


async def test_a_server_that_names_legacy_versions_speaks_both_eras() -> None:
    found = await opened(FakeConnector(speaking({"server/discover": DUAL})))

    assert (found.session.facts.era, found.eras) == (Era.MODERN, BOTH)


@pytest.mark.parametrize(
    "refusal",
    [
        RPCError(jsonrpc.METHOD_NOT_FOUND, "Method not found"),
        RPCError(jsonrpc.INVALID_PARAMS, "Invalid request parameters"),
        RPCError(jsonrpc.INVALID_REQUEST, "Received request before initialization was complete"),
        RPCError(-32000, "Server not initialized"),
        RPCError(UNSUPPORTED_VERSION, "Unsupported", {"supported": ["2030-01-01", LATEST_LEGACY]}),
    ],
)
async def test_any_error_that_is_not_of_the_modern_era_means_the_old_handshake(
    refusal: RPCError,
) -> None:
    connector = FakeConnector(speaking({**LEGACY, "server/discover": refusal}))

    found = await opened(connector)

    assert (found.session.facts.era, found.eras) == (Era.LEGACY, LEGACY_ONLY)
    (server,) = connector.servers
    assert methods(server) == ["server/discover", "initialize", "notifications/initialized"]


@pytest.mark.parametrize(
    "refusal",
    [TOO_NEW, RPCError(HEADER_MISMATCH, "Header mismatch"), RPCError(UNSUPPORTED_VERSION, "?", 5)],
)
async def test_an_error_of_the_modern_era_is_not_answered_with_the_old_handshake(
    refusal: RPCError,
) -> None:
    connector = FakeConnector(speaking({**LEGACY, "server/discover": refusal}))

    with pytest.raises(ProtocolBroken, match="fake is too new"):
        await opened(connector)

    (server,) = connector.servers
    assert methods(server) == ["server/discover"]
    assert server.is_closed


@pytest.mark.parametrize("answer", [{}, {"result": None}, {"supportedVersions": [LATEST_LEGACY]}])
async def test_an_answer_that_is_not_of_the_modern_era_means_the_old_handshake(
    answer: JSONObject,
) -> None:
    connector = FakeConnector(speaking({**LEGACY, "server/discover": answer}))

    found = await opened(connector)

    assert (found.session.facts.era, found.eras) == (Era.LEGACY, LEGACY_ONLY)
    (server,) = connector.servers
    assert methods(server) == ["server/discover", "initialize", "notifications/initialized"]


async def test_a_server_of_other_modern_versions_is_not_offered_the_old_handshake() -> None:
    answer = {**DISCOVERED, "supportedVersions": ["2030-01-01"]}
    connector = FakeConnector(speaking({**LEGACY, "server/discover": answer}))

    with pytest.raises(ProtocolBroken, match="fake speaks no protocol version"):
        await opened(connector)

    assert methods(connector.servers[0]) == ["server/discover"]


async def test_a_server_that_refuses_a_version_and_names_it_is_asked_once_more() -> None:
    refusals = [RPCError(UNSUPPORTED_VERSION, "Unsupported", {"supported": [LATEST_MODERN]})]

    def relent(server: FakeServer, message: JSONObject) -> None:
        if refusals:
            server.say(jsonrpc.failure(message["id"], refusals.pop()))
        else:
            server.answer(message, DISCOVERED)

    connector = FakeConnector(speaking({"server/discover": relent}))

    found = await opened(connector)

    assert (found.session.facts.era, found.eras) == (Era.MODERN, MODERN_ONLY)
    assert methods(connector.servers[0]) == ["server/discover"] * 2


async def test_a_server_that_goes_on_refusing_the_version_that_it_names_has_refused() -> None:
    refusal = RPCError(UNSUPPORTED_VERSION, "Unsupported", {"supported": [LATEST_MODERN]})
    connector = FakeConnector(speaking({**LEGACY, "server/discover": refusal}))

    with pytest.raises(ProtocolBroken, match="refused the handshake: Unsupported"):
        await opened(connector)

    assert methods(connector.servers[0]) == ["server/discover"] * 2


async def test_a_server_that_dies_of_the_question_is_started_again_and_asked_the_old_way() -> None:
    connector = FakeConnector(dying, speaking(LEGACY))

    found = await opened(connector)

    assert (found.session.facts.era, found.eras) == (Era.LEGACY, LEGACY_ONLY)
    assert [methods(server)[0] for server in connector.servers] == ["server/discover", "initialize"]


async def test_a_server_that_dies_of_everything_cannot_be_reached() -> None:
    connector = FakeConnector(dying)

    with pytest.raises(UpstreamUnavailable, match="fell over"):
        await opened(connector)

    assert len(connector.servers) == 2


async def test_a_server_that_is_silent_to_the_question_is_offered_the_handshake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe, "DISCOVER_PATIENCE", 0.05)
    connector = FakeConnector(speaking({**LEGACY, "server/discover": silent}))

    found = await opened(connector)

    assert (found.session.facts.era, found.eras) == (Era.LEGACY, LEGACY_ONLY)
    (server,) = connector.servers
    assert methods(server)[:2] == ["server/discover", "initialize"]


@pytest.mark.parametrize(
    ("answer", "eras"),
    [
        (jsonrpc.result(0, DISCOVERED), BOTH),
        (jsonrpc.error(0, jsonrpc.METHOD_NOT_FOUND, "Method not found"), LEGACY_ONLY),
    ],
)
async def test_a_server_that_is_slow_to_start_may_answer_both_questions_late(
    answer: JSONObject,
    eras: frozenset[Era],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe, "DISCOVER_PATIENCE", 0.05)
    questions: list[JSONObject] = []

    def answer_both(server: FakeServer, message: JSONObject) -> None:
        server.say({**answer, "id": questions[0]["id"]})
        server.answer(message, INITIALIZED)

    replies: dict[str, Reply] = {
        "server/discover": lambda server, message: questions.append(message),
        "initialize": answer_both,
    }
    connector = FakeConnector(speaking(replies))

    found = await opened(connector)

    assert (found.session.facts.era, found.eras) == (Era.LEGACY, eras)


async def test_a_server_that_answers_nothing_is_given_up_at_the_deadline() -> None:
    connector = FakeConnector(silent)

    with pytest.raises(UpstreamTimeout, match=r"fake did not complete .* within 0.2 s"):
        await prober(deadline=0.2).open(connector, None)

    (server,) = connector.servers
    assert server.is_closed


async def test_a_server_that_is_known_to_be_legacy_is_not_asked_again() -> None:
    connector = FakeConnector(speaking({**LEGACY, **MODERN}))

    found = await opened(connector, LEGACY_ONLY)

    assert found.session.facts.era is Era.LEGACY
    assert methods(connector.servers[0])[0] == "initialize"


async def test_a_server_that_refuses_both_says_why() -> None:
    refusal = RPCError(-32000, "License expired")
    connector = FakeConnector(speaking({"initialize": refusal, "server/discover": refusal}))

    with pytest.raises(ProtocolBroken, match="refused the handshake: License expired"):
        await opened(connector)

    assert connector.servers[0].is_closed


async def test_cancelling_the_probe_closes_the_link() -> None:
    connector = FakeConnector(silent)
    probing = asyncio.create_task(prober().open(connector, None))
    server = await connector.opened.get()
    await server.next()

    probing.cancel()
    await asyncio.wait({probing})

    assert server.is_closed


async def test_what_a_server_asks_between_the_handshake_and_the_first_call_is_answered() -> None:
    def greet(server: FakeServer, message: JSONObject) -> None:
        server.answer(message, INITIALIZED)
        server.say(jsonrpc.request("p", "ping", None))

    connector = FakeConnector(speaking({"initialize": greet}))

    found = await prober().open(connector, LEGACY_ONLY)
    server = connector.servers[0]
    await server.next("initialize")

    replies = [await server.next(), await server.next()]
    assert jsonrpc.result("p", {}) in replies
    await found.session.close()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b""),
        (404, b"Not Found"),
        (405, b""),
        (400, b'{"error":"Bad Request"}'),
        (400, b'{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"No session"}}'),
        (404, b'{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"Method not found"}}'),
    ],
)
async def test_over_http_a_refusal_without_a_modern_error_means_the_old_handshake(
    status: int, body: bytes
) -> None:
    async def handle(request: HTTPRequest) -> None:
        if request.verb != "POST":
            await request.reply(405)
        elif request.message["method"] == "server/discover":
            await request.reply(status, body, content_type="application/json")
        elif request.message["method"] == "initialize":
            await request.result(INITIALIZED)
        else:
            await request.reply(202)

    async with serving(answering(handle)) as (server, client):
        found = await opened(HTTPConnector(client, HTTPTarget(server.url), "fake"))

    assert (found.session.facts.era, found.eras) == (Era.LEGACY, LEGACY_ONLY)


async def test_over_http_a_modern_error_with_status_400_is_final() -> None:
    seen: list[HTTPRequest] = []

    async def handle(request: HTTPRequest) -> None:
        await request.failure(400, TOO_NEW)

    async with serving(answering(handle, seen)) as (server, client):
        with pytest.raises(ProtocolBroken, match="too new"):
            await opened(HTTPConnector(client, HTTPTarget(server.url), "fake"))

    assert [request.message["method"] for request in seen] == ["server/discover"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, b""),
        (401, b'{"error":"invalid_token","error_description":"expired"}'),
        (401, b'{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"Unauthorized"}}'),
        (403, b"Forbidden"),
    ],
)
async def test_over_http_missing_credentials_are_named_and_no_handshake_is_tried(
    status: int, body: bytes
) -> None:
    seen: list[HTTPRequest] = []

    async def handle(request: HTTPRequest) -> None:
        await request.reply(status, body, content_type="application/json")

    async with serving(answering(handle, seen)) as (server, client):
        with pytest.raises(HTTPRefused, match=f"HTTP {status}. Check the credentials") as refused:
            await opened(HTTPConnector(client, HTTPTarget(server.url), "fake"))

    assert refused.value.code == status
    assert len(seen) == 1


async def test_a_listener_hears_what_comes_right_after_the_handshake() -> None:
    listener = Listener()

    def greet(server: FakeServer, message: JSONObject) -> None:
        server.answer(message, INITIALIZED)
        server.say(jsonrpc.notification("notifications/tools/list_changed"))

    connector = FakeConnector(speaking({"initialize": greet}))
    prober = Probe("fake", CLIENT, listener, lambda reason: None, deadline=DEADLINE)

    found = await prober.open(connector, LEGACY_ONLY)

    assert await listener.until(1) == [("notifications/tools/list_changed", {})]
    await found.session.close()
