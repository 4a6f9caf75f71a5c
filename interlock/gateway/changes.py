"""Who hears of changes: lists that changed, and resources that were updated."""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from interlock.errors import InterlockError, RPCError
from interlock.gateway.table import KINDS, Kind, ServerEntry, View
from interlock.protocol.json import JSONObject, as_object
from interlock.protocol.versions import META_SUBSCRIPTION

# Templates have no notification of their own; they are announced as resources.
LIST_CHANGED: dict[Kind, str] = {
    "tools": "notifications/tools/list_changed",
    "prompts": "notifications/prompts/list_changed",
    "resources": "notifications/resources/list_changed",
    "resourceTemplates": "notifications/resources/list_changed",
}
_TOOLS: frozenset[Kind] = frozenset({"tools"})
RESOURCE_UPDATED = "notifications/resources/updated"
OF_CHANGES = frozenset({*LIST_CHANGED.values(), RESOURCE_UPDATED})

Announce: TypeAlias = Callable[[str, JSONObject], None]


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """One client at one endpoint; `server` of None is the endpoint of all servers.

    `mark` is the signature of what the client can be asked, for it may be shown other lists.
    """

    project: str
    server: str | None
    announce: Announce
    mark: str = ""


class UpdateSource(Protocol):
    """Keeps subscriptions at servers; the registry, which knows when they come and go."""

    async def watch(self, server_id: str, uris: frozenset[str], of: str) -> None:
        """Be told of updates of exactly these resources, of which `of` is newly in or out.

        Raises RPCError where the server refuses what concerns `of`, and UpstreamFailed.
        """
        ...


def list_methods(kinds: frozenset[Kind]) -> list[str]:
    """Return the notifications that tell of changes of these lists, each once."""
    return sorted({LIST_CHANGED[kind] for kind in kinds})


def changed_lists(old: View, new: View) -> frozenset[Kind]:
    """Return which lists of an endpoint differ between two of its views."""
    kinds: set[Kind] = {kind for kind in KINDS if old.lists[kind] != new.lists[kind]}
    if old.list_meta != new.list_meta:
        # A list that newly names a failed server, or no longer does, is another list.
        kinds.add("tools")
    return frozenset(kinds)


def announced_lists(old: View, new: View) -> frozenset[Kind]:
    """Return which lists all clients of an endpoint are told of where its view changed.

    Where other tools are switched off now, the list of tools of some clients may have changed alone:
    of those to which a session of their own offers more.
    """
    kinds, before = changed_lists(old, new), {each.id: each.disabled_tools for each in old.servers}
    known = [each for each in new.servers if each.id in before]
    if any(before[each.id] != each.disabled_tools for each in known):
        return kinds | _TOOLS
    return kinds


class Changes:
    """Tells listeners which lists of their endpoint changed."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()

    def add(self, listener: Listener) -> None:
        """Tell this listener from now on."""
        self._listeners.add(listener)

    def remove(self, listener: Listener) -> None:
        """Tell it no more."""
        self._listeners.discard(listener)

    def lists_changed(
        self, project: str, server: str | None, kinds: Mapping[str, frozenset[Kind]]
    ) -> None:
        """Say which lists of an endpoint changed, by the mark of who is shown them.

        The mark "" stands for all listeners whose own mark is not named. Each listener hears of
        each method once.
        """
        methods = {mark: list_methods(changed) for mark, changed in kinds.items()}
        for listener in tuple(self._listeners):
            if (listener.project, listener.server) == (project, server):
                for method in methods.get(listener.mark, methods.get("", ())):
                    listener.announce(method, {})


class Subscriptions:
    """Which clients want to hear of which resources; one subscription at the server serves all."""

    def __init__(self) -> None:
        self._watchers: dict[str, dict[str, dict[object, tuple[str, Announce]]]] = {}
        self.source: UpdateSource | None = None

    async def add(
        self, server: ServerEntry, uri: str, watcher: object, exposed: str, announce: Announce
    ) -> None:
        """Tell `watcher` of updates of the server's `uri`, under the URI that it knows.

        Raises RPCError where the server refuses, UpstreamFailed where it cannot be reached.
        """
        watchers = self._watchers.setdefault(server.id, {}).setdefault(uri, {})
        watchers[watcher] = (exposed, announce)
        try:
            # Also where others have subscribed: whether the server let them is not known yet.
            await self._sync(server.id, uri)
        except BaseException:
            # The client must hear why it was refused, not how taking it back went.
            with contextlib.suppress(InterlockError, RPCError):
                await self.remove(server.id, uri, watcher)
            raise

    async def remove(self, server_id: str, uri: str, watcher: object) -> None:
        """Tell `watcher` no more."""
        uris = self._watchers.get(server_id, {})
        watchers = uris.get(uri)
        if watchers is None or watchers.pop(watcher, None) is None or watchers:
            return
        del uris[uri]
        if not uris:
            del self._watchers[server_id]
        await self._sync(server_id, uri)

    async def forget(self, watcher: object) -> None:
        """Tell a client that has gone no more of anything."""
        for server_id, uris in tuple(self._watchers.items()):
            for uri in tuple(uris):
                await self.remove(server_id, uri, watcher)

    def uris(self, server_id: str) -> frozenset[str]:
        """Return the resources of a server that someone wants to hear of."""
        return frozenset(self._watchers.get(server_id, {}))

    def updated(self, server_id: str, params: JSONObject) -> None:
        """Pass a server's `notifications/resources/updated` on to who subscribed."""
        uri = params.get("uri")
        watchers = self._watchers.get(server_id, {}).get(str(uri), {})
        params = _without_our_stream(params)
        for exposed, announce in tuple(watchers.values()):
            announce(RESOURCE_UPDATED, {**params, "uri": exposed})

    async def _sync(self, server_id: str, uri: str) -> None:
        if self.source is not None:
            await self.source.watch(server_id, self.uris(server_id), uri)


def _without_our_stream(params: JSONObject) -> JSONObject:
    """Return `params` without the id of our own stream to the server, which no client knows."""
    meta = as_object(params.get("_meta"))
    if meta is None or META_SUBSCRIPTION not in meta:
        return params
    rest = {key: value for key, value in meta.items() if key != META_SUBSCRIPTION}
    plain = {key: value for key, value in params.items() if key != "_meta"}
    return {**plain, "_meta": rest} if rest else plain
