"""What tells a database that is away, full or locked from a defect of ours, and how that reads."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, Self

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolExhausted

from interlock.errors import Unavailable

MISSING: Final = "its file is missing or cannot be opened"
_NO_ANSWER: Final = "it does not answer"
_BY_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: "another program has locked it",
    sqlite3.SQLITE_LOCKED: "another program has locked it",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk does not read or write",
    sqlite3.SQLITE_CANTOPEN: MISSING,
    sqlite3.SQLITE_READONLY: "its file cannot be written",
    sqlite3.SQLITE_PROTOCOL: "another program has locked it",
}
# Classes of SQLSTATE, and single ones: https://www.postgresql.org/docs/current/errcodes-appendix.html
_BY_STATE: Final = {
    "08": _NO_ANSWER,
    "25006": "it takes no writes",
    "40": "another writer was in the way",
    "53": "its disk, memory or connections are used up",
    "55P03": "another program has locked it",
    "57": "it is stopping, starting or was told to stop this",
    "58": "its machine has a fault",
}


class DatabaseUnavailable(Unavailable):
    """The database does not answer, or cannot be written now."""

    reason = "database_unavailable"

    @classmethod
    def because(cls, cause: str) -> Self:
        """Return the outage with this cause, half a sentence."""
        return cls(f"The database cannot be used now: {cause}. Try again in a few seconds.")


@contextmanager
def outages() -> Generator[None]:
    """Raise DatabaseUnavailable where the block fails because the database is away, full or locked."""
    try:
        yield
    except (DBAPIError, PoolExhausted, OSError) as error:
        cause = _cause(error)
        if cause is None:
            raise
        raise DatabaseUnavailable.because(cause) from error


def _cause(error: Exception) -> str | None:
    """Return why the database is away; None where it is there, and refuses what it was told."""
    if isinstance(error, PoolExhausted):
        return "all connections to it are in use"
    if not isinstance(error, DBAPIError):
        return "it cannot be reached" if not isinstance(error, TimeoutError) else _NO_ANSWER
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return _BY_SQLITE.get(code & 0xFF)
    state = str(getattr(error.orig, "sqlstate", None) or "")
    cause = _BY_STATE.get(state) or _BY_STATE.get(state[:2])
    if cause is None and (error.connection_invalidated or not state):
        return _lost(error)
    return cause


def _lost(error: DBAPIError) -> str | None:
    """Return that a connection was lost, where the driver says so without a code."""
    is_lost = error.connection_invalidated or "connection" in str(error.orig).lower()
    return _NO_ANSWER if is_lost else None
