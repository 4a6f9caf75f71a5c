"""Many exchanges on one pipe: each answer finds its own, whatever else the server writes."""

import asyncio

import pytest

from interlock.errors import RPCError, TooLarge, UpstreamFailed, UpstreamUnavailable
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, dumps
from interlock.protocol.versions import META_SUBSCRIPTION
from interlock.upstreams.duplex import DuplexLink
from tests.upstreams.fakes import FakeServer, Listener, connected, dying, silent, speaking

GARBAGE = [
    b"",
    b"Listening on stdio ...",
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"{}",
    b'{"jsonrpc":"2.0"}',
    b'{"method":5,"id":1}',
    b'{"method":["a"]}',
    b'{"method":{}}',
    b'{"method":null,"params":{}}',
    b'{"id":[1],"result":{}}',
    b'{"id":{},"result":{}}',
    b'{"id":null,"error":{}}',
    b"\xff\xfe",
    b"[" * 100_000,
    b"[" * 100_000 + b"1" * 30,
]


def call(
    request_id: int, method: str = "tools/call", params: JSONObject | None = None
) -> JSONObject:
    return jsonrpc.request(request_id, method, params or {})


def ignore(_message: JSONObject) -> None:
    """Hear nothing."""


async def begun(
    link: DuplexLink, server: FakeServer, message: JSONObject, listener: Listener
) -> "asyncio.Task[JSONObject]":
    """Begin an exchange and return once the server has its request."""
    hear = lambda heard: listener.notify(heard["method"], heard)  # noqa: E731
    task = asyncio.create_task(link.exchange(message, hear))
    await server.next()
    return task


async def test_answers_in_any_order_find_their_requests() -> None:
    link, server = connected(silent)
    tasks = [await begun(link, server, call(number), Listener()) for number in range(5)]

    for number in (3, 0, 4, 2, 1):
        server.answer(call(number), {"number": number})

    answers = await asyncio.gather(*tasks)
    assert [answer["result"]["number"] for answer in answers] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("garbage", GARBAGE)
async def test_garbage_between_messages_disturbs_nothing(garbage: bytes) -> None:
    link, server = connected(silent)
    task = await begun(link, server, call(7), Listener())

    server.say(garbage)
    server.answer(call(7), {"ok": True})

    assert (await task)["result"] == {"ok": True}


async def test_an_answer_to_another_id_is_dropped() -> None:
    link, server = connected(silent)
    task = await begun(link, server, call(7), Listener())

    for wrong in (8, "7", -7, 0):
        server.say(jsonrpc.result(wrong, {"wrong": wrong}))
    server.answer(call(7), {"ok": True})

    assert (await task)["result"] == {"ok": True}


async def test_a_second_answer_and_a_late_one_are_dropped() -> None:
    link, server = connected(silent)
    task = await begun(link, server, call(1), Listener())
    server.answer(call(1), {"first": True})
    server.answer(call(1), {"first": False})
    assert (await task)["result"] == {"first": True}

    given_up = await begun(link, server, call(2), Listener())
    given_up.cancel()
    await asyncio.wait({given_up})
    server.answer(call(2), {"late": True})

    after = await begun(link, server, call(3), Listener())
    server.answer(call(3), {"ok": True})
    assert (await after)["result"] == {"ok": True}


async def test_a_notification_goes_to_the_exchange_that_its_progress_token_names() -> None:
    link, server = connected(silent)
    first, second, session = Listener(), Listener(), Listener()
    await begun(link, server, call(1), first)
    await begun(link, server, call(2), second)

    server.say(jsonrpc.notification("notifications/progress", {"progressToken": 2, "progress": 1}))

    assert (first.heard, session.heard, len(second.heard)) == ([], [], 1)
    await link.close()


async def test_a_notification_goes_to_the_listen_that_its_subscription_names() -> None:
    link, server = connected(silent)
    calling, listening = Listener(), Listener()
    await begun(link, server, call(1), calling)
    await begun(link, server, call(2, "subscriptions/listen"), listening)

    params: JSONObject = {"_meta": {META_SUBSCRIPTION: 2}}
    server.say(jsonrpc.notification("notifications/tools/list_changed", params))

    assert (calling.heard, len(listening.heard)) == ([], 1)
    await link.close()


async def test_what_names_no_exchange_belongs_to_the_only_call_there_is() -> None:
    session, calling, listening = Listener(), Listener(), Listener()
    link, server = connected(silent, session)
    await begun(link, server, call(1, "subscriptions/listen"), listening)
    await begun(link, server, call(2), calling)

    server.say(jsonrpc.notification("notifications/message", {"data": "x"}))
    server.say(jsonrpc.request("q", "sampling/createMessage", {}))

    assert [method for method, _ in calling.heard] == [
        "notifications/message",
        "sampling/createMessage",
    ]
    assert (session.heard, listening.heard) == ([], [])
    await link.close()


async def test_what_names_no_exchange_belongs_to_no_request_of_our_own() -> None:
    session, calling, checking = Listener(), Listener(), Listener()
    link, server = connected(silent, session)
    await begun(link, server, call(1, "server/discover"), checking)
    await begun(link, server, call(2, "tools/list"), checking)

    server.say(jsonrpc.notification("notifications/message", {"data": "early"}))
    await begun(link, server, call(3), calling)
    server.say(jsonrpc.notification("notifications/message", {"data": "late"}))

    assert [message["params"]["data"] for _, message in session.heard] == ["early"]
    assert [message["params"]["data"] for _, message in calling.heard] == ["late"]
    assert checking.heard == []
    await link.close()


async def test_what_names_no_exchange_belongs_to_the_session_where_calls_are_many() -> None:
    session, first, second = Listener(), Listener(), Listener()
    link, server = connected(silent, session)
    await begun(link, server, call(1), first)
    await begun(link, server, call(2), second)

    server.say(jsonrpc.notification("notifications/message", {"data": "x"}))
    server.say(jsonrpc.notification("notifications/progress", {"progressToken": [1]}))

    assert [method for method, _ in session.heard] == [
        "notifications/message",
        "notifications/progress",
    ]
    assert (first.heard, second.heard) == ([], [])
    await link.close()


async def test_what_names_an_exchange_that_has_ended_belongs_to_no_other() -> None:
    """The session may know of a task that goes on after the exchange that began it."""
    session, calling = Listener(), Listener()
    link, server = connected(silent, session)
    await begun(link, server, call(2), calling)

    server.say(jsonrpc.notification("notifications/progress", {"progressToken": 1, "progress": 1}))
    params: JSONObject = {"_meta": {META_SUBSCRIPTION: 1}, "uri": "test://x"}
    server.say(jsonrpc.notification("notifications/resources/updated", params))

    assert calling.heard == []
    assert [method for method, _ in session.heard] == ["notifications/progress"]
    await link.close()


async def test_messages_that_come_together_are_taken_one_by_one() -> None:
    session, calling = Listener(), Listener()
    link, server = connected(silent, session)
    asked = await begun(link, server, call(1), calling)

    progress = jsonrpc.notification("notifications/progress", {"progressToken": 1, "progress": 1})
    server.say(dumps([progress, jsonrpc.result(1, {"done": True})]))

    assert (await asked)["result"] == {"done": True}
    assert [method for method, _ in calling.heard] == ["notifications/progress"]
    await link.close()


async def test_what_comes_while_nothing_is_asked_belongs_to_the_session() -> None:
    session = Listener()
    _, server = connected(silent, session)

    server.say(jsonrpc.notification("notifications/tools/list_changed"))

    assert [method for method, _ in session.heard] == ["notifications/tools/list_changed"]


async def test_every_exchange_fails_when_the_channel_ends_and_the_end_is_told_once() -> None:
    session = Listener()
    link, server = connected(silent, session)
    tasks = [await begun(link, server, call(number), Listener()) for number in range(3)]

    server.die(UpstreamUnavailable("It ended with status 3."))
    link.closed(UpstreamUnavailable("It ended again."))

    for task in tasks:
        with pytest.raises(UpstreamUnavailable, match="status 3"):
            await task
    assert session.heard == [("ended", {"reason": "It ended with status 3."})]
    with pytest.raises(UpstreamUnavailable, match="status 3"):
        await link.exchange(call(9), ignore)


async def test_an_end_for_another_reason_is_told_as_an_upstreams() -> None:
    session = Listener()
    _, server = connected(silent, session)

    server.die(TooLarge("A line was too long."))

    assert session.heard == [("ended", {"reason": "A line was too long."})]


async def test_closing_fails_what_waits_and_is_not_told_as_an_end() -> None:
    session = Listener()
    link, server = connected(silent, session)
    task = await begun(link, server, call(1), Listener())

    await link.close()
    await link.close()

    with pytest.raises(UpstreamUnavailable):
        await task
    assert server.is_closed
    assert session.heard == []


async def test_a_link_without_a_channel_sends_nothing() -> None:
    link = DuplexLink("demo", ignore, lambda reason: None)

    with pytest.raises(UpstreamUnavailable, match="demo is not open"):
        await link.exchange(call(1), ignore)
    await link.close()


async def test_a_broken_message_fails_the_only_call_that_it_can_have_answered() -> None:
    link, server = connected(silent)
    task = await begun(link, server, call(1), Listener())
    await begun(link, server, call(2, "subscriptions/listen"), Listener())

    link.failed(UpstreamFailed("The answer was too large."))

    with pytest.raises(UpstreamFailed, match="too large"):
        await task
    await link.close()


async def test_a_broken_message_fails_no_call_where_it_could_belong_to_two() -> None:
    link, server = connected(silent)
    tasks = [await begun(link, server, call(number), Listener()) for number in (1, 2)]

    link.failed(UpstreamFailed("The answer was too large."))

    for number, task in enumerate(tasks, 1):
        server.answer(call(number), {})
        assert (await task)["result"] == {}


async def test_an_error_is_an_answer_like_any_other() -> None:
    link, _ = connected(speaking({"tools/call": RPCError(-32000, "No")}))

    answer = await link.exchange(call(1), ignore)

    assert answer["error"] == {"code": -32000, "message": "No"}


async def test_a_server_that_dies_of_a_request_fails_it() -> None:
    link, _ = connected(dying)

    with pytest.raises(UpstreamUnavailable, match="fell over"):
        await link.exchange(call(1), ignore)


@pytest.mark.parametrize(
    "broken",
    [
        b'{"jsonrpc":"2.0","id":1,"result":{"half',
        b'{"jsonrpc":"2.0","id":1,"result":{"text":"\xff"}}',
        b'{"id":1,"jsonrpc":"2.0","result":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"jsonrpc":"2.0","result":{"a":' + b"[" * 20_000 + b"]" * 20_000 + b'},"id":1}',
    ],
)
async def test_an_answer_that_cannot_be_read_fails_its_own_exchange(broken: bytes) -> None:
    link, server = connected(silent)
    first, second = [await begun(link, server, call(number), Listener()) for number in (1, 2)]

    link.receive(broken)
    server.answer(call(2), {"ok": True})

    assert "cannot be read" in (await first)["error"]["message"]
    assert (await second)["result"] == {"ok": True}


async def test_a_broken_answer_without_an_id_fails_the_only_call() -> None:
    link, server = connected(silent)
    task = await begun(link, server, call(1), Listener())

    link.receive(b'{"jsonrpc":"2.0","result":{"half')

    with pytest.raises(UpstreamFailed, match="cannot be read"):
        await task


@pytest.mark.parametrize("noise", [b'{"jsonrpc":"2.0","id":1,"method":"half', b"{", b"Ready."])
async def test_what_cannot_be_read_and_is_no_answer_fails_nothing(noise: bytes) -> None:
    link, server = connected(silent)
    task = await begun(link, server, call(1), Listener())

    link.receive(noise)
    server.answer(call(1), {"ok": True})

    assert (await task)["result"] == {"ok": True}


async def test_the_id_true_is_not_the_id_one() -> None:
    link, server = connected(silent)
    task = await begun(link, server, call(1), Listener())

    server.say({"jsonrpc": "2.0", "id": True, "result": {"ok": False}})
    server.answer(call(1), {"ok": True})

    assert (await task)["result"] == {"ok": True}
