"""The spans of a call: one for what its client asked, and one below it for what its server did."""

import time
from typing import Final

from interlock.gateway.call import Trace
from interlock.protocol.json import JSONObject, as_object
from interlock.telemetry.metrics import METHODS
from interlock.telemetry.spans import Spans

MAX_VALUE: Final = 256  # characters of an attribute that a client chose
_FAILED: Final = frozenset({"refused", "failed", "tool_error"})


def begin(spans: Spans, trace: Trace) -> None:
    """Begin the span of a call, under its client's where there is one."""
    if trace.span is None:
        trace.span = spans.begin(trace.context, _moment(trace.started))
        trace.trace_id = trace.span.context.trace_id


def carry(trace: Trace, params: JSONObject) -> JSONObject:
    """Return `params` with the span in them that the server's own belongs under.

    Where we tell no spans it is the client's, so that the two meet. Call it once the call is sent.
    """
    if trace.span is not None:
        trace.upstream_span = trace.span.child(_moment(trace.sent or trace.started))
        trace.outward = trace.upstream_span.context
    else:
        trace.outward = trace.context
    if trace.outward is None:
        return params
    meta = as_object(params.get("_meta")) or {}
    if meta.get("traceparent") == trace.outward.traceparent:
        return params
    kept = {name: value for name, value in meta.items() if name != "tracestate"}
    return {**params, "_meta": {**kept, **dict(trace.outward.headers)}}


def end(spans: Spans, trace: Trace, outcome: str, ended: float) -> None:
    """End the spans of a call that `ended` then, by the clock of its trace."""
    begin(spans, trace)
    if trace.span is None:
        return
    attributes = _attributes(trace)
    error = _error(trace, outcome)
    if trace.upstream_span is not None and trace.sent is not None:
        at = _moment(trace.answered or ended)
        failed = error if outcome != "refused" else None
        trace.upstream_span.end(at, _name(trace), attributes, failed)
    whole: dict[str, str | int] = {
        **attributes,
        "network.protocol.name": "http",
        "network.transport": "tcp",
        "http.response.status_code": trace.http_status,
        "interlock.request_id": trace.request_id,
        "interlock.outcome": outcome,
        "interlock.transport": trace.transport,
    }
    if trace.principal is not None:
        whole["interlock.principal"] = f"{trace.principal.kind}:{trace.principal.id}"
    if trace.client_name:
        whole["interlock.client"] = trace.client_name[:MAX_VALUE]
    trace.span.end(_moment(ended), _name(trace), whole, error)


def _name(trace: Trace) -> str:
    method = _method(trace)
    tool = trace.found[2]
    return f"{method} {tool}" if tool else method


def _method(trace: Trace) -> str:
    # Spans are grouped by their name, so that it must not be of a client's making.
    return trace.method if trace.method in METHODS else "other"


def _attributes(trace: Trace) -> dict[str, str | int]:
    project, server, tool = trace.found
    attributes: dict[str, str | int] = {
        "mcp.method.name": trace.method[:MAX_VALUE],
        "interlock.project": project,
        "interlock.server": server,
        "interlock.era": trace.era.value if trace.era is not None else "",
        "interlock.tool": tool,
    }
    if tool:
        attributes |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
    if trace.method == "prompts/get" and trace.target:
        attributes["gen_ai.prompt.name"] = trace.target[:MAX_VALUE]
    if trace.method == "resources/read" and trace.target:
        attributes["mcp.resource.uri"] = trace.target[:MAX_VALUE]
    if trace.rpc_code is not None:
        attributes["rpc.response.status_code"] = str(trace.rpc_code)
    return {name: value for name, value in attributes.items() if value != ""}


def _error(trace: Trace, outcome: str) -> str | None:
    """Return the `error.type` of a call: our reason, the server's own code, or `tool_error`."""
    if outcome not in _FAILED:
        return None
    if trace.reason == "rpc_error":
        return str(trace.rpc_code)
    return trace.reason or outcome


def _moment(at: float) -> int:
    """Return a moment of the monotonic clock as nanoseconds since 1970."""
    return time.time_ns() - int((time.perf_counter() - at) * 1e9)
