"""What the clients that stand on the Python SDK 2.x have in common."""

import asyncio
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from typing import Any

from mcp.client.session import ClientSession
from mcp.client.subscriptions import ResourceUpdated, Subscription, ToolsListChanged, listen
from mcp.shared.exceptions import MCPError
from performer import Answered, JSONObject, Seen
from pydantic import BaseModel

MODERN = "2026-07-28"


def plain(model: BaseModel) -> JSONObject:
    """Return what a model was made of."""
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


async def asked(request: Awaitable[Any]) -> Any:
    """Return what a request returns. Raises Answered for an error of the protocol."""
    try:
        return await request
    except MCPError as fault:
        raise Answered(fault.error.code, fault.error.message, fault.error.data) from None


def take_note(message: object, seen: Seen) -> None:
    """Take note of a message, if it is a notification."""
    if isinstance(message, BaseModel):
        whole = plain(message)
        seen.hear(whole["method"], whole.get("params") or {})


async def watch(session: ClientSession, uris: list[str], seen: Seen, stack: AsyncExitStack) -> None:
    """Hear of updates of these resources, and of changed tools, in the way of the era."""
    if session.protocol_version != MODERN:
        for uri in uris:
            await asked(session.subscribe_resource(uri))
        return
    listening = listen(session, tools_list_changed=True, resource_subscriptions=uris)
    subscription = await stack.enter_async_context(listening)
    following = asyncio.create_task(_follow(subscription, seen))
    stack.push_async_callback(_stopped, following)


async def _follow(subscription: Subscription, seen: Seen) -> None:
    async for event in subscription:
        if isinstance(event, ResourceUpdated):
            seen.hear("notifications/resources/updated", {"uri": event.uri})
        elif isinstance(event, ToolsListChanged):
            seen.hear("notifications/tools/list_changed", {})


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
