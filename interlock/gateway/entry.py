"""The first step of every call: who calls, what for, and the trace that becomes its record."""

from collections.abc import Callable
from dataclasses import dataclass

from interlock.errors import NotFound, Unauthenticated
from interlock.gateway.call import Trace
from interlock.gateway.capabilities import Acquaintance, signature
from interlock.gateway.http import ATTEMPTS, CALLER, NAMED_SERVER, Scope, headers_of
from interlock.gateway.ledger import Ledger
from interlock.gateway.limited import limited
from interlock.gateway.pipeline import target_name
from interlock.gateway.table import ProjectEntry, RouteTable, View, no_server
from interlock.identity.credentials import api_key_in
from interlock.identity.principal import Principal, anonymous
from interlock.policy.rate_limit import RateLimits
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, as_object
from interlock.telemetry.logs import lines_belong_to
from interlock.telemetry.request_ids import new_request_id
from interlock.telemetry.spans import context_of


@dataclass(frozen=True, slots=True)
class Arrival:
    """A request that was let in; `place` is the project's name and the server's, or None.

    `address` is the client's host.
    """

    principal: Principal
    project: ProjectEntry
    place: tuple[str, str | None]
    headers: dict[str, str]
    address: str
    trace: Trace
    meet: Callable[[str, str, JSONObject], None]

    def view(self, capabilities: JSONObject) -> View:
        """Return what a client with these capabilities and this key is shown. Raises NotFound."""
        mark = signature(capabilities)
        if mark and mark not in self.project.variants:
            self.meet(self.project.id, mark, capabilities)
        view = self.project.view(self.place[1], mark)
        return limited(self.project, view, self.principal.access)


class Entry:
    """Lets requests in: knows the keys, the routing table, and who writes the records."""

    def __init__(
        self,
        identify: Callable[[str], Principal],
        table: Callable[[], RouteTable],
        ledger: Ledger,
        acquaintance: Acquaintance,
        limits: RateLimits,
        *,
        max_body: int,
    ) -> None:
        self.max_body = max_body
        self.table = table
        self._identify = identify
        self.ledger = ledger
        self._acquaintance = acquaintance
        self.limits = limits

    def trace(self, scope: Scope, transport: str) -> Trace:
        """Open the trace of a request; whatever becomes of it will be recorded."""
        trace = Trace(
            request_id=new_request_id(),
            transport=transport,
            method=scope["method"],
            attempts=scope.get(ATTEMPTS, 0),
        )
        lines_belong_to(trace)
        return trace

    def admit(self, scope: Scope, place: tuple[str, str | None], trace: Trace) -> Arrival:
        """Find out who calls and what they may see. Raises Unauthenticated and NotFound.

        A project that is hidden from the caller looks like one that does not exist.
        """
        try:
            return self._admit(scope, place, trace)
        except NotFound:
            if NAMED_SERVER not in scope:
                raise
            # Nobody learns what a server is called that is not theirs, or of which project it is.
            raise no_server(scope[NAMED_SERVER]) from None

    def _admit(self, scope: Scope, place: tuple[str, str | None], trace: Trace) -> Arrival:
        headers = headers_of(scope)
        project_name, server = place
        trace.context = context_of(headers)
        if trace.context is not None:
            trace.trace_id = trace.context.trace_id
        project = self.table().find(project_name)
        trace.project = project.name if project is not None else project_name
        trace.found = (project.name if project is not None else "", "", "")
        trace.principal = principal = self._principal(scope, headers, project)
        if project is None or not principal.sees(project.id):
            # The same words whether it is missing or hidden.
            project = RouteTable().project(project_name)
        trace.server = server
        limited(project, project.view(server), principal.access)
        trace.found = (project.name, server or "", "")
        place, address = (project.name, server), client_of(scope)
        return Arrival(principal, project, place, headers, address, trace, self._acquaintance.meet)

    def take(self, arrival: Arrival) -> None:
        """Count a call of a caller before it costs anything. Raises RateLimited."""
        self.limits.take(arrival.principal, arrival.project, arrival.address)

    def take_session(self, arrival: Arrival) -> None:
        """Count a session that a caller opens. Raises RateLimited."""
        self.limits.take_session(arrival.principal, arrival.address)

    def _principal(
        self, scope: Scope, headers: dict[str, str], project: ProjectEntry | None
    ) -> Principal:
        known: Callable[[], Principal] | None = scope.get(CALLER)
        if known is not None:
            return known()
        authorization = headers.get("authorization")
        x_api_key = headers.get("x-api-key")
        key = api_key_in(
            [authorization] if authorization is not None else (),
            [x_api_key] if x_api_key is not None else (),
        )
        if key is not None:
            return self._identify(key)
        if project is not None and project.is_open:
            return anonymous(project.id)
        raise Unauthenticated(
            "An API key is needed: send Authorization: Bearer, a space and the key."
        )

    def part(self, scope: Scope, whole: Trace, message: jsonrpc.Request) -> Trace:
        """Open the trace of one request of many that came together."""
        trace = self.trace(scope, whole.transport)
        trace.project, trace.server, trace.principal = whole.project, whole.server, whole.principal
        trace.trace_id, trace.context, trace.found = whole.trace_id, whole.context, whole.found
        self.describe(trace, message)
        return trace

    def describe(self, trace: Trace, message: jsonrpc.Message) -> None:
        """Note in the trace what a message is about."""
        if isinstance(message, jsonrpc.Response):
            trace.method = "response"
            return
        trace.method = message.method
        trace.target = target_name(message.params)
        meta = as_object(message.params.get("_meta"))
        told = context_of(meta) if meta is not None else None
        if told is not None:
            # A message's own context goes before that of the HTTP request which carries it
            # (OpenTelemetry, semantic conventions for MCP, context propagation).
            trace.context, trace.trace_id = told, told.trace_id
        self.ledger.begin(trace)

    def close(self, trace: Trace) -> None:
        """Write the record of a request that has ended."""
        self.ledger.close(trace)


def client_of(scope: Scope) -> str:
    """Return the host that a request came from."""
    client = scope.get("client")
    return client[0] if client else ""
