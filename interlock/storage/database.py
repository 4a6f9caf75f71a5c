"""The database connection: transactions for writers, sessions for readers, the base of all tables."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import DateTime, MetaData, make_url
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.types import TypeDecorator

from interlock.storage.outage import outages
from interlock.storage.sqlite import READ_ONLY, SQLiteFile

DEADLINE: Final = 15.0  # seconds of a whole transaction
POOL_TIMEOUT: Final = 5.0  # seconds that a caller waits for a connection that others use
CONNECT_TIMEOUT: Final = 5.0  # seconds until a PostgreSQL server must have let us in

_NAMING = {
    "ix": "ix_%(column_0_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """The base of every table; constraint names are fixed so that migrations can name them."""

    metadata = MetaData(naming_convention=_NAMING)


class UTCDateTime(TypeDecorator[datetime]):
    """A moment in UTC: aware in Python on every database, refused where it is naive."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store the moment in UTC."""
        if value is not None and value.tzinfo is None:
            raise ValueError("A stored moment needs a time zone.")
        return value.astimezone(UTC) if value is not None else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment as aware UTC; SQLite forgets the zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def sqlite_url(path: Path) -> str:
    """Return the URL of the SQLite database in the file `path`."""
    return f"sqlite+aiosqlite:///{path}"


class Database:
    """One engine and its pool; build one per process and close it at the end.

    A file of SQLite that is not there is made, unless `create` is False or it was there before.
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        self.url = url
        self.engine: AsyncEngine = create_async_engine(
            url, hide_parameters=True, pool_timeout=POOL_TIMEOUT, **_by_driver(url)
        )
        if self.engine.dialect.name == "sqlite":
            SQLiteFile(self.engine.url.database, create=create).follow(self.engine.sync_engine)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        readers = self.engine.execution_options(**READ_ONLY)
        self._readers = async_sessionmaker(readers, expire_on_commit=False)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[AsyncSession]:
        """Open a session that commits when its block ends well, and rolls back otherwise.

        What it reads stays as it is until the end: on SQLite no other writer begins meanwhile.
        Raises DatabaseUnavailable.
        """
        with outages():
            async with asyncio.timeout(DEADLINE), self._sessions.begin() as session:
                yield session

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[AsyncSession]:
        """Open a session that never commits. Raises DatabaseUnavailable."""
        with outages():
            async with asyncio.timeout(DEADLINE), self._readers() as session:
                yield session

    async def close(self) -> None:
        """Give all connections back."""
        await self.engine.dispose()


def _by_driver(url: str) -> dict[str, Any]:
    """Return what connections over a network need: to be asked whether they still live."""
    if make_url(url).get_backend_name() == "sqlite":
        return {}
    is_asyncpg = make_url(url).get_driver_name() == "asyncpg"
    return {
        "pool_pre_ping": True,
        "connect_args": {"timeout": CONNECT_TIMEOUT} if is_asyncpg else {},
    }
