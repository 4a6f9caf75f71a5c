"""Real databases for tests: a SQLite file, or PostgreSQL where `TEST_POSTGRES_URL` names one.

The URL is that of an administrative database on a server of ours; each test gets its own.
"""

import os
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from interlock.storage.database import Database, sqlite_url
from interlock.storage.migrate import migrate

FILE = "interlock.db"
_made: list[bytes] = []


@asynccontextmanager
async def empty_database(folder: Path) -> AsyncGenerator[Database]:
    """Open a database without tables."""
    admin_url = os.environ.get("TEST_POSTGRES_URL")
    if admin_url is None:
        database = Database(sqlite_url(folder / FILE))
        try:
            yield database
        finally:
            await database.close()
        return
    name = f"test_{secrets.token_hex(6)}"
    await _run(admin_url, f"CREATE DATABASE {name}")
    url = make_url(admin_url).set(database=name).render_as_string(hide_password=False)
    database = Database(url)
    try:
        yield database
    finally:
        await database.close()
        await _run(admin_url, f"DROP DATABASE {name}")


@asynccontextmanager
async def migrated_database(folder: Path) -> AsyncGenerator[Database]:
    """Open a database with all tables, as the migrations make them."""
    if "TEST_POSTGRES_URL" not in os.environ:
        (folder / FILE).write_bytes(await migrated_file())
    async with empty_database(folder) as database:
        # On a copy, it looks whether there is something left to do.
        await migrate(database)
        yield database


async def migrated_file() -> bytes:
    """Return a SQLite file that the migrations made, once for all tests of this process."""
    if not _made:
        with TemporaryDirectory() as folder:
            database = Database(sqlite_url(Path(folder) / FILE))
            await migrate(database)
            # The last one who closes it leaves all in one file.
            await database.close()
            _made.append((Path(folder) / FILE).read_bytes())
    return _made[0]


async def _run(url: str, statement: str) -> None:
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    try:
        async with engine.connect() as connection:
            await connection.execute(text(statement))
    finally:
        await engine.dispose()
