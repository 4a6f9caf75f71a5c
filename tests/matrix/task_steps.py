"""What clients of either era do with tasks: begin, look, wait, and fetch what came of them."""

from typing import Any

from tests.matrix.cell import Cell
from tests.matrix.everything_offer import RELATED, TASKS_EXTENSION, JSONObject
from tests.matrix.raw_client import ModernClient, RawClient

TASKS = {"extensions": {TASKS_EXTENSION: {}}}
WHEN = "2026-01-01T00:00:00Z"
NO_METHOD, BAD_PARAMS, LACKING = -32601, -32602, -32021


def declared(cell: Cell, **more: Any) -> JSONObject:
    """Return what a client declares to be given tasks; a legacy client asks for each."""
    return {**TASKS, **more} if cell.is_modern else more


def is_plain(cell: Cell) -> bool:
    """Tell whether the client is of the modern era and knows no tasks as the servers make them."""
    return cell.is_modern and not cell.serves_modern


async def begin(
    client: RawClient, tool: str, arguments: JSONObject | None = None, **more: Any
) -> str:
    """Call a tool as a task and return the task's handle."""
    if isinstance(client, ModernClient):
        made = await client.call(tool, arguments, **more)
        assert made["resultType"] == "task", made
        assert "result" not in made
    else:
        result = await client.call(tool, arguments, task={"ttl": 60_000}, **more)
        made = result["task"]
        assert "content" not in result
    assert made["status"] == "working"
    check_times(client, made)
    return made["taskId"]


def check_times(client: RawClient, state: JSONObject) -> None:
    """See that a task's state says when it was made and changed, and how long it is kept."""
    kept = "ttlMs" if isinstance(client, ModernClient) else "ttl"
    assert (state["createdAt"], state["lastUpdatedAt"], state[kept]) == (WHEN, WHEN, 60_000)


async def look(client: RawClient, handle: str) -> JSONObject:
    """Return the state of a task."""
    state = await client.request("tasks/get", {"taskId": handle})
    assert handle == state["taskId"]
    check_times(client, state)
    return state


async def until_status(client: RawClient, handle: str, status: str) -> JSONObject:
    """Ask for a task's state until it has this status."""
    while (state := await look(client, handle))["status"] != status:
        assert state["status"] in {"working", "input_required"}, state
    return state


async def outcome(client: RawClient, handle: str) -> JSONObject:
    """Wait for a task's end and return its result. Raises Refused where it ended with an error."""
    if isinstance(client, ModernClient):
        return (await until_status(client, handle, "completed"))["result"]
    result = await client.request("tasks/result", {"taskId": handle})
    assert {"taskId": handle} == result["_meta"][RELATED]
    return result


async def open_gate(client: RawClient, server: str, gate: str) -> None:
    """Let a task go on that waits at a gate of its server."""
    await client.call(f"{server}__open_gate", {"gate": gate})


async def check_result(client: RawClient, server: str, result: JSONObject) -> None:
    """See that a result is the one of this server, and that the links in it lead there."""
    assert server == result["structuredContent"]["server"]
    links = [item["uri"] for item in result["content"] if item["type"] == "resource_link"]
    assert len(links) == 3
    for uri in links:
        (read,) = (await client.request("resources/read", {"uri": uri}))["contents"]
        assert read["text"].endswith(f" of {server}")
