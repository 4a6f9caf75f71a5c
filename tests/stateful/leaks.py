"""Nothing may be left once all clients have gone and all idle limits have passed."""

import asyncio
from collections import Counter

from tests.stateful import calls
from tests.stateful.play import Play
from tests.stateful.stage import SERVERS, Stage


def tasks() -> Counter[str]:
    """Return how many tasks run of each kind."""
    return Counter(_kind(task) for task in asyncio.all_tasks() if task is not _me())


def _me() -> "asyncio.Task[object] | None":
    return asyncio.current_task()


def _kind(task: "asyncio.Task[object]") -> str:
    return str(getattr(task.get_coro(), "__qualname__", task))


async def warm_up(stage: Stage) -> None:
    """Let a client of each kind come and go, so that what is built once is there."""
    play = Play(stage)
    for can_answer in (True, False):
        client = await play.open_client("http", "a", can_answer=can_answer, is_loud=True)
        for server in SERVERS.values():
            await calls.start(play, client, server, ("progress", "log"), has_token=True)
    await leave(play)

    async def is_over() -> bool:
        await expire(stage)
        return not _strays(stage)

    await stage.until_inside(is_over, lambda: f"left are {_strays(stage)}")
    stage.baseline = tasks()


async def leave(play: Play) -> None:
    """Let all clients go: most just vanish; only who has calls under way says farewell."""
    for client in play.clients:
        await client.wire.close()
        if client.kind in {"http", "json"} and any(call.is_live for call in client.calls):
            await play.stage.http.delete(
                f"{play.stage.gateway.address}/mcp/default", headers=client.headers
            )
    play.check()


async def expire(stage: Stage) -> None:
    """Let all limits of idleness pass, by the code that does it every few seconds."""
    plane = stage.plane
    for parked in plane.parking._calls.values():
        parked.expires = 0
    plane.parking.expire()
    await plane.legacy.expire(0)
    await plane.registry.expire(0)


def left(stage: Stage) -> dict[str, object]:
    """Return all that is kept for clients and calls; empty where nothing is."""
    plane = stage.plane
    legacy = plane.legacy
    found: dict[str, object] = {
        "parked": list(plane.parking._calls),
        "sessions": [session.id for session in legacy.sessions],
        "listeners": list(legacy._changes._listeners),
        "watchers": dict(legacy._subscriptions._watchers),
        "connections": list(plane.endpoints._sse._connections),
        "calls": stage.director.running(),
        "watched": stage.director.watched(),
    }
    for runner in stage.runners():
        name, upstream = runner.server.definition.name, runner.upstream
        found[f"sessions of {name}"] = [
            key for key, slot in upstream._slots.items() if key[1] != "shared" or slot.calls
        ]
        found[f"opening at {name}"] = list(upstream._opening)
        found[f"wanted of {name}"] = list(runner.subscriber.wanted)
    return {what: each for what, each in found.items() if each}


def changes(stage: Stage) -> dict[str, object]:
    """Return what there is more of than before the first client came."""
    baseline, now = stage.baseline, tasks()
    found = _strays(stage)
    if now - baseline:
        found["tasks"] = dict(now - baseline)
    return found


def _strays(stage: Stage) -> dict[str, object]:
    """Return what is left inside and at the servers; each has one session, that of the gateway."""
    found = left(stage)
    alone = Counter(dict.fromkeys(SERVERS, 1))
    if (pids := stage.director.pids()) != alone:
        found["processes"] = dict(pids)
    if (hearers := stage.director.hearers()) != alone:
        found["server sessions"] = dict(hearers)
    return found


async def settle(stage: Stage, play: Play) -> None:
    """Wait until all is as it was before; what is not idle yet gets another chance to be."""

    async def is_over() -> bool:
        await expire(stage)
        return not changes(stage)

    await stage.until_inside(is_over, lambda: f"left are {changes(stage)}\n{play.story()}")
