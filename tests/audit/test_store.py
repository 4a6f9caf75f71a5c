import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock.audit.filters import Position, RecordFilter
from interlock.audit.record import Kind, Record, Repeat, is_record_id, new_record_id
from interlock.audit.store import RecordStore
from interlock.errors import BadInput, NotFound
from interlock.telemetry.request_ids import new_request_id
from tests.audit.records import (
    NOON,
    all_of,
    matches,
    newest_first,
    record,
    some_filters,
    some_records,
)


async def test_a_record_reads_back_as_it_was_written(store: RecordStore) -> None:
    one = record(
        rpc_code=-32602,
        tool_error=True,
        reason="bad_input",
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
        client_name="Cursor — é",
    )

    await store.add([one, record(server=None, target=None, era=None, upstream_ms=None)])

    assert await store.get("p", one.id) == one


async def test_a_record_written_again_stays_as_it_was(store: RecordStore) -> None:
    first, other = record(), record()

    await store.add([first])
    await store.add([record(id=first.id, outcome="failed"), other])

    assert await all_of(store) == newest_first([first, other])


@pytest.mark.parametrize("count", [1, 31, 32, 33, 70])
async def test_records_that_are_alike_read_back_as_they_would_alone(
    store: RecordStore, count: int
) -> None:
    like = record(tool_error=False, client_name="Cursor — é")
    kind = Kind(like)
    began = NOON.timestamp()
    repeats = [
        Repeat(kind, began + number / 8, 0.25, 2.5, 3.0, 100 + number, 200, new_request_id())
        for number in range(count)
    ]
    others = [record(rpc_code=-1), record(reason="late")]

    await store.add([others[0], *repeats, others[1]])
    await store.add(repeats[:2])

    alone = [each.record() for each in repeats]
    assert {each.id for each in alone} == {each.id for each in repeats}
    assert all(is_record_id(each.id) for each in repeats)
    assert await all_of(store) == newest_first([*others, *alone])


@pytest.mark.parametrize(
    "record_id",
    ["", "x", new_record_id(), "\0" * 26, "../../etc/passwd"],
    ids=["nothing", "short", "unknown", "zeros", "path"],
)
async def test_an_unknown_record_is_not_found(store: RecordStore, record_id: str) -> None:
    await store.add([record()])

    with pytest.raises(NotFound):
        await store.get("p", record_id)


async def test_a_record_of_another_project_is_not_found(store: RecordStore) -> None:
    other = record(project="q")
    await store.add([other])

    with pytest.raises(NotFound):
        await store.get("p", other.id)
    assert await all_of(store, "p") == []


@given(records=some_records(), asked=some_filters(), limit=st.integers(1, 7))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_pages_hold_every_matching_record_once_in_order_under_any_filter(
    store: RecordStore, records: list[Record], asked: RecordFilter, limit: int
) -> None:
    project = new_record_id()
    mine = [record(**{**fields(one), "project": project, "project_id": project}) for one in records]
    await store.add([*mine, record(project="another")])

    pages = []
    after = None
    while page := await store.page(project, asked, after=after, limit=limit):
        pages.append(page)
        after = Position.from_cursor(Position.of(page[-1]).cursor)

    assert [one for page in pages for one in page] == newest_first(
        [one for one in mine if matches(one, asked)]
    )
    assert all(len(page) == limit for page in pages[:-1])


def fields(one: Record) -> dict[str, object]:
    return {name: getattr(one, name) for name in Record.__dataclass_fields__}


async def test_new_records_do_not_shift_the_pages_after_them(store: RecordStore) -> None:
    old = [record(time=NOON + timedelta(seconds=n)) for n in range(4)]
    await store.add(old)
    first = await store.page("p", RecordFilter(), after=None, limit=2)

    await store.add([record(time=NOON + timedelta(seconds=9))])
    second = await store.page("p", RecordFilter(), after=Position.of(first[-1]), limit=2)

    assert first + second == newest_first(old)


async def test_old_records_are_deleted_oldest_first_and_no_more_than_asked(
    store: RecordStore,
) -> None:
    records = [record(time=NOON + timedelta(seconds=n)) for n in range(6)]
    await store.add(records)
    moment = NOON + timedelta(seconds=4)

    assert await store.delete_before(moment, limit=3) == 3
    assert await all_of(store) == newest_first(records[3:])
    assert await store.delete_before(moment, limit=3) == 1
    assert await store.delete_before(moment, limit=3) == 0
    assert await all_of(store) == newest_first(records[4:])


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_cursor_brings_back_its_position(time: datetime) -> None:
    place = Position.of(record(time=time))

    assert Position.from_cursor(place.cursor) == place


def cursor_of(*parts: object) -> str:
    return urlsafe_b64encode(json.dumps(parts).encode()).decode()


ID = "01m808f6e3370wywkfk64wktwa"
CURSORS = [
    *("", "x", "é", cursor_of(), cursor_of(None, None), cursor_of(NOON.isoformat())),
    cursor_of(1769860800, ID),
    cursor_of("2026-01-31T12:00:00", ID),
    cursor_of("0001-01-01T00:00:00+14:00", ID),
    cursor_of(NOON.isoformat(), "short"),
    cursor_of(NOON.isoformat(), ID, ID),
]


@pytest.mark.parametrize("cursor", CURSORS)
def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    with pytest.raises(BadInput, match='"cursor"'):
        Position.from_cursor(cursor)


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_no_cursor_breaks_the_reader(cursor: str) -> None:
    with pytest.raises(BadInput, match='"cursor"'):
        Position.from_cursor(cursor)
