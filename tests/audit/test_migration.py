"""Records from before there were kinds are carried over, whole, and back again."""

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from interlock.audit.filters import RecordFilter
from interlock.audit.record import Kind, Record, Repeat, new_record_id
from interlock.audit.store import RecordStore
from interlock.storage.database import Database
from interlock.storage.migrate import migrate
from interlock.telemetry.request_ids import new_request_id
from tests.audit.records import NOON, all_of, newest_first, record
from tests.storage.databases import empty_database
from tests.storage.test_migrate import migrate_to

BEFORE = "0006"
COUNT = 4500  # more than two of the batches in which they are rewritten


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    async with empty_database(tmp_path) as database:
        await migrate_to(database, BEFORE)
        yield database


def made(count: int = COUNT) -> list[Record]:
    """Make records of many sorts, over several days, of both lanes."""
    kinds = [Kind(record(tool_error=False, target=f"t{number}")) for number in range(7)]
    repeats = [
        Repeat(
            kinds[number % 7],
            (NOON + timedelta(minutes=number)).timestamp(),
            *(0.1, 2.5, 3.0, number, 200),
            new_request_id(),
        ).record()
        for number in range(count)
    ]
    others = [
        record(server=None, target=None, era=None, upstream_ms=None, project=""),
        record(rpc_code=-32602, tool_error=True, reason="bad_input", trace_id="4bf9", project="q"),
        record(target="é" * 256, client_name="Cursor — é", id="Zz" * 13),
        *(record(target=f"only-{number}", time=NOON - timedelta(days=1)) for number in range(600)),
    ]
    return [*repeats, *others]


async def write_before(database: Database, records: list[Record]) -> None:
    """Write records as the version did that knew no kinds."""
    names = list(Record.__dataclass_fields__)
    places = ", ".join(f":{name}" for name in names)
    statement = text(f"INSERT INTO records ({', '.join(names)}) VALUES ({places})")  # noqa: S608
    async with database.engine.begin() as connection:
        await connection.execute(statement, [values_of(database, each) for each in records])


def values_of(database: Database, one: Record) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in Record.__dataclass_fields__}
    if database.engine.dialect.name == "sqlite":
        values["time"] = one.time.replace(tzinfo=None).isoformat(" ", "microseconds")
    return values


async def dump(database: Database) -> list[tuple[object, ...]]:
    async with database.engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(text("SELECT * FROM records"))]


async def count_of(database: Database, table: str) -> int:
    async with database.engine.connect() as connection:
        found = await connection.scalar(text(f"SELECT count(*) FROM {table}"))  # noqa: S608
        assert isinstance(found, int)
        return found


async def test_old_records_are_there_as_they_were(database: Database) -> None:
    records = made()
    await write_before(database, records)

    await migrate(database)

    store = RecordStore(database)
    found = [one for name in ("p", "q", "") for one in await all_of(store, name)]
    assert newest_first(found) == newest_first(records)
    by_server = await store.page("p", RecordFilter(server="time"), after=None, limit=9999)
    assert by_server == newest_first([each for each in records if each.project_id == "p"])
    assert await count_of(database, "record_kinds") == 7 + 3 + 600


async def test_new_records_are_of_the_kinds_of_old_ones(database: Database) -> None:
    records = made(7)
    await write_before(database, records)
    await migrate(database)
    before = await count_of(database, "record_kinds")
    again = [newer(each, NOON + timedelta(days=9)) for each in records]

    await RecordStore(database).add([*records, *again])

    assert await count_of(database, "record_kinds") == before
    assert await count_of(database, "records") == 2 * len(records)


def newer(one: Record, time: datetime) -> Record:
    values = {name: getattr(one, name) for name in Record.__dataclass_fields__}
    return Record(**{**values, "time": time, "id": new_record_id()})


async def test_kinds_of_old_records_go_with_the_youngest_of_them(database: Database) -> None:
    await write_before(database, made(3000))
    await migrate(database)
    store = RecordStore(database)

    while await store.delete_before(NOON + timedelta(minutes=2999), limit=1000):
        pass
    assert len(await all_of(store)) == 1
    while await store.delete_before(NOON + timedelta(days=9), limit=1000):
        pass

    tables = ("records", "record_kinds", "record_sightings")
    assert [await count_of(database, table) for table in tables] == [0, 0, 0]


async def test_the_step_to_kinds_can_be_taken_back(database: Database) -> None:
    await write_before(database, made())
    before = await dump(database)
    await migrate(database)

    await migrate_to(database, BEFORE)

    assert sorted(await dump(database), key=str) == sorted(before, key=str)
    await migrate(database)
    assert await count_of(database, "records") == len(before)


async def test_the_log_says_that_records_are_rewritten_and_when_that_is_done(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await write_before(database, made(1))

    await migrate(database)

    told = capsys.readouterr().out
    assert "records are being rewritten" in told
    assert "records are rewritten" in told
