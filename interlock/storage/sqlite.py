"""How a file of SQLite is opened, locked by its writers, and noticed when it is gone."""

from pathlib import Path
from sqlite3 import OperationalError
from typing import Any, Final

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection

from interlock.storage.outage import MISSING, DatabaseUnavailable

BUSY_TIMEOUT: Final = 5000  # milliseconds that a writer waits for another
_WAL_ATTEMPTS: Final = 20
_BEGIN = "interlock_begin"
_FILE = "interlock_file"
# Options of a connection: how its transactions begin.
READ_ONLY: Final = {_BEGIN: "BEGIN"}
BEGUN_BY_HAND: Final = {_BEGIN: ""}


class SQLiteFile:
    """One file, and what each connection to it needs.

    A file that was there and is no longer is an outage: SQLite would make an empty one in its
    place, and would go on to write to the old one, wherever it was moved.
    """

    def __init__(self, path: str | None, *, create: bool) -> None:
        self._path = path if path and path != ":memory:" else None
        self._must_exist = not create

    def follow(self, engine: Engine) -> None:
        """Prepare every connection and every transaction of an engine."""
        event.listen(engine, "do_connect", self._connecting)
        event.listen(engine, "connect", self._connected)
        event.listen(engine, "checkout", self._taken)
        event.listen(engine, "begin", _begin)

    def _connecting(
        self, _dialect: Dialect, _entry: object, cargs: list[Any], cparams: dict[str, Any]
    ) -> None:
        if self._path is None or not self._must_exist:
            return
        if self._identity() is None:
            raise DatabaseUnavailable.because(MISSING)
        # It may go at this very moment, and must not be made anew then either.
        cargs[0] = f"{Path(self._path).absolute().as_uri()}?mode=rw"
        cparams["uri"] = True

    def _connected(self, connection: Any, entry: ConnectionPoolEntry) -> None:
        # The driver would begin a transaction with its first write; what is read before that
        # could be outdated by then. So we begin ourselves.
        connection.isolation_level = None
        _prepare(connection)
        self._must_exist = True
        entry.info[_FILE] = self._identity()

    def _taken(
        self,
        _connection: DBAPIConnection,
        entry: ConnectionPoolEntry,
        _proxy: PoolProxiedConnection,
    ) -> None:
        if entry.info.get(_FILE) != self._identity():
            raise DisconnectionError("The file of the database is another one now.")

    def _identity(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        try:
            found = Path(self._path).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _begin(connection: Connection) -> None:
    # A writer takes the lock at once: one that reads first could not get it afterwards, if another
    # had written meanwhile, and SQLite would refuse without any wait.
    statement = connection.get_execution_options().get(_BEGIN, "BEGIN IMMEDIATE")
    if statement:
        connection.exec_driver_sql(statement)


def _prepare(connection: Any) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT}")
    _enter_wal(cursor)
    for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _enter_wal(cursor: Any) -> None:
    # SQLite refuses at once, and does not wait, where two connections to a new file make this
    # switch together; so we wait for the other one's lock, and try again.
    for _ in range(_WAL_ATTEMPTS):
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except OperationalError:
            cursor.execute("BEGIN IMMEDIATE")
            cursor.execute("COMMIT")
        else:
            return
    cursor.execute("PRAGMA journal_mode=WAL")
