"""The port: what the registry asks of whatever keeps one server, here or in another process."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from interlock.gateway.table import Catalogue, ServerEntry
from interlock.policy.breaker import CircuitState
from interlock.protocol.json import JSONObject
from interlock.registry.entities import Server
from interlock.registry.runner import Health
from interlock.upstreams.upstream import Upstream


class Runner(Protocol):
    """One enabled server, until it is closed."""

    server: Server
    health: Health
    catalogue: Catalogue | None

    @property
    def upstream(self) -> Upstream:
        """The live side of the server."""
        ...

    @property
    def circuit(self) -> CircuitState:
        """Whether calls are let through."""
        ...

    @property
    def entry(self) -> ServerEntry:
        """The server as the routing table has it."""
        ...

    def meet(self, kinds: Mapping[str, JSONObject]) -> None:
        """Read what the server offers to these kinds of clients (capabilities by signature)."""
        ...

    async def watch(self, uris: frozenset[str], of: str | None = None) -> None:
        """Subscribe to exactly these resources, of which `of` is newly in or out.

        Raises RPCError where the server refuses what concerns `of`, and UpstreamFailed.
        """
        ...

    def take(self, server: Server) -> None:
        """Go on with another definition, which connects like the one before."""
        ...

    def restart(self) -> None:
        """Start the server anew, at once."""
        ...

    async def close(self) -> None:
        """Stop the server and all that belongs to it."""
        ...


def with_definition(runner: Runner, server: Server) -> Server:
    """Return a changed server that keeps what was learnt of it, where that still holds."""
    same_place = runner.server.definition.target == server.definition.target
    eras = runner.upstream.eras if same_place else None
    return replace(server, eras=eras, catalogue=runner.catalogue if same_place else None)
