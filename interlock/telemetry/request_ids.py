"""Ids that sort by the moment they were made, and the trace id that a caller may bring along."""

import re
import secrets
from collections.abc import Callable
from itertools import count
from time import time_ns
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_TIME_PAIRS: Final = 5

# W3C Trace Context, section 3.2: lower case only; a later version may append further fields.
_TRACEPARENT: Final = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<parent>[0-9a-f]{16})-[0-9a-f]{2}"
    r"(?P<more>-.*)?"
)
_NO_TRACE: Final = "0" * 32
_NO_PARENT: Final = "0" * 16


class SortableIds:
    """Makes ids of `length` characters that sort, as text, in the order they were made.

    The first ten characters are the time in milliseconds; the rest counts up from a random number,
    which each process has for itself. A clock that is set back does not break the order. `length`
    is even and at least 16, so that two processes do not meet. Safe to call from any thread.
    """

    def __init__(self, *, length: int, clock: Callable[[], int] | None = None) -> None:
        self._tail_pairs = length // 2 - _TIME_PAIRS
        self._clock = clock
        # The top bit stays free, so that counting up never overflows.
        self._numbers = count(secrets.randbits(self._tail_pairs * 10 - 1))
        # What begins the ids of a moment, and what follows it for many numbers. Each is replaced
        # together with its text, so that no thread sees one without the other.
        self._head = -1, ""
        self._middle = -1, ""

    def new(self) -> str:
        """Return the next id."""
        number = next(self._numbers)
        moment = time_ns() // 1_000_000 if self._clock is None else self._clock()
        head = self._head
        if moment > head[0]:
            head = self._head = moment, _encode(moment, _TIME_PAIRS)
        middle = self._middle
        if middle[0] != number >> 10:
            middle = self._middle = number >> 10, _encode(number >> 10, self._tail_pairs - 1)
        return f"{head[1]}{middle[1]}{_PAIRS[number & 1023]}"


REQUEST_ID_LENGTH: Final = 20
_REQUEST_IDS: Final = SortableIds(length=REQUEST_ID_LENGTH)


new_request_id: Final = _REQUEST_IDS.new
"""Returns the id of a new request: 20 characters that sort by time and never repeat."""


def trace_id_of(traceparent: str | None) -> str | None:
    """Return the trace id of a W3C `traceparent` header, or None where it is missing or invalid."""
    found = _TRACEPARENT.fullmatch(traceparent or "")
    if found is None or found["version"] == "ff":
        return None
    if found["version"] == "00" and found["more"] is not None:
        return None
    if found["trace"] == _NO_TRACE or found["parent"] == _NO_PARENT:
        return None
    return found["trace"]


def _encode(number: int, pairs: int) -> str:
    return "".join(_PAIRS[number >> shift & 1023] for shift in range((pairs - 1) * 10, -1, -10))
