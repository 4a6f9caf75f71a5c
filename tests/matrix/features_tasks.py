"""Features of tasks: made, asked for their result, asking, cancelled and failing, in both eras.

A modern client in front of a legacy server has no tasks: it makes an ordinary call, and the task at
the server is not its concern.
"""

import asyncio

import pytest

from tests.matrix.cell import SERVERS, Cell
from tests.matrix.everything_offer import NAME_FORM, RELATED, TASKS_EXTENSION, JSONObject
from tests.matrix.features import feature
from tests.matrix.features_questions import ALL
from tests.matrix.raw_client import ModernClient, NoAnswer, RawClient, Refused
from tests.matrix.task_steps import (
    BAD_PARAMS,
    LACKING,
    NO_METHOD,
    begin,
    check_result,
    check_times,
    declared,
    is_plain,
    look,
    open_gate,
    outcome,
    until_status,
)

ANSWER = {"action": "accept", "content": {"name": "Ada 에이다"}}


@feature("tasks")
async def tasks(cell: Cell) -> None:
    """Ids are equal at both servers, but not for the client, and each leads back."""
    if is_plain(cell):
        async with cell.raw() as client:
            for server in SERVERS:
                await check_result(client, server, await client.call(f"{server}__task_only"))
        return
    async with cell.raw(**declared(cell)) as client:
        places = [(server, tool) for server in SERVERS for tool in ("slow", "task_only")]
        gate = f"tasks of {cell.client}"
        handles = [
            await begin(client, f"{server}__{tool}", {"gate": gate}) for server, tool in places
        ]
        assert len(set(handles)) == len(handles)
        for handle in handles:
            state = await look(client, handle)
            assert state["status"] == "working"
            assert RELATED not in state.get("_meta", {})
            # What a request is related to does not count where it names a task itself.
            other = {"_meta": {RELATED: {"taskId": handles[0]}}}
            state = await client.request("tasks/get", {"taskId": handle, **other})
            assert handle == state["taskId"]

        for server in SERVERS:
            await open_gate(client, server, gate)

        for (server, _), handle in zip(places, handles, strict=True):
            await check_result(client, server, await outcome(client, handle))
            assert (await look(client, handle))["status"] == "completed"


@feature("tasks where they are not wanted")
async def tasks_unwanted(cell: Cell) -> None:
    """Who asks for no task is given none, and is told where there is no other way."""
    async with cell.raw() as client:
        for server in SERVERS:
            await check_result(client, server, await client.call(f"{server}__slow"))
            if is_plain(cell):
                continue
            with pytest.raises(Refused) as refused:
                await client.call(f"{server}__task_only")
            if cell.serves_modern:
                required = {"extensions": {TASKS_EXTENSION: {}}}
                assert refused.value.error["code"] == LACKING
                assert {"requiredCapabilities": required} == refused.value.error["data"]
            else:
                assert refused.value.error["code"] == NO_METHOD


@feature("task questions")
async def task_questions(cell: Cell) -> None:
    """Tasks at both servers ask at the same time, while results of others are waited for."""
    asked: list[JSONObject] = []

    def answer(params: JSONObject) -> JSONObject:
        asked.append(params)
        meta = params.get("_meta", {})
        related = {"_meta": {RELATED: meta[RELATED]}} if RELATED in meta else {}
        return {**ANSWER, **related}

    async with cell.raw(**declared(cell, **ALL)) as client:
        client.answers["elicitation/create"] = answer
        if is_plain(cell):
            for server in SERVERS:
                result = await client.call(f"{server}__task_only", {"ask": True})
                await _check_answer(client, server, result)
        else:
            await _ask_both(cell, client, asked)
    if is_plain(cell) or not cell.is_modern:
        assert [NAME_FORM["message"]] * 2 == [each["message"] for each in asked]


async def _ask_both(cell: Cell, client: RawClient, asked: list[JSONObject]) -> None:
    others, handles = await _begin_asking(cell, client)
    if isinstance(client, ModernClient):
        for handle in handles:
            await _update(client, handle)
    async with asyncio.TaskGroup() as waiting:
        results = [waiting.create_task(outcome(client, each)) for each in others]
        for server, handle in zip(SERVERS, handles, strict=True):
            told = await _check_answer(client, server, await outcome(client, handle))
            if not cell.is_modern:
                # The server knows the task by its own id.
                assert told["_meta"][RELATED]["taskId"].startswith("task-")
        if not cell.is_modern:
            assert set(handles) == {each["_meta"][RELATED]["taskId"] for each in asked}
        assert not any(each.done() for each in results)
        for server in SERVERS:
            await open_gate(client, server, f"questions of {cell.client}")


async def _check_answer(client: RawClient, server: str, result: JSONObject) -> JSONObject:
    """See that a result tells of the one answer that the task was given, and return that."""
    await check_result(client, server, result)
    (told,) = result["structuredContent"]["answers"]
    assert told["content"] == ANSWER["content"]
    return told


async def _begin_asking(cell: Cell, client: RawClient) -> tuple[list[str], list[str]]:
    """Begin one task at each server that waits, and one that asks, and wait until it does."""
    gate = f"questions of {cell.client}"
    others = [await begin(client, f"{server}__slow", {"gate": gate}) for server in SERVERS]
    handles = [await begin(client, f"{server}__slow", {"ask": True}) for server in SERVERS]
    for handle in handles:
        await until_status(client, handle, "input_required")
    return others, handles


async def _update(client: RawClient, handle: str) -> None:
    """Answer the one question of a task, in the way of the extension."""
    ((key, question),) = (await look(client, handle))["inputRequests"].items()
    assert question == {"method": "elicitation/create", "params": NAME_FORM}
    update = {"taskId": handle, "inputResponses": {key: ANSWER, "unknown": ANSWER}}
    assert (await client.request("tasks/update", update))["resultType"] == "complete"


@feature("task cancellation")
async def task_cancellation(cell: Cell) -> None:
    """A cancelled task ends at its server, and there only."""
    async with cell.raw(**({} if is_plain(cell) else declared(cell))) as client:
        for server in SERVERS:
            tag = f"a task of {cell.client}"
            if is_plain(cell):
                await _leave(client, server, tag)
            else:
                kept = await begin(client, f"{server}__slow", {"gate": f"{tag}, kept"})
                await _cancel(client, await begin(client, f"{server}__slow", {"hold": tag}))
                assert (await look(client, kept))["status"] == "working"
                await open_gate(client, server, f"{tag}, kept")
            noted = await client.call(f"{server}__await_cancel", {"tag": tag})
            assert [{"type": "text", "text": server}] == noted["content"]


async def _cancel(client: RawClient, handle: str) -> None:
    told = await client.request("tasks/cancel", {"taskId": handle})
    if isinstance(client, ModernClient):
        assert "status" not in told
    else:
        assert (handle, "cancelled") == (told["taskId"], told["status"])
        check_times(client, told)
        with pytest.raises(Refused) as refused:
            await client.request("tasks/cancel", {"taskId": handle})
        assert refused.value.error["code"] == BAD_PARAMS
    await until_status(client, handle, "cancelled")


async def _leave(client: RawClient, server: str, tag: str) -> None:
    """Close the connection of an ordinary call that is a task at its server."""
    call = {"name": f"{server}__task_only", "arguments": {"hold": tag}}
    token = f"{tag} at {server}"
    begun = client.begin("tools/call", {**call, "_meta": {"progressToken": token}})
    await client.until("notifications/progress", lambda told: told["progressToken"] == token)
    await client.cancel(begun)
    with pytest.raises((NoAnswer, asyncio.CancelledError)):
        await begun.task


@feature("task failure")
async def task_failure(cell: Cell) -> None:
    """An error of the protocol keeps code, message and data; one of the tool is a result."""
    async with cell.raw(**declared(cell)) as client:
        for server in SERVERS:
            failing, wrong = (
                f"{server}__task_only",
                [{"fail": each} for each in ("error", "result")],
            )
            if is_plain(cell):
                with pytest.raises(Refused) as refused:
                    await client.call(failing, wrong[0])
                error, result = refused.value.error, await client.call(failing, wrong[1])
            else:
                broken, bad = [await begin(client, failing, each) for each in wrong]
                error = await _error(client, broken)
                result = await outcome(client, bad)
                # In the modern era a task fails by an error of the protocol only.
                status = "completed" if cell.is_modern else "failed"
                assert status == (await look(client, bad))["status"]
            assert (-32050, f"{server} gives up.") == (error["code"], error["message"])
            assert {"server": server} == error["data"]
            assert result["isError"] is True
            assert [{"type": "text", "text": f"{server} cannot do this."}] == result["content"]


async def _error(client: RawClient, handle: str) -> JSONObject:
    state = await until_status(client, handle, "failed")
    if isinstance(client, ModernClient):
        return state["error"]
    with pytest.raises(Refused) as refused:
        await client.request("tasks/result", {"taskId": handle})
    return refused.value.error
