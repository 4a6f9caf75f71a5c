import asyncio
from itertools import pairwise
from typing import Any

import pytest

from interlock.errors import NotFound, RPCError, TooMany
from interlock.gateway.clients import (
    ASK_DEADLINE,
    KEPT_STREAMS,
    LOG_LEVELS,
    ClientSession,
    ClientSessions,
    facts_of,
    is_at_least,
)
from interlock.gateway.streams import Stream
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, loads
from interlock.upstreams.port import ClientFacts
from tests.gateway.offers import principal
from tests.gateway.virtual_time import now, run

PLACE = ("shop", None)
ELICIT = "elicitation/create"


def session(**more: Any) -> ClientSession:
    client = ClientFacts({"name": "tester"}, {"elicitation": {}})
    return ClientSession(more.pop("who", principal()), PLACE, client, "2025-11-25", **more)


async def messages(stream: Stream) -> list[JSONObject]:
    """End a stream and return everything that was sent on it."""
    stream.end()
    events = [event async for event in stream.follow(0, 15) if event is not None]
    return [loads(event.data) for event in events]


def asking(to: ClientSession, stream: Stream) -> "asyncio.Task[JSONObject]":
    return asyncio.create_task(to.ask(stream, ELICIT, {"message": "Sure?"}))


def follow(stream: Stream) -> "asyncio.Task[None]":
    async def follower() -> None:
        async for _ in stream.follow(0, 15):
            pass

    return asyncio.create_task(follower())


def test_a_question_goes_out_as_a_request_and_comes_back_as_its_result() -> None:
    async def work() -> None:
        client = session()
        stream = client.open_stream()
        task = asking(client, stream)
        await asyncio.sleep(1)
        assert client.answered(jsonrpc.Response(1, jsonrpc.result(1, {"action": "accept"})))

        assert await task == {"action": "accept"}
        assert await messages(stream) == [jsonrpc.request(1, ELICIT, {"message": "Sure?"})]

    run(work())


def test_the_clients_error_is_the_answer_as_it_came() -> None:
    async def work() -> None:
        client = session()
        task = asking(client, client.open_stream())
        await asyncio.sleep(1)
        client.answered(jsonrpc.Response(1, jsonrpc.error(1, -1, "User rejected", {"a": 1})))
        with pytest.raises(RPCError) as refused:
            await task

        assert (refused.value.code, refused.value.message) == (-1, "User rejected")
        assert refused.value.data == {"a": 1}

    run(work())


def test_answers_find_their_own_questions_in_any_order() -> None:
    async def work() -> None:
        client = session()
        tasks = [asking(client, client.open_stream()) for _ in range(3)]
        await asyncio.sleep(1)
        for number in (3, 1, 2):
            client.answered(jsonrpc.Response(number, jsonrpc.result(number, {"is": number})))

        assert await asyncio.gather(*tasks) == [{"is": 1}, {"is": 2}, {"is": 3}]

    run(work())


def test_an_answer_that_nobody_waits_for_is_not_taken() -> None:
    async def work() -> None:
        client = session()
        task = asking(client, client.open_stream())
        await asyncio.sleep(1)
        yes = jsonrpc.Response(1, jsonrpc.result(1, {}))

        assert not client.answered(jsonrpc.Response(2, jsonrpc.result(2, {})))
        assert not client.answered(jsonrpc.Response("1", jsonrpc.result("1", {})))
        assert client.answered(yes)
        assert not client.answered(yes)
        await task
        assert not client.answered(yes)

    run(work())


def test_a_client_is_not_asked_what_it_did_not_declare() -> None:
    async def work() -> None:
        client = session()
        stream = client.open_stream()
        with pytest.raises(RPCError, match="does not answer sampling/createMessage"):
            await client.ask(stream, "sampling/createMessage", {})

        assert await messages(stream) == []

    run(work())


def test_a_question_that_is_given_up_is_cancelled_at_the_client() -> None:
    async def work() -> None:
        client = session()
        stream = client.open_stream()
        task = asking(client, stream)
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert (await messages(stream))[1:] == [
            jsonrpc.notification("notifications/cancelled", {"requestId": 1})
        ]
        assert not client.answered(jsonrpc.Response(1, jsonrpc.result(1, {})))

    run(work())


def test_a_client_that_never_answers_is_not_waited_for_beyond_the_deadline() -> None:
    async def work() -> None:
        client = session()
        stream = client.open_stream()
        with pytest.raises(RPCError, match="gave no answer"):
            await asking(client, stream)

        assert now() == ASK_DEADLINE
        assert [sent["method"] for sent in await messages(stream)] == [
            ELICIT,
            "notifications/cancelled",
        ]

    run(work())


def test_the_best_stream_is_the_standalone_one_while_someone_follows_it() -> None:
    async def work() -> None:
        client = session()
        client.open_stream()
        follower = follow(client.standalone)
        await asyncio.sleep(1)

        assert client.best_stream() is client.standalone
        client.standalone.end()
        await follower

    run(work())


def test_the_best_stream_is_else_that_of_the_newest_answer_that_can_carry_more() -> None:
    async def work() -> None:
        client = session()
        assert client.best_stream() is client.standalone
        first = client.open_stream()
        second = client.open_stream()
        client.open_stream(is_answer_only=True)

        assert client.best_stream() is second
        second.end()
        assert client.best_stream() is first
        first.end()
        assert client.best_stream() is client.standalone

    run(work())


def test_what_a_server_asks_outside_of_a_call_goes_to_the_best_stream() -> None:
    async def work() -> None:
        client = session()
        stream = client.open_stream()
        task = asyncio.create_task(client.asked(ELICIT, {}))
        await asyncio.sleep(1)
        client.answered(jsonrpc.Response(1, jsonrpc.result(1, {"action": "decline"})))

        assert await task == {"action": "decline"}
        assert await messages(stream) == [jsonrpc.request(1, ELICIT, None)]

    run(work())


def test_changes_are_announced_on_the_clients_own_stream() -> None:
    async def work() -> None:
        client = session()
        other = client.open_stream()
        client.announce("notifications/tools/list_changed", {})

        assert await messages(other) == []
        assert await messages(client.standalone) == [
            jsonrpc.notification("notifications/tools/list_changed")
        ]

    run(work())


def test_a_client_hears_all_logs_until_it_names_a_level_and_then_that_level_and_above() -> None:
    async def work() -> None:
        client = session()
        stream = client.open_stream()
        for level in ("debug", "info"):
            client.notified("notifications/message", {"level": level, "data": 1})
        client.log_level = "warning"
        for level in LOG_LEVELS:
            client.notified("notifications/message", {"level": level, "data": 2})
        client.notified("notifications/progress", {"progress": 1})
        sent = await messages(stream)

        assert [each["params"].get("level") for each in sent] == [
            *("debug", "info"),
            *("warning", "error", "critical", "alert", "emergency"),
            None,
        ]

    run(work())


def test_levels_rise_from_debug_to_emergency_and_an_unknown_one_is_always_heard() -> None:
    for lower, higher in pairwise(LOG_LEVELS):
        assert is_at_least(higher, lower)
        assert not is_at_least(lower, higher)
        assert is_at_least(lower, lower)
    assert is_at_least("loud", "emergency")
    assert is_at_least(None, "emergency")
    assert is_at_least(["debug"], "emergency")


async def answered(sessions: ClientSessions, client: ClientSession, size: int = 1) -> Stream:
    """Answer a request with so many bytes of text, read as events, and keep the answer."""
    stream = client.open_stream()
    stream.send({"data": "x" * size})
    stream.end()
    async for _ in stream.follow(0, 15):
        pass
    sessions.keep(client, stream)
    return stream


def kept(client: ClientSession, stream: Stream) -> bool:
    try:
        return client.find_stream(f"{stream.id}-1") == (stream, 1)
    except NotFound:
        return False


async def test_the_newest_finished_answers_of_a_session_are_kept_for_resuming() -> None:
    sessions, client = ClientSessions(1, 1_000_000), session()
    sessions.add(client)
    streams = [await answered(sessions, client) for _ in range(KEPT_STREAMS + 3)]

    assert [kept(client, each) for each in streams] == [False] * 3 + [True] * KEPT_STREAMS


async def test_an_answer_that_has_not_ended_is_kept_however_many_come_after_it() -> None:
    sessions, client = ClientSessions(1, 1_000_000), session()
    sessions.add(client)
    slow = client.open_stream()
    for _ in range(KEPT_STREAMS * 2):
        await answered(sessions, client)

    assert client.find_stream(f"{slow.id}-7") == (slow, 7)


async def test_kept_answers_of_all_sessions_share_one_bound_and_the_oldest_go() -> None:
    sessions, first, second = ClientSessions(2, 10_000), session(), session()
    for client in (first, second):
        sessions.add(client)
    small = await answered(sessions, first, 3000)
    large = await answered(sessions, second, 6000)
    assert kept(first, small)
    assert kept(second, large)

    newest = await answered(sessions, second, 3500)

    assert [kept(first, small), kept(second, large), kept(second, newest)] == [False, True, True]


async def test_what_an_ended_session_kept_makes_room_for_others() -> None:
    sessions, first, second = ClientSessions(2, 10_000), session(), session()
    for client in (first, second):
        sessions.add(client)
    await answered(sessions, first, 9000)
    sessions.remove(first)

    newest = [await answered(sessions, second, 4500) for _ in range(2)]

    assert [kept(second, each) for each in newest] == [True, True]


async def test_an_answer_that_was_never_read_as_events_is_not_kept() -> None:
    """Its client saw no event that it could name."""
    sessions, client = ClientSessions(1, 1_000_000), session()
    sessions.add(client)
    stream = client.open_stream()
    stream.send({"data": "x"})
    stream.end()

    sessions.keep(client, stream)

    assert not kept(client, stream)


@pytest.mark.parametrize(
    "event_id", ["", "main", "main-", "main-x", "main--1", "main-1e3", "main-²", "9-1", "-1", "1"]
)
async def test_an_event_id_that_is_not_ours_finds_nothing(event_id: str) -> None:
    client = session()
    client.open_stream()

    with pytest.raises(NotFound):
        client.find_stream(event_id)


async def test_the_standalone_stream_can_always_be_resumed() -> None:
    client = session()

    assert client.find_stream("main-12") == (client.standalone, 12)


def test_a_session_is_found_by_its_own_principal_at_its_own_endpoint_only() -> None:
    async def work() -> None:
        sessions, client = ClientSessions(10, 1_000_000), session()
        sessions.add(client)

        assert sessions.find(client.id, principal(), PLACE) is client
        for who, place in (
            (principal(id="k2"), PLACE),
            (principal(), ("shop", "a")),
            (principal(), ("other", None)),
        ):
            with pytest.raises(NotFound, match="send initialize again"):
                sessions.find(client.id, who, place)
        with pytest.raises(NotFound, match="send initialize again"):
            sessions.find(client.id + "x", principal(), PLACE)

    run(work())


def test_a_person_and_a_key_with_the_same_id_are_two_principals() -> None:
    async def work() -> None:
        sessions, client = ClientSessions(10, 1_000_000), session()
        sessions.add(client)
        person = type(client.principal)("person", "k1", "P", "p1", client.principal.role)

        with pytest.raises(NotFound):
            sessions.find(client.id, person, PLACE)

    run(work())


def test_no_more_sessions_than_the_limit_are_held_and_an_ended_one_makes_room() -> None:
    async def work() -> None:
        sessions = ClientSessions(1, 1_000_000)
        first = session()
        sessions.add(first)
        with pytest.raises(TooMany) as refused:
            sessions.add(session())
        sessions.remove(first)
        sessions.add(session())

        assert refused.value.retry_after == 10
        assert len(sessions) == 1

    run(work())


def test_ending_a_session_ends_its_streams_and_cancels_its_calls() -> None:
    async def work() -> None:
        sessions, client = ClientSessions(1, 1_000_000), session()
        sessions.add(client)
        answer = client.open_stream()
        call = client.calls[1] = asyncio.create_task(answer.finished())
        endless = client.calls[2] = asyncio.create_task(asyncio.sleep(3600))
        sessions.remove(client)
        await asyncio.wait({call, endless})

        assert answer.ended
        assert client.standalone.ended
        assert endless.cancelled()
        assert list(sessions) == []

    run(work())


def test_a_session_is_idle_once_nothing_runs_and_nobody_listens() -> None:
    async def work() -> None:
        sessions, client = ClientSessions(1, 1_000_000), session()
        sessions.add(client)
        assert sessions.idle(-1) == [client]
        assert sessions.idle(3600) == []

        client.calls[1] = call = asyncio.create_task(asyncio.sleep(1))
        assert sessions.idle(-1) == []
        await call
        del client.calls[1]
        follower = follow(client.standalone)
        await asyncio.sleep(1)
        assert sessions.idle(-1) == []
        client.standalone.end()
        await follower
        assert sessions.idle(-1) == [client]

    run(work())


async def test_ids_of_sessions_are_long_and_never_repeat() -> None:
    ids = {ClientSession.new_id() for _ in range(1000)}

    assert len(ids) == 1000
    assert min(map(len, ids)) >= 32


def test_a_client_that_says_nothing_of_itself_is_unknown_and_can_be_asked_nothing() -> None:
    assert facts_of({}) == ClientFacts({"name": "unknown", "version": "0"}, {})
    assert facts_of({"clientInfo": 1, "capabilities": []}) == facts_of({})
    assert facts_of({"clientInfo": {"name": "c"}, "capabilities": {"roots": {}}}) == ClientFacts(
        {"name": "c"}, {"roots": {}}
    )
