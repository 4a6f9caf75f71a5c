"""People: the first administrator, and who an e-mail and password belong to."""

from interlock.errors import Conflict
from interlock.identity.clock import Clock, utc_now
from interlock.identity.entities import Account, Person
from interlock.identity.ids import new_id
from interlock.identity.passwords import Passwords, one_time_password
from interlock.identity.store import PeopleStore
from interlock.storage.database import Database


class People:
    """All people of the installation."""

    def __init__(self, database: Database, passwords: Passwords, *, now: Clock = utc_now) -> None:
        self._store = PeopleStore(database)
        self._passwords = passwords
        self._now = now

    async def ensure_administrator(self, email: str) -> str | None:
        """Make an administrator where there is none yet; return the password to show just once.

        Returns None where an administrator exists.
        """
        if await self._store.has_administrator():
            return None
        password = one_time_password()
        person = Person(
            id=new_id(),
            email=normalized(email),
            is_admin=True,
            must_change_password=True,
            created_at=self._now(),
        )
        try:
            await self._store.add(Account(person, await self._passwords.hash(password)))
        except Conflict:
            # Another process of ours was quicker, and has shown its password.
            return None
        return password

    async def authenticate(self, email: str, password: str) -> Person | None:
        """Return the person whose e-mail and password these are; as slow for unknown e-mails."""
        account = await self._store.find(normalized(email))
        known_hash = account.password_hash if account else None
        if not await self._passwords.verify(known_hash, password) or account is None:
            return None
        if self._passwords.is_outdated(account.password_hash):
            newer = await self._passwords.hash(password)
            await self._store.replace_hash(account.person.id, old=account.password_hash, new=newer)
        return account.person

    async def set_password(self, person: Person, password: str, *, keep: bytes) -> None:
        """Set a password and end all logins but the one whose token hash is `keep`.

        Raises BadInput for a password that is too short.
        """
        password_hash = await self._passwords.hash(password)
        await self._store.set_password(person.id, password_hash, keep=keep)


def normalized(email: str) -> str:
    """Return an e-mail as it is kept and compared."""
    return email.strip().lower()
