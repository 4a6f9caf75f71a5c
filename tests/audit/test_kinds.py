"""What equal calls share is kept once, for as long as a record needs it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text

from interlock.audit.filters import Position, RecordFilter
from interlock.audit.kinds import GRACE, PERIOD, SHARED
from interlock.audit.record import Kind, Record, Repeat, microseconds, new_record_id
from interlock.audit.rows import Batch, stored_id, whole_id
from interlock.audit.store import RecordStore
from interlock.storage.database import Database, sqlite_url
from interlock.storage.migrate import migrate
from interlock.telemetry.request_ids import REQUEST_ID_LENGTH, new_request_id
from tests.audit.records import NOON, all_of, newest_first, record

OLD = NOON - timedelta(days=100)
OWN = {
    *("id", "time", "queue_ms", "upstream_ms", "total_ms", "request_bytes", "response_bytes"),
    *("request_id", "trace_id", "project_id"),
}


def repeat(kind: Kind, time: datetime = NOON) -> Repeat:
    return Repeat(kind, time.timestamp(), 0.25, 2.5, 3.0, 100, 200, new_request_id())


async def rows_of(database: Database, table: str) -> list[dict[str, Any]]:
    async with database.engine.connect() as connection:
        found = await connection.execute(text(f"SELECT * FROM {table}"))  # noqa: S608 -- a name of ours
        return [dict(row) for row in found.mappings()]


async def run(database: Database, statement: str, **values: Any) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text(statement), values)


async def make_old(database: Database, used: datetime) -> None:
    """Make it seem that all kinds were last used at a moment."""
    period = microseconds(used) // PERIOD
    await run(database, "UPDATE record_kinds SET last_period = :period", period=period)


def test_every_field_of_a_record_is_its_own_or_its_kinds() -> None:
    assert {*SHARED} | OWN == {each.name for each in fields(Record)}
    assert not {*SHARED} & OWN


IDS = st.text("0123456789abcdef", min_size=20, max_size=20).flatmap(
    lambda own: st.sampled_from(["000000", "000001", "100000"]).map(lambda more: own + more)
)


@given(st.lists(IDS))
def test_kept_ids_sort_as_whole_ones_and_become_whole_again(ids: list[str]) -> None:
    kept = sorted(stored_id(each) for each in ids)

    assert [whole_id(each) for each in kept] == sorted(ids)


@example("a" * 16 + "0" * 7)
@given(st.text("0a", max_size=26).filter(lambda each: len(each) != REQUEST_ID_LENGTH))
def test_an_id_of_any_form_becomes_whole_again(strange: str) -> None:
    assert whole_id(stored_id(strange)) == strange


@pytest.mark.parametrize("noted", ["of-another-place", None])
async def test_records_of_a_request_are_found_by_its_id(
    store: RecordStore, noted: str | None
) -> None:
    wanted = repeat(Kind(record())).record()
    wanted.request_id = noted or wanted.request_id
    others = [record(project="q", request_id=wanted.request_id), repeat(Kind(record())).record()]
    also = record(request_id=wanted.request_id)
    await store.add([wanted, *others, also])
    by_time = newest_first([wanted, also])

    none = await store.page("p", RecordFilter(request_id=also.id), after=None, limit=5)
    assert none == []
    for server in (None, "time"):
        asked = RecordFilter(request_id=wanted.request_id, server=server)
        first = await store.page("p", asked, after=None, limit=1)
        assert first + await store.page("p", asked, after=Position.of(first[0]), limit=5) == by_time


async def test_equal_calls_share_one_row_in_whichever_way_they_are_recorded(
    store: RecordStore, database: Database
) -> None:
    kind = Kind(record())
    calls = [repeat(kind), repeat(Kind(record())), record(id=new_record_id(), total_ms=9.0)]

    await store.add(calls[:2])
    await store.add(calls[2:])

    assert len(await rows_of(database, "record_kinds")) == 1
    assert {row["kind_number"] for row in await rows_of(database, "records")} == {1}


@pytest.mark.parametrize("name", ["project_id", *SHARED])
async def test_calls_that_differ_in_one_thing_do_not_share_a_row(
    store: RecordStore, database: Database, name: str
) -> None:
    one = record(rpc_code=1, reason="late", tool_error=False, client_name="Cursor")
    values = {
        "era": None,
        "http_status": 404,
        "rpc_code": None,
        "tool_error": None,
        "outcome": "failed",
    }
    other = replace(one, id=new_record_id(), **{name: values.get(name, "another")})

    await store.add([one, other])

    assert len(await rows_of(database, "record_kinds")) == 2
    assert await store.get(one.project_id, one.id) == one
    assert await store.get(other.project_id, other.id) == other


async def test_a_repeat_that_comes_back_from_the_spool_is_known(store: RecordStore) -> None:
    calls = [repeat(Kind(record()), NOON + timedelta(microseconds=n)) for n in range(50)]
    await store.add(calls)

    await store.add([each.record() for each in calls])

    assert await all_of(store) == newest_first([each.record() for each in calls])


async def test_more_kinds_than_one_query_takes_are_written_at_once(store: RecordStore) -> None:
    many = [record(target=f"tool-{number}") for number in range(1201)]

    await store.add(many)

    assert await all_of(store) == newest_first(many)


async def test_kinds_go_with_their_last_record_and_others_stay(
    store: RecordStore, database: Database
) -> None:
    first = record(time=OLD, server=None, target="gone")
    second = record(time=OLD + timedelta(seconds=1), target="gone")
    await store.add([first, second])
    await make_old(database, OLD)
    kept = [record(time=OLD + timedelta(seconds=2), target="kept"), record(target="kept")]
    await store.add(kept)

    # While there are old records, nothing goes that they need.
    assert await store.delete_before(NOON, limit=1) == 1
    left = await store.page("p", RecordFilter(server="time"), after=None, limit=9)
    assert left == newest_first([second, *kept])
    # Two records and one of the two kinds that nobody uses; then the other one.
    assert await store.delete_before(NOON, limit=3) == 3
    assert await store.delete_before(NOON, limit=3) == 1
    assert await store.delete_before(NOON, limit=3) == 0

    assert [row["target"] for row in await rows_of(database, "record_kinds")] == ["kept"]
    assert await all_of(store) == kept[1:]


async def test_a_kind_outlives_its_last_record_by_a_day_in_which_clocks_may_differ(
    store: RecordStore, database: Database
) -> None:
    await store.add([record(time=OLD)])
    await make_old(database, OLD)
    day = timedelta(microseconds=GRACE * PERIOD)

    assert await store.delete_before(OLD + day, limit=9) == 1
    assert await store.delete_before(OLD + day, limit=9) == 0
    assert await store.delete_before(OLD + day + timedelta(hours=1), limit=9) == 1
    assert await rows_of(database, "record_kinds") == []


async def test_a_kind_that_went_is_made_anew_for_whoever_still_knows_it(
    store: RecordStore, database: Database
) -> None:
    kind = Kind(record(target="mine"))
    await store.add([repeat(kind, OLD)])
    (before,) = await rows_of(database, "record_kinds")
    await make_old(database, OLD)
    assert await RecordStore(database).delete_before(NOON, limit=10) == 2
    assert await rows_of(database, "record_kinds") == []

    # Late ones that are as old as those that went are kept, and so is their kind.
    again = [repeat(kind), repeat(kind, OLD)]
    await RecordStore(database).add([record(target="another")])
    await store.add(again)

    found = {each.id: each for each in await all_of(store)}
    assert {each.id: found[each.id] for each in again} == {each.id: each.record() for each in again}
    numbers = [row["number"] for row in await rows_of(database, "record_kinds")]
    assert before["number"] not in numbers


async def test_a_database_with_other_numbers_in_its_place_gets_the_right_kinds(
    store: RecordStore, database: Database
) -> None:
    kinds = [Kind(record(target=name)) for name in ("a", "b")]
    await store.add([repeat(each) for each in kinds])

    # As a backup may bring it back, in which other kinds came first.
    for table in ("records", "record_sightings", "record_kinds", "record_projects"):
        await run(database, f"DELETE FROM {table}")  # noqa: S608 -- a name of ours
    again = [repeat(each) for each in reversed(kinds)]
    await store.add([record(target="c", project="q"), again[0]])
    await store.add(again)

    assert await all_of(store) == newest_first([each.record() for each in again])


@pytest.fixture
async def others(database: Database) -> AsyncGenerator[list[Database]]:
    made = [Database(database.url) for _ in range(3)]
    yield made
    for each in made:
        await each.close()


async def test_several_processes_may_make_the_same_kinds_at_once(
    database: Database, others: list[Database]
) -> None:
    stores = [RecordStore(each) for each in (database, *others)]
    names = [f"tool-{number}" for number in range(40)]
    batches = [
        [
            repeat(Kind(record(target=name, project="pq"[at % 2])))
            for name in names[:: 1 - at % 2 * 2]
        ]
        for at in range(len(stores))
    ]

    async with asyncio.TaskGroup() as group:
        for store, batch in zip(stores, batches, strict=True):
            for at in range(0, len(batch), 10):
                group.create_task(store.add(batch[at : at + 10]))

    expected = newest_first([each.record() for batch in batches for each in batch])
    found = [*await all_of(stores[0], "p"), *await all_of(stores[0], "q")]
    assert newest_first(found) == expected
    assert len(await rows_of(database, "record_kinds")) == 2 * len(names)
    assert len(await rows_of(database, "record_projects")) == 2


@asynccontextmanager
async def unused_kind(database: Database, store: RecordStore) -> AsyncGenerator[Batch]:
    """Leave a kind that no record is of any more, and yield a batch that will use it."""
    kind = Kind(record())
    await store.add([repeat(kind, OLD)])
    await make_old(database, OLD)
    assert await store.delete_before(NOON, limit=1) == 1
    batch = Batch([repeat(kind)])
    yield batch
    assert [each.id for each in await all_of(store)] == [call.id for *_, call in batch.repeats]


async def test_a_kind_that_another_process_uses_at_this_moment_does_not_go(
    database: Database, others: list[Database], store: RecordStore
) -> None:
    async with unused_kind(database, store) as batch:
        async with others[0].transaction() as session:
            connection = await session.connection()
            numbers = await store._kinds.numbers(connection, batch.kinds, batch.times)
            pruning = asyncio.create_task(RecordStore(others[1]).delete_before(NOON, limit=9))
            await asyncio.sleep(0)
            for statement, rows in store._rows.statements(batch, numbers):
                await connection.exec_driver_sql(statement, rows)

        assert await pruning == 0


async def test_a_kind_that_another_process_deletes_at_this_moment_is_made_anew(
    database: Database, others: list[Database], store: RecordStore
) -> None:
    async with unused_kind(database, store) as batch:
        async with others[0].transaction() as session:
            connection = await session.connection()
            assert await store._kinds.forget(connection, microseconds(NOON), limit=9) == 1
            calls = [call for *_, call in batch.repeats]
            adding = asyncio.create_task(RecordStore(others[1]).add(calls))
            await asyncio.sleep(0)

        await adding


@pytest.mark.parametrize("ahead", [timedelta(), timedelta(days=2)], ids=["now", "ahead"])
async def test_calls_of_this_moment_are_on_the_page_of_their_server(
    store: RecordStore, ahead: timedelta
) -> None:
    now = datetime.now(UTC) + ahead
    kinds = [Kind(record(server=server)) for server in ("time", "weather", "time")]
    written: list[Repeat] = []
    for _ in range(2):
        for each in kinds:
            written.append(repeat(each, now))
            await store.add(written[-1:])

    found = await store.page("p", RecordFilter(server="time"), after=None, limit=9)

    assert found == newest_first([each.record() for each in written if each.kind is not kinds[1]])


async def plan_of(database: Database, asked: RecordFilter) -> str:
    """Return how SQLite will find a page of records."""
    statements: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        statements.append((statement, values))

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    await RecordStore(database).page("p", asked, after=Position(NOON, new_record_id()), limit=9)
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)
    ((statement, values),) = [each for each in statements if "LIMIT" in each[0]]
    async with database.engine.connect() as connection:
        found = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        return "\n".join(row[-1] for row in found)


@pytest.mark.parametrize(
    ("asked", "way"),
    [
        (RecordFilter(), "SEARCH records USING PRIMARY KEY (project_number=?"),
        (RecordFilter(outcome="failed"), "SEARCH records USING PRIMARY KEY (project_number=?"),
        (
            RecordFilter(server="time"),
            "SEARCH record_sightings USING PRIMARY KEY (project_number=? AND server=?",
        ),
    ],
    ids=["all", "outcome", "server"],
)
async def test_a_page_is_read_in_its_order_and_no_further(
    tmp_path: Path, asked: RecordFilter, way: str
) -> None:
    database = Database(sqlite_url(tmp_path / "interlock.db"))
    await migrate(database)

    plan = await plan_of(database, asked)
    by_id = await plan_of(database, RecordFilter(request_id="r"))
    await database.close()

    assert plan.startswith(way)
    assert "TEMP B-TREE" not in plan
    assert "records USING PRIMARY KEY" not in by_id


TIMES = st.integers(-3, 3).flatmap(
    lambda period: st.sampled_from((0, 1, PERIOD - 1)).map(
        lambda rest: NOON + timedelta(microseconds=period * PERIOD + rest)
    )
)


@st.composite
def some_batches(draw: st.DrawFn) -> list[list[Record]]:
    """Strategy: batches of records of two servers and none, in several periods, also of the past."""
    one = st.builds(record, time=TIMES, server=st.sampled_from(["time", "weather", None]))
    return draw(st.lists(st.lists(one, min_size=1, max_size=6), max_size=4))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    batches=some_batches(),
    since=st.none() | TIMES,
    until=st.none() | TIMES,
    limit=st.integers(1, 4),
)
async def test_a_servers_pages_hold_all_its_records_of_whatever_period(
    batches: list[list[Record]],
    since: datetime | None,
    until: datetime | None,
    limit: int,
    store: RecordStore,
) -> None:
    project = new_record_id()
    for batch in batches:
        for each in batch:
            each.project_id = project
            each.id = new_record_id()
        await store.add(batch)
    asked = RecordFilter(server="time", since=since, until=until)

    found: list[Record] = []
    after = None
    while page := await store.page(project, asked, after=after, limit=limit):
        found += page
        after = Position.of(page[-1])

    assert found == newest_first(
        [
            each
            for batch in batches
            for each in batch
            if each.server == "time"
            and (since is None or each.time >= since)
            and (until is None or each.time < until)
        ]
    )
