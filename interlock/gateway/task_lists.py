"""`tasks/list` over all servers of an endpoint: the caller's own tasks, and who could not say."""

import asyncio
from dataclasses import replace

from interlock.errors import InterlockError, RPCError
from interlock.gateway.aggregation import STATUS_META
from interlock.gateway.bridging import Bridge
from interlock.gateway.call import Call
from interlock.gateway.table import ServerEntry, Target
from interlock.gateway.tasks import Tasks, lists_tasks
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject
from interlock.protocol.versions import Era

MAX_PAGES = 200


async def list_tasks(call: Call, tasks: Tasks, bridge: Bridge) -> JSONObject:
    """Return the caller's tasks at all servers that list theirs, on one page.

    Raises RPCError where no server does. A server that fails is named in `_meta`.
    """
    servers = [each for each in call.view.servers if lists_tasks(each)]
    if call.era is Era.MODERN or not servers:
        raise RPCError(jsonrpc.METHOD_NOT_FOUND, f"Method not found: {call.method}")
    lists = await asyncio.gather(*(_of(call, tasks, bridge, each) for each in servers))
    found: list[JSONObject] = []
    troubles: JSONObject = {}
    for server, listed in zip(servers, lists, strict=True):
        if isinstance(listed, str):
            troubles[server.name] = {"status": "failed", "reason": listed}
        else:
            found += listed
    result: JSONObject = {"tasks": found}
    if troubles:
        result["_meta"] = {STATUS_META: troubles}
    return result


async def _of(
    call: Call, tasks: Tasks, bridge: Bridge, server: ServerEntry
) -> list[JSONObject] | str:
    """Return the caller's tasks at one server, or what went wrong there."""
    found: list[JSONObject] = []
    params: JSONObject = {}
    try:
        for _ in range(MAX_PAGES):
            page = await bridge.send(replace(call, params=params), Target(server, ""), params)
            found += tasks.own(call.principal, server, page.get("tasks"), call.scope(server))
            if page.get("nextCursor") is None:
                return found
            params = {"cursor": page["nextCursor"]}
    except (InterlockError, RPCError) as fault:
        return fault.message
    return f"It has more than {MAX_PAGES} pages of tasks."
