"""Subscriptions at one server: everything told once, and nothing missed, whatever is wanted when."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from interlock.errors import RPCError
from interlock.gateway.changes import RESOURCE_UPDATED
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject
from interlock.registry.subscribing import Subscriber
from interlock.upstreams import relistening
from interlock.upstreams.legacy import LegacySession
from interlock.upstreams.modern import ModernSession
from interlock.upstreams.port import Nobody
from tests.upstreams.fakes import CLIENT, LEGACY, FakeServer, connected, speaking

NOT_FOUND = RPCError(-32002, "Resource not found")
WITHIN = 60.0  # seconds


class Listened:
    """A server of the modern era: which streams are open at it, and what each wants to hear."""

    def __init__(self, *unwilling: str) -> None:
        self.streams: dict[Any, list[str]] = {}
        self.asked = 0
        self.refuses = False
        self.news = asyncio.Event()
        self._unwilling = unwilling

    def act(self, server: FakeServer, message: JSONObject) -> None:
        """Acknowledge a stream, or end it."""
        self.news.set()
        if message["method"] == "notifications/cancelled":
            self.streams.pop(message["params"]["requestId"], None)
        elif message["method"] == "subscriptions/listen" and self.refuses:
            server.say(jsonrpc.failure(message["id"], NOT_FOUND))
        elif message["method"] == "subscriptions/listen":
            self.asked += 1
            wanted = message["params"]["notifications"].get("resourceSubscriptions", [])
            honoured = [uri for uri in wanted if uri not in self._unwilling]
            self.streams[message["id"]] = honoured
            told: JSONObject = {"notifications": {"resourceSubscriptions": honoured}}
            self._say(server, message["id"], "subscriptions/acknowledged", told)

    def touch(self, server: FakeServer, uri: str, *streams: object) -> None:
        """Tell of an update on these streams, or on all that want to hear of it."""
        for tag, uris in self.streams.items():
            if uri in uris and (not streams or tag in streams):
                self._say(server, tag, "resources/updated", {"uri": uri})

    def end(self, server: FakeServer) -> None:
        """End every stream, as a server does that is shut down."""
        for tag in self.streams:
            server.say(jsonrpc.result(tag, {"resultType": "complete"}))
        self.streams.clear()

    def _say(self, server: FakeServer, tag: object, what: str, params: JSONObject) -> None:
        meta = {"_meta": {"io.modelcontextprotocol/subscriptionId": tag}}
        server.say(jsonrpc.notification(f"notifications/{what}", {**params, **meta}))


class Here:
    """A subscriber, the session that it is given, and what it heard."""

    def __init__(self, session: LegacySession | ModernSession) -> None:
        self.session = session
        self.updated: Counter[str] = Counter()
        self.reread = 0
        self._news = asyncio.Event()
        self.subscriber = Subscriber(self._current, self._heard, self._missed)

    async def _current(self) -> LegacySession | ModernSession:
        return self.session

    def _heard(self, method: str, params: JSONObject) -> None:
        assert method == RESOURCE_UPDATED
        self.updated[params["uri"]] += 1
        self._news.set()

    def _missed(self) -> None:
        self.reread += 1

    async def until(self, updated: dict[str, int]) -> None:
        async with asyncio.timeout(WITHIN):
            while self.updated != Counter(updated):
                self._news.clear()
                await self._news.wait()


def modern(*unwilling: str) -> tuple[Here, Listened, FakeServer]:
    listened = Listened(*unwilling)
    link, server = connected(listened.act)
    return Here(ModernSession(link, "fake")), listened, server


async def until_left(listened: Listened, count: int) -> None:
    async with asyncio.timeout(WITHIN):
        while len(listened.streams) != count:
            listened.news.clear()
            await listened.news.wait()


async def test_what_two_streams_tell_of_is_passed_on_once() -> None:
    here, listened, server = modern()
    await here.subscriber.want(frozenset({"a"}), "a")
    await here.subscriber.want(frozenset({"a", "b"}), "b")
    assert len(listened.streams) == 2

    for _ in range(3):
        listened.touch(server, "a")
    listened.touch(server, "b")

    await here.until({"a": 3, "b": 1})
    await until_left(listened, 1)
    listened.touch(server, "a")
    await here.until({"a": 4, "b": 1})
    await here.subscriber.close()


async def test_what_the_older_stream_was_about_to_tell_is_not_missed() -> None:
    here, listened, server = modern()
    await here.subscriber.want(frozenset({"a"}), "a")
    await here.subscriber.want(frozenset({"a", "b"}), "b")
    older, newer = listened.streams

    # The older one tells of two updates, of which the newer one came too late for the first.
    listened.touch(server, "a", newer)
    listened.touch(server, "a", older)
    listened.touch(server, "a", older)
    await here.until({"a": 2})

    await until_left(listened, 1)
    for count in (3, 4):
        listened.touch(server, "a")
        await here.until({"a": count})
    await here.subscriber.close()


async def test_many_who_come_at_once_share_a_few_streams_and_wait_until_they_are_open() -> None:
    here, listened, server = modern()
    uris = [f"u{number}" for number in range(50)]
    wanted: set[str] = set()

    async def come(uri: str) -> None:
        wanted.add(uri)
        await here.subscriber.want(frozenset(wanted), uri)
        assert any(uri in stream for stream in listened.streams.values())

    await asyncio.gather(*(come(uri) for uri in uris))

    assert listened.asked <= 3
    for uri in uris:
        listened.touch(server, uri)
    await here.until(dict.fromkeys(uris, 1))
    await here.subscriber.close()
    await until_left(listened, 0)


async def test_one_who_gives_up_while_a_stream_is_opened_leaves_the_others_theirs() -> None:
    here, listened, server = modern()
    await here.subscriber.want(frozenset({"a"}), "a")
    impatient = asyncio.create_task(here.subscriber.want(frozenset({"a", "b"}), "b"))
    await asyncio.sleep(0)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    listened.touch(server, "a")

    await here.until({"a": 1})
    await here.subscriber.want(frozenset({"a"}))
    await until_left(listened, 1)
    await here.subscriber.close()


async def test_a_resource_that_is_left_out_of_the_acknowledgement_is_refused_to_who_wants_it() -> (
    None
):
    here, _, _ = modern("bad")
    await here.subscriber.want(frozenset({"a"}), "a")
    with pytest.raises(RPCError, match="does not tell of updates of 'bad'"):
        await here.subscriber.want(frozenset({"a", "bad"}), "bad")

    await here.subscriber.want(frozenset({"a", "bad"}), "a")
    await here.subscriber.close()


async def test_a_server_that_refuses_more_goes_on_with_what_it_granted() -> None:
    here, listened, server = modern()
    await here.subscriber.want(frozenset({"a"}), "a")
    listened.refuses = True
    with pytest.raises(RPCError, match="Resource not found"):
        await here.subscriber.want(frozenset({"a", "b"}), "b")

    listened.touch(server, "a")
    await here.until({"a": 1})
    await here.subscriber.close()


async def test_a_stream_that_its_server_ends_is_taken_up_and_nothing_is_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relistening, "RELISTEN_AFTER", 0.01)
    here, listened, server = modern()
    await here.subscriber.want(frozenset({"a", "b"}), "b")

    listened.end(server)
    await here.until({"a": 1, "b": 1})

    assert here.reread == 1
    listened.touch(server, "a")
    await here.until({"a": 2, "b": 1})
    await here.subscriber.close()


async def test_a_new_session_has_what_the_one_before_had_and_what_was_missed_is_told() -> None:
    here, _, _ = modern()
    await here.subscriber.want(frozenset({"a"}), "a")
    assert here.updated == Counter()
    listened = Listened()
    link, server = connected(listened.act)
    here.session = ModernSession(link, "fake")

    await here.subscriber.renew()

    assert (here.updated, list(listened.streams.values())) == (Counter({"a": 1}), [["a"]])
    listened.touch(server, "a")
    await here.until({"a": 2})
    await here.subscriber.close()


def answering(*refused: str) -> tuple[LegacySession, FakeServer, list[tuple[str, str]]]:
    """Return a session with a server of the legacy era, and what it was asked."""
    asked: list[tuple[str, str]] = []

    def subscribe(server: FakeServer, message: JSONObject) -> None:
        uri = message["params"]["uri"]
        asked.append((message["method"].removeprefix("resources/"), uri))
        if uri in refused:
            server.say(jsonrpc.failure(message["id"], NOT_FOUND))
        else:
            server.answer(message, {})

    replies = dict.fromkeys(("resources/subscribe", "resources/unsubscribe"), subscribe)
    link, server = connected(speaking({**LEGACY, **replies}))
    return LegacySession(link, "fake", CLIENT, Nobody()), server, asked


async def test_at_a_server_of_the_legacy_era_each_resource_is_subscribed_to_once() -> None:
    session, _, asked = answering()
    await session.open()
    here = Here(session)
    wanted = frozenset({"a", "b"})
    await asyncio.gather(*(here.subscriber.want(wanted, uri) for uri in ("a", "b", "a")))
    await here.subscriber.want(frozenset({"b"}), "a")

    assert sorted(asked[:2]) == [("subscribe", "a"), ("subscribe", "b")]
    assert asked[2:] == [("unsubscribe", "a")]
    await session.close()


async def test_only_who_wants_what_is_refused_hears_of_it() -> None:
    session, _, _ = answering("bad")
    await session.open()
    here = Here(session)
    wanted = frozenset({"a", "bad"})
    came = [here.subscriber.want(wanted, uri) for uri in ("a", "bad", "bad")]
    heard = await asyncio.gather(*came, return_exceptions=True)

    assert [type(each) for each in heard] == [type(None), RPCError, RPCError]
    await session.close()


async def test_a_legacy_session_that_was_opened_anew_is_subscribed_in_again() -> None:
    session, _, _ = answering()
    await session.open()
    here = Here(session)
    await here.subscriber.want(frozenset({"a", "b"}), "a")
    await session.close()
    here.session, _, asked = answering("b")
    await here.session.open()

    await here.subscriber.renew()

    assert sorted(asked) == [("subscribe", "a"), ("subscribe", "b")]
    assert here.updated == Counter({"a": 1})
    await here.session.close()
