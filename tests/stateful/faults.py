"""What goes wrong: servers that die or forget, states that expire, and messages that cross."""

import asyncio
from contextlib import suppress

from interlock.gateway.parking import ParkedCall, Parking, StateRefused
from interlock.station.supervisor import RestartPolicy
from tests.stateful import calls, streams
from tests.stateful.model import Call, Channel, Client
from tests.stateful.play import Play
from tests.stateful.stage import OVER_STDIO, Server


async def break_server(play: Play, server: Server) -> None:
    """Kill a server's processes, or let it forget its sessions; its calls fail, and it comes back."""
    runner = next(
        each for each in play.stage.runners() if each.server.definition.name == server.name
    )
    # Many examples kill one server within a minute; that must not look like one that cannot live.
    runner._policy = RestartPolicy()
    restarts = runner.health.restarts
    for call in play.calls:
        if call.server is not server or call.state not in {"held", "asking", "abandoned"}:
            continue
        if call.state == "asking" and (server.is_modern or call.client.is_modern):
            call.state = "asking" if server.is_modern else "dead"
        elif call.state != "abandoned":
            call.client.doubt(call)
            _withdraw(call)
            play.finish(call, "error")
        else:
            call.state = "gone"
    if server.name in OVER_STDIO:
        pids = play.director.kill(server.name)
        await play.stage.until(
            lambda: not pids & {each.pid for each in play.director.players}, "they died"
        )
    else:
        play.director.forget(server.name)
    if server.name != "mh":
        await play.stage.until_true(
            lambda: runner.health.restarts > restarts and runner.health.condition == "ok",
            lambda: f"{server.name} is {runner.health}",
        )
    await play.settle()


def _withdraw(call: Call) -> None:
    if call.state == "asking" and call.asked_on is not None:
        key = ("withdrawn", call.gate)
        call.client.owe(call.asked_on, key, call.id, must=not call.is_asked_apart)


async def retry_dead(play: Play, call: Call) -> None:
    """Repeat a parked call whose server has died meanwhile: it is an error, not silence."""
    asked = calls.last_asked(call)
    calls.send_again(play, call, asked, {}, has_token=False)
    play.finish(call, "error")
    await play.settle()


async def expire(play: Play, call: Call) -> None:
    """Let a parked call's client come back too late."""
    parking = play.stage.plane.parking
    before = {id(parked) for parked in parking._calls.values()}
    asked = calls.last_asked(call)
    parked = _parked(parking, asked["requestState"])
    parked.expires = 0
    parking.expire()
    assert {id(each) for each in parking._calls.values()} == before - {id(parked)}
    call.state = "cancelled"
    await play.settle()
    calls.send_again(play, call, asked, {}, has_token=False)
    play.finish(call, "error")
    await play.settle()


def _parked(parking: Parking, state: str) -> ParkedCall:
    """Return the parked call that a state leads to."""
    for parked in parking._calls.values():
        with suppress(StateRefused):
            return parking.claim(state, parked.binding)
    raise AssertionError("No parked call fits the state.")


async def cross_cancel(play: Play, client: Client, server: Server) -> None:
    """Make a call and give it up in the same breath; it ends, whichever arrives first."""
    call = calls.begin(play, client, server, ("progress", "hold"), has_token=True)
    channel = client.main if client.kind in {"sse", "json"} else call.channel
    client.owe(channel, ("progress", call.token, f"{call.tag}/0"), call.id, must=False)
    call.state = "cancelled"
    is_taken = False
    while not is_taken:
        # The old transport takes a call before it ends; only then is a cancellation sure to count.
        is_taken = call.exchange.is_over
        play.notify(client, "notifications/cancelled", {"requestId": call.id})
        told = play.told[-1]
        await play.stage.until(lambda: told.is_over, "the cancellation was taken")  # noqa: B023
    await play.settle()


async def cross_release(play: Play, call: Call) -> None:
    """Let a call go on while its client gives it up; it is answered or cancelled, never both."""
    play.released.add(call.gate)
    play.director.release(call.gate)
    client, owed, had_events = call.client, len(call.client.owed), call.channel.has_events
    call.position += 1
    play.advance(call)
    if call.state == "asking" and call.asked_on is not None:
        client.owe(call.asked_on, ("withdrawn", call.gate), call.id)
    call.channel.has_events = had_events
    for each in client.owed[owed:]:
        each.must = False
    client.doubt(call)
    call.state = "cancelled"
    if client.is_modern:
        await call.exchange.leave()
    else:
        play.notify(client, "notifications/cancelled", {"requestId": call.id})
    await play.settle()


async def cross_drop(play: Play, call: Call) -> None:
    """Lose the connection while messages come, and take the stream up after the last one seen."""
    calls.let_go(play, call)
    await streams.break_off(play, call)
    # What was on its way is either in the history already or still to come.
    play.check()
    client, channel = call.client, call.channel
    left = [each for each in client.owed if each.of == call.id and each.must]
    client.owed = [each for each in client.owed if each not in left]
    channel.pending = [*((each.key, each.of, True) for each in left), *channel.pending]
    await streams.resume(play, call, 0)


async def cross_delete(play: Play, client: Client, server: Server) -> None:
    """Make a call and end the session in the same breath."""
    calls.begin(play, client, server, ("progress", "hold"), has_token=False)
    client.calls[-1].state = "held"
    for _ in range(2):
        await asyncio.sleep(0)
    client.owe(Channel(client.calls[-1].exchange.label), ("answer", client.number, "error"), 0)
    await streams.delete(play, client)


async def cross_subscriptions(play: Play, one: Client, other: Client, uri: str) -> None:
    """Let one client subscribe while another takes its subscription back."""
    play.request(one, "resources/unsubscribe", {"uri": uri})
    play.request(other, "resources/subscribe", {"uri": uri})
    one.subscribed.discard(uri)
    other.subscribed.add(uri)
    await play.settle()
    await streams.touch(play, uri)
