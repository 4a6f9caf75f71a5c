"""The ground that everything stands on: database, vault, identity, records."""

import fcntl
import os
import shutil
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from interlock.audit.store import RecordStore
from interlock.audit.writer import RecordWriter
from interlock.errors import Conflict
from interlock.identity.api_keys import KeyRing
from interlock.identity.gate import Gate
from interlock.identity.logins import Logins
from interlock.identity.passwords import Passwords
from interlock.identity.people import People
from interlock.identity.projects import Projects
from interlock.settings import Settings
from interlock.storage.database import Database, sqlite_url
from interlock.storage.migrate import migrate
from interlock.vault.vault import Vault, open_vault


@dataclass(frozen=True, slots=True)
class Ground:
    """What the other parts are built with."""

    database: Database
    vault: Vault
    keys: KeyRing
    projects: Projects
    people: People
    records: RecordStore
    writer: RecordWriter

    def gate(self, settings: Settings, *, allow_open: bool) -> tuple[Gate, Logins]:
        """Return what lets callers of the control API in, and the logins behind it."""
        logins = Logins(
            self.database, self.people, self.vault, hours=settings.identity.session_hours
        )
        secure = settings.address.startswith("https://")
        gate = Gate(self.keys, logins, self.projects, secure=secure, allow_open=allow_open)
        return gate, logins


def _own(data_dir: Path) -> IO[str]:
    """Lock the data directory for this process, until the file that is returned is closed."""
    lock = (data_dir / "lock").open("w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise Conflict(
            f"Another Interlock uses the data directory {data_dir}; "
            "end it, or choose another directory with --data."
        ) from None
    return lock


def _private_file(data_dir: Path) -> Path:
    # SQLite gives its further files the mode of this one.
    path = data_dir / "interlock.db"
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    return path


async def open_ground(settings: Settings, stack: AsyncExitStack) -> Ground:
    """Open the database, brought up to date, and load what must be in memory.

    What has to be closed goes onto `stack`. Raises InterlockError with the cure.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    stack.callback(_own(settings.data_dir).close)
    database = Database(settings.database_url or sqlite_url(_private_file(settings.data_dir)))
    stack.push_async_callback(database.close)
    await migrate(database)
    spool = settings.data_dir / "records.spool"
    _gather_spools(settings.data_dir, spool)
    return await _ground(settings, database, spool, stack)


async def join_ground(settings: Settings, number: int, stack: AsyncExitStack) -> Ground:
    """Do the same for the further process `number` of a gateway, whose first one keeps the data.

    What has to be closed goes onto `stack`. Raises InterlockError.
    """
    path = settings.data_dir / "interlock.db"
    database = Database(settings.database_url or sqlite_url(path), create=False)
    stack.push_async_callback(database.close)
    spool = settings.data_dir / f"records-{number}.spool"
    return await _ground(settings, database, spool, stack)


def _gather_spools(data_dir: Path, spool: Path) -> None:
    """Take over what processes left behind that may not be started again."""
    for left in sorted(data_dir.glob("records-*.spool")):
        with spool.open("ab") as own, left.open("rb") as other:
            if own.tell():
                # A crash may have left the last line without its end.
                own.write(b"\n")
            shutil.copyfileobj(other, own)
        left.unlink()


async def _ground(
    settings: Settings, database: Database, spool: Path, stack: AsyncExitStack
) -> Ground:
    vault = await open_vault(database, setting=settings.master_key, data_dir=settings.data_dir)
    keys = KeyRing(database, vault)
    await keys.load()
    stack.push_async_callback(keys.flush_last_used)
    records = RecordStore(database)
    writer = RecordWriter(records, settings.audit, spool=spool)
    await stack.enter_async_context(writer)
    return Ground(
        database=database,
        vault=vault,
        keys=keys,
        projects=Projects(database),
        people=People(database, Passwords()),
        records=records,
        writer=writer,
    )
