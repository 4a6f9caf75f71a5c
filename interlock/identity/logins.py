"""Logins: sessions kept by the server, under a random token of which only a hash is stored."""

import base64
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from interlock.errors import Unauthenticated, Unavailable
from interlock.identity.clock import Clock, utc_now
from interlock.identity.entities import Person
from interlock.identity.people import People, normalized
from interlock.identity.store import LoginStore
from interlock.identity.throttle import LoginThrottle
from interlock.storage.database import Database
from interlock.vault.vault import Vault

SEEN_EVERY: Final = timedelta(minutes=1)
_TOKEN_BYTES = 32
_MAX_TOKEN = 128  # characters
_TOKEN_PURPOSE = "login-session"  # noqa: S105 - the purpose of a hash, no token
_CSRF_PURPOSE = "csrf-token"


class WrongPassword(Unauthenticated):
    """The e-mail or the password is wrong; which of them is not told."""

    reason = "wrong_password"


class LoginEnded(Unauthenticated):
    """The login has expired or was ended."""

    reason = "login_ended"


@dataclass(frozen=True, slots=True)
class LiveLogin:
    """A login that is in force: the cookie's token, and the token that proves our own console."""

    person: Person
    token: str = field(repr=False)
    csrf_token: str = field(repr=False)
    expires_at: datetime


class Logins:
    """Signs people in and out."""

    def __init__(
        self,
        database: Database,
        people: People,
        vault: Vault,
        *,
        hours: float = 12,
        throttle: LoginThrottle | None = None,
        now: Clock = utc_now,
    ) -> None:
        self._store = LoginStore(database)
        self._people = people
        self._vault = vault
        self.lifetime = timedelta(hours=hours)
        self._throttle = throttle or LoginThrottle()
        self._now = now

    async def login(self, email: str, password: str, *, address: str) -> LiveLogin:
        """Begin a login, always under a new token.

        Raises WrongPassword, TooMany after too many of those, and Unavailable.
        """
        email = normalized(email)
        person = await self._authenticate(email, password, address)
        if person is None:
            raise WrongPassword("The e-mail or the password is wrong.")
        self._throttle.succeed(email, address)
        return await self._begin(person)

    async def resume(self, token: str) -> LiveLogin:
        """Return the login that a cookie's token stands for. Raises LoginEnded."""
        token_hash = self._hash(token)
        stored = await self._store.find(token_hash) if len(token) <= _MAX_TOKEN else None
        now = self._now()
        if stored is None or stored.expires_at <= now:
            raise LoginEnded("The login has ended; sign in again.")
        if now - stored.last_seen >= SEEN_EVERY:
            await self._store.touch(token_hash, now)
        return LiveLogin(stored.person, token, self._csrf_token(token), stored.expires_at)

    async def logout(self, login: LiveLogin) -> None:
        """End a login."""
        await self._store.delete(self._hash(login.token))

    async def change_password(
        self, login: LiveLogin, *, current: str, new: str, address: str
    ) -> None:
        """Set a new password, and end all other logins of the person.

        Raises WrongPassword, TooMany, and BadInput for a new password that is too short.
        """
        email = login.person.email
        if await self._authenticate(email, current, address) is None:
            raise WrongPassword("The current password is wrong.")
        self._throttle.succeed(email, address)
        await self._people.set_password(login.person, new, keep=self._hash(login.token))

    async def _authenticate(self, email: str, password: str, address: str) -> Person | None:
        self._throttle.begin(email, address)
        try:
            return await self._people.authenticate(email, password)
        except Unavailable:
            # Whoever knows the password must not be made to wait for having tried in an outage.
            self._throttle.withdraw(email, address)
            raise

    async def _begin(self, person: Person) -> LiveLogin:
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        now = self._now()
        expires_at = now + self.lifetime
        await self._store.add(self._hash(token), person.id, now=now, expires_at=expires_at)
        return LiveLogin(person, token, self._csrf_token(token), expires_at)

    def _hash(self, token: str) -> bytes:
        return self._vault.keyed_hash(_TOKEN_PURPOSE, token.encode(errors="surrogatepass"))

    def _csrf_token(self, token: str) -> str:
        digest = self._vault.keyed_hash(_CSRF_PURPOSE, token.encode())
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
