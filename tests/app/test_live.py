"""The console hears what changes in its project, and of no other."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from interlock.app.live import MAX_READERS, News
from interlock.errors import TooMany
from interlock.protocol.sse import EventReader, ServerSentEvent
from tests.integration.servers import dead, sample
from tests.support.program import DEADLINE, RunningProgram, program


async def events(gateway: RunningProgram, project: str) -> AsyncIterator[ServerSentEvent]:
    """Follow a project as the console does."""
    reader = EventReader(1024)
    path = f"/api/v1/projects/{project}/events"
    async with gateway.client.stream("GET", path) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for chunk in answer.aiter_raw():
            for event in reader.feed(chunk):
                yield event


async def until(stream: AsyncIterator[ServerSentEvent], kind: str) -> None:
    """Read events until one names `kind`."""
    async with asyncio.timeout(DEADLINE):
        async for event in stream:
            if kind in event.data.decode().split():
                return
    raise AssertionError(f"The stream ended before it told of {kind}")


async def test_changes_of_servers_what_they_write_and_calls_are_told() -> None:
    async with program({"mcpServers": {"sample": sample()}}) as gateway:
        await gateway.up("sample")
        stream = events(gateway, "default")
        await until(stream, "ready")
        added = await gateway.client.post(
            "/api/v1/projects/default/servers", json={"name": "brief", **dead()}
        )
        assert added.status_code == 201
        await until(stream, "servers")
        # It says "no such luck" and ends.
        await until(stream, "logs")
        body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        headers = {"accept": "application/json, text/event-stream"}
        await gateway.client.post("/mcp/default", json=body, headers=headers)
        await until(stream, "records")


async def test_a_stream_ends_with_the_program() -> None:
    async with program({"mcpServers": {}}) as gateway:
        stream = events(gateway, "default")
        await until(stream, "ready")
        gateway.program.end_streams()
        async with asyncio.timeout(DEADLINE):
            assert [event async for event in stream] == []


async def test_nobody_follows_a_project_without_a_credential() -> None:
    async with program({"mcpServers": {}}) as gateway:
        path = "/api/v1/projects/default/events"
        answer = await gateway.client.get(path, headers={"authorization": ""})
        assert answer.status_code == 401


async def test_what_changes_elsewhere_is_not_told_and_what_is_unread_is_told_once() -> None:
    news = News()
    stream = news.follow("mine")
    assert b"ready" in await anext(stream)
    news.tell("other", ("servers",))
    news.tell("mine", ("records",))
    news.tell("mine", ("logs", "records"))
    assert await anext(stream) == b"event: change\ndata: logs records\n\n"
    news.close()
    assert [each async for each in stream] == []


async def test_too_many_readers_are_refused() -> None:
    news = News()
    streams = [news.follow("mine") for _ in range(MAX_READERS + 1)]
    for stream in streams[:-1]:
        await anext(stream)
    with pytest.raises(TooMany):
        await anext(streams[-1])
    for stream in streams:
        await stream.aclose()  # pyright: ignore[reportAttributeAccessIssue]
