"""Servers that another process of the gateway hosts: what it says of them, and how they look here.

A process that we start has one owner, the keeper. The other processes list what it offers and know
how it is; calls to it are handed over to the keeper before they come as far as this.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from interlock.errors import UpstreamUnavailable
from interlock.gateway.table import Catalogue, Condition, ServerEntry
from interlock.policy.breaker import CircuitState
from interlock.protocol.json import JSONObject
from interlock.protocol.versions import Era
from interlock.registry.entities import Server
from interlock.registry.port import Runner
from interlock.registry.runner import Health
from interlock.upstreams.definition import StdioTarget
from interlock.upstreams.port import ClientFacts, Nobody, ServerFacts
from interlock.upstreams.upstream import Owner, Upstream

Meet = Callable[[str, str, JSONObject], None]
Changed = Callable[[Runner], None]


@dataclass(frozen=True, slots=True)
class HostedState:
    """How a hosted server is, in the words of the process that hosts it."""

    server_id: str
    condition: Condition = "starting"
    reason: str | None = "It is being started."
    eras: frozenset[Era] = frozenset()
    catalogue: Catalogue | None = None
    variants: Mapping[str, Catalogue] = field(default_factory=dict[str, Catalogue])

    @classmethod
    def of(cls, runner: Runner) -> "HostedState":
        """Return how a server is that this process hosts."""
        entry = runner.entry
        return cls(
            server_id=entry.id,
            condition=entry.condition,
            reason=entry.reason,
            eras=runner.upstream.eras or frozenset(),
            catalogue=entry.catalogue,
            variants=entry.variants,
        )

    def document(self) -> JSONObject:
        """Return the state as JSON, from which `read` makes it again."""
        return {
            "server_id": self.server_id,
            "condition": self.condition,
            "reason": self.reason,
            "eras": sorted(self.eras),
            "catalogue": asdict(self.catalogue) if self.catalogue is not None else None,
            "variants": {mark: asdict(each) for mark, each in self.variants.items()},
        }

    @classmethod
    def read(cls, document: JSONObject) -> "HostedState":
        """Return the state that a process of ours wrote."""
        catalogue = document["catalogue"]
        return cls(
            server_id=document["server_id"],
            condition=document["condition"],
            reason=document["reason"],
            eras=frozenset(Era(era) for era in document["eras"]),
            catalogue=_catalogue(catalogue) if catalogue is not None else None,
            variants={mark: _catalogue(each) for mark, each in document["variants"].items()},
        )


def _catalogue(document: JSONObject) -> Catalogue:
    facts: Any = document["facts"]
    items: Any = {kind: tuple(items) for kind, items in document["items"].items()}
    return Catalogue(
        ServerFacts(
            era=Era(facts["era"]),
            version=facts["version"],
            info=facts["info"],
            capabilities=facts["capabilities"],
            instructions=facts["instructions"],
            versions=tuple(facts["versions"]),
        ),
        items,
        ttl_ms=document["ttl_ms"],
        is_private=document["is_private"],
    )


def is_hosted(server: Server) -> bool:
    """Tell whether a server is a process that we start."""
    return isinstance(server.definition.target, StdioTarget)


class Host:
    """The process that hosts all stdio servers, as another one knows it; `number` is its own.

    `meet` is called with each kind of client that is met here: project, signature, capabilities.
    """

    def __init__(self, number: int, meet: Meet) -> None:
        self.number = number
        self.meet = meet
        self._states: dict[str, HostedState] = {}
        self._runners: dict[str, HostedElsewhere] = {}

    def state(self, server_id: str) -> HostedState:
        """Return how a server is; one of which nothing was heard is being started."""
        return self._states.get(server_id) or HostedState(server_id)

    def take(self, state: HostedState) -> None:
        """Take note of how a server is now."""
        self._states[state.server_id] = state
        runner = self._runners.get(state.server_id)
        if runner is not None:
            runner.told()

    def runner(self, server: Server, changed: Changed) -> "HostedElsewhere":
        """Return what stands for a server here; `changed` hears of each new state."""
        runner = self._runners[server.id] = HostedElsewhere(server, self, changed)
        return runner

    def forget(self, runner: "HostedElsewhere") -> None:
        """Drop a runner that was closed, and what is known of a server that is gone."""
        if self._runners.get(runner.server.id) is runner:
            del self._runners[runner.server.id]
            self._states.pop(runner.server.id, None)


class HostedElsewhere:
    """One enabled server that another process hosts; it fulfils what the registry asks for."""

    def __init__(self, server: Server, host: Host, changed: Changed) -> None:
        self.server = server
        self.health = Health()
        self.catalogue = server.catalogue
        self.circuit = CircuitState("closed")
        self._host = host
        self._changed = changed
        name = server.definition.name
        nobody = Owner("", ClientFacts({}), Nobody())
        self.upstream = Upstream(name, (), nobody, down=lambda _: None, eras=server.eras)
        # Whoever comes as far as this missed the way to the other process.
        self.upstream.blocked = UpstreamUnavailable(
            f"{name} is hosted by another process of the gateway; try again."
        )

    @property
    def entry(self) -> ServerEntry:
        """The server as the routing table has it."""
        state = self._host.state(self.server.id)
        return ServerEntry(
            id=self.server.id,
            name=self.server.definition.name,
            upstream=self.upstream,
            timeout=self.server.definition.timeout,
            catalogue=state.catalogue or self.catalogue,
            condition=state.condition,
            reason=state.reason,
            variants=state.variants,
            process=self._host.number,
            tool_timeouts=self.server.definition.tool_timeouts,
            disabled_tools=self.server.definition.disabled_tools,
        )

    def told(self) -> None:
        """Take over what the other process said."""
        state = self._host.state(self.server.id)
        self.upstream.eras = state.eras or None
        self.catalogue = state.catalogue or self.catalogue
        self._changed(self)

    def meet(self, kinds: Mapping[str, JSONObject]) -> None:
        """Let the other process read what the server offers to these kinds of clients."""
        for mark, capabilities in kinds.items():
            self._host.meet(self.server.project_id, mark, capabilities)

    async def watch(self, uris: frozenset[str], of: str | None = None) -> None:
        """Do nothing: who subscribes to a hosted server is served by the other process."""

    def take(self, server: Server) -> None:
        """Go on with another definition, which connects like the one before."""
        self.server = server

    def restart(self) -> None:
        """Do nothing: the other process starts it."""

    async def close(self) -> None:
        """Forget it."""
        self._host.forget(self)
        await self.upstream.close()
