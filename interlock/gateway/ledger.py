"""From the trace of a call to its record."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from interlock.audit.record import Outcome, Record
from interlock.gateway.call import Trace
from interlock.identity.principal import anonymous


class Ledger:
    """Writes one record for every call that came in, also for one that was refused."""

    def __init__(self, add: Callable[[Record], None]) -> None:
        self._add = add

    def close(self, trace: Trace) -> None:
        """Write down how a call went; it ended now."""
        ended = time.perf_counter()
        now = datetime.now(UTC) - timedelta(seconds=ended - trace.started)
        sent = trace.sent if trace.sent is not None else ended
        upstream = None
        if trace.sent is not None:
            upstream = ((trace.answered or ended) - trace.sent) * 1000
        principal = trace.principal or anonymous()
        outcome: Outcome = trace.outcome
        if outcome == "ok" and trace.tool_error:
            outcome = "tool_error"
        self._add(
            Record(
                time=now,
                project=trace.project,
                server=trace.server,
                principal_kind=principal.kind,
                principal_id=principal.id,
                principal_name=principal.name,
                method=trace.method,
                target=trace.target,
                era=trace.era,
                transport=trace.transport,
                http_status=trace.http_status,
                rpc_code=trace.rpc_code,
                outcome=outcome,
                reason=trace.reason,
                tool_error=trace.tool_error,
                queue_ms=(sent - trace.started) * 1000,
                upstream_ms=upstream,
                total_ms=(ended - trace.started) * 1000,
                request_bytes=trace.request_bytes,
                response_bytes=trace.response_bytes,
                request_id=trace.request_id,
                trace_id=trace.trace_id,
                client_name=trace.client_name,
            )
        )
