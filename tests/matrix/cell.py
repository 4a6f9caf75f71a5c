"""One cell of the matrix: a kind of client, a kind of server, and the gateway between them."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import httpx2
from anyio import BrokenResourceError
from mcp.client.client import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from tests.matrix.raw_client import (
    NO_TLS,
    SECONDS,
    JSONObject,
    ModernClient,
    RawClient,
    raw_client,
)

SERVERS = ("one", "two")


class Gateway(Protocol):
    """The gateway under test; `key` is an owner's."""

    @property
    def address(self) -> str:
        """Its base address."""
        ...

    @property
    def key(self) -> str:
        """An owner's key."""
        ...

    async def new_key(self, role: str) -> str:
        """Make somebody else a key of the project."""
        ...


@dataclass(frozen=True, slots=True)
class Cell:
    """`client` and `back` are an era and a transport each."""

    gateway: Gateway
    client: str
    back: str

    @property
    def is_modern(self) -> bool:
        """Whether the client is of the modern era."""
        return self.client.startswith("modern")

    @property
    def serves_modern(self) -> bool:
        """Whether the servers are of the modern era."""
        return self.back.startswith("modern")

    @asynccontextmanager
    async def sdk(self, **callbacks: Any) -> AsyncIterator[Client]:
        """Connect the official SDK's client to the endpoint of both servers."""
        address = self.gateway.address
        more: dict[str, Any] = {"mode": "auto" if self.is_modern else "legacy", **callbacks}
        async with AsyncExitStack() as stack:
            if self.client == "legacy-sse":
                transport = self._sse(f"{address}/sse/default")
            else:
                http = await stack.enter_async_context(self._http())
                transport = streamable_http_client(f"{address}/mcp/default", http_client=http)
            client = Client(transport, read_timeout_seconds=SECONDS, cache=None, **more)
            yield await stack.enter_async_context(client)

    @asynccontextmanager
    async def _sse(self, address: str) -> AsyncIterator[Any]:
        try:
            async with sse_client(
                address, timeout=SECONDS, httpx_client_factory=self._http
            ) as streams:
                yield streams
        except* BrokenResourceError:
            # The SDK fails where the gateway says something in the moment in which it leaves.
            pass

    def _http(
        self,
        headers: dict[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
        auth: httpx2.Auth | None = None,
    ) -> httpx2.AsyncClient:
        own = {**(headers or {}), "authorization": f"Bearer {self.gateway.key}"}
        return httpx2.AsyncClient(
            headers=own,
            timeout=timeout or SECONDS,
            auth=auth,
            verify=NO_TLS,
            transport=self.transport(),
        )

    def transport(self) -> httpx2.AsyncBaseTransport | None:
        """Return how the gateway is reached, if not by its address."""
        return None

    def raw(
        self, *, key: str | None = None, **capabilities: Any
    ) -> AbstractAsyncContextManager[RawClient]:
        """Connect a plain client with these capabilities to the endpoint of both servers.

        `key` is somebody else's.
        """
        gateway = self.gateway
        return raw_client(
            self.client,
            gateway.address,
            key or gateway.key,
            capabilities,
            transport=self.transport(),
        )

    def raw_at(self, server: str, **capabilities: Any) -> AbstractAsyncContextManager[RawClient]:
        """Connect a plain client to the endpoint of one server."""
        gateway = self.gateway
        place = f"default/{server}"
        return raw_client(
            self.client,
            gateway.address,
            gateway.key,
            capabilities,
            place=place,
            transport=self.transport(),
        )

    async def other_key(self) -> str:
        """Return the key of somebody else in the project."""
        return await self.gateway.new_key("developer")

    @asynccontextmanager
    async def listening(self, **wanted: Any) -> AsyncIterator[RawClient]:
        """Connect a plain client that hears of the changes that are `wanted`, as its era does."""
        async with self.raw() as client:
            if isinstance(client, ModernClient):
                async with client.listening(**wanted) as agreed:
                    assert wanted == agreed["notifications"]
                    yield client
                return
            for uri in wanted.get("resourceSubscriptions", ()):
                await client.request("resources/subscribe", {"uri": uri})
            yield client


def exposed(server: str, uri: str) -> str:
    """Return the URI under which clients reach what both servers call `uri`."""
    return uri if server == SERVERS[0] else f"{uri}#~{server}"


def facts(result: JSONObject) -> JSONObject:
    """Return the facts that a raw tool result tells."""
    assert not result.get("isError"), result
    return result["structuredContent"]
