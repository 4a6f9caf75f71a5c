"""AutoGen: a program that opens each endpoint as a workbench."""

from collections.abc import Sequence

from interlock.exports.clients.format import ClientFormat, Endpoint
from interlock.exports.clients.snippets import Snippet, fill

FORMAT = ClientFormat(
    id="autogen",
    title="AutoGen",
    file_hint="a Python program; pip install 'autogen-ext[mcp]' 'mcp<2'",
    language="python",
)

_SNIPPET = Snippet(
    imports=(
        "import asyncio",
        "",
        "from autogen_ext.tools.mcp import McpWorkbench, StreamableHttpServerParams",
    ),
    body="""\
async def main() -> None:
    for name, (url, timeout) in SERVERS.items():
        server = StreamableHttpServerParams(
            url=url, headers=HEADERS, timeout=timeout, sse_read_timeout=timeout
        )
        async with McpWorkbench(server) as workbench:
            # Hand the workbench to an agent: AssistantAgent(..., workbench=workbench)
            tools = await workbench.list_tools()
            print(name, [tool["name"] for tool in tools])


asyncio.run(main())
""",
)


def write(endpoints: Sequence[Endpoint], key: str | None) -> str:
    """Return a program that lists the tools of every endpoint."""
    return fill(_SNIPPET, endpoints, key)
