"""Statistics of records: what the database counts is what a plain count of the records gives."""

from collections import Counter
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock.audit.record import Record, new_record_id
from interlock.audit.statistics import BOUNDS_MS, Span, Sum, Tally, duration_class, series
from interlock.audit.statistics_api import routes
from interlock.audit.store import RecordStore
from interlock.audit.writer import RecordWriter
from interlock.errors import InterlockError
from interlock.settings import AuditSettings
from tests.audit.records import NOON, OUTCOMES, SERVERS, record
from tests.audit.test_api import reader_access, refuse

STATISTICS = "/api/v1/projects/p/statistics"
MINUTE = timedelta(minutes=1)
SPAN = Span(NOON, NOON + timedelta(minutes=4, seconds=30), MINUTE)


def some_records() -> st.SearchStrategy[list[Record]]:
    """Strategy: records around the span, at the edges of its steps and of the classes of times."""
    one = st.builds(
        record,
        time=st.integers(-70_000, 280_000).map(lambda ms: NOON + timedelta(milliseconds=ms))
        | st.integers(-1, 5).map(lambda minute: NOON + MINUTE * minute),
        server=st.none() | st.sampled_from(SERVERS),
        target=st.sampled_from(["now", "later"]),
        method=st.sampled_from(["tools/call", "resources/read"]),
        outcome=st.sampled_from(OUTCOMES),
        total_ms=st.sampled_from([0.0, *BOUNDS_MS, 1.001, 70_000.0]),
    )
    return st.lists(one, max_size=25)


@given(records=some_records())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_the_database_counts_as_a_plain_count_does(
    store: RecordStore, records: list[Record]
) -> None:
    project = new_record_id()
    for each in records:
        each.project_id, each.id = project, new_record_id()
    if records:
        await store.add(records)
    within = [each for each in records if SPAN.since <= each.time < SPAN.until]

    by_step = await store.tallies_by_step(project, SPAN)
    by_tool = await store.tallies_by_tool(project, SPAN)

    assert counted(by_step) == Counter(
        (((each.time - NOON) // MINUTE,), *alike(each)) for each in within
    )
    assert counted(by_tool) == Counter(
        ((each.server, each.target if each.method == "tools/call" else None), *alike(each))
        for each in within
    )


def counted(tallies: list[Tally]) -> Counter[Any]:
    return Counter({(each.key, each.outcome, each.duration): each.count for each in tallies})


def alike(one: Record) -> tuple[str, int]:
    return one.outcome, duration_class(one.total_ms)


def test_steps_without_a_call_are_there_too() -> None:
    sums = series(SPAN, [Tally((1,), "ok", 3, 2), Tally((1,), "failed", 0, 1)])

    assert [(each.calls, each.failed) for each in sums] == [(0, 0), (3, 1), (0, 0), (0, 0), (0, 0)]
    assert SPAN.starts()[-1] == NOON + 4 * MINUTE


@given(st.lists(st.floats(0.0, 50_000.0), min_size=1, max_size=50), st.floats(0.01, 1.0))
def test_a_percentile_lies_in_the_class_of_times_that_the_true_one_lies_in(
    times: list[float], share: float
) -> None:
    calls = Sum()
    for each in times:
        calls.add(Tally((), "ok", duration_class(each), 1))
    true = sorted(times)[max(0, -int(-share * len(times) // 1) - 1)]

    found = calls.percentile(share)

    assert found is not None
    lower = (0.0, *BOUNDS_MS)[duration_class(true)]
    assert lower <= found <= BOUNDS_MS[duration_class(true)]


def test_no_call_has_no_percentile() -> None:
    assert Sum().percentile(0.5) is None


@pytest.fixture
async def writer(store: RecordStore, tmp_path: Path) -> AsyncGenerator[RecordWriter]:
    slow = AuditSettings(flush_interval=3600.0, keep_days=36_500)
    async with RecordWriter(store, slow, spool=tmp_path / "records.spool") as writer:
        yield writer


@pytest.fixture
async def client(store: RecordStore, writer: RecordWriter) -> AsyncGenerator[httpx2.AsyncClient]:
    app = FastAPI()
    app.include_router(routes(store, writer, reader_access))
    app.add_exception_handler(InterlockError, refuse)
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def test_failing_servers_and_tools_come_first(
    client: httpx2.AsyncClient, writer: RecordWriter
) -> None:
    for server, target, outcome, count in (
        ("busy", "busy__a", "ok", 5),
        ("ill", "ill__a", "failed", 1),
        ("ill", "ill__b", "tool_error", 2),
        ("busy", "busy__a", "refused", 1),
    ):
        for _ in range(count):
            writer.add(record(server=server, target=target, outcome=outcome))
    writer.add(record(server=None, target=None, method="tools/list"))
    writer.add(record(project="q"))
    query = {"since": iso(NOON - MINUTE), "until": iso(NOON + MINUTE), "step": 60}

    answer = await client.get(STATISTICS, params=query)

    assert answer.status_code == HTTPStatus.OK, answer.text
    told = answer.json()
    short = [(each["server"], each["calls"], each["failed"]) for each in told["servers"]]
    tools = [(each["tool"], each["calls"], each["failed"]) for each in told["tools"]]
    assert short == [("ill", 3, 3), ("busy", 6, 0)]
    assert tools == [("ill__b", 2, 2), ("ill__a", 1, 1), ("busy__a", 6, 0)]
    assert [each["calls"] for each in told["steps"]] == [0, 10]
    assert told["total"] == {
        "calls": 10,
        "failed": 3,
        "refused": 1,
        "p50_ms": 3.5,
        "p95_ms": 4.85,
        "p99_ms": 4.97,
    }


def iso(moment: datetime) -> str:
    return moment.isoformat()


async def test_without_a_span_it_is_the_last_hour_in_minutes(client: httpx2.AsyncClient) -> None:
    told = (await client.get(STATISTICS)).json()

    assert (told["step_seconds"], len(told["steps"])) == (60, 60)
    assert told["total"]["p50_ms"] is None


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ({"since": iso(NOON), "until": iso(NOON)}, '"since" must be before "until".'),
        (
            {"since": iso(NOON), "until": iso(NOON + timedelta(days=1)), "step": "1"},
            '"step" is too short: the span would have over 400 steps.',
        ),
        ({"step": "0"}, '"step": Input should be greater than or equal to 1.'),
        ({"steps": "1"}, '"steps" is not a filter of records; leave it out.'),
    ],
)
async def test_a_wrong_span_is_refused_in_words(
    client: httpx2.AsyncClient, query: dict[str, str], fault: str
) -> None:
    answer = await client.get(STATISTICS, params=query)

    assert (answer.status_code, answer.json()["error"]) == (HTTPStatus.BAD_REQUEST, fault)
