"""The whole program: built from the settings, started in order, taken down in turn."""

import sys
from dataclasses import dataclass
from pathlib import Path

from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from interlock.app import landing, rest_records
from interlock.app.bulletin import Announced, Bulletin
from interlock.app.control import control_app
from interlock.app.data_plane import DataPlane, open_data_plane
from interlock.app.door import Door, KeeperDoor
from interlock.app.echo import Echo
from interlock.app.first_start import FirstStart, leave_credentials, prepare
from interlock.app.front import Process, front, handover_to
from interlock.app.ground import Ground, open_ground
from interlock.app.metrics import GatewayMetrics, ProcessMetrics, asking
from interlock.app.metrics import routes as metrics_routes
from interlock.app.observation import observe
from interlock.app.readiness import Readiness
from interlock.app.sockets import Doors
from interlock.app.strict_body import StrictBody
from interlock.audit import api as audit_api
from interlock.audit import statistics_api
from interlock.errors import BadInput
from interlock.exports import api as exports_api
from interlock.exports import source_api
from interlock.gateway.catalogue import GATEWAY
from interlock.gateway.entry import client_of
from interlock.gateway.handover import KEEPER, Handover
from interlock.gateway.perimeter import is_loopback
from interlock.gateway.relay import Relay
from interlock.identity import api as identity_api
from interlock.identity.entities import Project
from interlock.identity.principal import Role
from interlock.registry import api as registry_api
from interlock.registry.config import ImportedConfig, read_config
from interlock.registry.importing import Importer, environment
from interlock.settings import Settings
from interlock.station import api as station_api
from interlock.station.conversations import HostedConversation
from interlock.station.sessions import Conversation, ProcessSessions
from interlock.upstreams.definition import ServerDefinition, StdioTarget

SAMPLE = ServerDefinition(
    "sample",
    StdioTarget(sys.executable, ("-m", "interlock.station.sample_server")),
    description="A small bundled server, so that the first call works at once.",
)


@dataclass(frozen=True, slots=True)
class Report:
    """What a start has to tell its user."""

    first: FirstStart | None
    warnings: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


class Program(Process):
    """The program as one ASGI application; `open` it before serving, `close` it after.

    With `doors` it is the keeper: the first process of a gateway of several. `door` is then what
    the others reach of it.
    """

    def __init__(self, settings: Settings, doors: Doors | None = None) -> None:
        super().__init__()
        self._settings = settings
        self._doors = doors
        self.door: Door | None = None
        self._relay: Relay | None = None

    async def open(self, config: Path | None) -> Report:
        """Build and start everything; `config` is a file of servers for the default project.

        Raises InterlockError with the cure where the settings or the file cannot be used.
        """
        imported = _read(config) if config is not None else None
        try:
            return await self._open(imported)
        except BaseException:
            await self.close()
            raise

    async def _open(self, imported: ImportedConfig | None) -> Report:
        settings = self._settings
        ground = await open_ground(settings, self._stack)
        project, first = await prepare(settings, ground.projects, ground.people, ground.keys)
        await leave_credentials(settings, project, ground.keys)
        warnings: list[str] = []
        if imported is not None:
            project = await ground.projects.ensure(
                project.name,
                naming=imported.options.naming,
                aliases=imported.options.aliases,
                open=imported.options.open,
            )
            warnings += [each.message for each in imported.warnings]
        elif project.open:
            # A project is open only for as long as the file that says so is given.
            project = await ground.projects.update(project.id, open=False)
        allow_open = is_loopback(settings.host)
        if project.open:
            warnings.append(_open_warning(project, allowed=allow_open))
        handover = self._handover(ground)
        plane = await open_data_plane(settings, ground, self._stack, handover)
        plane.registry.allow_open = allow_open
        await plane.registry.start()
        faults = await _take_servers(plane, project, imported, is_first=first is not None)
        self._plane = plane
        metrics = self._metrics(observe(KEEPER, plane, ground, self._stack))
        bulletin = Bulletin(plane.registry, ground.keys) if self._doors is not None else None
        self._app = app = self._build_app(ground, plane, project, bulletin, metrics)
        if bulletin is not None:
            echo = Echo(plane.changes, bulletin.tell)
            self._stack.callback(echo.close)
            plane.registry.announce = echo.noticed
            self.door = KeeperDoor(app, bulletin, echo, plane.registry)
        return Report(first, tuple(warnings), tuple(faults))

    def _handover(self, ground: Ground) -> Handover:
        if self._doors is None:
            return Handover()
        self._relay = relay = Relay(KEEPER, self._doors.paths)
        self._stack.push_async_callback(relay.close)
        return handover_to(self._doors, KEEPER, relay, ground)

    def _metrics(self, own: ProcessMetrics) -> GatewayMetrics:
        if self._doors is None or self._relay is None:
            return GatewayMetrics(own)
        return GatewayMetrics(own, range(1, self._doors.count), asking(self._relay))

    def _build_app(
        self,
        ground: Ground,
        plane: DataPlane,
        project: Project,
        bulletin: Bulletin | None,
        metrics: GatewayMetrics,
    ) -> ASGIApp:
        settings, registry = self._settings, plane.registry
        allow_open = registry.allow_open
        gate, logins = ground.gate(settings, allow_open=allow_open)
        sessions = self._rest_sessions(plane)
        readiness = Readiness(ground.database, ground.writer)
        self._stack.push_async_callback(readiness.close)

        async def default_owner(request: Request) -> str:
            rest_records.arrived(request, await gate.principal(request))
            access = await gate.project(Role.OWNER)(request, project.name)
            entry = registry.table.project(project.name)
            plane.limits.take(access.principal, entry, client_of(request.scope))
            return access.project.workspace_id

        def address() -> str:
            return settings.address

        routers = [
            identity_api.routes(
                gate,
                logins=logins,
                projects=ground.projects,
                keys=ground.keys,
                on_change=registry.projects_changed,
            ),
            registry_api.routes(registry, gate),
            exports_api.routes(registry, gate, address),
            audit_api.routes(ground.records, ground.writer, gate.project(Role.REPORTER)),
            statistics_api.routes(ground.records, ground.writer, gate.project(Role.REPORTER)),
            station_api.routes(sessions, default_owner, rest_records.called),
            source_api.project_routes(registry, gate, address),
            source_api.gateway_routes(registry, gate, lambda: project),
            landing.routes(settings.address),
            metrics_routes(metrics, gate, settings, registry.project_name),
        ]
        control: ASGIApp = control_app(routers, readiness.missing)
        if bulletin is not None:
            control = Announced(control, bulletin)
        control = StrictBody(control, settings.gateway.max_body)
        recorded = rest_records.RESTRecords(control, plane.ledger, project.name)

        async def rest(scope: Scope, receive: Receive, send: Send) -> None:
            is_recorded = scope["type"] == "http" and rest_records.is_recorded(scope)
            await (recorded if is_recorded else control)(scope, receive, send)

        return front(settings, plane, rest)

    def _rest_sessions(self, plane: DataPlane) -> ProcessSessions:
        async def connect(target: StdioTarget, name: str) -> Conversation:
            return await HostedConversation.open(plane.station, target, name, GATEWAY)

        sessions = ProcessSessions(connect, self._settings.station)
        self._stack.push_async_callback(sessions.close)
        return sessions


async def _take_servers(
    plane: DataPlane, project: Project, imported: ImportedConfig | None, *, is_first: bool
) -> list[str]:
    if imported is None:
        if is_first and not plane.registry.servers(project.id):
            await plane.registry.add(project.id, SAMPLE)
        return []
    taken = await Importer(plane.registry).take_all(project, imported)
    faults = [fault.message for fault in imported.faults]
    return faults + [f"Server {each.name}: {each.error}" for each in taken if each.error]


def _read(config: Path) -> ImportedConfig:
    try:
        text_of_file = config.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{config} cannot be read: {error.strerror}; check --config.") from None
    except UnicodeDecodeError:
        raise BadInput(f"{config} is not UTF-8 text; check --config.") from None
    try:
        return read_config(text_of_file, environ=environment(), source=str(config.absolute()))
    except BadInput as fault:
        raise BadInput(f"{config}: {fault.message}") from None


def _open_warning(project: Project, *, allowed: bool) -> str:
    if allowed:
        return (
            f"Project {project.name} is OPEN: every program on this machine may use its tools "
            'without a key. Remove "open" from the configuration file to change that.'
        )
    return (
        f"Project {project.name} is marked as open, but this address is not loopback only: "
        "callers need a key all the same."
    )
