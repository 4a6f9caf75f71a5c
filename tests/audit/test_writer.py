"""Writing while the database answers, while it does not, and across a restart."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncGenerator, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from interlock.audit import writer as writer_module
from interlock.audit.record import Record
from interlock.audit.store import RecordStore
from interlock.audit.writer import RecordWriter
from interlock.settings import AuditSettings
from interlock.storage.database import Database, sqlite_url
from interlock.storage.migrate import migrate
from tests.audit.records import all_of, newest_first, record

# Records of these tests are from a fixed day; only one test is about their age.
CENTURY = 36_500
SLOW = AuditSettings(flush_interval=3600.0, max_pending=100, keep_days=CENTURY)
QUICK = AuditSettings(flush_interval=0.01, max_pending=100, keep_days=CENTURY)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    """Open a SQLite database that gives up soon where another connection holds the lock."""
    url = sqlite_url(tmp_path / "interlock.db")
    await make_tables(url)
    database = Database(url)
    event.listen(database.engine.sync_engine, "connect", be_impatient)
    yield database
    await database.close()


async def make_tables(url: str) -> None:
    database = Database(url)
    await migrate(database)
    await database.close()


def be_impatient(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout=20")
    cursor.close()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "records.spool"


@contextmanager
def locked(database: Database) -> Iterator[None]:
    """Hold the database's lock by another connection, so that nobody else can write."""
    path = database.engine.url.database
    assert path is not None
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield
        connection.execute("ROLLBACK")


def exists(path: Path) -> bool:
    return path.exists()


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def leave_behind(path: Path, content: bytes) -> None:
    path.write_bytes(content)


async def until_written(writer: RecordWriter) -> None:
    """Wait for the writer to write by itself, without asking it to."""
    async with asyncio.timeout(60):
        while writer.pending:  # noqa: ASYNC110 - an event would be one more thing in the writer
            await asyncio.sleep(0.01)


def some(count: int) -> list[Record]:
    return [record(target=f"tool {n}") for n in range(count)]


def add_all(writer: RecordWriter, records: list[Record]) -> None:
    for one in records:
        writer.add(one)


async def test_records_are_written_by_themselves(store: RecordStore, spool: Path) -> None:
    records = some(3)

    async with RecordWriter(store, QUICK, spool=spool) as writer:
        add_all(writer, records)
        assert writer.pending == 3
        await until_written(writer)

    assert await all_of(store) == newest_first(records)


async def test_a_flush_makes_records_readable_at_once(store: RecordStore, spool: Path) -> None:
    records = some(1200)

    settings = SLOW.model_copy(update={"max_pending": 100_000})
    async with RecordWriter(store, settings, spool=spool) as writer:
        assert await writer.flush()
        add_all(writer, records)
        flushed = await asyncio.gather(*(writer.flush() for _ in range(5)))

        assert flushed == [True] * 5
        assert writer.pending == 0
        assert await all_of(store) == newest_first(records)


async def test_closing_writes_what_waits(store: RecordStore, spool: Path) -> None:
    records = some(3)
    writer = RecordWriter(store, SLOW, spool=spool)
    writer.start()
    add_all(writer, records)

    await writer.close()
    await writer.close()

    assert await all_of(store) == newest_first(records)
    assert not exists(spool)


async def test_a_locked_database_delays_records_but_loses_none(
    database: Database, store: RecordStore, spool: Path
) -> None:
    first, second = some(5), some(5)

    async with RecordWriter(store, SLOW, spool=spool) as writer:
        with locked(database):
            add_all(writer, first)
            assert not await writer.flush()
            add_all(writer, second)
            assert not await writer.flush()
            assert writer.pending == 10
            assert await all_of(store) == []
        assert await writer.flush()

        assert writer.pending == 0
    assert await all_of(store) == newest_first(first + second)
    assert not exists(spool)


async def test_a_batch_is_tried_again_without_anyone_asking(
    database: Database, store: RecordStore, spool: Path
) -> None:
    records = some(5)

    async with RecordWriter(store, QUICK, spool=spool) as writer:
        with locked(database):
            add_all(writer, records)
            assert not await writer.flush()
        await until_written(writer)

    assert await all_of(store) == newest_first(records)


async def test_the_pauses_between_attempts_grow_and_end_with_the_fault(
    database: Database, store: RecordStore, spool: Path
) -> None:
    async with RecordWriter(store, QUICK, spool=spool) as writer:
        with locked(database):
            add_all(writer, some(1))
            for _ in range(3):
                assert not await writer.flush()
            assert writer._pause >= 8 * QUICK.flush_interval
        assert await writer.flush()
        assert writer._pause == QUICK.flush_interval


async def test_more_than_memory_may_hold_goes_to_the_disk_and_returns_in_order(
    database: Database, store: RecordStore, spool: Path
) -> None:
    records = some(350)

    async with RecordWriter(store, SLOW, spool=spool) as writer:
        with locked(database):
            for start in range(0, 350, 50):
                add_all(writer, records[start : start + 50])
                assert not await writer.flush()
                assert len(writer._waiting) <= SLOW.max_pending
            assert writer.pending == 350
            assert exists(spool)
        assert await writer.flush()

        assert writer.pending == 0
        assert not exists(spool)
    assert writer.lost == 0
    assert await all_of(store) == newest_first(records)


async def test_what_the_database_never_took_is_there_after_a_restart(
    database: Database, store: RecordStore, spool: Path
) -> None:
    records, later = some(350), some(3)
    with locked(database):
        async with RecordWriter(store, SLOW, spool=spool) as writer:
            add_all(writer, records)
            assert not await writer.flush()
    assert await all_of(store) == []

    async with RecordWriter(store, SLOW, spool=spool) as writer:
        assert writer.pending == 350
        add_all(writer, later)
        assert await writer.flush()

    assert await all_of(store) == newest_first(records + later)
    assert not exists(spool)


async def test_a_crash_before_the_spool_is_dropped_doubles_nothing(
    database: Database, store: RecordStore, spool: Path
) -> None:
    records = some(120)
    with locked(database):
        async with RecordWriter(store, SLOW, spool=spool) as writer:
            add_all(writer, records)
    shutil.copy(spool, spool.with_suffix(".before"))
    async with RecordWriter(store, SLOW, spool=spool) as writer:
        assert await writer.flush()

    spool.with_suffix(".before").rename(spool)
    async with RecordWriter(store, SLOW, spool=spool) as writer:
        assert await writer.flush()

    assert await all_of(store) == newest_first(records)


async def test_closing_does_not_wait_for_ever_and_keeps_all_on_disk(
    tmp_path: Path, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "CLOSE_DEADLINE", 0.05)
    patient = Database(sqlite_url(tmp_path / "interlock.db"))
    await migrate(patient)
    store = RecordStore(patient)
    records = some(120)
    writer = RecordWriter(store, SLOW, spool=spool)
    writer.start()

    with locked(patient):
        add_all(writer, records)
        await writer.close()
        assert len(lines(spool)) == 120
    async with RecordWriter(store, SLOW, spool=spool) as successor:
        assert await successor.flush()

    assert await all_of(store) == newest_first(records)
    await patient.close()


async def test_a_record_of_a_call_that_ends_after_closing_is_kept(
    store: RecordStore, spool: Path
) -> None:
    late = record()
    writer = RecordWriter(store, SLOW, spool=spool)
    writer.start()
    await writer.close()

    writer.add(late)

    async with RecordWriter(store, SLOW, spool=spool) as successor:
        assert await successor.flush()
    assert await all_of(store) == [late]


async def test_a_flush_that_its_reader_gave_up_does_not_disturb_the_others(
    store: RecordStore, spool: Path
) -> None:
    records = some(3)

    async with RecordWriter(store, SLOW, spool=spool) as writer:
        add_all(writer, records)
        gone = asyncio.create_task(writer.flush())
        await asyncio.sleep(0)
        gone.cancel()
        assert await writer.flush()

    assert gone.cancelled()
    assert await all_of(store) == newest_first(records)


async def test_where_neither_database_nor_disk_takes_records_the_loss_is_counted(
    database: Database, store: RecordStore, tmp_path: Path
) -> None:
    with locked(database):
        async with RecordWriter(store, SLOW, spool=tmp_path / "taken" / "spool") as writer:
            leave_behind(tmp_path / "taken", b"no folder")
            add_all(writer, some(150))
            assert writer.lost == 100
            assert writer.pending == 50

    assert writer.lost == 150


async def test_old_records_are_deleted_in_small_batches_and_young_ones_kept(
    store: RecordStore, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "PRUNE_BATCH", 10)
    now = datetime.now(UTC)
    old = [record(time=now - timedelta(days=90, seconds=n)) for n in range(1, 26)]
    young = [record(time=now - timedelta(days=89))]
    await store.add(old + young)

    settings = SLOW.model_copy(update={"keep_days": 90})
    async with RecordWriter(store, settings, spool=spool) as writer:
        left = []
        for _ in range(3):
            young.append(record(time=now))
            writer.add(young[-1])
            assert await writer.flush()
            left.append(len(await all_of(store)) - len(young))

    assert left == [15, 5, 0]
    assert await all_of(store) == newest_first(young)


async def test_a_broken_line_in_the_spool_does_not_hold_up_the_others(
    store: RecordStore, spool: Path
) -> None:
    leave_behind(spool, b'{"time": "2026-\n')
    one = record()

    async with RecordWriter(store, SLOW, spool=spool) as writer:
        writer.add(one)
        assert await writer.flush()

    assert await all_of(store) == [one]
    assert not exists(spool)
