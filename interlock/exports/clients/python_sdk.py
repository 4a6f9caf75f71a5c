"""The MCP SDK for Python: a program that connects to each endpoint."""

from collections.abc import Sequence

from interlock.exports.clients.format import ClientFormat, Endpoint
from interlock.exports.clients.snippets import Snippet, fill

FORMAT = ClientFormat(
    id="python-sdk",
    title="Python SDK",
    file_hint="a Python program; pip install 'mcp>=2'",
    language="python",
)

_SNIPPET = Snippet(
    imports=(
        "import asyncio",
        "",
        "import httpx2",
        "from mcp import Client",
        "from mcp.client.streamable_http import streamable_http_client",
    ),
    body="""\
async def main() -> None:
    for name, (url, timeout) in SERVERS.items():
        async with (
            httpx2.AsyncClient(headers=HEADERS, timeout=timeout) as http,
            Client(streamable_http_client(url, http_client=http)) as client,
        ):
            tools = await client.list_tools()
            print(name, [tool.name for tool in tools.tools])


asyncio.run(main())
""",
)


def write(endpoints: Sequence[Endpoint], key: str | None) -> str:
    """Return a program that lists the tools of every endpoint."""
    return fill(_SNIPPET, endpoints, key)
