"""Features of tasks that others might see: what is told of them, lists of them, and whose they are."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.matrix.cell import SERVERS, Cell
from tests.matrix.everything_offer import RELATED, JSONObject
from tests.matrix.features import feature
from tests.matrix.features_questions import ALL
from tests.matrix.raw_client import ModernClient, RawClient, Refused
from tests.matrix.task_steps import (
    BAD_PARAMS,
    LACKING,
    begin,
    check_result,
    check_times,
    declared,
    is_plain,
    look,
    open_gate,
    outcome,
)

LEGACY_STATUS, MODERN_STATUS = "notifications/tasks/status", "notifications/tasks"
PROGRESS = "notifications/progress"


def _kinds(cell: Cell) -> list[JSONObject]:
    """Return what clients declare that share a session, and those that have their own."""
    return [declared(cell)] if cell.is_modern else [{}, ALL]


@feature("task status")
async def task_status(cell: Cell) -> None:
    """Who made a task hears that it ended, under the handle it knows; others do not."""
    for number, kind in enumerate(_kinds(cell)):
        gate = f"status for {cell.client} {number}"
        async with cell.raw(**kind) as client, cell.raw(**kind) as bystander:
            begun = {
                server: await begin(client, f"{server}__slow", {"gate": gate}) for server in SERVERS
            }
            if isinstance(client, ModernClient):
                await _listened(client, begun, gate)
                continue
            for server, handle in begun.items():
                await open_gate(client, server, gate)
                told = await _told(client, LEGACY_STATUS, handle)
                assert [f"task-{told['x-unknown'][0].partition('-')[2]}"] == told["x-unknown"]
                assert RELATED not in told.get("_meta", {})
            await bystander.call("two__echo")
            assert [each for each in bystander.heard if each["method"] == LEGACY_STATUS] == []


async def _told(client: RawClient, method: str, handle: str) -> JSONObject:
    def is_end(params: JSONObject) -> bool:
        return (params["taskId"], params["status"]) == (handle, "completed")

    return await client.until(method, is_end)


async def _listened(client: ModernClient, begun: dict[str, str], gate: str) -> None:
    """Hear of tasks on a stream of changes; their results come with their end."""
    async with client.listening(taskIds=[*begun.values()]) as agreed:
        assert {*begun.values()} == {*agreed["notifications"]["taskIds"]}
        for server, handle in begun.items():
            await open_gate(client, server, gate)
            told = await _told(client, MODERN_STATUS, handle)
            await check_result(client, server, told["result"])
    client.capabilities = {}
    wanted = {"notifications": {"taskIds": [*begun.values()]}}
    with pytest.raises(Refused) as refused:
        await client.request("subscriptions/listen", wanted)
    assert refused.value.error["code"] == LACKING


@feature("task progress")
async def task_progress(cell: Cell) -> None:
    """Progress comes under the token of the request, also after that was answered."""
    if is_plain(cell):
        async with cell.raw() as client:
            for server in SERVERS:
                await client.call(f"{server}__task_only", _meta={"progressToken": server})
                assert [each["progress"] for each in await _steps(client, server)] == [1, 2]
        return
    for number, kind in enumerate(_kinds(cell)):
        gate = f"progress for {cell.client} {number}"
        async with cell.raw(**kind) as client:
            begun: dict[str, str] = {}
            for server in SERVERS:
                meta = {"progressToken": f"token of {server}"}
                handle = await begin(client, f"{server}__slow", {"gate": gate}, _meta=meta)
                begun[server] = handle
            for server, handle in begun.items():
                await open_gate(client, server, gate)
                steps = await _steps(client, f"token of {server}")
                assert [(1, server), (2, server)] == [
                    (each["progress"], each["message"].partition(":")[0]) for each in steps
                ]
                related = {RELATED: {"taskId": handle}}
                assert [related, related] == [each["_meta"] for each in steps]


async def _steps(client: RawClient, token: str) -> list[JSONObject]:
    """Return the two steps that are told under a token."""
    return [
        await client.until(PROGRESS, lambda params: params["progressToken"] == token)
        for _ in range(2)
    ]


@feature("task list")
async def task_list(cell: Cell) -> None:
    """A list holds the caller's own tasks of both servers, and nobody else's."""
    for kind in _kinds(cell):
        async with AsyncExitStack() as stack:
            keys = [await cell.other_key() for _ in range(2)]
            clients = [await stack.enter_async_context(cell.raw(key=key, **kind)) for key in keys]
            own: list[list[str]] = [
                [await begin(client, f"{server}__slow") for server in (*SERVERS, *SERVERS)]
                for client in clients
            ]
            for client, handles in zip(clients, own, strict=True):
                listed = await client.all_of("tasks/list", "tasks")
                assert sorted(handles) == sorted(each["taskId"] for each in listed)
                for each in listed:
                    check_times(client, each)
                for handle in handles:
                    await look(client, handle)
            async with cell.raw(key=await cell.other_key(), **kind) as stranger:
                assert await stranger.all_of("tasks/list", "tasks") == []


@feature("handles of others' tasks")
async def foreign_handles(cell: Cell) -> None:
    """A handle serves the caller that was given it, unchanged, and nobody else."""
    requests: list[tuple[str, JSONObject]] = [("tasks/get", {}), ("tasks/cancel", {})]
    requests.append(("tasks/update", {"inputResponses": {}}) if cell.is_modern else _RESULT)
    async with (
        cell.raw(**declared(cell)) as client,
        cell.raw(key=await cell.other_key(), **declared(cell)) as stranger,
    ):
        for server in SERVERS:
            gate = f"handles of {cell.client}"
            handle = await begin(client, f"{server}__slow", {"gate": gate})
            wrong: list[tuple[RawClient, Any]] = [(stranger, handle), (client, "task-1")]
            # In the last character not all bits count; in all others they do.
            wrong += [(client, _changed(handle, place)) for place in (0, 10)]
            wrong += [(client, handle[:-1]), (client, "")]
            for method, more in requests:
                for who, named in wrong:
                    with pytest.raises(Refused) as refused:
                        await who.request(method, {"taskId": named, **more})
                    assert refused.value.error["code"] == BAD_PARAMS
            assert (await look(client, handle))["status"] == "working"
            await open_gate(client, server, gate)
            await check_result(client, server, await outcome(client, handle))


def _changed(handle: str, place: int) -> str:
    other = "A" if handle[place] != "A" else "B"
    return f"{handle[:place]}{other}{handle[place + 1 :]}"


_RESULT: tuple[str, JSONObject] = ("tasks/result", {})
