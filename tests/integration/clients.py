"""Clients of the program: the official SDK's, and plain HTTP for what the SDK never sends."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
import mcp_types as types
from mcp.client.client import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from tests.support.program import RunningProgram

WAYS = ("legacy", "auto", "sse")
"""How clients come: over Streamable HTTP in either era, and over the legacy SSE transport."""

SECONDS = 60.0
MODERN = "2026-07-28"
LEGACY = "2025-11-25"
BOTH = "application/json, text/event-stream"
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "a-test", "version": "1"},
}


def bearer(key: str) -> dict[str, str]:
    """Make the header that carries a key."""
    return {"authorization": f"Bearer {key}"}


@asynccontextmanager
async def connected(url: str, key: str, mode: str = "auto", **more: Any) -> AsyncIterator[Client]:
    """Connect the SDK's client over Streamable HTTP; `mode` is `legacy` or `auto`."""
    async with (
        create_mcp_http_client(headers=bearer(key)) as http,
        Client(
            streamable_http_client(url, http_client=http),
            mode=mode,
            read_timeout_seconds=SECONDS,
            cache=None,
            **more,
        ) as client,
    ):
        yield client


@asynccontextmanager
async def connected_by_sse(url: str, key: str, **more: Any) -> AsyncIterator[Client]:
    """Connect the SDK's client over the legacy SSE transport."""
    transport = sse_client(url, headers=bearer(key), timeout=SECONDS)
    async with Client(transport, mode="legacy", read_timeout_seconds=SECONDS, **more) as client:
        yield client


def connection(
    gateway: RunningProgram, way: str, server: str | None = None, **more: Any
) -> AbstractAsyncContextManager[Client]:
    """Connect one of the WAYS to the endpoint of all servers in the default project, or of one."""
    place = "default" if server is None else f"default/{server}"
    if way == "sse":
        return connected_by_sse(f"{gateway.address}/sse/{place}", gateway.key, **more)
    return connected(f"{gateway.address}/mcp/{place}", gateway.key, way, **more)


def text_of(result: types.CallToolResult) -> str:
    """Return the first text of a tool's result."""
    return next(each.text for each in result.content if isinstance(each, types.TextContent))


def request(method: str, params: dict[str, Any] | None = None, number: int = 1) -> dict[str, Any]:
    """Write a request of the legacy era."""
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}}


def modern(method: str, params: dict[str, Any] | None = None, number: int = 1) -> dict[str, Any]:
    """Write a request of the modern era."""
    return request(method, {**(params or {}), "_meta": ENVELOPE}, number)


def modern_headers(method: str, name: str | None = None) -> dict[str, str]:
    """Write the headers that go with a request of the modern era."""
    headers = {"accept": BOTH, "mcp-protocol-version": MODERN, "mcp-method": method}
    return headers if name is None else {**headers, "mcp-name": name}


INITIALIZE = request(
    "initialize",
    {
        "protocolVersion": LEGACY,
        "capabilities": {},
        "clientInfo": {"name": "a-test", "version": "1"},
    },
    number=0,
)


async def open_session(http: httpx2.AsyncClient, path: str, key: str) -> dict[str, str]:
    """Open a legacy session and return the headers of its further requests."""
    headers = {**bearer(key), "accept": BOTH}
    answer = await http.post(path, json=INITIALIZE, headers=headers)
    assert answer.status_code == 200, answer.text
    return {**headers, "mcp-session-id": answer.headers["mcp-session-id"]}
