"""From the trace of a call to its record, its numbers and its spans."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from interlock.audit.record import Kind, Outcome, Record, Repeat, record_id_of
from interlock.gateway import tracing
from interlock.gateway.call import Trace
from interlock.identity.principal import anonymous
from interlock.telemetry.metrics import CallMetrics, CallSlot
from interlock.telemetry.spans import Spans


@dataclass(frozen=True, slots=True)
class Account:
    """Where equal calls are written down: the kind of their records, and their numbers."""

    kind: Kind
    slot: CallSlot


class Ledger:
    """Writes one record for every call that came in, also for one that was refused.

    The same is counted and told to a collector of traces, so that all three agree. `project_id`
    returns the id of the project with a name, and an empty text where there is none.
    """

    def __init__(
        self,
        add: Callable[[Record | Repeat], None],
        calls: CallMetrics | None = None,
        spans: Spans | None = None,
        project_id: Callable[[str], str] = str,
    ) -> None:
        self._add = add
        self._calls = calls or CallMetrics()
        self._spans = spans
        self._project_id = project_id

    def begin(self, trace: Trace) -> None:
        """Begin the span of a call, where spans are told; its trace knows who calls for what."""
        if self._spans is not None:
            tracing.begin(self._spans, trace)

    def close(self, trace: Trace) -> None:
        """Write down how a call went; it ended now."""
        ended = time.perf_counter()
        now = datetime.fromtimestamp(time.time() - (ended - trace.started), UTC)
        sent = trace.sent if trace.sent is not None else ended
        upstream = None
        if trace.sent is not None:
            upstream = (trace.answered or ended) - trace.sent
        outcome: Outcome = trace.outcome
        if outcome == "ok" and trace.tool_error:
            outcome = "tool_error"
        if self._spans is not None:
            tracing.end(self._spans, trace, outcome, ended)
        trace.is_closed = True
        project, server, tool = trace.found
        self._calls.slot(project, server, trace.method, tool).ended(
            outcome,
            trace.reason,
            ended - trace.started,
            sent - trace.started,
            upstream,
            trace.request_bytes,
            trace.response_bytes,
        )
        record = self._record(trace, now, outcome)
        record.queue_ms = (sent - trace.started) * 1000
        record.upstream_ms = upstream * 1000 if upstream is not None else None
        record.total_ms = (ended - trace.started) * 1000
        self._add(record)

    def account(self, trace: Trace) -> Account:
        """Return where calls with an equal trace are written down that end well."""
        project, server, tool = trace.found
        record = self._record(trace, datetime.now(UTC), "ok")
        return Account(Kind(record), self._calls.slot(project, server, trace.method, tool))

    def went_well(  # noqa: PLR0913, PLR0917 -- what is noted of a call; a shape for it would be made per call
        self,
        account: Account,
        started: float,
        sent: float,
        ended: float,
        request_bytes: int,
        response_bytes: int,
        request_id: str,
    ) -> None:
        """Write down a call of an account as `close` does; times in seconds, monotonic."""
        queue, upstream, total = sent - started, ended - sent, ended - started
        account.slot.ended("ok", None, total, queue, upstream, request_bytes, response_bytes)
        self._add(
            Repeat(
                account.kind,
                time.time() - total,
                queue * 1000,
                upstream * 1000,
                total * 1000,
                request_bytes,
                response_bytes,
                request_id,
            )
        )

    def _record(self, trace: Trace, arrived: datetime, outcome: Outcome) -> Record:
        principal = trace.principal or anonymous()
        return Record(
            time=arrived,
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
            total_ms=0.0,
            request_bytes=trace.request_bytes,
            response_bytes=trace.response_bytes,
            request_id=trace.request_id,
            trace_id=trace.trace_id,
            client_name=trace.client_name,
            project_id=self._project_id(trace.project),
            id=record_id_of(trace.request_id),
        )
