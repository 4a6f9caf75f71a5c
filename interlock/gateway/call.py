"""One request on its way: who asks for what, and what is told about it afterwards."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from interlock.audit.record import Outcome
from interlock.errors import InterlockError, RPCError, UpstreamFailed
from interlock.gateway.clients import ClientSession
from interlock.gateway.own_sessions import OwnSessions
from interlock.gateway.table import ServerEntry, View
from interlock.identity.principal import Principal
from interlock.protocol.json import JSONObject
from interlock.protocol.versions import Era
from interlock.telemetry.logs import get_logger, log_failure
from interlock.telemetry.spans import Span, TraceContext
from interlock.upstreams.port import Caller, ClientFacts

log = get_logger(__name__)


@dataclass(slots=True)
class Trace:
    """What a call leaves for its record while it goes through; times in seconds, monotonic.

    `found` is its project, server and tool as far as they exist: what a caller made up is in the
    record, and in no label. `context` is the span that the client said the call belongs under,
    `span` ours for it, `outward` what its server was told. `attempts` is how often the call was
    made before, in another lane.
    """

    request_id: str
    transport: str
    started: float = field(default_factory=time.perf_counter)
    project: str = ""
    server: str | None = None
    principal: Principal | None = None
    method: str = ""
    target: str | None = None
    era: Era | None = None
    client_name: str | None = None
    trace_id: str | None = None
    request_bytes: int = 0
    response_bytes: int = 0
    sent: float | None = None
    answered: float | None = None
    http_status: int = 200
    rpc_code: int | None = None
    outcome: Outcome = "ok"
    reason: str | None = None
    tool_error: bool | None = None
    found: tuple[str, str, str] = ("", "", "")
    context: TraceContext | None = None
    span: Span | None = None
    upstream_span: Span | None = None
    outward: TraceContext | None = None
    is_closed: bool = False
    attempts: int = 0

    def log_fields(self) -> dict[str, str]:
        """Return what each log line of the call says of it; nothing once the call has ended."""
        if self.is_closed:
            return {}
        fields = {"request_id": self.request_id}
        if self.project:
            fields["project"] = self.project
        if self.server:
            fields["server"] = self.server
        if self.principal is not None:
            fields["principal"] = f"{self.principal.kind}:{self.principal.id}"
        if self.trace_id is not None:
            fields["trace_id"] = self.trace_id
        return fields

    def fail(self, fault: InterlockError | RPCError) -> None:
        """Note why the call has no result; what the caller could mend is refused, else failed."""
        if isinstance(fault, RPCError):
            self.rpc_code, self.reason, self.outcome = fault.code, "rpc_error", "failed"
            return
        self.rpc_code, self.reason = fault.rpc_code, fault.reason
        # What a server refuses for want of time is no fault of the caller, whatever its status.
        is_theirs = isinstance(fault, UpstreamFailed)
        is_refused = not is_theirs and fault.status < HTTPStatus.INTERNAL_SERVER_ERROR
        self.outcome = "refused" if is_refused else "failed"

    def unforeseen(self, error: Exception) -> InterlockError:
        """Log a fault of our own and return what the caller may know of it."""
        log_failure(log, "call.unforeseen", error, request_id=self.request_id, server=self.server)
        fault = InterlockError(f"Something went wrong here; request {self.request_id}.")
        self.fail(fault)
        return fault


# Nobody changes a call; but one is made for every request, and frozen that takes far longer.
@dataclass(slots=True)
class Call:
    """One request of a client. `session` and `own` are its where it is of the legacy era."""

    view: View
    principal: Principal
    era: Era
    client: ClientFacts
    method: str
    params: JSONObject
    caller: Caller
    trace: Trace
    session: ClientSession | None = None
    own: OwnSessions | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def scope(self, server: ServerEntry) -> str:
        """Return the key of the client's own session at a server; empty where it is shared."""
        owner = self.own.owner(server) if self.own is not None else None
        return owner.key if owner is not None else ""
