"""`subscriptions/listen`: one modern client's stream of what changes at its endpoint.

Source: 2026-07-28, basic/patterns/subscriptions; the extension io.modelcontextprotocol/tasks.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from interlock.errors import InterlockError, RPCError
from interlock.gateway.call import Call
from interlock.gateway.capabilities import signature
from interlock.gateway.changes import (
    LIST_CHANGED,
    Announce,
    Changes,
    Listener,
    Subscriptions,
    changed_lists,
    list_methods,
)
from interlock.gateway.limited import limited
from interlock.gateway.pipeline import find_target
from interlock.gateway.streams import Stream
from interlock.gateway.table import Kind, RouteTable, ServerEntry, Target, View
from interlock.gateway.tasks import EXTENSION, Tasks
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, as_list, as_object
from interlock.protocol.versions import META_SUBSCRIPTION, MISSING_CAPABILITY, Era
from interlock.upstreams.modern import ModernSession
from interlock.upstreams.relistening import listen_on

AGREE_WITHIN = 10.0  # seconds in which servers must say what they will tell of
_LISTS: dict[str, Kind] = {
    "toolsListChanged": "tools",
    "promptsListChanged": "prompts",
    "resourcesListChanged": "resources",
}


class Listening:
    """Opens streams of changes and tells what each of them asked for."""

    def __init__(
        self,
        changes: Changes,
        subscriptions: Subscriptions,
        tasks: Tasks,
        table: Callable[[], RouteTable],
    ) -> None:
        self._table = table
        self._changes = changes
        self._subscriptions = subscriptions
        self._tasks = tasks
        self._open: set[Listen] = set()
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def count(self) -> int:
        """How many streams are open."""
        return len(self._open)

    def close(self) -> None:
        """End every stream with the result that says it ended well."""
        for listen in tuple(self._open):
            listen.finish()

    async def end(self) -> None:
        """Wait until all that streams have left behind is taken back."""
        for listen in tuple(self._open):
            self.leave(listen)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def open(self, call: Call, place: tuple[str, str | None], tag: Any, to: Stream) -> "Listen":
        """Tell the client of changes on `to`, until `leave`.

        `place` is the endpoint's project and server, `tag` the id of the request. Raises RPCError.
        """
        wanted = as_object(call.params.get("notifications")) or {}
        lists: dict[str, Kind] = {
            name: kind for name, kind in _LISTS.items() if wanted.get(name) is True
        }
        ear = _Ear(to, tag, frozenset(LIST_CHANGED[kind] for kind in lists.values()))
        mark = signature(call.client.capabilities)
        listener = Listener(*place, self._announcer(call, place, mark, ear), mark)
        uris = _texts(wanted.get("resourceSubscriptions"))
        followed = [
            _Followed(self._tasks, call, ear, *each) for each in self._grouped(call, wanted)
        ]
        listen = Listen(ear, listener)
        if uris or followed:
            work = self._agree(call, [*lists], uris, followed, ear)
            listen.work = asyncio.create_task(_telling(work, call, ear))
        else:
            ear.acknowledge([*lists], [], [])
        self._changes.add(listener)
        self._open.add(listen)
        return listen

    def leave(self, listen: "Listen") -> None:
        """Tell a client no more, for it has left or the stream has ended."""
        if listen not in self._open:
            return
        self._open.discard(listen)
        self._changes.remove(listen.listener)
        if listen.work is not None:
            ending = asyncio.create_task(self._take_back(listen.work, listen.to))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def _take_back(self, work: "asyncio.Task[None]", to: Stream) -> None:
        work.cancel()
        await asyncio.wait({work})
        # Where a server is gone, its subscriptions are gone with it.
        with suppress(InterlockError, RPCError):
            await self._subscriptions.forget(to)

    async def _agree(
        self,
        call: Call,
        lists: list[str],
        uris: list[str],
        followed: "list[_Followed]",
        ear: "_Ear",
    ) -> None:
        """Ask the servers for what is wanted of them, say what is honoured, and follow the tasks."""
        async with asyncio.TaskGroup() as group:
            for each in followed:
                group.create_task(each.follow())
            subscribing = {
                uri: group.create_task(self._subscribe(call, uri, ear.to, ear)) for uri in uris
            }
            agreed = [await each.agreed() for each in followed]
            if subscribing:
                await asyncio.wait(subscribing.values(), timeout=AGREE_WITHIN)
            # A server that is slow to answer is not one that refuses.
            honoured = [
                uri for uri, task in subscribing.items() if not task.done() or task.result()
            ]
            ear.acknowledge(lists, honoured, [each for some in agreed for each in some])

    async def _subscribe(self, call: Call, uri: str, to: Stream, ear: "_Ear") -> bool:
        """Hear of updates of a resource; return whether its server tells of them."""
        try:
            target, _ = find_target(replace(call, method="resources/read", params={"uri": uri}))
            await self._subscriptions.add(target.server, target.name, to, uri, ear.say)
        except (RPCError, InterlockError):
            return False
        return True

    def _announcer(
        self, call: Call, place: tuple[str, str | None], mark: str, ear: "_Ear"
    ) -> Announce:
        access = call.principal.access
        if access is None:
            return ear.say_list

        def view() -> View:
            project = self._table().project(place[0])
            return limited(project, project.view(place[1], mark), access)

        return _LimitedEar(ear, view, call.view).say_list

    def _grouped(self, call: Call, wanted: JSONObject) -> list[tuple[ServerEntry, dict[str, str]]]:
        """Return the tasks that are wanted, by server: its own ids, and the client's handles."""
        handles = _texts(wanted.get("taskIds"))
        if handles and EXTENSION not in (
            as_object(call.client.capabilities.get("extensions")) or {}
        ):
            needed: JSONObject = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
            raise RPCError(MISSING_CAPABILITY, "Missing required client capability", needed)
        servers: dict[str, ServerEntry] = {}
        groups: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for handle in handles:
            target, params = self._tasks.find(call.principal, call.view, {"taskId": handle})
            servers[target.server.id] = target.server
            groups[target.server.id][params["taskId"]] = handle
        return [(servers[server_id], ids) for server_id, ids in groups.items()]


async def _telling(work: Coroutine[None, None, None], call: Call, ear: "_Ear") -> None:
    """Do `work` for a stream; whatever goes wrong there, the client must hear of it."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 -- it is logged, and told
        ear.to.send(jsonrpc.failure(ear.tag, call.trace.unforeseen(error)))
        ear.to.end()


@dataclass(slots=True, eq=False)
class Listen:
    """One stream of changes that is open; `work` is what still goes on with servers for it."""

    ear: "_Ear"
    listener: Listener
    work: "asyncio.Task[None] | None" = None

    @property
    def to(self) -> Stream:
        """The stream."""
        return self.ear.to

    def finish(self) -> None:
        """End the stream with the result that says it ended well."""
        if not self.to.ended:
            if self.work is not None:
                # Whoever takes the stream back waits for that.
                self.work.cancel()
            result: JSONObject = {"resultType": "complete", "_meta": self.ear.meta}
            self.to.send(jsonrpc.result(self.ear.tag, result))
            self.to.end()


@dataclass(slots=True)
class _Ear:
    """The client's end of the stream; every message there names the request that opened it.

    What is to be said before the acknowledgement is said after it.
    """

    to: Stream
    tag: Any
    lists: frozenset[str]
    _held: list[JSONObject] | None = field(default_factory=list[JSONObject])

    @property
    def meta(self) -> JSONObject:
        return {META_SUBSCRIPTION: self.tag}

    def say(self, method: str, params: JSONObject) -> None:
        meta = {**(as_object(params.get("_meta")) or {}), **self.meta}
        message = jsonrpc.notification(method, {**params, "_meta": meta})
        if self._held is not None:
            self._held.append(message)
        else:
            self.to.send(message)

    def say_list(self, method: str, params: JSONObject) -> None:
        """Say that lists changed, where the client wants to hear of these."""
        if method in self.lists:
            self.say(method, params)

    def acknowledge(self, lists: list[str], uris: list[str], handles: list[str]) -> None:
        """Say what of all that is wanted will be told."""
        honoured: JSONObject = dict.fromkeys(lists, True)
        if uris:
            honoured["resourceSubscriptions"] = uris
        if handles:
            honoured["taskIds"] = handles
        held, self._held = self._held or (), None
        self.say("notifications/subscriptions/acknowledged", {"notifications": honoured})
        for message in held:
            self.to.send(message)


@dataclass(slots=True)
class _LimitedEar:
    """The ear of a client that is shown a part of the lists, and hears of changes of that part."""

    ear: _Ear
    view: Callable[[], View]
    shown: View

    def say_list(self, _method: str, params: JSONObject) -> None:
        """Say which of the lists that the client is shown are others than they were."""
        # Where the endpoint is gone, nobody is shown it any more.
        with suppress(InterlockError):
            before, self.shown = self.shown, self.view()
            for method in list_methods(changed_lists(before, self.shown)):
                self.ear.say_list(method, params)


@dataclass(slots=True)
class _Followed:
    """Tasks of one server that the client wants to hear of; `ids` are the server's to the client's."""

    tasks: Tasks
    call: Call
    ear: _Ear
    server: ServerEntry
    ids: dict[str, str]
    _answered: asyncio.Event = field(default_factory=asyncio.Event)
    _agreed: list[str] = field(default_factory=list[str])

    async def agreed(self) -> list[str]:
        """Return the handles of the tasks that the server will tell of."""
        with suppress(TimeoutError):
            async with asyncio.timeout(AGREE_WITHIN):
                await self._answered.wait()
        return self._agreed

    async def follow(self) -> None:
        """Hear the server until it refuses; one that ends the stream is listened to anew."""
        with suppress(RPCError):
            await listen_on(self._listen)

    async def _listen(self) -> None:
        wanted: JSONObject = {"taskIds": list(self.ids)}
        try:
            session = await self.server.upstream.shared(Era.MODERN)
            if isinstance(session, ModernSession):
                await session.listen(self.call.client, wanted, self._heard)
        finally:
            self._answered.set()

    def _heard(self, method: str, params: JSONObject) -> None:
        if method == "notifications/subscriptions/acknowledged":
            told = as_object(params.get("notifications")) or {}
            self._agreed = [
                self.ids[each] for each in _texts(told.get("taskIds")) if each in self.ids
            ]
            self._answered.set()
        elif method == "notifications/tasks" and params.get("taskId") in self.ids:
            # It says of the task what asking for it would say.
            target = Target(self.server, str(params["taskId"]))
            shown = self.tasks.shown(
                self.call.principal, self.call.view, target, "tasks/get", params
            )
            self.ear.say(method, shown)


def _texts(value: Any) -> list[str]:
    return [each for each in as_list(value) or () if isinstance(each, str)]
