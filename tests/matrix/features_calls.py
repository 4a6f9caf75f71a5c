"""Features of calls: what a tool returns, and what is said while it works."""

import asyncio
from typing import Any

import mcp_types as types
import pytest
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError

from tests.matrix.cell import SERVERS, Cell, exposed, facts
from tests.matrix.everything_offer import PNG, WAV
from tests.matrix.features import feature
from tests.matrix.raw_client import NoAnswer

TOKEN = "the client's own token"


@feature("structured content")
async def structured_content(cell: Cell) -> None:
    """Numbers and nulls arrive as they were; the SDK checks them against the output schema."""
    async with cell.sdk() as client:
        for server in SERVERS:
            result = await client.call_tool(f"{server}__structured", {})
            numbers = [2**53, 0.1, -0.0, 1e300, None, {"deep": []}]
            assert {"server": server, "numbers": numbers} == result.structured_content


@feature("tool error")
async def tool_error(cell: Cell) -> None:
    async with cell.sdk() as client:
        for server in SERVERS:
            result = await client.call_tool(f"{server}__failing", {})
            assert (True, f"{server} cannot do this.") == (
                result.is_error,
                _text(result.content[0]),
            )


@feature("protocol error")
async def protocol_error(cell: Cell) -> None:
    """Code, message and data of a JSON-RPC error pass as they came."""
    async with cell.sdk() as client:
        for server in SERVERS:
            with pytest.raises(MCPError) as refused:
                await client.call_tool(f"{server}__fault", {})
            error = refused.value.error
            assert (-32602, f"{server} refuses.") == (error.code, error.message)
            assert {"field": "x", "server": server} == error.data


@feature("image")
async def image(cell: Cell) -> None:
    async with cell.sdk() as client:
        for server in SERVERS:
            result = await client.call_tool(f"{server}__image", {})
            picture, whose = result.content
            assert isinstance(picture, types.ImageContent)
            assert (picture.data, picture.mime_type) == (PNG, "image/png")
            assert picture.annotations is not None
            assert (1, server) == (picture.annotations.priority, _text(whose))


@feature("audio")
async def audio(cell: Cell) -> None:
    async with cell.sdk() as client:
        for server in SERVERS:
            result = await client.call_tool(f"{server}__audio", {})
            sound, whose = result.content
            assert isinstance(sound, types.AudioContent)
            assert (WAV, "audio/wav", server) == (sound.data, sound.mime_type, _text(whose))


@feature("embedded resource")
async def embedded_resource(cell: Cell) -> None:
    """An embedded resource names the URI under which it can be read again."""
    async with cell.sdk() as client:
        for server in SERVERS:
            result = await client.call_tool(f"{server}__embedded", {})
            for item in result.content:
                assert isinstance(item, types.EmbeddedResource)
                assert isinstance(item.resource, types.TextResourceContents)
                assert item.resource.text.endswith(f" of {server}")
                assert item.resource.text == await _read(client, item.resource.uri)


@feature("resource link")
async def resource_link(cell: Cell) -> None:
    """A link leads back to the server that gave it, listed there or not."""
    async with cell.sdk() as client:
        for server in SERVERS:
            result = await client.call_tool(f"{server}__linked", {})
            links = [item for item in result.content if isinstance(item, types.ResourceLink)]
            texts = [await _read(client, link.uri) for link in links]
            uris = ("test://text", "test://item/7", "test://hidden/7")
            assert [f"{uri} of {server}" for uri in uris] == texts
            assert exposed(server, "test://text") == links[0].uri


@feature("progress")
async def progress(cell: Cell) -> None:
    async with cell.sdk() as client:
        for server in SERVERS:
            told: list[Any] = []

            async def hear(
                progress: float,
                total: float | None,
                message: str | None,
                told: list[Any] = told,
            ) -> None:
                told.append((progress, total, message))

            await client.call_tool(f"{server}__progress", {}, progress_callback=hear)
            assert told == [(step, 3, f"{server}: step {step}") for step in (1, 2, 3)]


@feature("log messages")
async def log_messages(cell: Cell) -> None:
    """Messages of the wanted level reach who called, and lesser ones do not."""
    heard: list[Any] = []

    async def hear(params: types.LoggingMessageNotificationParams) -> None:
        heard.append((params.level, params.logger, params.data))

    async with cell.sdk(logging_callback=hear, log_level="info") as client:
        if not cell.is_modern:
            await client.set_logging_level("info")  # type: ignore[reportDeprecated]
        for server in SERVERS:
            heard.clear()
            await client.call_tool(f"{server}__logging", {})
            assert heard == [
                (level, server, {"server": server, "level": level}) for level in ("info", "warning")
            ]


@feature("cancellation")
async def cancellation(cell: Cell) -> None:
    """A call that is given up ends at its server, and there only."""
    async with cell.raw() as client:
        for number, server in enumerate(SERVERS):
            tag = f"{cell.client} {number}"
            call = {"name": f"{server}__hang", "arguments": {"tag": tag}}
            hanging = client.begin("tools/call", {**call, "_meta": {"progressToken": TOKEN}})
            told = await client.until("notifications/progress")
            assert told["progressToken"] == TOKEN

            await client.cancel(hanging)

            noted = await client.call(f"{server}__await_cancel", {"tag": tag})
            assert [{"type": "text", "text": server}] == noted["content"]
            with pytest.raises((NoAnswer, asyncio.CancelledError)):
                await hanging.task


@feature("ping")
async def ping(cell: Cell) -> None:
    async with cell.sdk() as client:
        await client.send_ping()  # type: ignore[reportDeprecated]


@feature("mirrored headers")
async def mirrored_headers(cell: Cell) -> None:
    """Arguments that a tool wants in headers are there, whoever called."""
    async with cell.sdk() as client:
        # Clients of the modern era mirror what they read in the list.
        cursor = (await client.list_tools()).next_cursor
        while cursor is not None:
            cursor = (await client.list_tools(cursor=cursor)).next_cursor
        for server in SERVERS:
            result = await client.call_tool(f"{server}__mirrored", {"region": "서울"})
            assert result.structured_content is not None
            headers = result.structured_content["headers"]
            assert headers["mcp-param-region"] == "=?base64?7ISc7Jq4?="
            assert headers["mcp-name"] == "mirrored"


@feature("own names at the server")
async def own_names(cell: Cell) -> None:
    """A server sees its own names, never the gateway's."""
    async with cell.raw() as client:
        for server in SERVERS:
            seen = facts(await client.call(f"{server}__echo", {"a": [1, None, "안녕 🌏"]}))
            assert (server, "echo") == (seen["server"], seen["params"]["name"])
            assert seen["params"]["arguments"] == {"a": [1, None, "안녕 🌏"]}


def _text(item: object) -> str:
    assert isinstance(item, types.TextContent)
    return item.text


async def _read(client: Client, uri: str) -> str:
    (contents,) = (await client.read_resource(uri)).contents
    assert isinstance(contents, types.TextResourceContents)
    return contents.text
