"""API keys: found in memory on every call, made, listed and revoked through the database."""

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from interlock.errors import BadInput, Conflict, NotFound, Unauthenticated
from interlock.identity import key_format
from interlock.identity.clock import Clock, utc_now
from interlock.identity.entities import KeyInfo, StoredKey
from interlock.identity.limits import Access, RateLimit
from interlock.identity.principal import Principal, Role
from interlock.identity.store import KeyStore
from interlock.storage.database import Database
from interlock.storage.turns import Turns
from interlock.vault.vault import Vault

MAX_KEYS_PER_PROJECT: Final = 1000
MAX_SECRET: Final = 256  # characters
_PURPOSE = "api-key"
_GIVEN_SECRET = re.compile(r"[!-~]{20,256}")
_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,100}")


class NotAKey(Unauthenticated):
    """The credential is no API key at all."""

    reason = "not_a_key"


class KeyMistyped(Unauthenticated):
    """The key's checksum does not match: a typing error, or a part is missing."""

    reason = "key_mistyped"


class KeyUnknown(Unauthenticated):
    """The key is whole, but this installation never made it, or its project is gone."""

    reason = "key_unknown"


class KeyRevoked(Unauthenticated):
    """The key was revoked."""

    reason = "key_revoked"


class KeyExpired(Unauthenticated):
    """The key's time is over."""

    reason = "key_expired"


@dataclass(frozen=True, slots=True)
class _Entry:
    info: KeyInfo
    digest: bytes = field(repr=False)
    principal: Principal


class KeyRing:
    """All API keys of the installation, held in memory; `load` it before the first call.

    Keys that another process makes or revokes are seen after the next `load`; `on_change` is
    called after each change that was made here. `stamp` is another number after each change.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        *,
        max_per_project: int = MAX_KEYS_PER_PROJECT,
        now: Clock = utc_now,
    ) -> None:
        self._store = KeyStore(database)
        self._vault = vault
        self._max_per_project = max_per_project
        self._now = now
        self._entries: dict[bytes, _Entry] = {}
        self._used: dict[str, datetime] = {}  # at most one moment per key
        self._unwritten: set[str] = set()  # ids of keys used since the last flush
        self._changing = Turns()
        self.on_change: Callable[[], None] = _nobody
        self.stamp = 0

    def __repr__(self) -> str:
        return f"<KeyRing of {len(self._entries)} keys>"

    async def load(self) -> None:
        """Read all keys from the database."""
        async with self._changing.one():
            self._entries = {key.digest: _entry(key) for key in await self._store.all()}
            self.stamp += 1

    def find(self, secret: str) -> Principal:
        """Return who calls with this key, and remember that it was used; runs no SQL.

        Raises NotAKey, KeyMistyped, KeyUnknown, KeyRevoked or KeyExpired, all Unauthenticated.
        """
        entry = self._lookup(secret)
        if entry is None:
            raise _explain(secret)
        now = self._now()
        if entry.info.revoked_at is not None:
            raise KeyRevoked("This API key was revoked; ask an owner of the project for a new one.")
        if entry.info.expires_at is not None and entry.info.expires_at <= now:
            raise KeyExpired("This API key has expired; ask an owner of the project for a new one.")
        self._used[entry.info.id] = now
        self._unwritten.add(entry.info.id)
        return entry.principal

    async def create(  # noqa: PLR0913 -- what a key is made of, all but the project named
        self,
        project_id: str,
        *,
        name: str,
        role: Role,
        expires_at: datetime | None = None,
        access: Access | None = None,
        rate_limit: RateLimit | None = None,
        created_by: str,
        secret: str | None = None,
    ) -> tuple[KeyInfo, str]:
        """Make a key and return it with its secret, which is never to be had again.

        A given `secret`, for scripts and containers, is any 20 to 256 visible ASCII characters.
        Raises BadInput for a wrong field, Conflict for a secret in use or too many keys, NotFound
        without the project.
        """
        now = self._now()
        _check(name, expires_at, now)
        _check_access(role, access)
        key_id = key_format.new_key_id()
        prefix = key_format.shown_prefix(key_id) if secret is None else "(given)"
        secret = key_format.new_secret(key_id) if secret is None else _check_given(secret)
        info = KeyInfo(
            key_id,
            project_id,
            name,
            role,
            prefix,
            now,
            created_by,
            expires_at,
            access=access,
            rate_limit=rate_limit,
        )
        key = StoredKey(info, self._digest(secret))
        async with self._changing.one():
            self._check_room(project_id)
            await self._store.add(key)
            self._entries[key.digest] = _entry(key)
        self.stamp += 1
        self.on_change()
        return info, secret

    async def list(self, project_id: str) -> list[KeyInfo]:
        """Return all keys of a project, the revoked and expired too, oldest first."""
        infos = [e.info for e in self._entries.values() if e.info.project_id == project_id]
        return [
            self._as_used(info)
            for info in sorted(infos, key=lambda info: (info.created_at, info.id))
        ]

    async def change(
        self,
        project_id: str,
        key_id: str,
        *,
        to: Callable[[KeyInfo], KeyInfo],
    ) -> KeyInfo:
        """Give a key another name or other limits, which hold from its next call on.

        `to` makes the key as it shall be from how it is. Raises BadInput for a wrong field,
        NotFound.
        """
        async with self._changing.one():
            entry = self._of_project(project_id, key_id)
            info = to(entry.info)
            _check(info.name, None, self._now())
            _check_access(info.role, info.access)
            await self._store.change(info)
            self._entries[entry.digest] = _entry(StoredKey(info, entry.digest))
        self.stamp += 1
        self.on_change()
        return self._as_used(info)

    async def revoke(self, project_id: str, key_id: str) -> None:
        """End a key at once; a revoked one stays so. Raises NotFound."""
        async with self._changing.one():
            entry = self._of_project(project_id, key_id)
            if entry.info.revoked_at is not None:
                return
            now = self._now()
            await self._store.revoke(key_id, now)
            key = StoredKey(replace(entry.info, revoked_at=now), entry.digest)
            self._entries[entry.digest] = _entry(key)
        self.stamp += 1
        self.on_change()

    async def forget_project(self, project_id: str) -> None:
        """Drop the keys of a project that was deleted."""
        async with self._changing.one():
            self._entries = {
                digest: entry
                for digest, entry in self._entries.items()
                if entry.info.project_id != project_id
            }
        self.stamp += 1
        self.on_change()

    async def flush_last_used(self) -> None:
        """Write when keys were last used, in one batch; call it every few seconds and at the end.

        What could not be written is kept for the next time.
        """
        used, self._unwritten = self._unwritten, set()
        if not used:
            return
        written = False
        try:
            await self._store.note_use({key_id: self._used[key_id] for key_id in used})
            written = True
        finally:
            if not written:
                self._unwritten |= used

    def _as_used(self, info: KeyInfo) -> KeyInfo:
        return replace(info, last_used_at=_later(self._used.get(info.id), info.last_used_at))

    def _digest(self, secret: str) -> bytes:
        return self._vault.keyed_hash(_PURPOSE, secret.encode(errors="surrogatepass"))

    def _lookup(self, secret: str) -> _Entry | None:
        if len(secret) > MAX_SECRET:
            return None
        digest = self._digest(secret)
        entry = self._entries.get(digest)
        if entry is None or not hmac.compare_digest(entry.digest, digest):
            return None
        return entry

    def _of_project(self, project_id: str, key_id: str) -> _Entry:
        for entry in self._entries.values():
            if entry.info.id == key_id and entry.info.project_id == project_id:
                return entry
        raise NotFound("There is no such key in this project.")

    def _check_room(self, project_id: str) -> None:
        live = sum(
            entry.info.project_id == project_id and entry.info.revoked_at is None
            for entry in self._entries.values()
        )
        if live >= self._max_per_project:
            raise Conflict(
                f"The project has {self._max_per_project} keys, the most it can; revoke some first."
            )


def _nobody() -> None:
    """Tell nobody: a gateway of one process has none to tell."""


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((each for each in (one, other) if each is not None), default=None)


def _entry(key: StoredKey) -> _Entry:
    info = key.info
    principal = Principal(
        "key",
        info.id,
        info.name,
        info.project_id,
        info.role,
        access=info.access,
        rate_limit=info.rate_limit,
    )
    return _Entry(info, key.digest, principal)


def _explain(secret: str) -> Unauthenticated:
    if not key_format.looks_like_key(secret):
        return NotAKey(
            f"The credential is not an API key of Interlock; "
            f"send one that begins with {key_format.PREFIX}."
        )
    if not key_format.has_valid_checksum(secret):
        return KeyMistyped("The API key is mistyped or cut off; copy it again as a whole.")
    return KeyUnknown("This API key is unknown here; ask an owner of the project for one.")


def _check(name: str, expires_at: datetime | None, now: datetime) -> None:
    if not _NAME.fullmatch(name):
        raise BadInput('"name" of a key is 1 to 100 printable characters.')
    if expires_at is not None and expires_at.tzinfo is None:
        raise BadInput('"expires_at" needs a time zone; add Z for UTC.')
    if expires_at is not None and expires_at <= now:
        raise BadInput('"expires_at" must lie in the future.')


def _check_access(role: Role, access: Access | None) -> None:
    if access is not None and role is Role.OWNER:
        raise BadInput(
            '"access" cannot limit an owner, who may change the project and its keys; '
            "give the key the role developer or reporter."
        )


def _check_given(secret: str) -> str:
    if not _GIVEN_SECRET.fullmatch(secret):
        raise BadInput(
            "A key's own secret is 20 to 256 visible ASCII characters; choose a longer one, "
            "for example the output of: openssl rand -hex 32."
        )
    return secret
