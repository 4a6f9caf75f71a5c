"""The modern era's conversation: discovery, calls that carry all with them, one stream of changes."""

import asyncio
from typing import Any

import pytest

from interlock.errors import RPCError
from interlock.protocol import jsonrpc
from interlock.protocol.headers import HeaderParam
from interlock.protocol.json import JSONObject
from interlock.protocol.versions import (
    LATEST_MODERN,
    META_CAPABILITIES,
    META_CLIENT_INFO,
    META_SUBSCRIPTION,
    META_VERSION,
    Era,
)
from interlock.upstreams.modern import ModernSession, mirrored, request_meta
from interlock.upstreams.port import ProtocolBroken, ServerFacts
from tests.upstreams.fakes import CLIENT, DISCOVERED, MODERN, Listener, connected, silent, speaking

META: JSONObject = {
    META_VERSION: LATEST_MODERN,
    META_CLIENT_INFO: {"name": "tester", "version": "1"},
    META_CAPABILITIES: {},
}


async def test_discovery_learns_who_the_server_is() -> None:
    versions = [LATEST_MODERN, "2025-11-25", 5]
    answer = {**DISCOVERED, "supportedVersions": versions, "instructions": "Be kind."}
    link, server = connected(speaking({"server/discover": answer}))
    session = ModernSession(link, "fake")

    await session.discover(CLIENT)

    assert (await server.next())["params"] == {"_meta": META}
    assert session.facts == ServerFacts(
        Era.MODERN,
        LATEST_MODERN,
        {"name": "fake", "version": "2"},
        {"tools": {}},
        "Be kind.",
        (LATEST_MODERN, "2025-11-25"),
    )
    await session.close()


@pytest.mark.parametrize("versions", [None, [], "2026-07-28", ["2030-01-01"], [5], ["2025-11-25"]])
async def test_a_server_without_a_version_that_we_speak_is_refused(versions: Any) -> None:
    link, _ = connected(speaking({"server/discover": {"supportedVersions": versions}}))
    session = ModernSession(link, "fake")

    with pytest.raises(ProtocolBroken, match="fake speaks no protocol version"):
        await session.discover(CLIENT)
    await session.close()


async def test_a_call_passes_params_and_result_as_they_are() -> None:
    result: JSONObject = {"resultType": "input_required", "requestState": "x", "unknown": [1]}
    link, server = connected(speaking({"tools/call": result}))
    session = ModernSession(link, "fake")
    params: JSONObject = {"name": "t", "new": {"field": 1}, "_meta": META}

    assert await session.request("tools/call", params, Listener()) == result
    assert (await server.next())["params"] == params
    await session.close()


async def test_requests_of_the_server_are_no_part_of_this_era() -> None:
    link, server = connected(silent)
    session, client = ModernSession(link, "fake"), Listener({"roots": []})
    call = asyncio.create_task(session.request("tools/call", {"_meta": META}, client))
    request = await server.next()

    server.say(jsonrpc.request("q", "roots/list", None))
    server.say(jsonrpc.notification("notifications/message", {"data": "x"}))
    server.answer(request, {})
    await call

    assert client.questions.empty()
    assert client.heard == [("notifications/message", {"data": "x"})]
    assert server.inbox.empty()
    await session.close()


async def test_listening_hears_changes_until_the_server_ends_the_stream() -> None:
    link, server = connected(silent)
    session, listener = ModernSession(link, "fake"), Listener()
    wanted: JSONObject = {"toolsListChanged": True}
    listening = asyncio.create_task(session.listen(CLIENT, wanted, listener.notify))
    request = await server.next()
    tag: JSONObject = {"_meta": {META_SUBSCRIPTION: request["id"]}}

    server.say(jsonrpc.notification("notifications/subscriptions/acknowledged", tag))
    server.say(jsonrpc.notification("notifications/tools/list_changed", tag))
    server.answer(request, {"resultType": "complete", **tag})
    await listening

    assert request["params"] == {"_meta": META, "notifications": wanted}
    assert [method for method, _ in listener.heard] == [
        "notifications/subscriptions/acknowledged",
        "notifications/tools/list_changed",
    ]
    await session.close()


async def test_a_server_that_refuses_to_be_listened_to_says_so() -> None:
    link, _ = connected(speaking(MODERN))
    session = ModernSession(link, "fake")

    with pytest.raises(RPCError, match="Method not found"):
        await session.listen(CLIENT, {}, Listener().notify)
    await session.close()


def test_the_mirrored_arguments_of_a_tool_become_headers() -> None:
    params: JSONObject = {"name": "t", "arguments": {"a": {"b": "é"}, "c": None}}
    mirrors = (HeaderParam("mcp-param-b", ("a", "b")), HeaderParam("mcp-param-c", ("c",)))

    assert mirrored(params, mirrors) == [("mcp-param-b", "=?base64?w6k=?=")]


def test_every_request_says_version_client_and_capabilities() -> None:
    assert request_meta(CLIENT) == META
