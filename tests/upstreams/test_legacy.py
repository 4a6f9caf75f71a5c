"""A session of the legacy era: its handshake, its calls, and what the server asks back."""

import asyncio

import pytest

from interlock.errors import RPCError, UpstreamUnavailable
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject
from interlock.protocol.versions import LATEST_LEGACY, LEGACY_VERSIONS, Era
from interlock.upstreams.legacy import MAX_ASKED, LegacySession
from interlock.upstreams.port import ClientFacts, Nobody, ProtocolBroken, ServerFacts
from tests.upstreams.fakes import (
    CLIENT,
    DEADLINE,
    INITIALIZED,
    LEGACY,
    Act,
    FakeServer,
    Listener,
    connected,
    silent,
    speaking,
)


def session_with(act: Act, peer: Listener | None = None) -> tuple[LegacySession, FakeServer]:
    """Return a session whose link hears for it, as it does once it is opened."""
    peer = peer or Listener()
    link, server = connected(act)
    session = LegacySession(link, "fake", CLIENT, peer)
    link._hear = session.hear
    return session, server


async def test_the_handshake_says_who_the_client_is_and_learns_who_the_server_is() -> None:
    capabilities: JSONObject = {"sampling": {}}
    answer = {**INITIALIZED, "instructions": "Be kind."}
    link, server = connected(speaking({"initialize": answer}))
    client = ClientFacts({"name": "tester", "version": "1"}, capabilities)
    session = LegacySession(link, "fake", client, Listener())

    await session.open()

    assert (await server.next())["params"] == {
        "protocolVersion": LATEST_LEGACY,
        "capabilities": capabilities,
        "clientInfo": {"name": "tester", "version": "1"},
    }
    assert await server.next() == {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert session.facts == ServerFacts(
        Era.LEGACY, LATEST_LEGACY, {"name": "fake", "version": "1"}, {"tools": {}}, "Be kind."
    )
    await session.close()


@pytest.mark.parametrize("version", LEGACY_VERSIONS)
async def test_every_version_of_the_era_is_accepted(version: str) -> None:
    session, _ = session_with(speaking({"initialize": {"protocolVersion": version}}))

    await session.open()

    assert session.facts == ServerFacts(Era.LEGACY, version, {}, {})
    sent = session._link.headers.get("mcp-protocol-version")
    assert sent == (None if version == "2024-11-05" else version)
    await session.close()


@pytest.mark.parametrize("version", [None, "2026-07-28", "1.0", 5, ["2025-11-25"], {}])
async def test_a_version_that_nobody_knows_ends_the_handshake(version: object) -> None:
    session, _ = session_with(speaking({"initialize": {"protocolVersion": version}}))

    with pytest.raises(ProtocolBroken, match="fake speaks protocol"):
        await session.open()
    await session.close()


async def test_a_servers_own_error_passes_as_it_came() -> None:
    session, _ = session_with(speaking({"tools/call": RPCError(-32042, "No", {"a": 1})}))

    with pytest.raises(RPCError) as raised:
        await session.request("tools/call", {}, Nobody())

    assert (raised.value.code, raised.value.message, raised.value.data) == (-32042, "No", {"a": 1})
    await session.close()


async def test_a_question_during_a_call_is_put_to_the_calls_client() -> None:
    session, server = session_with(silent)
    client = Listener({"action": "accept"})
    call = asyncio.create_task(session.request("tools/call", {}, client))
    request = await server.next()

    server.say(jsonrpc.request("q1", "elicitation/create", {"message": "?"}))
    reply = await server.next()
    server.answer(request, {"done": True})

    assert reply == jsonrpc.result("q1", {"action": "accept"})
    assert await client.questions.get() == ("elicitation/create", {"message": "?"})
    assert await call == {"done": True}
    await session.close()


async def test_a_question_outside_of_calls_is_put_to_the_sessions_client() -> None:
    peer = Listener({"roots": []})
    session, server = session_with(silent, peer)

    server.say(jsonrpc.request(5, "roots/list", None))

    assert await server.next() == jsonrpc.result(5, {"roots": []})
    assert await peer.questions.get() == ("roots/list", {})
    await session.close()


async def test_a_question_on_the_sessions_own_stream_is_put_to_the_only_calls_client() -> None:
    peer, client = Listener({"of": "the session"}), Listener({"of": "the call"})
    session, server = session_with(silent, peer)
    call = asyncio.create_task(session.request("tools/call", {"name": "t"}, client))
    request = await server.next()

    session.hear(jsonrpc.request("q", "elicitation/create", {"message": "Sure?"}))

    assert await server.next() == jsonrpc.result("q", {"of": "the call"})
    assert peer.questions.empty()
    server.answer(request, {})
    await call

    session.hear(jsonrpc.request("r", "roots/list", None))

    assert await server.next() == jsonrpc.result("r", {"of": "the session"})
    await session.close()


async def test_a_clients_refusal_reaches_the_server_as_its_error() -> None:
    session, server = session_with(silent, Listener(RPCError(-1, "User rejected", {"x": 1})))

    server.say(jsonrpc.request(5, "sampling/createMessage", {}))

    assert await server.next() == jsonrpc.error(5, -1, "User rejected", {"x": 1})
    await session.close()


async def test_a_ping_is_answered_without_the_client() -> None:
    peer = Listener()
    session, server = session_with(silent, peer)

    server.say(jsonrpc.request("p", "ping", None))

    assert await server.next() == jsonrpc.result("p", {})
    assert peer.questions.empty()
    await session.close()


async def test_a_question_that_the_server_takes_back_is_taken_from_the_client() -> None:
    peer = Listener()
    session, server = session_with(silent, peer)
    server.say(jsonrpc.request(5, "elicitation/create", {}))
    async with asyncio.timeout(DEADLINE):
        await peer.questions.get()

        server.say(jsonrpc.notification("notifications/cancelled", {"requestId": 5}))

        await peer.given_up.wait()
    assert peer.heard == []
    await session.close()


async def test_a_question_of_a_call_that_is_given_up_is_taken_from_the_client() -> None:
    session, server = session_with(silent)
    client = Listener()
    call = asyncio.create_task(session.request("tools/call", {}, client))
    request = await server.next()
    server.say(jsonrpc.request("q", "elicitation/create", {"message": "?"}))
    async with asyncio.timeout(DEADLINE):
        await client.questions.get()

        call.cancel()

        await client.given_up.wait()
    told = [await server.next() for _ in range(2)]
    cancelled = [each["params"]["requestId"] for each in told if "method" in each]
    refused = [(each["id"], each["error"]["message"]) for each in told if "error" in each]
    assert cancelled == [request["id"]]
    assert refused == [("q", "The call was given up before the answer.")]
    await session.close()


async def test_a_question_of_a_call_whose_server_fails_is_taken_from_the_client() -> None:
    session, server = session_with(silent)
    client = Listener()
    call = asyncio.create_task(session.request("tools/call", {}, client))
    await server.next()
    server.say(jsonrpc.request("q", "elicitation/create", {"message": "?"}))
    async with asyncio.timeout(DEADLINE):
        await client.questions.get()

        server.die()

        await client.given_up.wait()
    with pytest.raises(UpstreamUnavailable):
        await call
    await session.close()


@pytest.mark.parametrize("named", [None, [1], {}, 99, "5"])
async def test_taking_back_what_was_never_asked_changes_nothing(named: object) -> None:
    session, server = session_with(silent)

    server.say(jsonrpc.notification("notifications/cancelled", {"requestId": named}))
    server.say(jsonrpc.request("p", "ping", None))

    assert await server.next() == jsonrpc.result("p", {})
    await session.close()


@pytest.mark.parametrize("odd", [None, [1], {"a": 1}, 1.5])
async def test_a_question_with_an_id_that_cannot_be_answered_is_dropped(odd: object) -> None:
    session, server = session_with(silent, Listener({}))

    server.say({"jsonrpc": "2.0", "id": odd, "method": "roots/list"})
    server.say(jsonrpc.request("p", "ping", None))

    assert await server.next() == jsonrpc.result("p", {})
    await session.close()


async def test_changes_that_come_during_a_call_belong_to_the_session() -> None:
    peer, client = Listener(), Listener()
    session, server = session_with(silent, peer)
    call = asyncio.create_task(session.request("tools/call", {}, client))
    request = await server.next()

    server.say(jsonrpc.notification("notifications/tools/list_changed"))
    server.say(jsonrpc.notification("notifications/resources/updated", {"uri": "a:b"}))
    server.answer(request, {})
    await call

    assert client.heard == []
    assert peer.heard == [
        ("notifications/tools/list_changed", {}),
        ("notifications/resources/updated", {"uri": "a:b"}),
    ]
    await session.close()


@pytest.mark.parametrize(("result", "heard"), [({"task": {"taskId": "t"}}, 1), ({}, 0)])
async def test_progress_goes_on_after_the_answer_where_the_request_became_a_task(
    result: JSONObject, heard: int
) -> None:
    client = Listener()
    session, server = session_with(silent)
    params: JSONObject = {"task": {}, "_meta": {"progressToken": "mine"}}
    call = asyncio.create_task(session.request("tools/call", params, client))
    request = await server.next()
    server.answer(request, result)
    await call

    token = request["params"]["_meta"]["progressToken"]
    server.say(jsonrpc.notification("notifications/progress", {"progressToken": token}))

    told = [("notifications/progress", {"progressToken": "mine"})]
    assert client.heard == told[:heard]
    await session.close()


async def test_closing_gives_up_questions_that_wait() -> None:
    peer = Listener()
    session, server = session_with(speaking(LEGACY), peer)
    await session.open()
    server.say(jsonrpc.request(5, "elicitation/create", {}))
    async with asyncio.timeout(DEADLINE):
        await peer.questions.get()

        await session.close()

        await peer.given_up.wait()
    assert server.is_closed


async def test_a_server_that_asks_without_end_is_answered_up_to_a_bound() -> None:
    peer = Listener()
    session, server = session_with(silent, peer)

    for number in range(MAX_ASKED + 50):
        server.say(jsonrpc.request(f"r{number}", "roots/list", {}))
    async with asyncio.timeout(DEADLINE):
        for _ in range(MAX_ASKED):
            await peer.questions.get()

    assert peer.questions.empty()
    await session.close()
