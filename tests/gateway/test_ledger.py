"""Every call leaves one record, whatever became of it."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from interlock.audit.record import Record, is_record_id
from interlock.errors import Forbidden, RPCError, UpstreamTimeout
from interlock.gateway.call import Trace
from interlock.gateway.ledger import Ledger
from interlock.identity.principal import Principal, Role
from interlock.protocol.versions import Era
from interlock.telemetry.metrics import CallMetrics
from interlock.telemetry.request_ids import new_request_id


def recorded(trace: Trace) -> Record:
    records: list[Record] = []
    Ledger(lambda made: records.append(made) if isinstance(made, Record) else None).close(trace)
    (record,) = records
    return record


def fresh(**facts: object) -> Trace:
    trace = Trace(request_id="r-1", transport="sse")
    for name, value in facts.items():
        setattr(trace, name, value)
    return trace


def test_what_a_call_left_is_written_down() -> None:
    caller = Principal("key", "k-1", "Build", "p-1", Role.DEVELOPER)
    trace = fresh(
        project="shop",
        server="time",
        principal=caller,
        method="tools/call",
        target="now",
        era=Era.MODERN,
        client_name="Editor",
        trace_id="abc",
        request_bytes=10,
        response_bytes=20,
        http_status=202,
    )

    record = recorded(trace)

    assert (record.project, record.server, record.method) == ("shop", "time", "tools/call")
    assert (record.principal_kind, record.principal_id, record.principal_name) == (
        "key",
        "k-1",
        "Build",
    )
    assert (record.target, record.era, record.transport) == ("now", Era.MODERN, "sse")
    assert (record.request_id, record.trace_id, record.client_name) == ("r-1", "abc", "Editor")
    assert (record.request_bytes, record.response_bytes, record.http_status) == (10, 20, 202)
    assert (record.outcome, record.reason, record.rpc_code) == ("ok", None, None)


def test_a_record_has_the_id_of_its_request_only_longer() -> None:
    own = new_request_id()
    trace = Trace(request_id=own, transport="sse")

    assert recorded(trace).id == own + "000000"
    assert is_record_id(recorded(fresh()).id)


def test_a_call_of_nobody_is_an_anonymous_ones() -> None:
    assert recorded(fresh()).principal_kind == "anonymous"


@pytest.mark.parametrize(
    ("fault", "outcome", "reason", "code"),
    [
        (Forbidden("No."), "refused", "forbidden", -31403),
        (UpstreamTimeout("Late."), "failed", "upstream_timeout", -31504),
        (RPCError(-32000, "Theirs"), "failed", "rpc_error", -32000),
    ],
)
def test_a_fault_is_written_with_its_reason(
    fault: Forbidden | UpstreamTimeout | RPCError, outcome: str, reason: str, code: int
) -> None:
    trace = fresh()
    trace.fail(fault)

    record = recorded(trace)

    assert (record.outcome, record.reason, record.rpc_code) == (outcome, reason, code)


@pytest.mark.parametrize(
    ("before", "tool_error", "after"),
    [
        ("ok", True, "tool_error"),
        ("ok", False, "ok"),
        ("failed", True, "failed"),
        ("cancelled", True, "cancelled"),
        ("input_required", False, "input_required"),
    ],
)
def test_a_tools_own_failure_counts_where_all_else_went_well(
    before: str, tool_error: bool, after: str
) -> None:
    record = recorded(fresh(outcome=before, tool_error=tool_error))

    assert (record.outcome, record.tool_error) == (after, tool_error)


def test_the_time_of_a_call_is_split_where_it_was_sent_and_answered() -> None:
    now = time.perf_counter()
    record = recorded(fresh(started=now - 10, sent=now - 9, answered=now - 4))

    assert round(record.queue_ms) == 1000
    assert record.upstream_ms is not None
    assert round(record.upstream_ms) == 5000
    assert record.total_ms >= 10_000
    begun = datetime.now(UTC) - timedelta(seconds=10)
    assert abs(record.time - begun) < timedelta(seconds=5)


def test_a_call_that_was_never_sent_spent_all_its_time_here() -> None:
    record = recorded(fresh(started=time.perf_counter() - 3))

    assert record.upstream_ms is None
    assert record.queue_ms == record.total_ms
    assert record.total_ms >= 3000


def test_a_call_that_was_never_answered_was_with_its_server_until_the_end() -> None:
    now = time.perf_counter()
    record = recorded(fresh(started=now - 3, sent=now - 2))

    assert record.upstream_ms is not None
    assert record.upstream_ms >= 2000


def counted(*traces: Trace) -> dict[str, dict[tuple[str, ...], object]]:
    metrics = CallMetrics()
    ledger = Ledger(lambda _: None, metrics)
    for trace in traces:
        ledger.close(trace)
    return {family.name: dict(family.points) for family in metrics.families()}


def test_what_is_recorded_is_counted_with_the_same_end() -> None:
    refused = fresh(method="tools/call", found=("shop", "time", "now"))
    refused.fail(Forbidden("No."))
    broken = fresh(method="tools/call", found=("shop", "time", "now"), tool_error=True)

    found = counted(refused, broken)

    at = ("shop", "time", "tools/call", "now")
    assert found["interlock_calls_total"] == {(*at, "refused"): 1, (*at, "tool_error"): 1}
    assert found["interlock_call_errors_total"] == {(*at, "forbidden"): 1, (*at, "tool_error"): 1}


def test_names_that_a_caller_made_up_are_recorded_and_become_no_labels() -> None:
    trace = fresh(project="guessed", server="guessed", target="guessed", method="tools/call")

    assert recorded(trace).project == "guessed"
    found = counted(fresh(project="guessed", server="guessed", method="tools/call"))
    assert found["interlock_calls_total"] == {("", "", "tools/call", "", "ok"): 1}


def test_lines_of_a_call_name_it_until_it_is_recorded() -> None:
    caller = Principal("key", "k-1", "Build", "p-1", Role.DEVELOPER)
    trace = fresh(project="shop", server="time", principal=caller, trace_id="abc")

    assert trace.log_fields() == {
        "request_id": "r-1",
        "project": "shop",
        "server": "time",
        "principal": "key:k-1",
        "trace_id": "abc",
    }
    recorded(trace)
    assert trace.log_fields() == {}
