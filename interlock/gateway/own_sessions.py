"""A client's own sessions with legacy servers: what a server says there is for this client alone.

A server may offer a session more, or less, than it offers all: what it announces there is read
there, and laid over the lists that this client is shown.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress

from interlock.errors import InterlockError, RPCError
from interlock.gateway.aggregation import exposed_uri, overlaid
from interlock.gateway.capabilities import signature
from interlock.gateway.catalogue import read_catalogue
from interlock.gateway.changes import RESOURCE_UPDATED, changed_lists, list_methods
from interlock.gateway.clients import ClientSession
from interlock.gateway.limited import limited
from interlock.gateway.table import Catalogue, RouteTable, ServerEntry, View
from interlock.gateway.tasks import TASK_STATUS, Tasks
from interlock.protocol.json import JSONObject
from interlock.protocol.versions import Era
from interlock.upstreams.legacy import LegacySession
from interlock.upstreams.modern import ModernSession
from interlock.upstreams.port import Nobody
from interlock.upstreams.upstream import Owner

SETTLE = 0.05  # seconds in which announcements of changes are gathered into one reading
RETRIES = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # seconds before each try to have subscriptions again


class OwnSessions:
    """All of one client's own sessions, and the view that they give it of its endpoint."""

    __slots__ = (
        *("_catalogues", "_over", "_sessions", "_shown", "_table", "_work", "client", "mark"),
        "tasks",
    )

    def __init__(
        self, client: ClientSession, table: Callable[[], RouteTable], tasks: Tasks
    ) -> None:
        self.client = client
        self.tasks = tasks
        self.mark = signature(client.client.capabilities)
        self._table = table
        self._sessions: dict[str, OwnSession] = {}
        self._catalogues: dict[str, Catalogue] = {}
        self._over: tuple[View, View] | None = None
        self._shown: View | None = None
        # An empty set is larger than an empty dictionary, and most clients never need it.
        self._work: dict[asyncio.Task[None], None] = {}

    def view(self) -> View:
        """Return what the client is shown now. Raises NotFound where the endpoint is gone."""
        project = self._table().project(self.client.project)
        base = project.view(self.client.server, self.mark)
        access = self.client.principal.access
        if not self._catalogues:
            return limited(project, base, access)
        if self._over is None or self._over[0] is not base:
            self._over = base, overlaid(project, base, self._catalogues)
        return limited(project, self._over[1], access)

    def owner(self, server: ServerEntry) -> Owner | None:
        """Return whose session calls at a server run in; None is the shared one.

        A client that asked for log messages shares none in which they are anybody's.
        """
        wants_logs = self.client.log_level is not None
        is_own = bool(self.mark) or (wants_logs and server.upstream.mixes_logs)
        return self._at(server).owner if is_own else None

    def holds_subscriptions(self, server: ServerEntry) -> bool:
        """Tell whether the client's subscriptions at a server are made in its own session."""
        return bool(self.mark) and server.upstream.era_for(Era.LEGACY) is Era.LEGACY

    async def subscribe(self, server: ServerEntry, uri: str, exposed: str) -> None:
        """Hear of updates of the server's `uri`. Raises RPCError and UpstreamFailed."""
        await self._at(server).subscribe(uri, exposed)

    async def unsubscribe(self, server: ServerEntry, uri: str) -> None:
        """Hear of them no more. Raises RPCError and UpstreamFailed."""
        await self._at(server).unsubscribe(uri)

    def _at(self, server: ServerEntry) -> "OwnSession":
        return self._sessions.setdefault(server.id, OwnSession(self, server.id))

    def entry(self, server_id: str) -> ServerEntry | None:
        """Return a server of the endpoint as it is now, changed and restarted or not."""
        try:
            servers = self.view().servers
        except InterlockError:
            return None
        return next((each for each in servers if each.id == server_id), None)

    def keep(self, server_id: str, catalogue: Catalogue | None) -> None:
        """Show what the client's session with a server offers; None for what all are offered."""
        if catalogue is None and server_id not in self._catalogues:
            return
        try:
            self._shown = self._shown or self.view()
            self._catalogues.pop(server_id, None)
            if catalogue is not None:
                self._catalogues[server_id] = catalogue
            self._over = None
            self._say_changes()
        except InterlockError:
            # The endpoint is gone, and nobody is shown it any more.
            return

    def announce(self, method: str, params: JSONObject) -> None:
        """Pass on that lists changed for all; where this client's did not, say nothing."""
        with suppress(InterlockError):
            if self._shown is None:
                self.client.announce(method, params)
                self.remember()
            else:
                self._say_changes()

    def remember(self) -> None:
        """Keep in mind what a limited client is shown, for most changes are none of its own."""
        if self.client.principal.access is not None:
            self._shown = self.view()

    def _say_changes(self) -> None:
        before, self._shown = self._shown, self.view()
        if before is not None:
            for method in list_methods(changed_lists(before, self._shown)):
                self.client.announce(method, {})

    async def notify(self, method: str, params: JSONObject) -> None:
        """Pass a notification of the client on to its sessions."""
        for session in tuple(self._sessions.values()):
            server = self.entry(session.server_id)
            if server is not None:
                await server.upstream.notify(session.owner.key, method, params)

    def spawn(self, work: Coroutine[None, None, None]) -> None:
        """Run `work` until it ends or the client leaves."""
        task = asyncio.get_running_loop().create_task(work)
        self._work[task] = None
        task.add_done_callback(self._work.pop)

    async def close(self) -> None:
        """End the sessions, for the client has left."""
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        for session in tuple(self._sessions.values()):
            session.is_over = True
            server = self.entry(session.server_id)
            if server is not None:
                await server.upstream.release(session.owner.key)


class OwnSession:
    """One client's own session with one server, however often it has to be opened."""

    def __init__(self, client: OwnSessions, server_id: str) -> None:
        self.server_id = server_id
        self.is_over = False
        self.owner = Owner(
            client.client.owner_key,
            client.client.client,
            self,
            opened=self._opened,
            ended=self._ended,
        )
        self._client = client
        self._subscribed: dict[str, str] = {}
        self._was_open = False
        self._is_stale = False

    def notified(self, method: str, params: JSONObject) -> None:
        """Take what the server says outside of any call."""
        server = self._client.entry(self.server_id)
        if server is None:
            # It is gone, or the client may not see it any more.
            return
        if method.endswith("/list_changed"):
            if not self._is_stale:
                self._is_stale = True
                self._client.spawn(self._read_again())
        elif method == RESOURCE_UPDATED:
            self._client.client.announce(method, self._exposed(server, params))
        elif method == TASK_STATUS:
            principal = self._client.client.principal
            told = self._client.tasks.status(principal, self.server_id, params)
            self._client.client.announce(method, told)
        else:
            self._client.client.notified(method, self._related(params))

    async def asked(self, method: str, params: JSONObject) -> JSONObject:
        """Let the client answer what the server asks outside of any call. Raises RPCError."""
        answer = await self._client.client.asked(method, self._related(params))
        return self._client.tasks.unrelated(self._client.client.principal, answer)

    def _related(self, params: JSONObject) -> JSONObject:
        return self._client.tasks.related(self._client.client.principal, self.server_id, params)

    def _exposed(self, server: ServerEntry, params: JSONObject) -> JSONObject:
        view, uri = self._client.view(), params.get("uri")
        if not isinstance(uri, str) or view.is_single:
            return params
        known = self._subscribed.get(uri)
        exposed = known or exposed_uri(view.resources, view.templates, server, uri)
        return {**params, "uri": exposed}

    async def subscribe(self, uri: str, exposed: str) -> None:
        """Subscribe in this session."""
        await self._request("resources/subscribe", uri)
        self._subscribed[uri] = exposed

    async def unsubscribe(self, uri: str) -> None:
        """Take a subscription back."""
        if self._subscribed.pop(uri, None) is not None:
            await self._request("resources/unsubscribe", uri)

    async def _request(self, method: str, uri: str) -> None:
        server = self._client.entry(self.server_id)
        if server is not None:
            call = method, {"uri": uri}
            await server.upstream.request(Era.LEGACY, self.owner, call, Nobody())

    async def _read_again(self) -> None:
        """Read what the server offers in this session, now that it says it has changed."""
        await asyncio.sleep(SETTLE)
        self._is_stale = False
        server = self._client.entry(self.server_id)
        if server is None:
            return
        found: list[Catalogue] = []

        async def read(session: LegacySession | ModernSession) -> JSONObject:
            client = self._client.client.client
            found.append(await read_catalogue(session, server.name, server.catalogue, client))
            return {}

        try:
            async with asyncio.timeout(server.timeout):
                await server.upstream.within(Era.LEGACY, self.owner, read)
        except (InterlockError, TimeoutError):
            # What was known stays; the server's next announcement is read again.
            return
        self._client.keep(self.server_id, found[-1])

    async def _opened(self, session: LegacySession | ModernSession) -> None:
        """Give a session that was opened anew what the one before it had."""
        if self._was_open:
            self._client.keep(self.server_id, None)
        self._was_open = True
        for uri in tuple(self._subscribed):
            try:
                await session.request("resources/subscribe", {"uri": uri}, Nobody())
            except RPCError:
                del self._subscribed[uri]

    def _ended(self) -> None:
        if not self.is_over:
            self._client.spawn(self._come_back())

    async def _come_back(self) -> None:
        """Open the session anew where something is still wanted of it without any call."""
        self._client.keep(self.server_id, None)
        for delay in RETRIES:
            await asyncio.sleep(delay)
            server = self._client.entry(self.server_id)
            if not self._subscribed or server is None:
                return
            try:
                await server.upstream.within(Era.LEGACY, self.owner, _nothing)
            except InterlockError:
                continue
            return


async def _nothing(_session: LegacySession | ModernSession) -> JSONObject:
    return {}
