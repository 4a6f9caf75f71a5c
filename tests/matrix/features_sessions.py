"""Features of a client's own session: what its server says and offers there, for it alone."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest

from tests.matrix.cell import SERVERS, Cell, exposed, facts
from tests.matrix.everything_offer import WATCHED_URI, JSONObject
from tests.matrix.features import feature
from tests.matrix.raw_client import RawClient, Refused

UPDATED = "notifications/resources/updated"
SAMPLING: JSONObject = {"sampling": {}}
KEYS = {"tools": "name", "prompts": "name", "resources": "uri"}
SOON = 0.2  # seconds between two tries

Use = Callable[[RawClient, str, str], Awaitable[object]]


async def _call(client: RawClient, server: str, key: str) -> None:
    assert server == facts(await client.call(f"{server}__{key}"))["server"]


async def _fill(client: RawClient, server: str, key: str) -> None:
    filled = await client.request("prompts/get", {"name": f"{server}__{key}"})
    assert f"{key} of {server}" == filled["description"]


async def _read(client: RawClient, server: str, key: str) -> None:
    (read,) = (await client.request("resources/read", {"uri": key}))["contents"]
    assert f"{key} of {server}" == read["text"]


USES: dict[str, Use] = {"tools": _call, "prompts": _fill, "resources": _read}


@feature("own session's changes")
async def own_changes(cell: Cell) -> None:
    """An item that a server offers one client alone is there for this one, until its session ends."""
    async with cell.raw(**SAMPLING) as client, cell.raw(**SAMPLING) as other, cell.raw() as third:
        for server in SERVERS:
            for kind, use in USES.items():
                key = f"test://own/{server}" if kind == "resources" else "own"
                shown = key if kind == "resources" else f"{server}__{key}"
                await client.call(f"{server}__switch_on", {"kind": kind, "key": key})
                await client.until(_changed(kind))
                assert shown in await _listed(client, kind)
                await use(client, server, key)
                for bystander in (other, third):
                    assert shown not in await _listed(bystander, kind)
                    with pytest.raises(Refused):
                        await use(bystander, server, key)
            await _session_ends(cell, client, server)
            await _all_gone(client, server)
        for bystander in (other, third):
            assert [each["method"] for each in bystander.heard] == []


def _changed(kind: str) -> str:
    return f"notifications/{kind}/list_changed"


async def _listed(client: RawClient, kind: str) -> set[str]:
    return {each[KEYS[kind]] for each in await client.all_of(f"{kind}/list", kind)}


async def _session_ends(cell: Cell, client: RawClient, server: str) -> None:
    """Let a server end the client's session; it had heard of each change no more than once."""
    assert [each["method"] for each in client.heard] == []
    with suppress(Refused):
        await client.call(f"{server}__end_session")
    if cell.back == "legacy-http":
        # There the client's next request is what shows that the session is gone.
        await client.call(f"{server}__echo")


async def _all_gone(client: RawClient, server: str) -> None:
    """Hear, once for each list, that what was this client's alone is gone."""
    for kind, use in USES.items():
        key = f"test://own/{server}" if kind == "resources" else "own"
        await client.until(_changed(kind))
        assert (key if kind == "resources" else f"{server}__{key}") not in await _listed(
            client, kind
        )
        with pytest.raises(Refused):
            await use(client, server, key)
    assert [each["method"] for each in client.heard] == []


@feature("own session's updates")
async def own_updates(cell: Cell) -> None:
    """A subscription is of the client's own session, and outlives it."""
    async with cell.raw(**SAMPLING) as client, cell.raw(**SAMPLING) as other:
        for server in SERVERS:
            uri = exposed(server, WATCHED_URI)
            await client.request("resources/subscribe", {"uri": uri})
            await client.call(f"{server}__touch", {"uri": WATCHED_URI})
            assert uri == (await client.until(UPDATED))["uri"]

            with suppress(Refused):
                await client.call(f"{server}__end_session")

            told = await _touched_until_heard(cell, client, server)
            assert (uri, server) == (told["uri"], told["x-unknown"])
        assert [each["method"] for each in other.heard] == []


async def _touched_until_heard(cell: Cell, client: RawClient, server: str) -> JSONObject:
    """Update the resource again and again until the client hears of it.

    Where servers are processes of their own only the client itself can cause an update. Elsewhere
    somebody else does, and the client's session must come back without a call of its own.
    """
    async with cell.raw() as someone:
        actor = client if cell.back == "legacy-stdio" else someone
        hearing = asyncio.create_task(client.until(UPDATED))
        while not hearing.done():
            with suppress(Refused):
                await actor.call(f"{server}__touch", {"uri": WATCHED_URI})
            await asyncio.wait({hearing}, timeout=SOON)
        return hearing.result()


@feature("unknown notifications to clients")
async def unknown_to_clients(cell: Cell) -> None:
    """What no version of the protocol knows passes: in a session, or else within a call."""
    async with cell.raw(**SAMPLING) as client:
        for server in SERVERS:
            method, params = "notifications/example.com/hello", {"deep": [1, {"a": None}]}
            await client.call(f"{server}__announce", {"method": method, "params": params})
            assert params == await client.until(method)


@feature("unknown notifications to servers")
async def unknown_to_servers(cell: Cell) -> None:
    """Servers hear what a client says in sessions of its own."""
    async with cell.raw(**SAMPLING) as client:
        for server in SERVERS:
            await client.call(f"{server}__echo")
        method, params = f"notifications/example.com/{cell.client}", {"deep": [1, {"a": None}]}
        await client.notify(method, params)
        for server in SERVERS:
            noted = facts(await client.call(f"{server}__await_note", {"method": method}))
            assert {"server": server, "params": params} == noted


@feature("methods of the future")
async def future_methods(cell: Cell) -> None:
    """A method that only one server can know reaches it; others need the endpoint of one server."""
    params: JSONObject = {"x-param": {"deep": [1, None]}, "_meta": {"example.com/kept": 1}}
    kept: JSONObject = {"x-future": {"kept": [1, None]}}
    async with cell.raw() as client:
        told = await client.request("skills/list", params)
        assert {"server": "two", **kept}.items() <= told.items()
        assert params["x-param"] == told["params"]["x-param"]
        assert params["_meta"].items() <= told["params"]["_meta"].items()
        with pytest.raises(Refused) as refused:
            await client.request("notes/list", params)
        assert refused.value.error["code"] == -32601
        assert "endpoint of one" in refused.value.error["message"]
    for server in SERVERS:
        async with cell.raw_at(server) as client:
            told = await client.request("notes/list", params)
            assert {"server": server, **kept}.items() <= told.items()
