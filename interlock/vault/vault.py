"""The vault: seals secrets for the database, opens them again, and hashes what is looked up.

The master key yields, by HKDF (RFC 5869), one key that wraps data keys and one key per purpose of
a keyed hash. Each workspace has a data key of its own; AES-256-GCM seals with it. Whatever is
sealed is bound to its workspace and its place, so that a value copied elsewhere does not open.

A sealed value reads `v1.<data key id>.<base64url of nonce, ciphertext and tag>`.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
from pathlib import Path
from typing import TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from interlock.errors import InterlockError
from interlock.storage.database import Database
from interlock.vault.master_key import KEY_BYTES, MasterKeyUnusable, load_master_key
from interlock.vault.store import DataKeyStore, WrappedKey

VERSION = "v1"
_NONCE_BYTES = 12
_MAX_CACHED = 1024  # data keys
# This data key seals nothing: it tells whether the master key is the one of this database.
_ROOT = "root"
_NO_WORKSPACE = ""

_Cached = TypeVar("_Cached")


class SealBroken(InterlockError):
    """A sealed value was altered, moved to another place or workspace, or is not ours."""

    reason = "seal_broken"


async def open_vault(database: Database, *, setting: SecretStr | None, data_dir: Path) -> "Vault":
    """Return the vault of a migrated database, with the master key that belongs to it.

    `setting` and `data_dir` are those of `load_master_key`. The first call binds the database to
    the master key; from then on a lost or other key is refused with MasterKeyUnusable, and never
    replaced by a new one.
    """
    is_bound = await DataKeyStore(database).find(_ROOT) is not None
    vault = Vault(database, load_master_key(setting, data_dir, create=not is_bound))
    await vault.bind()
    return vault


class Vault:
    """Seals and opens secrets; build one per process by `open_vault`."""

    def __init__(self, database: Database, master_key: bytes) -> None:
        self._store = DataKeyStore(database)
        self._master_key = master_key
        self._wrapping = AESGCM(_derive(master_key, "interlock data keys v1"))
        self._hash_keys: dict[str, bytes] = {}
        self._ciphers: dict[str, tuple[str, AESGCM]] = {}  # key id → workspace id, cipher
        self._current: dict[str, str] = {}  # workspace id → key id
        self._making = asyncio.Lock()

    def __repr__(self) -> str:
        return "<Vault>"

    async def bind(self) -> None:
        """Bind a new database to the master key. Raises MasterKeyUnusable where it has another."""
        root = await self._store.find(_ROOT)
        if root is None:
            await self._store.add(self._wrap(_ROOT, _NO_WORKSPACE))
            root = await self._store.find(_ROOT)
        if root is None or self._unwrap(root) is None:
            raise MasterKeyUnusable(
                "The master key is not the one that this database was made with; "
                "restore master.key or INTERLOCK_MASTER_KEY as it was then."
            )

    async def seal(self, workspace_id: str, plaintext: bytes, *, place: str) -> str:
        """Return `plaintext` sealed for one place, written `table.column:row`, of a workspace."""
        key_id = self._current.get(workspace_id) or await self._choose_key(workspace_id)
        cipher = await self._cipher(key_id, workspace_id)
        if cipher is None:
            raise _broken(place)
        body = _encrypt(cipher, plaintext, _context("field", key_id, workspace_id, place))
        return f"{VERSION}.{key_id}.{body}"

    async def open(self, workspace_id: str, sealed: str, *, place: str) -> bytes:
        """Return what was sealed for this place of this workspace. Raises SealBroken."""
        version, key_id, body = (*sealed.split(".", 2), "", "")[:3]
        if version != VERSION:
            raise _broken(place)
        cipher = await self._cipher(key_id, workspace_id)
        context = _context("field", key_id, workspace_id, place)
        plaintext = _decrypt(cipher, body, context) if cipher else None
        if plaintext is None:
            raise _broken(place)
        return plaintext

    def keyed_hash(self, purpose: str, value: bytes) -> bytes:
        """Return the 32 bytes by which `value` is looked up: HMAC-SHA256, with a key per purpose."""
        key = self._hash_keys.get(purpose)
        if key is None:
            key = _derive(self._master_key, f"interlock keyed hash v1: {purpose}")
            self._hash_keys[purpose] = key
        return hmac.digest(key, value, hashlib.sha256)

    async def _choose_key(self, workspace_id: str) -> str:
        async with self._making:
            key = await self._store.newest(workspace_id)
            if key is None:
                key = self._wrap(secrets.token_hex(8), workspace_id)
                await self._store.add(key)
        _remember(self._current, workspace_id, key.id)
        return key.id

    async def _cipher(self, key_id: str, workspace_id: str) -> AESGCM | None:
        owner, cipher = self._ciphers.get(key_id, ("", None))
        if cipher is None:
            wrapped = await self._store.find(key_id)
            cipher = self._unwrap(wrapped) if wrapped else None
            if wrapped is None or cipher is None:
                return None
            owner = wrapped.workspace_id
            _remember(self._ciphers, key_id, (owner, cipher))
        return cipher if owner == workspace_id else None

    def _wrap(self, key_id: str, workspace_id: str) -> WrappedKey:
        context = _context("data key", key_id, workspace_id)
        body = _encrypt(self._wrapping, secrets.token_bytes(KEY_BYTES), context)
        return WrappedKey(key_id, workspace_id, f"{VERSION}.{body}")

    def _unwrap(self, key: WrappedKey) -> AESGCM | None:
        version, _, body = key.wrapped.partition(".")
        context = _context("data key", key.id, key.workspace_id)
        data_key = _decrypt(self._wrapping, body, context) if version == VERSION else None
        return AESGCM(data_key) if data_key else None


def _derive(master_key: bytes, info: str) -> bytes:
    return HKDF(SHA256(), KEY_BYTES, salt=None, info=info.encode()).derive(master_key)


def _context(*parts: str) -> bytes:
    """Return parts as one text that no other parts give; it is authenticated, not stored."""
    return json.dumps([VERSION, *parts]).encode()


def _encrypt(cipher: AESGCM, plaintext: bytes, context: bytes) -> str:
    nonce = os.urandom(_NONCE_BYTES)
    sealed = nonce + cipher.encrypt(nonce, plaintext, context)
    return base64.urlsafe_b64encode(sealed).decode().rstrip("=")


def _decrypt(cipher: AESGCM, body: str, context: bytes) -> bytes | None:
    try:
        sealed = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
    except (InvalidTag, binascii.Error, ValueError):
        return None


def _remember(cache: dict[str, _Cached], name: str, value: _Cached) -> None:
    if len(cache) >= _MAX_CACHED:
        cache.pop(next(iter(cache)))
    cache[name] = value


def _broken(place: str) -> SealBroken:
    return SealBroken(
        f"The secret at {place} does not open: it was altered, moved, or sealed by another "
        "database; enter it again."
    )
