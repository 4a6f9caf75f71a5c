"""Finds where common calls go: all that is the same for equal calls, found out for the first of them."""

from typing import Final

from interlock.errors import InterlockError
from interlock.gateway.call import Trace
from interlock.gateway.clients import ClientSession, info_of
from interlock.gateway.entry import Entry
from interlock.gateway.handover import Handover
from interlock.gateway.heads import Head, Route
from interlock.gateway.legacy import LegacyClients
from interlock.gateway.table import Target, View
from interlock.gateway.tasks import has_tasks
from interlock.identity.principal import Principal
from interlock.protocol.json import JSONObject
from interlock.protocol.versions import (
    META_CLIENT_INFO,
    META_VERSION,
    MODERN_VERSIONS,
    Era,
)
from interlock.upstreams.port import ClientFacts

METHOD: Final = "tools/call"
MODERN: Final = Era.MODERN
LEGACY: Final = Era.LEGACY


class FastRoutes:
    """The routes of the fast lane, through the views, sessions and policies of the general one."""

    def __init__(self, entry: Entry, legacy: LegacyClients, handover: Handover) -> None:
        self._entry = entry
        self._legacy = legacy
        self._handover = handover

    def find(self, head: Head, name: str, meta: JSONObject) -> Route | None:
        """Return the route of calls of a tool; None where the general lane must serve them."""
        principal = head.principal
        if principal is None or not principal.may_call:
            return None
        if head.is_modern:
            return self._of_modern(head, principal, name, meta)
        return self._of_session(head, principal, name)

    def _of_modern(
        self, head: Head, principal: Principal, name: str, meta: JSONObject
    ) -> Route | None:
        version, headers = meta.get(META_VERSION), head.headers
        if (
            version not in MODERN_VERSIONS
            or head.version != version
            or headers.get("mcp-method") != METHOD
            or headers.get("mcp-name") != name
            or name.startswith("=?")
            or head.view is None
        ):
            return None
        told = meta.get(META_CLIENT_INFO)
        client = ClientFacts(info_of(told), {})
        return self._route(head, principal, head.view, name, (MODERN, client, told, None))

    def _of_session(self, head: Head, principal: Principal, name: str) -> Route | None:
        if head.session_id is None or head.project is None:
            return None
        place = (head.project.name, head.place[1])
        try:
            session = self._legacy.sessions.find(head.session_id, principal, place)
            view = self._legacy.view_of(session)
        except InterlockError:
            return None
        if session.client.capabilities or self._handover.of_view(view) != self._handover.number:
            return None
        return self._route(head, principal, view, name, (LEGACY, session.client, None, session))

    def _route(
        self,
        head: Head,
        principal: Principal,
        view: View,
        name: str,
        who: tuple[Era, ClientFacts, object, ClientSession | None],
    ) -> Route | None:
        project, target, (era, client, told, session) = head.project, view.tools.get(name), who
        if project is None or target is None or not _is_common(target):
            return None
        upstream = target.server.upstream
        there = upstream.era_for(era)
        place = upstream.place(there) if upstream.eras else None
        if place is None or (era is LEGACY and there is MODERN):
            return None
        trace = _trace(head, principal, target, name)
        trace.era, trace.client_name = era, str(client.info.get("name", ""))
        return Route(
            name=name,
            view=view,
            target=target,
            principal=principal,
            project=project,
            era=era,
            client=client,
            meta=told,
            session=session,
            eras=upstream.eras,
            place=place,
            way=place.session.way(METHOD, target.name, head.version or ""),
            account=self._entry.ledger.account(trace),
            translates=era is not there,
            is_limited=self._entry.limits.applies_to(principal, project),
        )


def _is_common(target: Target) -> bool:
    server = target.server
    is_special = target.mirrored or target.needs_task or has_tasks(server)
    return not is_special and server.process is None


def _trace(head: Head, principal: Principal, target: Target, name: str) -> Trace:
    project, server = head.project, target.server
    named = project.name if project is not None else ""
    trace = Trace("", "streamable-http", project=named, server=server.name, principal=principal)
    trace.method, trace.target = METHOD, name
    trace.found = (named, server.name, target.name if server.catalogue is not None else "")
    trace.tool_error = False
    return trace
