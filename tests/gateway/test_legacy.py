import asyncio

from interlock.gateway.bridging import Bridge
from interlock.gateway.call import Trace
from interlock.gateway.changes import Changes, Subscriptions
from interlock.gateway.clients import ClientSession, ClientSessions
from interlock.gateway.legacy import LegacyClients
from interlock.gateway.parking import Parking
from interlock.gateway.pipeline import Pipeline
from interlock.gateway.table import RouteTable
from interlock.gateway.tasks import Tasks
from interlock.protocol import jsonrpc
from tests.gateway.offers import CLIENT, principal

SECONDS = 60.0


def legacy_clients() -> LegacyClients:
    tasks = Tasks(bytes(32))
    pipeline = Pipeline(Bridge(Parking(bytes(32))), tasks, 50)
    sessions = ClientSessions(1, 0)
    return LegacyClients(
        pipeline, sessions, Changes(), Subscriptions(), tasks, lambda: RouteTable({})
    )


async def test_a_call_that_is_cancelled_before_it_begins_ends_its_stream_and_frees_its_id() -> None:
    legacy = legacy_clients()
    session = ClientSession(principal(), ("shop", None), CLIENT, "2025-11-25")
    stream, trace = session.open_stream(), Trace("r1", "streamable-http")
    cancelled = jsonrpc.Notification("notifications/cancelled", {"requestId": 7})

    task = legacy.start(session, jsonrpc.Request(7, "ping", {}), stream, trace)
    await legacy.notified(session, cancelled)
    async with asyncio.timeout(SECONDS):
        await asyncio.wait({task})

    assert (stream.size, stream.ended) == (0, True)
    assert (session.calls, trace.outcome) == ({}, "cancelled")
