"""Records of the calls that come by REST: sessions of hosted processes, and calls in them."""

from collections.abc import MutableMapping
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from interlock.errors import InterlockError, RPCError
from interlock.gateway.call import Trace
from interlock.gateway.http import headers_of
from interlock.gateway.ledger import Ledger
from interlock.gateway.pipeline import target_name
from interlock.identity.principal import Principal
from interlock.protocol.json import JSONObject
from interlock.telemetry.logs import lines_belong_to
from interlock.telemetry.request_ids import new_request_id
from interlock.telemetry.spans import context_of

_TRACE = "interlock_trace"
_REQUEST_ID = b"x-request-id"


def is_recorded(scope: Scope) -> bool:
    """Tell whether a request is one that starts a process or makes a call."""
    path: str = scope["path"]
    return path in {"/mcp/request", "/sessions"} or path.startswith("/sessions/")


class RESTRecords:
    """Wraps the control API: every such request leaves a record, refused ones too.

    The records belong to `project`, whose owners alone may make these requests.
    """

    def __init__(self, app: ASGIApp, ledger: Ledger, project: str) -> None:
        self._app = app
        self._ledger = ledger
        self._project = project

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request and record it."""
        trace = Trace(request_id=new_request_id(), transport="rest", method=scope["method"])
        trace.context = context_of(headers_of(scope))
        if trace.context is not None:
            trace.trace_id = trace.context.trace_id
        trace.project, trace.target = self._project, scope["path"]
        trace.found = (self._project, "", "")
        lines_belong_to(trace)
        scope.setdefault("state", {})[_TRACE] = trace

        async def counted_receive() -> MutableMapping[str, Any]:
            message = await receive()
            trace.request_bytes += len(message.get("body", b""))
            return message

        async def counted_send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                trace.http_status = message["status"]
                _identify(message, trace)
            trace.response_bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, counted_receive, counted_send)
        finally:
            if trace.outcome == "ok" and trace.http_status >= 400:  # noqa: PLR2004 -- HTTP's own
                trace.outcome = "refused" if trace.http_status < 500 else "failed"  # noqa: PLR2004
            self._ledger.close(trace)


def arrived(request: Request, principal: Principal) -> None:
    """Note who calls, before it is known whether they may."""
    trace = _trace(request.scope)
    if trace is not None:
        trace.principal = principal


def refused(scope: Scope, fault: InterlockError) -> str:
    """Note why a request is refused, where it is recorded, and return its id."""
    trace = _trace(scope)
    if trace is None:
        return new_request_id()
    trace.fail(fault)
    return trace.request_id


def called(
    request: Request, method: str, params: JSONObject, fault: InterlockError | RPCError | None
) -> None:
    """Note what was called, and how it went."""
    trace = _trace(request.scope)
    if trace is None:
        return
    trace.method, trace.target = method, target_name(params)
    if fault is not None:
        trace.fail(fault)


def _trace(scope: Scope) -> Trace | None:
    return scope.get("state", {}).get(_TRACE)


def _identify(start: MutableMapping[str, Any], trace: Trace) -> None:
    headers: list[tuple[bytes, bytes]] = list(start.get("headers", ()))
    if not any(name == _REQUEST_ID for name, _ in headers):
        headers.append((_REQUEST_ID, trace.request_id.encode()))
    start["headers"] = headers
