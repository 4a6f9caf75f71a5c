"""What both eras' sessions share: ids of our own, the client's own tokens, and cancellation."""

import asyncio

import pytest

from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject
from interlock.upstreams.conversation import Conversation, token_of, with_token
from interlock.upstreams.legacy import LegacySession
from interlock.upstreams.modern import ModernSession
from tests.upstreams.fakes import CLIENT, Listener, connected, silent


def ignore(_message: JSONObject) -> None:
    """Hear nothing."""


@pytest.mark.parametrize("token", ["t", "", 0, 7, -1])
def test_a_progress_token_is_found_and_replaced(token: str | int) -> None:
    params: JSONObject = {"name": "x", "_meta": {"progressToken": token, "other": 1}}

    assert token_of(params) == token
    assert with_token(params, 99) == {"name": "x", "_meta": {"progressToken": 99, "other": 1}}
    assert params["_meta"]["progressToken"] == token


@pytest.mark.parametrize(
    "params", [{}, {"_meta": None}, {"_meta": []}, {"_meta": {}}, {"_meta": {"progressToken": [1]}}]
)
def test_params_without_a_token_stay_as_they_are(params: JSONObject) -> None:
    assert token_of(params) is None
    assert with_token(params, 99) is params


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_two_clients_with_the_same_token_hear_each_only_of_their_own_call(era: str) -> None:
    link, server = connected(silent)
    session = (
        LegacySession(link, "fake", CLIENT, Listener())
        if era == "legacy"
        else ModernSession(link, "fake")
    )
    clients = [Listener(), Listener()]
    params: JSONObject = {"_meta": {"progressToken": "same"}}
    calls = [
        asyncio.create_task(session.request("tools/call", params, client)) for client in clients
    ]
    requests = [await server.next() for _ in calls]
    sent = [request["params"]["_meta"]["progressToken"] for request in requests]
    assert sent[0] != sent[1]

    for number, token in enumerate(sent):
        progress = {"progressToken": token, "progress": number}
        server.say(jsonrpc.notification("notifications/progress", progress))
    for request in requests:
        server.answer(request, {})
    await asyncio.gather(*calls)

    heard = [client.heard for client in clients]
    assert heard == [
        [("notifications/progress", {"progressToken": "same", "progress": number})]
        for number in (0, 1)
    ]
    await session.close()


async def test_progress_that_nobody_asked_for_is_dropped_and_a_log_without_token_is_not() -> None:
    link, server = connected(silent)
    session, client = LegacySession(link, "fake", CLIENT, Listener()), Listener()
    call = asyncio.create_task(session.request("tools/call", {}, client))
    request = await server.next()

    server.say(jsonrpc.notification("notifications/progress", {"progress": 1}))
    server.say(jsonrpc.notification("notifications/message", {"level": "info", "data": "x"}))
    server.answer(request, {})
    await call

    assert client.heard == [("notifications/message", {"level": "info", "data": "x"})]
    await session.close()


async def test_giving_up_a_call_on_a_pipe_tells_the_server_which() -> None:
    link, server = connected(silent)
    talk = Conversation(link)
    calls = [asyncio.create_task(talk.call("tools/call", {}, ignore)) for _ in range(2)]
    requests = [await server.next() for _ in calls]

    calls[1].cancel()

    told = await server.next()
    assert told["method"] == "notifications/cancelled"
    assert told["params"]["requestId"] == requests[1]["id"]
    server.answer(requests[0], {"ok": True})
    assert await calls[0] == {"ok": True}
    await talk.close()


async def test_telling_a_server_that_is_gone_of_a_cancellation_is_no_failure() -> None:
    link, server = connected(silent)
    talk = Conversation(link)
    call = asyncio.create_task(talk.call("tools/call", {}, ignore))
    await server.next()

    call.cancel()
    server.die()

    with pytest.raises(asyncio.CancelledError):
        await call
    await talk.close()


async def test_closing_stops_what_the_server_began_until_its_link_was_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    link, _ = connected(silent)
    talk = Conversation(link)
    late: list[asyncio.Task[None]] = []

    async def forever() -> None:
        await asyncio.Event().wait()

    async def close() -> None:
        late.append(talk.spawn(forever()))

    monkeypatch.setattr(link, "close", close)
    await talk.close()

    assert [task.cancelled() for task in late] == [True]


async def test_closing_stops_what_runs_beside_calls() -> None:
    link, _ = connected(silent)
    talk = Conversation(link)
    started = asyncio.Event()

    async def work() -> None:
        started.set()
        await asyncio.Event().wait()

    task = talk.spawn(work())
    await started.wait()

    await talk.close()

    assert task.cancelled()
