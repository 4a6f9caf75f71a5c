"""Slows down whoever guesses passwords: ever longer pauses after a few failures."""

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from interlock.errors import TooMany

# How many failures are free before the first pause.
FREE_FOR_PAIR: Final = 5
FREE_FOR_ADDRESS: Final = 25
FREE_FOR_EMAIL: Final = 100
FIRST_PAUSE: Final = 5.0  # seconds, doubled by every further failure
LONGEST_PAUSE: Final = 900.0  # seconds
FORGOTTEN_AFTER: Final = 3600.0  # seconds without an attempt
_CAPACITY = 10_000
_IPV6_NETWORK = 64  # bits that one household or machine commonly has for itself

_Key: TypeAlias = tuple[str, ...]


@dataclass(slots=True)
class _Attempts:
    free: int
    count: int = 0
    last: float = 0.0

    def open_at(self) -> float:
        beyond = self.count - self.free
        if beyond < 0:
            return 0.0
        # The exponent is bounded so that the power stays a small number.
        return self.last + min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(beyond, 16))


class LoginThrottle:
    """Counts attempts per e-mail and address together, and more generously for each alone.

    The wider counts stop one address that tries many people, and many addresses that try one
    person. Memory is bounded: the entries that rested longest are forgotten first.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, capacity: int = _CAPACITY
    ) -> None:
        self._clock = clock
        self._capacity = capacity
        self._attempts: dict[_Key, _Attempts] = {}  # the longest at rest first

    def begin(self, email: str, address: str) -> None:
        """Count an attempt before its password is checked, so that a burst cannot slip through.

        Raises TooMany while a pause lasts; such a call is not counted.
        """
        now = self._clock()
        found = [self._take(key, free, now) for key, free in _keys(email, address)]
        pause = max(attempts.open_at() - now for attempts in found)
        if pause > 0:
            raise TooMany("Too many failed logins; wait and try again.", retry_after=pause)
        for attempts in found:
            attempts.count += 1
            attempts.last = now

    def withdraw(self, email: str, address: str) -> None:
        """Take back an attempt that could not be judged."""
        for key, _ in _keys(email, address):
            if (attempts := self._attempts.get(key)) and attempts.count:
                attempts.count -= 1

    def succeed(self, email: str, address: str) -> None:
        """Forgive the failures of a person who knew the password in the end."""
        (pair, _), (whole_address, _), (whole_email, _) = _keys(email, address)
        self._attempts.pop(pair, None)
        self._attempts.pop(whole_email, None)
        # Only this attempt: an attacker with one account must not wash the address clean.
        if (attempts := self._attempts.get(whole_address)) and attempts.count:
            attempts.count -= 1

    def _take(self, key: _Key, free: int, now: float) -> _Attempts:
        attempts = self._attempts.pop(key, None)
        if attempts is None or now - attempts.last > FORGOTTEN_AFTER:
            attempts = _Attempts(free)
        self._attempts[key] = attempts
        if len(self._attempts) > self._capacity:
            self._attempts.pop(next(iter(self._attempts)))
        return attempts


def _keys(email: str, address: str) -> tuple[tuple[_Key, int], ...]:
    network = _network(address)
    return (
        (("pair", email, network), FREE_FOR_PAIR),
        (("address", network), FREE_FOR_ADDRESS),
        (("email", email), FREE_FOR_EMAIL),
    )


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if parsed.version == 4:  # noqa: PLR2004 - the version of IP
        return address
    return str(ipaddress.ip_network((parsed.packed, _IPV6_NETWORK), strict=False))
