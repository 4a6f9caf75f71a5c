"""Brings the database to the shape that this version needs, once and safely, at every start."""

from pathlib import Path

from sqlalchemy import Connection, text
from sqlalchemy.exc import DatabaseError

import interlock
from interlock.errors import Unavailable
from interlock.storage.database import Database
from interlock.storage.outage import outages
from interlock.storage.sqlite import BEGUN_BY_HAND, BUSY_TIMEOUT

# The storage layer lies below the migrations, so it knows them only by their place on disk.
SCRIPTS = Path(interlock.__file__).parent / "migrations"
_LOCK = 0x1E710C  # Any number will do, if every process of ours asks for the same one.
_LOCK_TIMEOUT = 120  # seconds


class DatabaseTooNew(Unavailable):
    """The database was written by a newer version of Interlock."""

    reason = "database_too_new"


async def migrate(database: Database) -> None:
    """Create or upgrade all tables; does nothing where the database is up to date.

    All steps happen in one transaction, under a lock that makes further processes wait, so that
    several may start at once. Raises DatabaseTooNew where a newer version was here before, and
    DatabaseUnavailable.
    """
    with outages():
        if await _version(database) == newest_version():
            return
        async with database.engine.connect() as connection:
            await connection.execution_options(**BEGUN_BY_HAND)
            await connection.run_sync(_lock)
            await connection.run_sync(_upgrade)
            await connection.commit()


def newest_version() -> str:
    """Return the version of the last step; the names of the files begin with their versions."""
    return max(path.name.partition("_")[0] for path in SCRIPTS.glob("versions/[0-9]*.py"))


async def _version(database: Database) -> str | None:
    try:
        async with database.engine.connect() as connection:
            return await connection.scalar(text("SELECT version_num FROM alembic_version"))
    except DatabaseError:
        # A new database has no such table; what else is wrong, the migration meets again.
        return None


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA busy_timeout={_LOCK_TIMEOUT * 1000}")
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        finally:
            connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_TIMEOUT}")
        return
    connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}s'"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _upgrade(connection: Connection) -> None:
    # Loaded by the few starts that change the database, and by no other.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    # Alembic reads options through configparser, to which a percent sign is special.
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        if "Can't locate revision" not in str(error):
            raise
        raise DatabaseTooNew(
            "The database was written by a newer version of Interlock; "
            "start that version, or restore a backup made by this one."
        ) from error
