"""Lists the tools behind a running gateway and calls one, with the official MCP SDK for Python.

Install the SDK with `pip install 'mcp>=2'`, set INTERLOCK_KEY to an API key, and run this file.
"""
# ruff: noqa: INP001, T201 -- An example is no package, and it prints.

import asyncio
import os

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

URL = os.environ.get("INTERLOCK_URL", "http://127.0.0.1:20100") + "/mcp/default"


async def main() -> None:
    """Connect, list, call."""
    headers = {"Authorization": f"Bearer {os.environ['INTERLOCK_KEY']}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(URL, http_client=http)) as client,
    ):
        for tool in (await client.list_tools()).tools:
            print(f"{tool.name}: {tool.description}")
        result = await client.call_tool("sample__add", {"a": 2, "b": 3})
        print(result.structured_content)


asyncio.run(main())
