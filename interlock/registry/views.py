"""Servers as the API shows them: names of secrets, never their values."""

from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Self

from pydantic import BaseModel

from interlock.gateway.table import Catalogue
from interlock.policy.access import may_call
from interlock.policy.breaker import CircuitState
from interlock.registry.entities import Server
from interlock.registry.port import Runner
from interlock.registry.trial import Trial
from interlock.station.logs import LogLine
from interlock.upstreams.balancing import EndpointHealth
from interlock.upstreams.definition import HTTPTarget, ServerDefinition, StdioTarget
from interlock.upstreams.hiding import HIDDEN, hidden_args, hidden_url


class EndpointView(BaseModel):
    """One address of a remote server; `until` is when it is used again."""

    url: str
    state: Literal["ok", "ejected", "busy"]
    pending: int
    until: datetime | None

    @classmethod
    def of(cls, health: EndpointHealth) -> Self:
        """Show an endpoint."""
        url = hidden_url(health.url)
        return cls(
            url=url,
            state=health.state,
            pending=health.pending,
            until=_moment(health.for_seconds),
        )


class ConnectionsView(BaseModel):
    """The bounds of the connections to a remote server; times in seconds."""

    max: int
    connect_timeout: float
    idle_timeout: float


class ServerView(BaseModel):
    """A server with how it is now."""

    id: str
    name: str
    transport: str
    command: str | None = None
    args: list[str] | None = None
    env_names: list[str] | None = None
    cwd: str | None = None
    url: str | None = None
    urls: list[str] | None = None
    header_names: list[str] | None = None
    retries: int | None = None
    connections: ConnectionsView | None = None
    timeout: float
    tool_timeouts: dict[str, float]
    disabled_tools: list[str]
    auto_approve: list[str]
    disabled: bool
    description: str
    status: Literal["ok", "starting", "stale", "failed", "disabled"]
    reason: str | None
    eras: list[str]
    server_info: dict[str, Any] | None
    tool_count: int
    response_ms: float | None
    last_error: str | None
    last_error_at: datetime | None
    restarts: int
    circuit: Literal["closed", "open", "half_open"]
    circuit_until: datetime | None
    endpoints: list[EndpointView] | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, server: Server, runner: Runner | None) -> Self:
        """Show a server; one without a runner is disabled."""
        definition = server.definition
        catalogue = runner.catalogue if runner else server.catalogue
        health = runner.health if runner else None
        entry = runner.entry if runner else None
        circuit = runner.circuit if runner else CircuitState("closed")
        remote = runner.upstream.remote if runner else None
        eras = (runner.upstream.eras if runner else server.eras) or frozenset()
        return cls(
            id=server.id,
            name=definition.name,
            transport=definition.transport,
            timeout=definition.timeout,
            tool_timeouts=definition.tool_timeouts,
            disabled_tools=list(definition.disabled_tools),
            auto_approve=list(definition.auto_approve),
            disabled=definition.disabled,
            description=definition.description,
            status=entry.condition if entry else "disabled",
            reason=entry.reason if entry else None,
            eras=sorted(era.value for era in eras),
            server_info=catalogue.facts.info if catalogue else None,
            tool_count=_count(definition, catalogue),
            response_ms=health.response_ms if health else None,
            last_error=health.last_error if health else None,
            last_error_at=health.last_error_at if health else None,
            restarts=health.restarts if health else 0,
            circuit=circuit.state,
            circuit_until=_moment(circuit.retry_in),
            endpoints=[EndpointView.of(each) for each in remote.endpoints.health()]
            if remote
            else None,
            created_at=server.created_at,
            updated_at=server.updated_at,
            **_target(definition),
        )


def _count(definition: ServerDefinition, catalogue: Catalogue | None) -> int:
    tools = catalogue.items.get("tools", ()) if catalogue is not None else ()
    return sum(may_call(None, definition, str(tool.get("name"))) for tool in tools)


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)


def _target(definition: ServerDefinition) -> dict[str, Any]:
    target = definition.target
    if isinstance(target, StdioTarget):
        return {
            "command": target.command,
            "args": hidden_args(target.args),
            "env_names": sorted(target.env),
            "cwd": target.cwd,
        }
    return {
        "url": hidden_url(target.url),
        "urls": [hidden_url(url) for url in target.urls],
        "header_names": sorted(target.headers),
        "retries": definition.retries,
        "connections": ConnectionsView(**asdict(definition.connections)),
    }


class HealthView(BaseModel):
    """How one server is."""

    name: str
    status: str
    reason: str | None
    response_ms: float | None
    last_error: str | None
    last_error_at: datetime | None
    restarts: int
    circuit: Literal["closed", "open", "half_open"]
    circuit_until: datetime | None
    endpoints: list[EndpointView] | None

    @classmethod
    def of(cls, server: Server, runner: Runner | None) -> Self:
        """Show the health of a server."""
        view = ServerView.of(server, runner)
        return cls(**view.model_dump(include=set(cls.model_fields)))


class TrialView(BaseModel):
    """What a test of a connection found."""

    ok: bool
    latency_ms: float
    era: str | None = None
    protocol_version: str | None = None
    server_info: dict[str, Any] | None = None
    instructions: str | None = None
    tool_count: int = 0
    tools: list[str] = []
    error: str | None = None

    @classmethod
    def of(cls, trial: Trial) -> Self:
        """Show a test."""
        if trial.catalogue is None:
            return cls(ok=False, latency_ms=trial.latency_ms, error=trial.error)
        facts = trial.catalogue.facts
        tools = [str(tool.get("name")) for tool in trial.catalogue.items.get("tools", ())]
        return cls(
            ok=True,
            latency_ms=trial.latency_ms,
            era=facts.era.value,
            protocol_version=facts.version,
            server_info=facts.info,
            instructions=facts.instructions,
            tool_count=len(tools),
            tools=tools,
        )


class LogLineView(BaseModel):
    """One line that a server wrote to stderr."""

    time: datetime
    text: str

    @classmethod
    def of(cls, line: LogLine) -> Self:
        """Show a line."""
        return cls(time=line.time, text=line.text)


def merged_target(
    old: StdioTarget | HTTPTarget, new: StdioTarget | HTTPTarget
) -> StdioTarget | HTTPTarget:
    """Return `new` with the secrets of `old` where the caller sent back what we had hidden."""
    if isinstance(old, StdioTarget) and isinstance(new, StdioTarget):
        env = {name: _kept(value, old.env.get(name)) for name, value in new.env.items()}
        args = new.args
        if list(args) == hidden_args(old.args):
            args = old.args
        return replace(new, env=env, args=args)
    if isinstance(old, HTTPTarget) and isinstance(new, HTTPTarget):
        headers = {name: _kept(value, old.headers.get(name)) for name, value in new.headers.items()}
        known = {hidden_url(url): url for url in old.urls}
        url, *more = (known.get(url, url) for url in new.urls)
        return replace(new, headers=headers, url=url, more_urls=tuple(more))
    return new


def _kept(value: str, old: str | None) -> str:
    return old if value == HIDDEN and old is not None else value
