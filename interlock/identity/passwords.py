"""Passwords: hashed with Argon2id, verified in the same time whether or not the person exists."""

import asyncio
import base64
import os
import secrets
from collections.abc import Callable
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from interlock.errors import BadInput, Unavailable
from interlock.identity.ids import ALPHABET

MIN_LENGTH: Final = 12
MAX_LENGTH: Final = 1024
_AT_ONCE = 2  # each takes 64 MiB
_MAX_WAIT = 15.0  # seconds for a turn

_Result = TypeVar("_Result")


class Passwords:
    """Hashes and verifies passwords in threads, a few at once; build one per process."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._nobody = _unmatched_hash(self._hasher)

    async def hash(self, password: str) -> str:
        """Return the hash to keep. Raises BadInput for a password that is too short or long."""
        check_new(password)
        return await self._in_turn(self._hasher.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Tell whether the password fits; without a hash, work as long and tell False."""
        if len(password) > MAX_LENGTH:
            return False
        matches = await self._in_turn(self._matches, password_hash or self._nobody, password)
        return matches and password_hash is not None

    def is_outdated(self, password_hash: str) -> bool:
        """Tell whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_turn(self, work: Callable[..., _Result], *args: str) -> _Result:
        try:
            await asyncio.wait_for(self._turns.acquire(), _MAX_WAIT)
        except TimeoutError:
            raise Unavailable("Too many people sign in at once; try again in a moment.") from None
        try:
            return await asyncio.to_thread(work, *args)
        finally:
            self._turns.release()


def check_new(password: str) -> None:
    """Raise BadInput unless this may become a password."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise BadInput(f'"password" must have {MIN_LENGTH} to {MAX_LENGTH} characters.')


def one_time_password() -> str:
    """Return a random password of 120 bits that is easy to read and type."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(6)) for _ in range(4))
    return "-".join(groups)


def _unmatched_hash(hasher: PasswordHasher) -> str:
    """Return a hash with today's parameters that no password is known to give."""
    parameters = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    salt, digest = (
        base64.b64encode(os.urandom(length)).decode().rstrip("=")
        for length in (hasher.salt_len, hasher.hash_len)
    )
    return f"$argon2id$v=19${parameters}${salt}${digest}"
