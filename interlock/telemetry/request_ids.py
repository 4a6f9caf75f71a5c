"""Ids that sort by the moment they were made, and the trace id that a caller may bring along."""

import re
import secrets
import threading
from collections.abc import Callable
from time import time_ns
from typing import Final

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS: Final = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_TIME_PAIRS: Final = 5  # as `_encode_time` writes them

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
        self._lock = threading.Lock()
        self._moment = -1
        self._head = ""
        # The top bit stays free, so that counting up never overflows.
        self._tail = secrets.randbits(self._tail_pairs * 10 - 11)
        self._middle = ""
        self._next = len(_PAIRS)  # of the pairs that end an id; past the last, all others change

    def new(self) -> str:
        """Return the next id."""
        with self._lock:
            moment = time_ns() // 1_000_000 if self._clock is None else self._clock()
            if moment > self._moment:
                self._moment = moment
                self._head = _encode_time(moment)
            if self._next == len(_PAIRS):
                self._tail += 1
                self._middle = _encode(self._tail, self._tail_pairs - 1)
                self._next = 0
            pair = _PAIRS[self._next]
            self._next += 1
            return f"{self._head}{self._middle}{pair}"


_REQUEST_IDS: Final = SortableIds(length=20)


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


def _encode_time(moment: int) -> str:
    # It is new for most calls, so that the loop is written out.
    return (
        f"{_PAIRS[moment >> 40 & 1023]}{_PAIRS[moment >> 30 & 1023]}{_PAIRS[moment >> 20 & 1023]}"
        f"{_PAIRS[moment >> 10 & 1023]}{_PAIRS[moment & 1023]}"
    )


def _encode(number: int, pairs: int) -> str:
    return "".join(_PAIRS[number >> shift & 1023] for shift in range((pairs - 1) * 10, -1, -10))
