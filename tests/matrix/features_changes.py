"""Features of change: clients hear of it, and what is new can be used at once."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import mcp_types as types
from mcp.client.client import Client
from mcp.client.subscriptions import ResourceUpdated, Subscription

from tests.matrix.cell import SERVERS, Cell, exposed, facts
from tests.matrix.everything_offer import TEXT_URI, WATCHED_URI
from tests.matrix.features import feature
from tests.matrix.raw_client import ModernClient, RawClient

SOON = 1.0  # seconds until a new item can be used
TRIES = 3  # a machine may be busy with something else once or twice

UPDATED = "notifications/resources/updated"

Use = Callable[[RawClient, str, str], Awaitable[None]]


@feature("subscribe and updated")
async def subscribed(cell: Cell) -> None:
    """Who subscribed to one of two equal URIs hears of that one, under the URI it knows."""
    for server in SERVERS:
        uri = exposed(server, WATCHED_URI)
        other = next(each for each in SERVERS if each != server)
        async with cell.listening(resourceSubscriptions=[uri]) as client:
            await client.call(f"{other}__touch", {"uri": WATCHED_URI})
            await client.call(f"{server}__touch", {"uri": TEXT_URI})
            await client.call(f"{server}__touch", {"uri": WATCHED_URI})
            told = await client.until(UPDATED)
            assert uri == told["uri"]
            assert "x-unknown" in told
            assert UPDATED not in [each["method"] for each in client.heard]


@feature("unsubscribe")
async def unsubscribed(cell: Cell) -> None:
    """Who has unsubscribed from one resource still hears of the other."""
    for server in SERVERS:
        kept, dropped = exposed(server, TEXT_URI), exposed(server, WATCHED_URI)
        async with cell.listening(resourceSubscriptions=[kept]) as client:
            if isinstance(client, ModernClient):
                async with client.listening(resourceSubscriptions=[dropped]):
                    await client.call(f"{server}__touch", {"uri": WATCHED_URI})
                    assert dropped == (await client.until(UPDATED))["uri"]
            else:
                await client.request("resources/subscribe", {"uri": dropped})
                await client.call(f"{server}__touch", {"uri": WATCHED_URI})
                assert dropped == (await client.until(UPDATED))["uri"]
                await client.request("resources/unsubscribe", {"uri": dropped})

            await client.call(f"{server}__touch", {"uri": WATCHED_URI})
            await client.call(f"{server}__touch", {"uri": TEXT_URI})
            assert kept == (await client.until(UPDATED))["uri"]


@feature("tools changed")
async def tools_changed(cell: Cell) -> None:
    async def use(client: RawClient, server: str, key: str) -> None:
        assert server == facts(await client.call(f"{server}__{key}"))["server"]

    await _changed(cell, ("tools", "name"), use)


@feature("prompts changed")
async def prompts_changed(cell: Cell) -> None:
    async def use(client: RawClient, server: str, key: str) -> None:
        filled = await client.request("prompts/get", {"name": f"{server}__{key}"})
        assert f"{key} of {server}" == filled["description"]

    await _changed(cell, ("prompts", "name"), use)


@feature("resources changed")
async def resources_changed(cell: Cell) -> None:
    async def use(client: RawClient, server: str, key: str) -> None:
        (read,) = (await client.request("resources/read", {"uri": key}))["contents"]
        assert f"{key} of {server}" == read["text"]

    await _changed(cell, ("resources", "uri"), use)


async def _changed(cell: Cell, listed: tuple[str, str], use: Use) -> None:
    """Let a server add an item, use it as soon as we hear of it, and let it go again."""
    kind = listed[0]
    async with cell.listening(**{f"{kind}ListChanged": True}) as client:
        for server in SERVERS:
            took: list[float] = []
            for number in range(TRIES):
                key = f"test://new/{number}" if kind == "resources" else f"new-{number}"
                shown = key if kind == "resources" else f"{server}__{key}"
                begun = time.monotonic()
                await client.call(f"{server}__add", {"kind": kind, "key": key})
                await _heard(client, listed, lambda keys, shown=shown: shown in keys)
                await use(client, server, key)
                took.append(time.monotonic() - begun)
                await client.call(f"{server}__drop", {"kind": kind, "key": key})
                await _heard(client, listed, lambda keys, shown=shown: shown not in keys)
                if took[-1] < SOON:
                    break
            assert min(took) < SOON


async def _heard(
    client: RawClient, listed: tuple[str, str], holds: Callable[[set[str]], bool]
) -> None:
    """Wait for news of a list until it is such that `holds`; without news it is not read."""
    kind, key_name = listed
    while True:
        await client.until(f"notifications/{kind}/list_changed")
        if holds({each[key_name] for each in await client.all_of(f"{kind}/list", kind)}):
            return


@feature("changes, as the SDK hears them")
async def changes_typed(cell: Cell) -> None:
    """A typed client of either era hears of a changed list and an updated resource."""
    uri, news = exposed(SERVERS[1], WATCHED_URI), asyncio.Queue[str]()

    async def hear(message: object) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            news.put_nowait(message.params.uri)
        elif isinstance(message, types.ToolListChangedNotification):
            news.put_nowait("tools")

    async with AsyncExitStack() as stack:
        handlers = {} if cell.is_modern else {"message_handler": hear}
        client = await stack.enter_async_context(cell.sdk(**handlers))
        if cell.is_modern:
            listening = client.listen(tools_list_changed=True, resource_subscriptions=[uri])
            subscription = await stack.enter_async_context(listening)
            following = asyncio.create_task(_follow(subscription, news))
            stack.callback(following.cancel)
        else:
            await client.subscribe_resource(uri)  # type: ignore[reportDeprecated]
        added = {"kind": "tools", "key": "brief"}
        await client.call_tool(f"{SERVERS[1]}__touch", {"uri": WATCHED_URI})
        # Of several processes of a gateway one may still tell of what changed before.
        while (told := await news.get()) == "tools":
            pass
        assert uri == told
        for tool in ("add", "drop"):
            await client.call_tool(f"{SERVERS[1]}__{tool}", added)
            is_listed = None
            while is_listed != (tool == "add"):
                assert await news.get() == "tools"
                is_listed = f"{SERVERS[1]}__brief" in await _tool_names(client)


async def _tool_names(client: Client) -> set[str]:
    """Return the names on all pages of the list."""
    names: set[str] = set()
    cursor: str | None = None
    while True:
        page = await client.list_tools(cursor=cursor)
        names |= {tool.name for tool in page.tools}
        cursor = page.next_cursor
        if cursor is None:
            return names


async def _follow(subscription: Subscription, news: "asyncio.Queue[str]") -> None:
    async for event in subscription:
        news.put_nowait(event.uri if isinstance(event, ResourceUpdated) else "tools")
