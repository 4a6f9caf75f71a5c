"""Features of lists: what servers offer arrives whole, under names that do not collide."""

import mcp_types as types

from tests.matrix.cell import SERVERS, Cell, exposed
from tests.matrix.everything_offer import (
    APP_TYPE,
    APP_URI,
    FANCY,
    PROMPTS,
    RESOURCES,
    TEMPLATES,
    TOOLS,
    JSONObject,
    app_html,
)
from tests.matrix.features import feature

PAGE_SIZE = 30  # items of the gateway's own pages; the servers' are smaller still


def _of(server: str, items: list[JSONObject], known: list[JSONObject]) -> list[JSONObject]:
    """Return the items of one server under their own names, without those that tests added."""
    names = {each["name"] for each in known}
    mine = [each for each in items if each["name"].startswith(f"{server}__")]
    plain = [{**each, "name": each["name"].removeprefix(f"{server}__")} for each in mine]
    return [each for each in plain if each["name"] in names]


@feature("tool list")
async def tool_list(cell: Cell) -> None:
    """Titles, icons, annotations, `_meta`, schemas with `$defs`, and what nobody knows."""
    async with cell.raw() as client:
        listed = await client.all_of("tools/list", "tools")

    for server in SERVERS:
        app = {"ui": {"resourceUri": exposed(server, APP_URI), "visibility": ["model", "app"]}}
        expected = [{**each, "_meta": app} if each["name"] == "app" else each for each in TOOLS]
        assert expected == _of(server, listed, TOOLS)


@feature("tool list, as the SDK reads it")
async def tool_list_typed(cell: Cell) -> None:
    """A typed client finds no fault with the lists, and the fields where it looks for them."""
    async with cell.sdk() as client:
        tools = (await client.list_tools()).tools

    (fancy,) = [each for each in tools if each.name == "one__fancy"]
    assert FANCY["title"] == fancy.title
    assert FANCY["inputSchema"] == fancy.input_schema
    assert FANCY["outputSchema"] == fancy.output_schema
    assert FANCY["_meta"] == fancy.meta
    assert fancy.annotations is not None
    assert fancy.annotations.read_only_hint is True
    assert fancy.icons is not None
    assert [each["src"] for each in FANCY["icons"]] == [each.src for each in fancy.icons]


@feature("pagination")
async def pagination(cell: Cell) -> None:
    """Servers' pages are all read, and the gateway's pages make the same list."""
    async with cell.sdk() as client:
        pages: list[types.ListToolsResult] = [await client.list_tools()]
        while pages[-1].next_cursor is not None:
            pages.append(await client.list_tools(cursor=pages[-1].next_cursor))

    names = [tool.name for page in pages for tool in page.tools]
    assert {PAGE_SIZE} == {len(page.tools) for page in pages[:-1]}
    assert len(names) == len(set(names))
    assert {f"{server}__{tool['name']}" for server in SERVERS for tool in TOOLS} <= set(names)


@feature("prompts list")
async def prompts_list(cell: Cell) -> None:
    async with cell.raw() as client:
        listed = await client.all_of("prompts/list", "prompts")

    assert dict.fromkeys(SERVERS, PROMPTS) == {
        server: _of(server, listed, PROMPTS) for server in SERVERS
    }


@feature("resources list")
async def resources_list(cell: Cell) -> None:
    async with cell.raw() as client:
        listed = await client.all_of("resources/list", "resources")

    for server in SERVERS:
        expected = [{**each, "uri": exposed(server, each["uri"])} for each in RESOURCES]
        uris = {each["uri"] for each in expected}
        assert expected == [each for each in listed if each["uri"] in uris]
    assert len(listed) == len({each["uri"] for each in listed})


@feature("templates list")
async def templates_list(cell: Cell) -> None:
    async with cell.raw() as client:
        listed = await client.all_of("resources/templates/list", "resourceTemplates")

    assert listed == [
        {**each, "uriTemplate": exposed(server, each["uriTemplate"])}
        for server in SERVERS
        for each in TEMPLATES
    ]


@feature("MCP Apps")
async def apps(cell: Cell) -> None:
    """The page that a tool names can be read, and is the one of that tool's server."""
    async with cell.raw(
        extensions={"io.modelcontextprotocol/ui": {"mimeTypes": [APP_TYPE]}}
    ) as client:
        tools = await client.all_of("tools/list", "tools")
        for server in SERVERS:
            (tool,) = [each for each in tools if each["name"] == f"{server}__app"]
            uri = tool["_meta"]["ui"]["resourceUri"]
            (page,) = (await client.request("resources/read", {"uri": uri}))["contents"]
            domains = {"connectDomains": [f"https://{server}.example"]}
            assert uri.startswith("ui://")
            assert page == {
                "uri": uri,
                "mimeType": APP_TYPE,
                "text": app_html(server),
                "_meta": {"ui": {"csp": domains}},
            }
