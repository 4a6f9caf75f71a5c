"""The real program before a puppet of each era, and clients that say exactly what a test wants."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from interlock.protocol.json import JSONObject
from tests.integration.clients import ENVELOPE, modern_headers, request
from tests.matrix.raw_client import LegacyClient, ModernClient, RawClient, raw_client
from tests.requirements.puppet import Puppet, serving
from tests.support.program import RunningProgram, program

PATH = "/mcp/default"
SERVERS = "/api/v1/projects/default/servers"
META = "io.modelcontextprotocol/"
PAGE_SIZE = 2
SECRET = "Bearer of the puppets"


@dataclass(frozen=True, slots=True)
class Stage:
    """The program, and behind it the servers `old` (legacy era) and `new` (modern era)."""

    gateway: RunningProgram
    old: Puppet
    new: Puppet

    def named(self, name: str) -> Puppet:
        """Return the puppet of a name."""
        return self.old if name == "old" else self.new

    @asynccontextmanager
    async def modern(self, **capabilities: Any) -> AsyncIterator[ModernClient]:
        """Connect a modern client to both servers."""
        async with self._client("modern-http", capabilities) as client:
            assert isinstance(client, ModernClient)
            yield client

    @asynccontextmanager
    async def legacy(self, **capabilities: Any) -> AsyncIterator[LegacyClient]:
        """Open a session of a legacy client with both servers."""
        async with self._client("legacy-http", capabilities) as client:
            assert isinstance(client, LegacyClient)
            yield client

    def _client(
        self, kind: str, capabilities: JSONObject
    ) -> AbstractAsyncContextManager[RawClient]:
        return raw_client(kind, self.gateway.address, self.gateway.key, capabilities)

    @asynccontextmanager
    async def joined_by(self, third: Puppet) -> AsyncIterator[Puppet]:
        """Have a third server, `third`, for as long as the block runs."""
        async with serving(third):
            await add(self.gateway, "third", {"url": third.url})
            await self.gateway.up("third")
            yield third
            await self.gateway.client.delete(f"{SERVERS}/third")

    async def post(
        self, message: Any, headers: dict[str, str], path: str = PATH
    ) -> httpx2.Response:
        """Post a message as it is."""
        return await self.gateway.client.post(path, json=message, headers=headers)

    async def call(
        self,
        method: str,
        params: JSONObject | None = None,
        *,
        without: str | None = None,
        **headers: str,
    ) -> httpx2.Response:
        """Post a modern request; `without` leaves out a field of `_meta`, headers are added."""
        meta = {key: value for key, value in ENVELOPE.items() if key != f"{META}{without}"}
        params = params or {}
        own = modern_headers(method, params.get("name") or params.get("uri"))
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.post(request(method, {**params, "_meta": meta}), {**own, **more})


@asynccontextmanager
async def staged() -> AsyncIterator[Stage]:
    """Start the program, and both servers behind it."""
    settings = {"page_size": PAGE_SIZE}
    async with (
        program({"mcpServers": {}}, gateway=settings) as gateway,
        serving(Puppet("legacy")) as old,
        serving(Puppet("modern")) as new,
    ):
        for name, one in (("old", old), ("new", new)):
            await add(gateway, name, {"url": one.url, "headers": {"authorization": SECRET}})
        await gateway.up("old", "new")
        yield Stage(gateway, old, new)
        for name in ("old", "new"):
            await gateway.client.delete(f"{SERVERS}/{name}")


async def add(gateway: RunningProgram, name: str, definition: JSONObject) -> None:
    """Register a server."""
    answer = await gateway.client.post(SERVERS, json={"name": name, **definition})
    assert answer.status_code == 201, answer.text


def error_of(answer: httpx2.Response) -> tuple[int, int]:
    """Return the HTTP status and the code of a refusal."""
    return answer.status_code, answer.json()["error"]["code"]
