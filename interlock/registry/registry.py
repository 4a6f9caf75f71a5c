"""All servers of all projects: adds, changes and removes them, and publishes the routing table."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import replace
from datetime import UTC, datetime

from interlock.errors import Conflict, NotFound
from interlock.gateway import aggregation
from interlock.gateway.catalogue import read_catalogue
from interlock.gateway.changes import (
    RESOURCE_UPDATED,
    Changes,
    Subscriptions,
    announced_lists,
)
from interlock.gateway.table import Catalogue, ProjectEntry, RouteTable
from interlock.gateway.tasks import TASK_STATUS, Tasks
from interlock.identity.entities import Project
from interlock.protocol.json import JSONObject
from interlock.registry.editing import Edit
from interlock.registry.entities import Server
from interlock.registry.hosted import Host, is_hosted
from interlock.registry.links import Links
from interlock.registry.log_levels import LogLevels
from interlock.registry.port import Runner, with_definition
from interlock.registry.runner import Callbacks, ServerRunner
from interlock.registry.store import ServerStore
from interlock.registry.trial import Trial
from interlock.registry.unwritten import Unwritten
from interlock.settings import LogLevel
from interlock.station.logs import ServerLog
from interlock.storage.turns import Turns
from interlock.telemetry.logs import get_logger, log_failure
from interlock.upstreams.definition import ServerDefinition
from interlock.upstreams.upstream import Upstream

MAX_KINDS_OF_CLIENTS = 8

log = get_logger(__name__)

ListProjects = Callable[[], Awaitable[list[Project]]]


class Registry:
    """Which servers exist; every change is kept first, then lived, then published.

    With a `host` this is one of the further processes of a gateway: the servers that we start are
    the host's, and what servers offer is kept in the database by the host alone. `revision` counts
    the changes of servers and projects; `on_publish` is called after each new table, `on_restart`
    with the id of a server that someone lets start anew, `announce` for each endpoint whose lists
    a new table changed. `on_change` is called with the name of each project that has another entry
    there, `on_log` with that of one whose server wrote something.
    """

    def __init__(
        self,
        store: ServerStore,
        projects: ListProjects,
        links: Links,
        changes: Changes,
        subscriptions: Subscriptions,
        tasks: Tasks,
    ) -> None:
        self.table = RouteTable()
        self.revision = 0
        self.on_publish: Callable[[], None] = _nobody
        self.on_restart: Callable[[str], None] = _no_one
        self.on_change: Callable[[str], None] = _no_one
        self.on_log: Callable[[str], None] = _no_one
        self._changes = changes
        self.announce = self._changes.lists_changed
        self.host: Host | None = None
        self.allow_open = False
        self._store = store
        self._unwritten = Unwritten(store)
        self._list_projects = projects
        self._links = links
        self._subscriptions = subscriptions
        self._tasks = tasks
        subscriptions.source = self
        self._projects: dict[str, Project] = {}
        self._servers: dict[str, Server] = {}
        self._runners: dict[str, Runner] = {}
        self._logs: dict[str, ServerLog] = {}
        self.log_levels = LogLevels(self._logs)
        self._keeping: set[asyncio.Task[None]] = set()
        self._is_closing = False
        self._begun = asyncio.Event()
        self._begun.set()
        self._looking = asyncio.Semaphore(2)
        self._met: dict[str, dict[str, JSONObject]] = {}
        self._changing = Turns()

    def hold(self) -> None:
        """Start no process and open no connection until `begin`; what is kept is listed."""
        self._begun.clear()

    def begin(self) -> None:
        """Start all servers that were held back."""
        self._begun.set()

    async def start(self) -> None:
        """Start every enabled server, all at once; lists are answered from what was kept."""
        await self._load_projects()
        workspaces = {each.id: each.workspace_id for each in self._projects.values()}
        for server in await self._store.all(workspaces):
            self._servers[server.id] = server
            self._run(server)
        self.publish()

    async def reload(self) -> None:
        """Take over what another process changed in the database, as if it was changed here."""
        async with self._changing.one():
            await self._load_projects()
            workspaces = {each.id: each.workspace_id for each in self._projects.values()}
            kept = {server.id: server for server in await self._store.all(workspaces)}
            for server in tuple(self._servers.values()):
                if server.id not in kept:
                    self._forget(server)
            for server in kept.values():
                self._take(server)
        self.publish()

    def _take(self, server: Server) -> None:
        known = self._servers.get(server.id)
        self._servers[server.id] = server
        if known is not None and known.definition == server.definition:
            return
        self._live(server)

    def _live(self, server: Server) -> None:
        """Let a server be what its definition says now, and keep what of it can go on as it is."""
        runner = self._runners.get(server.id)
        if runner is not None:
            server = with_definition(runner, server)
        self._servers[server.id] = server
        if runner is not None and server.definition.connects_like(runner.server.definition):
            runner.take(server)
            return
        self._runners.pop(server.id, None)
        self._run(server)
        if runner is not None:
            self._retire(runner)

    async def close(self) -> None:
        """Stop every server, all at once."""
        self._is_closing = True
        await asyncio.gather(*(runner.close() for runner in self._runners.values()))
        await asyncio.gather(*self._keeping, return_exceptions=True)
        await self._unwritten.close()

    async def projects_changed(self, project_id: str) -> None:
        """Take note that a project was made, changed or deleted."""
        await self._load_projects()
        if project_id not in self._projects:
            for server in self.servers(project_id):
                self._forget(server)
        self.publish()

    async def _load_projects(self) -> None:
        self._projects = {each.id: each for each in await self._list_projects()}

    def servers(self, project_id: str) -> list[Server]:
        """Return the servers of a project in order."""
        found = [each for each in self._servers.values() if each.project_id == project_id]
        return sorted(found, key=lambda server: server.position)

    def find(self, project_id: str, name_or_id: str) -> Server:
        """Return one server of a project. Raises NotFound."""
        for server in self.servers(project_id):
            if name_or_id in {server.definition.name, server.id}:
                return server
        raise no_server(name_or_id)

    def place_of(self, server_id: str) -> tuple[str, str | None]:
        """Return the names of a server's project and of itself, found by id or by any name.

        One that is unknown has a place that does not exist.
        """
        found = self._servers.get(server_id)
        if found is None:
            named = (each for each in self._servers.values() if each.definition.name == server_id)
            found = next(named, None)
        if found is None:
            return "", server_id
        return self._projects[found.project_id].name, found.definition.name

    def project_name(self, project_id: str) -> str:
        """Return the name of a project; empty where there is none with this id."""
        found = self._projects.get(project_id)
        return found.name if found is not None else ""

    async def expire(self, idle_for: float) -> None:
        """Close sessions with servers that made no call for so many seconds."""
        for runner in tuple(self._runners.values()):
            await runner.upstream.expire(idle_for)

    @property
    def runners(self) -> tuple[Runner, ...]:
        """What keeps the enabled servers running."""
        return tuple(self._runners.values())

    def runner(self, server: Server) -> Runner | None:
        """Return what keeps a server running; None where it is disabled."""
        return self._runners.get(server.id)

    def log_of(self, server: Server) -> ServerLog:
        """Return what a server wrote to stderr, over all its restarts."""
        log_of_server = self._logs.get(server.id)
        if log_of_server is None:
            log_of_server = self._logs[server.id] = self._links.new_log()
            log_of_server.keep_from(self.log_levels.get(server.id))
            log_of_server.on_add = lambda: self.on_log(self.project_name(server.project_id))
        return log_of_server

    def set_log_level(self, server: Server, level: LogLevel | None) -> None:
        """Log what is about a server from `level` up, in every process, until we end."""
        self.log_levels.set(server.id, level)
        self.on_publish()

    def upstream(self, server_id: str) -> Upstream | None:
        """Return the live side of a server, if it is enabled."""
        runner = self._runners.get(server_id)
        return runner.upstream if runner is not None else None

    async def add(self, project_id: str, definition: ServerDefinition) -> Server:
        """Register a server and start it. Raises Conflict where its name is taken."""
        project = self._projects[project_id]
        now = datetime.now(UTC)
        async with self._changing.one():
            server = await self._store.add(
                Server(
                    id=secrets.token_hex(6),
                    project_id=project_id,
                    workspace_id=project.workspace_id,
                    position=0,
                    definition=definition,
                    created_at=now,
                    updated_at=now,
                )
            )
            self._servers[server.id] = server
            self._run(server)
        self.publish()
        return server

    async def change(self, server: Server, edit: Edit) -> Server:
        """Give a server the definition that `edit` makes of its present one.

        Edits come one after the other, so that none undoes another. Where the process or the
        connections are other ones now, calls under way in the old are let finish; else they stay.
        Raises NotFound where the server is gone, and what `edit` raises.
        """
        async with self._changing.one():
            known = self._known(server)
            definition = edit(known.definition)
            if definition == known.definition:
                return known
            changed = replace(known, definition=definition, updated_at=datetime.now(UTC))
            await self._store.update(changed)
            self._live(changed)
        self.publish()
        return self._servers[server.id]

    def _known(self, server: Server) -> Server:
        known = self._servers.get(server.id)
        if known is None:
            raise no_server(server.definition.name)
        return known

    async def remove(self, server: Server) -> None:
        """Stop a server and forget it."""
        async with self._changing.one():
            await self._store.delete(server.id)
            self._forget(server)
        self.publish()

    def _forget(self, server: Server) -> None:
        self._servers.pop(server.id, None)
        self._logs.pop(server.id, None)
        self._unwritten.forget(server.id)
        self.log_levels.forget(server.id)
        runner = self._runners.pop(server.id, None)
        if runner is not None:
            self._retire(runner)

    def _retire(self, runner: Runner) -> None:
        """Close a runner that has left the table, once the calls in it have ended."""
        self._spawn(self._links.drain(runner))

    async def restart(self, server: Server) -> None:
        """Start a server anew, at once, in every process. Raises Conflict where it is disabled."""
        if server.id not in self._runners:
            raise Conflict("The server is disabled; enable it first.")
        self.restart_all([server.id])
        self.on_restart(server.id)

    def restart_all(self, server_ids: Iterable[str]) -> None:
        """Start these servers anew in this process, those that it runs."""
        for server_id in server_ids:
            runner = self._runners.get(server_id)
            if runner is not None:
                runner.restart()

    async def test(self, definition: ServerDefinition) -> Trial:
        """Try a definition without keeping it: open a session, read the lists, close."""
        return await self._links.test(definition, self._read_for_test)

    async def _read_for_test(self, upstream: Upstream) -> Catalogue:
        await upstream.start()
        return await read_catalogue(await upstream.shared(), upstream.name)

    async def watch(self, server_id: str, uris: frozenset[str], of: str) -> None:
        """Subscribe at a server to exactly these resources, of which `of` is newly in or out.

        Raises RPCError where the server refuses what concerns `of`, and UpstreamFailed.
        """
        runner = self._runners.get(server_id)
        if runner is not None:
            await runner.watch(uris, of)

    def _run(self, server: Server) -> None:
        project = self.project_name(server.project_id)
        self.log_levels.follow(server.id, project, server.definition.name)
        if server.definition.disabled:
            return
        kinds = self._met.get(server.project_id, {})
        if self.host is not None and is_hosted(server):
            self._runners[server.id] = elsewhere = self.host.runner(server, self._changed)
            elsewhere.meet(kinds)
            return
        notes = self._links.notes(self.log_of(server), server.definition)
        callbacks = Callbacks(self._changed, self._keep, self._heard, self._looking, self._begun)
        runner = ServerRunner(server, notes, callbacks)
        runner.meet(kinds)
        self._runners[server.id] = runner
        runner.start(
            self._links.upstream(
                server,
                project=project,
                peer=runner,
                down=runner.down,
                opened=runner.opened,
                log=self.log_of(server),
            )
        )

    def meet(self, project: str, mark: str, capabilities: JSONObject) -> None:
        """Learn what servers offer to clients with such capabilities, beside what all are offered.

        A project remembers a few kinds of clients; further kinds are shown what all are offered.
        """
        known = self._met.setdefault(project, {})
        if mark in known or len(known) >= MAX_KINDS_OF_CLIENTS:
            return
        known[mark] = capabilities
        for server in self.servers(project):
            runner = self._runners.get(server.id)
            if runner is not None:
                runner.meet(known)

    def _changed(self, runner: Runner) -> None:
        if self._runners.get(runner.server.id) is runner and not self._is_closing:
            self.publish(runner.server.project_id)

    def _heard(self, server_id: str, method: str, params: JSONObject) -> None:
        if method == RESOURCE_UPDATED:
            self._subscriptions.updated(server_id, params)
        elif method == TASK_STATUS:
            self._tasks.heard(server_id, params)

    def _keep(self, runner: Runner, catalogue: Catalogue) -> None:
        if self.host is not None:
            return
        eras = runner.upstream.eras or frozenset()
        self._unwritten.add(runner.server.id, catalogue, eras)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._keeping.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._keeping.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log_failure(log, "registry.background_failed", error)

    def publish(self, project_id: str | None = None) -> None:
        """Build the table anew, or one project of it, swap it in, and say which lists changed."""
        if project_id is None:
            self.revision += 1
        before = self.table.projects
        entries = {
            project.name: (
                before[project.name]
                if project_id not in {None, project.id} and project.name in before
                else self._entry(project)
            )
            for project in self._projects.values()
        }
        self.table = RouteTable(entries)
        for name, entry in entries.items():
            old = before.get(name)
            if old is not None and old is not entry:
                self._announce(old, entry)
                self.on_change(name)
        self.on_publish()

    def _entry(self, project: Project) -> ProjectEntry:
        entries = [
            self._runners[server.id].entry
            for server in self.servers(project.id)
            if server.id in self._runners
        ]
        facts = aggregation.Project(
            id=project.id,
            name=project.name,
            naming=project.naming,
            aliases=project.aliases,
            is_open=project.open and self.allow_open,
            rate_limit=project.rate_limit,
        )
        return aggregation.project_entry(facts, entries)

    def _announce(self, old: ProjectEntry, new: ProjectEntry) -> None:
        marks = ("", *sorted(old.variants.keys() | new.variants.keys()))
        for place in (None, *(name for name in new.single if name in old.single)):
            kinds = {
                mark: announced_lists(old.view(place, mark), new.view(place, mark))
                for mark in marks
            }
            self.announce(new.name, place, kinds)


def no_server(name_or_id: str) -> NotFound:
    """Return the refusal of a server that is missing, or hidden from the caller."""
    return NotFound(f"There is no server {name_or_id!r} in this project.")


def _nobody() -> None:
    """Tell nobody: a gateway of one process has none to tell."""


def _no_one(_about: str) -> None:
    """Tell nobody of one server, or of one project."""
