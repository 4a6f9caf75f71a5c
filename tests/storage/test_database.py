"""Transactions of several writers, and a file that is not there any more."""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from interlock.errors import Unavailable
from interlock.storage.database import Database, sqlite_url
from interlock.storage.outage import DatabaseUnavailable
from tests.support.postgres import postgresql

WRITERS, ROUNDS = 4, 25


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    database = Database(sqlite_url(tmp_path / "interlock.db"))
    await prepare(database)
    yield database
    await database.close()


async def prepare(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE counter (value INTEGER)"))
        await session.execute(text("INSERT INTO counter VALUES (0)"))


async def count(database: Database) -> int:
    async with database.reading() as session:
        found = await session.scalar(text("SELECT value FROM counter"))
    assert found is not None
    return found


async def add_one(database: Database) -> None:
    """Read first, and write what follows from it."""
    async with database.transaction() as session:
        found = await session.scalar(text("SELECT value FROM counter"))
        # Others get their turn between the two, where the lock is not held.
        await asyncio.sleep(0)
        await session.execute(text("UPDATE counter SET value = :value"), {"value": found + 1})


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        yield


async def test_writers_that_read_first_do_not_write_over_one_another(
    database: Database, tmp_path: Path
) -> None:
    other = Database(sqlite_url(tmp_path / "interlock.db"))

    async def work(of: Database) -> None:
        for _ in range(ROUNDS):
            await add_one(of)

    await asyncio.gather(*(work(each) for each in (database, other) for _ in range(WRITERS // 2)))
    await other.close()

    assert await count(database) == WRITERS * ROUNDS


async def test_who_only_reads_waits_for_no_writer(database: Database, tmp_path: Path) -> None:
    with locked(tmp_path / "interlock.db"):
        assert await count(database) == 0


async def test_a_block_that_fails_changes_nothing(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("UPDATE counter SET value = 7"))
        await session.rollback()

    with pytest.raises(LookupError):
        await fail_after_writing(database)

    assert await count(database) == 0


async def fail_after_writing(database: Database) -> None:
    async with database.transaction() as session:
        await session.execute(text("UPDATE counter SET value = 7"))
        raise LookupError


async def test_a_file_that_is_gone_is_not_made_anew(database: Database, tmp_path: Path) -> None:
    path, away = tmp_path / "interlock.db", tmp_path / "away.db"
    await add_one(database)
    path.rename(away)

    with pytest.raises(DatabaseUnavailable, match="its file is missing"):
        await count(database)
    with pytest.raises(DatabaseUnavailable, match="its file is missing"):
        await add_one(database)

    assert not path.exists()
    away.rename(path)
    await add_one(database)
    assert await count(database) == 2


async def test_another_file_in_its_place_is_taken(database: Database, tmp_path: Path) -> None:
    path, copy = tmp_path / "interlock.db", tmp_path / "copy.db"
    with closing(sqlite3.connect(copy)) as target, closing(sqlite3.connect(path)) as source:
        source.backup(target)
    await add_one(database)
    path.rename(tmp_path / "old.db")
    for left in ("interlock.db-wal", "interlock.db-shm"):
        (tmp_path / left).unlink()
    copy.rename(path)

    assert await count(database) == 0


async def test_a_worker_makes_no_database(tmp_path: Path) -> None:
    path = tmp_path / "interlock.db"
    database = Database(sqlite_url(path), create=False)

    with pytest.raises(Unavailable):
        await count(database)

    assert not path.exists()
    await database.close()


async def test_what_is_wrong_with_a_statement_is_no_outage(database: Database) -> None:
    with pytest.raises(Exception, match="no such table") as caught:
        await read_nowhere(database)

    assert not isinstance(caught.value, Unavailable)


async def read_nowhere(database: Database) -> None:
    async with database.reading() as session:
        await session.execute(text("SELECT * FROM nowhere"))


async def test_no_server_at_all_reads_as_an_outage(tmp_path: Path) -> None:
    database = Database(f"postgresql+asyncpg://postgres@/postgres?host={tmp_path}")

    with pytest.raises(DatabaseUnavailable, match="it cannot be reached"):
        await count(database)

    await database.close()


async def test_a_postgresql_that_hangs_holds_nobody_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("interlock.storage.database.DEADLINE", 1.0)
    with postgresql() as server:
        database = Database(server.url)
        await prepare(database)
        with server.frozen():
            with pytest.raises(DatabaseUnavailable, match="it does not answer"):
                await add_one(database)
            with pytest.raises(DatabaseUnavailable, match="it does not answer"):
                await count(database)
        await add_one(database)

        assert await count(database) == 1
        await database.close()
