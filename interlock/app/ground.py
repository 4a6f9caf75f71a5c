"""The ground that everything stands on: database, vault, identity, records."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from interlock.audit.store import RecordStore
from interlock.audit.writer import RecordWriter
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


async def open_ground(settings: Settings, stack: AsyncExitStack) -> Ground:
    """Open the database, brought up to date, and load what must be in memory.

    What has to be closed goes onto `stack`. Raises InterlockError with the cure.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.database_url or sqlite_url(settings.data_dir / "interlock.db"))
    stack.push_async_callback(database.close)
    await migrate(database)
    vault = await open_vault(database, setting=settings.master_key, data_dir=settings.data_dir)
    keys = KeyRing(database, vault)
    await keys.load()
    stack.push_async_callback(keys.flush_last_used)
    records = RecordStore(database)
    writer = RecordWriter(records, settings.audit, spool=settings.data_dir / "records.spool")
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
