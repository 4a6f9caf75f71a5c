"""The whole program: built from the settings, started in order, taken down in turn."""

import sys
from dataclasses import dataclass
from pathlib import Path

from starlette.types import ASGIApp

from interlock.app.bulletin import Bulletin
from interlock.app.data_plane import DataPlane, open_data_plane
from interlock.app.door import Door, KeeperDoor
from interlock.app.echo import Echo
from interlock.app.first_start import FirstStart, leave_credentials, prepare
from interlock.app.front import Process, front, handover_to
from interlock.app.ground import Ground, open_ground
from interlock.app.late import Late
from interlock.app.live import News
from interlock.app.metrics import GatewayMetrics, ProcessMetrics, asking
from interlock.app.observation import observe
from interlock.app.readiness import Readiness
from interlock.app.sockets import Doors
from interlock.errors import BadInput
from interlock.gateway.catalogue import GATEWAY
from interlock.gateway.handover import KEEPER, Handover
from interlock.gateway.perimeter import is_loopback
from interlock.gateway.relay import Relay
from interlock.identity.entities import Project
from interlock.registry.config import ImportedConfig, read_config
from interlock.registry.importing import Importer, environment
from interlock.settings import Settings
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
        self._control: Late | None = None
        self._news = News()

    async def open(self, config: Path | None) -> Report:
        """Build everything; `config` is a file of servers for the default project.

        Servers are started, and the control API is loaded, once it is told to `begin`: until then
        this process has the processor to itself, so that it answers soon.
        Raises InterlockError with the cure where the settings or the file cannot be used.
        """
        imported = _read(config) if config is not None else None
        try:
            return await self._open(imported)
        except BaseException:
            await self.close()
            raise

    def begin(self) -> None:
        """Start the servers and load the control API, now that calls can be answered."""
        if self._plane is not None and self._control is not None:
            self._plane.registry.begin()
            self._control.begin()

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
        plane.registry.hold()
        await plane.registry.start()
        faults = await _take_servers(plane, project, imported, is_first=first is not None)
        self._plane = plane
        metrics = self._metrics(observe(KEEPER, plane, ground, self._stack))
        bulletin = Bulletin(plane.registry, ground.keys) if self._doors is not None else None
        self._news.hear(plane.registry, ground.writer)
        self._app = app = self._build_app(ground, plane, project, bulletin, metrics)
        if bulletin is not None:
            echo = Echo(plane.changes, bulletin.tell)
            self._stack.callback(echo.close)
            plane.registry.announce = echo.noticed
            self.door = KeeperDoor(app, bulletin, echo, plane.registry, self._news)
        return Report(first, tuple(warnings), tuple(faults))

    def end_streams(self) -> None:
        """Let every open stream end, those of the console too."""
        self._news.close()
        super().end_streams()

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
        settings = self._settings
        sessions = self._rest_sessions(plane)
        readiness = Readiness(ground.database, ground.writer)
        self._stack.push_async_callback(readiness.close)

        def build() -> ASGIApp:
            # The framework of the control API takes longer to load than all the rest together,
            # and no call needs it.
            from interlock.app.control_plane import Parts, control_plane  # noqa: PLC0415

            parts = Parts(ground, plane, sessions, readiness, metrics, project, self._news)
            return control_plane(settings, parts, bulletin)

        self._control = Late(build)
        self._stack.push_async_callback(self._control.close)
        return front(settings, plane, self._control)

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
