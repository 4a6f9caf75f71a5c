import asyncio

import pytest

from interlock.errors import RPCError
from interlock.gateway.changes import RESOURCE_UPDATED, Changes, Listener, Subscriptions
from interlock.gateway.table import KINDS
from interlock.protocol.json import JSONObject
from interlock.protocol.versions import META_SUBSCRIPTION
from tests.gateway.offers import server

TOOLS = "notifications/tools/list_changed"
PROMPTS = "notifications/prompts/list_changed"
RESOURCES = "notifications/resources/list_changed"
A, B = server("a"), server("b")


class Ear:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, JSONObject]] = []

    def __call__(self, method: str, params: JSONObject) -> None:
        self.heard.append((method, params))

    @property
    def methods(self) -> list[str]:
        return [method for method, _ in self.heard]


class Source:
    """Keeps which resources it was asked to watch, call by call; refuses those it is told to."""

    def __init__(self, *refused: str) -> None:
        self.asked: list[tuple[str, set[str]]] = []
        self._refused = frozenset(refused)

    async def watch(self, server_id: str, uris: frozenset[str], of: str) -> None:
        await asyncio.sleep(0)
        self.asked.append((server_id, set(uris)))
        if of in uris & self._refused:
            raise RPCError(-32002, "Resource not found")


def subscriptions(*refused: str) -> tuple[Subscriptions, Source]:
    made, source = Subscriptions(), Source(*refused)
    made.source = source
    return made, source


def test_a_listener_hears_of_its_own_endpoint_only() -> None:
    changes = Changes()
    ears = {
        place: Ear() for place in (("shop", None), ("shop", "a"), ("shop", "b"), ("other", None))
    }
    for (project, name), ear in ears.items():
        changes.add(Listener(project, name, ear))
    changes.lists_changed("shop", None, {"": frozenset({"tools"})})
    changes.lists_changed("shop", "a", {"": frozenset({"prompts"})})

    assert {place: ear.methods for place, ear in ears.items()} == {
        ("shop", None): [TOOLS],
        ("shop", "a"): [PROMPTS],
        ("shop", "b"): [],
        ("other", None): [],
    }


def test_each_method_is_said_once_and_templates_are_announced_as_resources() -> None:
    changes, ear = Changes(), Ear()
    changes.add(Listener("shop", None, ear))
    changes.lists_changed("shop", None, {"": frozenset(KINDS)})
    changes.lists_changed("shop", None, {"": frozenset({"resourceTemplates"})})

    assert ear.heard == [(PROMPTS, {}), (RESOURCES, {}), (TOOLS, {}), (RESOURCES, {})]


def test_a_listener_hears_of_the_lists_that_clients_like_it_are_shown() -> None:
    changes = Changes()
    ears = {mark: Ear() for mark in ("", "asks", "other")}
    for mark, ear in ears.items():
        changes.add(Listener("shop", None, ear, mark))

    changes.lists_changed("shop", None, {"": frozenset({"tools"}), "asks": frozenset({"prompts"})})

    assert {mark: ear.methods for mark, ear in ears.items()} == {
        "": [TOOLS],
        "asks": [PROMPTS],
        "other": [TOOLS],
    }


def test_a_listener_that_was_removed_hears_nothing_and_its_twin_hears_on() -> None:
    changes, ear = Changes(), Ear()
    first, twin = Listener("shop", None, ear), Listener("shop", None, ear)
    for listener in (first, twin):
        changes.add(listener)
    changes.remove(first)
    changes.remove(first)
    changes.lists_changed("shop", None, {"": frozenset({"tools"})})

    assert ear.methods == [TOOLS]


def test_a_listener_may_leave_while_it_is_told() -> None:
    changes, other = Changes(), Ear()

    def leave(_method: str, _params: JSONObject) -> None:
        changes.remove(leaving)

    leaving = Listener("shop", None, leave)
    changes.add(leaving)
    changes.add(Listener("shop", None, other))
    changes.lists_changed("shop", None, {"": frozenset({"tools"})})

    assert other.methods == [TOOLS]


async def test_an_update_reaches_each_subscriber_under_the_uri_that_it_knows() -> None:
    made, _ = subscriptions()
    first, second, other = Ear(), Ear(), Ear()
    await made.add(A, "u", "c1", "u", first)
    await made.add(A, "u", "c2", "u#~a", second)
    await made.add(B, "u", "c3", "u", other)
    made.updated(A.id, {"uri": "u", "_meta": {"kept": 1}})

    assert first.heard == [(RESOURCE_UPDATED, {"uri": "u", "_meta": {"kept": 1}})]
    assert second.heard == [(RESOURCE_UPDATED, {"uri": "u#~a", "_meta": {"kept": 1}})]
    assert other.heard == []


async def test_an_update_loses_the_id_of_our_own_stream_to_the_server() -> None:
    """A client would take it for one of its own."""
    made, _ = subscriptions()
    ear = Ear()
    await made.add(A, "u", "c1", "u", ear)
    made.updated(A.id, {"uri": "u", "_meta": {META_SUBSCRIPTION: 7}})
    made.updated(A.id, {"uri": "u", "_meta": {META_SUBSCRIPTION: 7, "kept": 1}})

    assert [params for _, params in ear.heard] == [{"uri": "u"}, {"uri": "u", "_meta": {"kept": 1}}]


async def test_updates_that_nobody_subscribed_to_go_nowhere() -> None:
    made, _ = subscriptions()
    ear = Ear()
    await made.add(A, "u", "c1", "u", ear)
    made.updated(A.id, {"uri": "v"})
    made.updated(A.id, {})
    made.updated("unknown", {"uri": "u"})

    assert ear.heard == []


async def test_one_subscription_at_the_server_serves_all_clients() -> None:
    made, source = subscriptions()
    for watcher in ("c1", "c2"):
        await made.add(A, "u", watcher, "u", Ear())
    await made.add(A, "v", "c1", "v", Ear())
    await made.remove(A.id, "u", "c1")
    assert made.uris(A.id) == {"u", "v"}
    await made.remove(A.id, "u", "c2")
    await made.remove(A.id, "v", "c1")

    assert source.asked[-4:] == [(A.id, {"u"}), (A.id, {"u", "v"}), (A.id, {"v"}), (A.id, set())]


async def test_subscribing_twice_tells_a_client_once() -> None:
    made, _ = subscriptions()
    ear = Ear()
    for _ in range(2):
        await made.add(A, "u", "c1", "u", ear)
    made.updated(A.id, {"uri": "u"})

    assert ear.methods == [RESOURCE_UPDATED]


async def test_ending_what_was_never_subscribed_asks_the_server_nothing() -> None:
    made, source = subscriptions()
    await made.add(A, "u", "c1", "u", Ear())
    await made.remove(A.id, "u", "stranger")
    await made.remove(A.id, "v", "c1")
    await made.remove(B.id, "u", "c1")

    assert source.asked == [(A.id, {"u"})]
    assert made.uris(A.id) == {"u"}


async def test_a_client_that_has_gone_hears_of_nothing_and_the_others_hear_on() -> None:
    made, source = subscriptions()
    gone, stays = Ear(), Ear()
    for entry, uri in ((A, "u"), (A, "v"), (B, "u")):
        await made.add(entry, uri, "c1", uri, gone)
    await made.add(A, "v", "c2", "v", stays)
    await made.forget("c1")
    for server_id in (A.id, B.id):
        for uri in ("u", "v"):
            made.updated(server_id, {"uri": uri})

    assert gone.heard == []
    assert stays.methods == [RESOURCE_UPDATED]
    assert (made.uris(A.id), made.uris(B.id)) == ({"v"}, frozenset())
    assert source.asked[-2:] == [(A.id, {"v"}), (B.id, set())]


async def test_a_subscription_that_the_server_refuses_does_not_stay() -> None:
    made, _ = subscriptions("bad")
    ear = Ear()
    await made.add(A, "good", "c1", "good", ear)
    with pytest.raises(RPCError, match="Resource not found"):
        await made.add(A, "bad", "c1", "bad", ear)
    made.updated(A.id, {"uri": "bad"})

    assert made.uris(A.id) == {"good"}
    assert ear.heard == []


async def test_a_refused_subscription_can_be_tried_again() -> None:
    made, source = subscriptions("bad")
    for _ in range(2):
        with pytest.raises(RPCError):
            await made.add(A, "bad", "c1", "bad", Ear())

    assert source.asked == [(A.id, {"bad"}), (A.id, set())] * 2


async def test_all_who_subscribe_at_once_hear_that_the_server_refuses() -> None:
    made, _ = subscriptions("bad")
    adding = (made.add(A, "bad", watcher, "bad", Ear()) for watcher in ("c1", "c2"))
    refused = await asyncio.gather(*adding, return_exceptions=True)

    assert [type(each) for each in refused] == [RPCError, RPCError]
    assert made.uris(A.id) == frozenset()


async def test_a_refusal_says_why_also_where_the_server_refuses_the_way_back() -> None:
    made, reasons = Subscriptions(), iter(("not there", "not subscribed"))

    class Stubborn(Source):
        async def watch(self, server_id: str, uris: frozenset[str], of: str) -> None:
            raise RPCError(-1, next(reasons))

    made.source = Stubborn()
    with pytest.raises(RPCError, match="not there"):
        await made.add(A, "u", "c1", "u", Ear())

    assert made.uris(A.id) == frozenset()


async def test_clients_may_subscribe_before_anyone_can_ask_the_servers() -> None:
    made, ear = Subscriptions(), Ear()
    await made.add(A, "u", "c1", "u", ear)
    made.updated(A.id, {"uri": "u"})

    assert ear.methods == [RESOURCE_UPDATED]
