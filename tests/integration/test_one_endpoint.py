"""All servers stand behind one endpoint, whatever their transport and era, and everything works."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import mcp_types as types
import pytest
import pytest_asyncio
from mcp.shared.exceptions import MCPError

from tests.integration import servers
from tests.integration.clients import WAYS, connection, text_of
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVERYTHINGS = ("everything", "over-sse", "over-http")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningProgram]:
    folder = tmp_path_factory.mktemp("files").resolve()
    (folder / "hello.txt").write_text("hello from a file", encoding="utf-8")
    with ExitStack() as stack:
        sse = stack.enter_context(servers.everything_over("sse"))
        http = stack.enter_context(servers.everything_over("streamableHttp"))
        modern = stack.enter_context(servers.fixture_over_http("modern"))
        config = {
            "everything": servers.everything(),
            "over-sse": {"type": "sse", "url": sse},
            "over-http": {"type": "streamable-http", "url": http},
            "files": servers.filesystem(folder),
            "clock": servers.clock(),
            "fixture": servers.fixture(),
            "old-fixture": servers.fixture("legacy"),
            "new-fixture": {"url": modern},
        }
        async with program({"mcpServers": config}) as running:
            await running.up(*config)
            yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return next(tmp_path_factory.getbasetemp().glob("files*")).resolve()


@pytest.mark.parametrize("way", WAYS)
async def test_the_tools_of_all_servers_are_listed_under_their_servers_names(
    gateway: RunningProgram, way: str
) -> None:
    async with connection(gateway, way) as client:
        listed = [tool.name for tool in (await client.list_tools()).tools]

    for server in EVERYTHINGS:
        names = [name for name in listed if name.startswith(f"{server}__")]
        assert [f"{server}__{tool}" for tool in servers.EVERYTHING_TOOLS] == names
    assert {"clock__get_current_time", "files__read_text_file"} <= set(listed)
    owners = list(dict.fromkeys(name.partition("__")[0] for name in listed))
    assert [
        *EVERYTHINGS,
        "files",
        "clock",
        "fixture",
        "old-fixture",
        "new-fixture",
    ] == owners


@pytest.mark.parametrize("way", WAYS)
async def test_an_endpoint_of_one_server_shows_plain_names(
    gateway: RunningProgram, way: str
) -> None:
    async with connection(gateway, way, "clock") as client:
        listed = [tool.name for tool in (await client.list_tools()).tools]
        called = await client.call_tool("get_current_time", {"timezone": "Asia/Seoul"})

    assert listed == ["get_current_time", "convert_time"]
    assert json.loads(text_of(called))["timezone"] == "Asia/Seoul"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("server", EVERYTHINGS)
async def test_calls_reach_their_server_over_every_transport(
    gateway: RunningProgram, way: str, server: str
) -> None:
    async with connection(gateway, way) as client:
        echoed = await client.call_tool(f"{server}__echo", {"message": "안녕 🌏"})
        image = await client.call_tool(f"{server}__get-tiny-image", {})
        weather = await client.call_tool(
            f"{server}__get-structured-content", {"location": "Chicago"}
        )

    assert text_of(echoed) == "Echo: 안녕 🌏"
    pictures = [each for each in image.content if isinstance(each, types.ImageContent)]
    assert [each.mime_type for each in pictures] == ["image/png"]
    assert base64.b64decode(pictures[0].data).startswith(b"\x89PNG")
    expected = {"temperature": 36, "conditions": "Light rain / drizzle", "humidity": 82}
    assert weather.structured_content == expected


@pytest.mark.parametrize("way", WAYS)
async def test_a_file_is_read_through_the_gateway(
    gateway: RunningProgram, folder: Path, way: str
) -> None:
    async with connection(gateway, way) as client:
        path = str(folder / "hello.txt")
        read = await client.call_tool("files__read_text_file", {"path": path})
        refused = await client.call_tool("files__read_text_file", {"path": "/etc/passwd"})

    assert (read.is_error or False, text_of(read)) == (False, "hello from a file")
    assert refused.is_error is True


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("server", EVERYTHINGS)
async def test_progress_is_told_while_a_call_goes_on(
    gateway: RunningProgram, way: str, server: str
) -> None:
    told: list[tuple[float, float | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total))

    async with connection(gateway, way) as client:
        done = await client.call_tool(
            f"{server}__trigger-long-running-operation",
            {"duration": 0.3, "steps": 3},
            progress_callback=hear,
        )

    assert told == [(1, 3), (2, 3), (3, 3)]
    assert "Steps: 3" in text_of(done)


@pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("server", ["fixture", "old-fixture", "new-fixture"])
async def test_log_messages_of_a_call_reach_who_called(
    gateway: RunningProgram, way: str, server: str
) -> None:
    heard: list[object] = []

    async def hear(params: types.LoggingMessageNotificationParams) -> None:
        heard.append(params.data)

    async with connection(gateway, way, logging_callback=hear, log_level="debug") as client:
        if way != "auto":
            await client.set_logging_level("debug")
        await client.call_tool(f"{server}__test_tool_with_logging", {})

    expected = ["Tool execution started", "Tool processing data", "Tool execution completed"]
    assert heard == expected


@pytest.mark.parametrize("way", WAYS)
async def test_resources_of_all_servers_are_listed_and_read(
    gateway: RunningProgram, way: str
) -> None:
    async with connection(gateway, way) as client:
        uris = [each.uri for each in (await client.list_resources()).resources]
        texts = {
            uri: (await client.read_resource(uri)).contents[0]
            for uri in uris
            if "architecture" in uri or "static-text" in uri
        }

    assert len(uris) == len(set(uris))
    architecture = "demo://resource/static/document/architecture.md"
    own = [uri for uri in uris if uri.startswith(architecture)]
    assert own == [architecture, f"{architecture}#~over-sse", f"{architecture}#~over-http"]
    assert len({each.text for uri, each in texts.items() if uri in own}) == 1  # type: ignore[union-attr]
    assert [uri for uri, each in texts.items() if uri != each.uri] == []
    fixtures = [each.text for uri, each in texts.items() if uri.startswith("test://")]  # type: ignore[union-attr]
    assert fixtures == ["This is the content of the static text resource."] * 3


@pytest.mark.parametrize("way", WAYS)
async def test_templates_are_listed_and_the_resources_they_make_are_read(
    gateway: RunningProgram, way: str
) -> None:
    async with connection(gateway, way) as client:
        listed = (await client.list_resource_templates()).resource_templates
        templates = [each.uri_template for each in listed]
        text = await client.read_resource("demo://resource/dynamic/text/7")
        marked = await client.read_resource("demo://resource/dynamic/text/8#~over-http")
        made = await client.read_resource("test://template/42/data")

    assert len(templates) == len(set(templates)) == 2 * 3 + 3
    assert [each.uri for each in text.contents] == ["demo://resource/dynamic/text/7"]
    assert [each.uri for each in marked.contents] == ["demo://resource/dynamic/text/8#~over-http"]
    assert isinstance(made.contents[0], types.TextResourceContents)
    assert json.loads(made.contents[0].text)["id"] == "42"


@pytest.mark.parametrize("way", WAYS)
async def test_a_resource_that_nobody_has_is_refused(gateway: RunningProgram, way: str) -> None:
    async with connection(gateway, way) as client:
        with pytest.raises(MCPError, match="not found"):
            await client.read_resource("nowhere://at/all")
        with pytest.raises(MCPError, match="Resource not found"):
            await client.read_resource("test://template/1/nothing")


@pytest.mark.parametrize("way", WAYS)
async def test_prompts_of_all_servers_are_listed_and_filled_in(
    gateway: RunningProgram, way: str
) -> None:
    async with connection(gateway, way) as client:
        names = [each.name for each in (await client.list_prompts()).prompts]
        filled = await client.get_prompt("over-sse__args-prompt", {"city": "Seoul"})
        carrying = await client.get_prompt(
            "over-http__resource-prompt", {"resourceType": "Text", "resourceId": "3"}
        )

    assert {"everything__simple-prompt", "new-fixture__test_simple_prompt"} <= set(names)
    assert len(names) == len(set(names))
    assert filled.messages[0].content == types.TextContent(text="What's weather in Seoul?")
    resource = carrying.messages[1].content
    assert isinstance(resource, types.EmbeddedResource)
    assert resource.resource.uri == "demo://resource/dynamic/text/3#~over-http"


@pytest.mark.parametrize("way", WAYS)
async def test_arguments_of_prompts_and_templates_are_completed(
    gateway: RunningProgram, way: str
) -> None:
    async with connection(gateway, way) as client:
        department = await client.complete(
            types.PromptReference(name="over-sse__completable-prompt"),
            {"name": "department", "value": "S"},
        )
        member = await client.complete(
            types.PromptReference(name="over-http__completable-prompt"),
            {"name": "name", "value": "A"},
            context_arguments={"department": "Engineering"},
        )
        number = await client.complete(
            types.ResourceTemplateReference(uri="demo://resource/dynamic/text/{resourceId}"),
            {"name": "resourceId", "value": "12"},
        )

    assert department.completion.values == ["Sales", "Support"]
    assert member.completion.values == ["Alice"]
    assert number.completion.values == ["12"]


@pytest.mark.parametrize("way", WAYS)
async def test_links_and_embedded_resources_can_be_read_where_they_were_given(
    gateway: RunningProgram, way: str
) -> None:
    async with connection(gateway, way) as client:
        linking = await client.call_tool("over-sse__get-resource-links", {"count": 2})
        links = [each.uri for each in linking.content if isinstance(each, types.ResourceLink)]
        read = [(await client.read_resource(uri)).contents[0].uri for uri in links]
        embedding = await client.call_tool("over-http__get-resource-reference", {"resourceId": 5})

    assert links == [
        "demo://resource/dynamic/blob/1#~over-sse",
        "demo://resource/dynamic/text/2#~over-sse",
    ]
    assert read == links
    embedded = [each for each in embedding.content if isinstance(each, types.EmbeddedResource)]
    expected = ["demo://resource/dynamic/text/5#~over-http"]
    assert [each.resource.uri for each in embedded] == expected


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("server", ["fixture", "old-fixture", "new-fixture"])
async def test_a_server_can_ask_the_user_in_the_middle_of_a_call(
    gateway: RunningProgram, way: str, server: str
) -> None:
    async def answer(_context: object, _params: object) -> types.ElicitResult:
        return types.ElicitResult(action="accept", content={"name": "Ada"})

    async with connection(gateway, way, elicitation_callback=answer) as client:
        greeting = await client.call_tool(f"{server}__test_input_required_result_elicitation", {})

    assert text_of(greeting) == "Hello, Ada!"


@pytest.mark.parametrize("way", WAYS)
async def test_a_tool_that_a_server_keeps_for_clients_that_can_be_asked_is_theirs_alone(
    gateway: RunningProgram, way: str
) -> None:
    async def sample(_context: object, _params: object) -> types.CreateMessageResult:
        content = types.TextContent(text="Sampled.")
        return types.CreateMessageResult(role="assistant", model="none", content=content)

    name = "over-http__trigger-sampling-request"
    async with connection(gateway, way, sampling_callback=sample) as client:

        async def is_theirs() -> bool:
            return name in [tool.name for tool in (await client.list_tools()).tools]

        # What a server keeps for such clients is learnt when the first of them comes by.
        await gateway.eventually(is_theirs)
        done = await client.call_tool(name, {"prompt": "Say it."})
    async with connection(gateway, way) as client:
        others = [tool.name for tool in (await client.list_tools()).tools]

    assert "Sampled." in text_of(done)
    assert name not in others


@pytest.mark.parametrize("way", WAYS)
async def test_what_is_not_there_is_refused_in_words(gateway: RunningProgram, way: str) -> None:
    async with connection(gateway, way) as client:
        with pytest.raises(MCPError, match="Unknown tool: nowhere__echo"):
            await client.call_tool("nowhere__echo", {})
        with pytest.raises(MCPError, match="Unknown prompt: nowhere"):
            await client.get_prompt("nowhere")
        wrong = await client.call_tool("everything__get-sum", {"a": "one", "b": 2})

    assert wrong.is_error is True
