"""What a modern client listens to is listened to at its servers."""

import asyncio
from dataclasses import replace

from interlock.gateway.changes import Changes, Subscriptions
from interlock.gateway.listening import Listening
from interlock.gateway.streams import Stream
from interlock.gateway.table import RouteTable
from interlock.gateway.tasks import EXTENSION, Tasks
from interlock.protocol.json import JSONObject
from interlock.upstreams.port import ClientFacts
from interlock.upstreams.upstream import Owner, Upstream
from tests.gateway.offers import call, catalogue, principal, server, single
from tests.gateway.virtual_time import run
from tests.upstreams.fakes import (
    CLIENT,
    MODERN,
    FakeConnector,
    FakeServer,
    Listener,
    speaking,
)

MINUTES = 600.0  # seconds, of a clock that needs not wait


def test_a_server_that_ends_its_streams_of_tasks_at_once_is_not_asked_again_and_again() -> None:
    asked = 0

    def end_at_once(far: FakeServer, message: JSONObject) -> None:
        nonlocal asked
        asked += 1
        far.answer(message, {"resultType": "complete"})

    async def work() -> None:
        connector = FakeConnector(speaking({**MODERN, "subscriptions/listen": end_at_once}))
        shared = Owner("shared", CLIENT, Listener())
        upstream = Upstream("fake", (connector,), shared, down=lambda _: None)
        await upstream.start()
        entry = replace(server("fake", catalogue()), upstream=upstream)
        view, tasks = single(entry), Tasks(bytes(range(32)))
        handle = tasks.handle(principal(), entry.id, "t")
        params: JSONObject = {"notifications": {"taskIds": [handle]}}
        able: JSONObject = {"extensions": {EXTENSION: {}}}
        listening = Listening(Changes(), Subscriptions(), tasks, RouteTable)
        asking = call(view, "subscriptions/listen", params)
        asking.client = ClientFacts({}, able)
        listen = listening.open(asking, ("shop", "fake"), 1, Stream("1", is_resumable=False))

        await asyncio.sleep(MINUTES)

        listening.leave(listen)
        await listening.end()
        await upstream.close()

    run(work())

    # Every second would be 600 times.
    assert 5 < asked < 40
