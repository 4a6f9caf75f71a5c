"""The endpoints of one remote server: which of them takes a request, and which are let rest."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, Literal, TypeAlias

from interlock.errors import TooMany, UpstreamFailed

MAX_PAUSE: Final = 300.0  # seconds that we let a server keep us waiting
DEFAULT_PAUSE: Final = 1.0  # seconds, where a server is busy and names no time
EJECT_AFTER: Final = 3  # failures in a row
FIRST_EJECTION: Final = 5.0  # seconds
LONGEST_EJECTION: Final = 300.0  # seconds
SUSPICIOUS_SILENCE: Final = 5.0  # seconds without an answer, after which giving up is a failure

EndpointState: TypeAlias = Literal["ok", "ejected", "busy"]


class UpstreamBusy(UpstreamFailed, TooMany):
    """The server asked not to be called for a while; `retry_after` are the seconds that are left.

    `has_others` says that another endpoint of the server may take the call now.
    """

    status = HTTPStatus.TOO_MANY_REQUESTS
    rpc_code = TooMany.rpc_code
    reason = "upstream_busy"

    def __init__(self, message: str, *, retry_after: float, has_others: bool = False) -> None:
        super().__init__(message, retry_after=retry_after)
        self.has_others = has_others


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """How an endpoint is; `for_seconds` is how long it is still ejected or busy."""

    url: str
    state: EndpointState
    pending: int
    for_seconds: float | None = None


class Endpoint:
    """One address of a server; until the moment `ejected_until` others go before it."""

    __slots__ = (
        "_ejections",
        "_failures",
        "busy_until",
        "ejected_until",
        "pending",
        "url",
        "used",
    )

    def __init__(self, url: str) -> None:
        self.url = url
        self.pending = 0
        self.used = 0
        self.busy_until = 0.0
        self._failures = 0
        self._ejections = 0
        self.ejected_until = 0.0

    def succeeded(self) -> None:
        """Take note that it answered."""
        self._failures = self._ejections = 0
        self.ejected_until = 0.0

    def failed(self, now: float, *, is_unreachable: bool = False) -> None:
        """Take note that it did not answer, or answered that it is broken."""
        self._failures += EJECT_AFTER if is_unreachable else 1
        if now < self.ejected_until:
            return
        # One that comes back from its ejection has to show that it is well again.
        if self._failures >= EJECT_AFTER or self._ejections:
            seconds = FIRST_EJECTION * 2.0 ** min(self._ejections, 16)
            self.ejected_until = now + min(seconds, LONGEST_EJECTION)
            self._ejections += 1


class Endpoints:
    """All endpoints of one server. The one with the fewest requests under way is the next.

    Endpoints that fail again and again are ejected for a time that doubles; where all are, the one
    that is let back first is used. An endpoint that said when to come back is not used before.
    """

    def __init__(
        self, name: str, urls: Sequence[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._clock = clock
        self.now = clock  # the clock that all moments here are of
        self._all = tuple(Endpoint(url) for url in dict.fromkeys(urls))
        self._turn = 0

    def __len__(self) -> int:
        return len(self._all)

    def health(self) -> list[EndpointHealth]:
        """Return how each endpoint is."""
        return [self._health(each) for each in self._all]

    def choose(self) -> Endpoint:
        """Return the endpoint that takes the next request. Raises UpstreamBusy where none may."""
        if len(self._all) == 1:
            only = self._all[0]
            self.check(only)
            return only
        now = self._clock()
        free = [each for each in self._all if each.busy_until <= now]
        if not free:
            raise self._busy(min(each.busy_until for each in self._all), has_others=False)
        well = [each for each in free if each.ejected_until <= now]
        if well:
            chosen = min(well, key=lambda each: (each.pending, each.used))
        else:
            chosen = min(free, key=lambda each: each.ejected_until)
        self._turn += 1
        chosen.used = self._turn
        return chosen

    def check(self, endpoint: Endpoint) -> None:
        """Raise UpstreamBusy where an endpoint must not be asked now."""
        if endpoint.busy_until and endpoint.busy_until > self._clock():
            raise self._busy(endpoint.busy_until, has_others=False)

    def has_better(self, endpoint: Endpoint) -> bool:
        """Tell whether this endpoint is ejected and another is not."""
        if not endpoint.ejected_until:
            return False
        now = self._clock()
        return endpoint.ejected_until > now and any(
            max(each.ejected_until, each.busy_until) <= now for each in self._all
        )

    def answered(self, endpoint: Endpoint, status: int, headers: Mapping[str, str]) -> None:
        """Take note of the head of an answer; whether a 5xx is a failure, its body tells."""
        pause = pause_of(status, headers)
        if pause is not None:
            endpoint.busy_until = max(endpoint.busy_until, self._clock() + pause)
        elif status < HTTPStatus.INTERNAL_SERVER_ERROR:
            endpoint.succeeded()

    def failed(self, endpoint: Endpoint, *, is_unreachable: bool = False) -> None:
        """Take note that an endpoint did not answer, or not to the end, or that it is broken.

        One that cannot be reached at all is ejected at once: it would fail every call the soonest,
        and so look the least busy.
        """
        endpoint.failed(self._clock(), is_unreachable=is_unreachable)

    def gave_up(self, endpoint: Endpoint, since: float) -> None:
        """Take note that nobody waits any more for an answer that was awaited since then."""
        if self._clock() - since >= SUSPICIOUS_SILENCE:
            endpoint.failed(self._clock())

    def turned_away(self, endpoint: Endpoint, *, is_home: bool = False) -> UpstreamBusy:
        """Return the refusal of a request that an endpoint turned away just now.

        `is_home` says that no other endpoint can take it, as it belongs to a session.
        """
        now = self._clock()
        has_others = not is_home and any(
            max(each.ejected_until, each.busy_until) <= now
            for each in self._all
            if each is not endpoint
        )
        return self._busy(endpoint.busy_until, has_others=has_others)

    def _busy(self, until: float, *, has_others: bool) -> UpstreamBusy:
        left = max(0.0, until - self._clock())
        return UpstreamBusy(
            f"{self._name} asked not to be called for another {left:.1f} s.",
            retry_after=left,
            has_others=has_others,
        )

    def _health(self, endpoint: Endpoint) -> EndpointHealth:
        now = self._clock()
        if endpoint.busy_until > now:
            return EndpointHealth(endpoint.url, "busy", endpoint.pending, endpoint.busy_until - now)
        if endpoint.ejected_until > now:
            left = endpoint.ejected_until - now
            return EndpointHealth(endpoint.url, "ejected", endpoint.pending, left)
        return EndpointHealth(endpoint.url, "ok", endpoint.pending)


def pause_of(
    status: int, headers: Mapping[str, str], wall: Callable[[], float] = time.time
) -> float | None:
    """Return for how many seconds an answer asks us not to come back; None where it does not.

    429 always does; 503 where it has a `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3).
    """
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        named = _retry_after(headers.get("retry-after", ""), wall)
        return DEFAULT_PAUSE if named is None else named
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return _retry_after(headers.get("retry-after", ""), wall)
    return None


def _retry_after(value: str, wall: Callable[[], float]) -> float | None:
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), MAX_PAUSE)
    try:
        moment = parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, moment - wall()), MAX_PAUSE)
