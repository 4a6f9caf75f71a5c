"""Features of resources and prompts: reading, filling in, completing."""

import mcp_types as types

from tests.matrix.cell import SERVERS, Cell, exposed
from tests.matrix.everything_offer import BLOB_URI, PNG, TEXT_URI
from tests.matrix.features import feature


@feature("resources read")
async def resources_read(cell: Cell) -> None:
    """Equal URIs of two servers lead to two texts, and each names itself as it was asked for."""
    async with cell.sdk() as client:
        for server in SERVERS:
            text_uri, blob_uri = exposed(server, TEXT_URI), exposed(server, BLOB_URI)
            (text,) = (await client.read_resource(text_uri)).contents
            (blob,) = (await client.read_resource(blob_uri)).contents
            assert isinstance(text, types.TextResourceContents)
            assert isinstance(blob, types.BlobResourceContents)
            assert (text_uri, f"{TEXT_URI} of {server}") == (text.uri, text.text)
            assert (blob_uri, PNG) == (blob.uri, blob.blob)


@feature("templates read")
async def templates_read(cell: Cell) -> None:
    """What a template makes is read at the server that listed it."""
    async with cell.sdk() as client:
        for server in SERVERS:
            for made in ("test://item/41", "test://some/longer/path/end"):
                uri = exposed(server, made)
                (text,) = (await client.read_resource(uri)).contents
                assert isinstance(text, types.TextResourceContents)
                assert (uri, f"{made} of {server}") == (text.uri, text.text)


@feature("prompts get")
async def prompts_get(cell: Cell) -> None:
    async with cell.sdk() as client:
        for server in SERVERS:
            filled = await client.get_prompt(f"{server}__greet", {"who": "Ada"})
            carrying = await client.get_prompt(f"{server}__attached")

            (greeting,), (carried,) = filled.messages, carrying.messages
            assert f"greet of {server}" == filled.description
            assert types.TextContent(text=f"greet: hello Ada from {server}") == greeting.content
            assert isinstance(carried.content, types.EmbeddedResource)
            assert exposed(server, TEXT_URI) == carried.content.resource.uri


@feature("completion")
async def completion(cell: Cell) -> None:
    """Arguments of prompts and templates are completed by their own server, with their context."""
    async with cell.sdk() as client:
        for server in SERVERS:
            prompt = types.PromptReference(name=f"{server}__greet")
            template = types.ResourceTemplateReference(uri=exposed(server, "test://item/{id}"))
            who = await client.complete(
                prompt, {"name": "who", "value": "A"}, context_arguments={"where": "here"}
            )
            item = await client.complete(template, {"name": "id", "value": "4"})

            assert [f"{server}:who=A", "here"] == who.completion.values
            assert (who.completion.total, who.completion.has_more) == (40, True)
            assert [f"{server}:id=4"] == item.completion.values
