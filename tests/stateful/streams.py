"""What clients do with streams: leave and resume them, subscribe, and listen for changes."""

from tests.stateful.model import CHANGED, Call, Channel, Client
from tests.stateful.play import Play
from tests.stateful.stage import SERVERS
from tests.stateful.wire import BOTH, Exchange


async def drop(play: Play, call: Call) -> None:
    """Lose the connection on which a legacy client waits for its answer; the call goes on."""
    await break_off(play, call)
    await play.settle()


async def break_off(play: Play, call: Call) -> None:
    """Break a connection, and wait until the gateway has noticed."""
    channel, exchange = call.channel, call.exchange
    await exchange.leave()
    channel.label = None
    channel.is_kept = channel.has_events
    if exchange.last_event is not None:
        prefix = channel.prefix = exchange.last_event.rpartition("-")[0]
        stream = play.session(call.client)._streams[prefix]
        await play.stage.until_true(lambda: not stream.is_followed, lambda: "it was left")


async def resume(play: Play, call: Call, back: int) -> None:
    """Take the stream of an answer up again, after the last event or one that came `back` before."""
    client, channel = call.client, call.channel
    if call.exchange.last_event is not None:
        channel.prefix = call.exchange.last_event.rpartition("-")[0]
    prefix = channel.prefix
    assert prefix is not None
    earlier = call.exchange if channel.label is not None else None
    after = _event(client, prefix, back)
    call.exchange = _get(play, client, after)
    client.follow(channel, call.exchange.label, after)
    if earlier is not None:
        await play.stage.until(lambda: earlier.is_over, "the older stream ended")
    await play.settle()


def can_resume(call: Call) -> bool:
    """Tell whether a client surely has an event id of the stream of a call."""
    return call.client.kind == "http" and call.channel.has_events


def _event(client: Client, prefix: str, back: int) -> str:
    numbers = [0, *sorted(client.history[prefix])]
    return f"{prefix}-{numbers[max(0, len(numbers) - 1 - back)]}"


def _get(play: Play, client: Client, after: str | None) -> Exchange:
    headers = {**client.headers, "accept": BOTH}
    if after is not None:
        headers["last-event-id"] = after
    return client.wire.send("GET", f"get {next(play.labels)}", headers=headers)


async def follow_main(play: Play, client: Client, back: int | None) -> None:
    """Open the session's own stream: where it was left, or after an event that one names."""
    earlier = client.main_exchange if client.main.label is not None else None
    after = None if back is None else _event(client, "main", back)
    exchange = client.main_exchange = _get(play, client, after)
    client.follow(client.main, exchange.label, after)
    await play.stage.until(lambda: exchange.status is not None, "the stream began")
    if earlier is not None:
        await play.stage.until(lambda: earlier.is_over, "the older stream ended")
    await play.settle()


async def leave_main(play: Play, client: Client) -> None:
    """Lose the session's own stream."""
    assert client.main_exchange is not None
    await client.main_exchange.leave()
    client.main.label = None
    stream = play.session(client).standalone
    await play.stage.until_true(lambda: not stream.is_followed, lambda: "it was left")
    await play.settle()


async def subscribe(play: Play, client: Client, uri: str) -> None:
    """Ask to hear of updates of a resource."""
    play.request(client, "resources/subscribe", {"uri": uri})
    client.subscribed.add(uri)
    await play.settle()


async def unsubscribe(play: Play, client: Client, uri: str) -> None:
    """Ask to hear of them no more."""
    play.request(client, "resources/unsubscribe", {"uri": uri})
    client.subscribed.discard(uri)
    await play.settle()


async def listen(play: Play, client: Client, uris: tuple[str, ...]) -> None:
    """Let a modern client hear of changes of lists and of these resources."""
    wanted = {"toolsListChanged": True}
    number = client.next_id()
    params = {"notifications": {**wanted, **({"resourceSubscriptions": [*uris]} if uris else {})}}
    client.main_exchange = play.send(client, number, "subscriptions/listen", params)
    client.main.label = client.main_exchange.label
    client.owe(client.main, ("agreed", number, *uris), "main")
    client.subscribed = set(uris)
    await play.settle()


async def stop_listening(play: Play, client: Client) -> None:
    """Let a modern client hear no more."""
    assert client.main_exchange is not None
    await client.main_exchange.leave()
    client.main.label = None
    client.subscribed = set()
    await play.settle()


async def touch(play: Play, uri: str) -> None:
    """Update a resource: who wants to hear of it hears of it once."""
    play.director.touch(uri)
    for client in play.clients:
        if client.is_open and uri in client.subscribed:
            client.owe(client.main, ("updated", uri), "main")
    await play.settle()


async def offer(play: Play, name: str, more: int) -> None:
    """Let a server offer so many more tools: its list is read again, and all hear of it."""
    play.offered[name] = more
    play.director.offer(name, more)
    await until_offered(play, name, more)
    await play.stage.until_true(lambda: not _reading(play), lambda: "own sessions were read again")
    for client in play.clients:
        if client.is_open and (not client.is_modern or client.main.label is not None):
            client.owe(client.main, CHANGED, "changed")
    await play.settle()


async def until_offered(play: Play, name: str, more: int) -> None:
    """Wait until the gateway knows that a server offers so many more tools."""
    await play.stage.until_true(
        lambda: _offered(play, name) == more, lambda: f"{name} offers {_offered(play, name)}"
    )


def _reading(play: Play) -> list[object]:
    """Return what clients' own sessions are about to read again."""
    return [work for each in play.stage.plane.legacy._open.values() for work in each.own._work]


def _offered(play: Play, name: str) -> int:
    tools = play.stage.plane.registry.table.project("default").view(None).tools
    return sum(each.startswith(f"{name}__more") for each in tools)


def uris(names: tuple[str, ...] = tuple(SERVERS)) -> tuple[str, ...]:
    """Return the resources of these servers."""
    return tuple(f"play://{name}/{n}" for name in names for n in ("a", "b"))


async def delete(play: Play, client: Client) -> None:
    """End a legacy session; its calls end with it."""
    headers = client.headers
    if client.kind == "sse":
        assert client.main_exchange is not None
        await client.main_exchange.leave()
    else:
        exchange = client.wire.send("DELETE", "deleted", headers=headers)
        await play.stage.until(lambda: exchange.is_over, "it was deleted")
        assert exchange.status == 204
    leave_behind(client)
    await play.settle()


def leave_behind(client: Client) -> None:
    """Predict that all of a client ends with it."""
    for call in client.calls:
        if call.state == "asking" and call.asked_on is not None:
            # What is asked in a call that ends with its session may be withdrawn before.
            client.owe(call.asked_on, ("withdrawn", call.gate), call.id, must=False)
    client.is_open = False
    client.subscribed = set()
    client.main = Channel(None)
    # What was on its way may still come.
    for owed in client.owed:
        owed.must = False
    for call in client.calls:
        if call.is_live:
            call.state = "gone"
