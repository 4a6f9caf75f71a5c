"""How many calls of a key, of a project, and how many new sessions are taken in a time.

Source of the algorithm: GCRA, ITU-T I.371. Of each caller one number is kept: the moment at which
all calls that it made would be over if they came evenly.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from interlock.errors import TooMany
from interlock.identity.limits import RateLimit
from interlock.identity.principal import Principal

MAX_CALLERS: Final = 100_000  # counted at once; whoever was silent longest is forgotten
_SECOND: Final = 10**9

Clock: TypeAlias = Callable[[], int]
_Caller: TypeAlias = tuple[str, str]


class RateLimited(TooMany):
    """The key, the project or the client calls more often than it may."""

    reason = "rate_limited"


class LimitedProject(Protocol):
    """A project that may have a limit of its own."""

    @property
    def id(self) -> str:
        """By which its calls are counted."""
        ...

    @property
    def rate_limit(self) -> RateLimit | None:
        """Its own limit, which goes before the default."""
        ...


@dataclass(frozen=True, slots=True)
class Defaults:
    """The limits of keys and projects without their own, and of new sessions of any caller."""

    key: RateLimit | None = None
    project: RateLimit | None = None
    sessions: RateLimit | None = None


class RateLimits:
    """Counts what callers do, in memory; `clock` tells nanoseconds that never run back."""

    def __init__(self, defaults: Defaults, clock: Clock = time.monotonic_ns) -> None:
        self._defaults = defaults
        self._clock = clock
        self._is_unlimited = defaults.key is None and defaults.project is None
        self._callers = Arrivals()
        self._projects = Arrivals()
        self._sessions = Arrivals()

    def applies_to(self, principal: Principal, project: LimitedProject) -> bool:
        """Tell whether anything limits the calls of a caller in a project."""
        has_own = principal.rate_limit is not None or project.rate_limit is not None
        return has_own or not self._is_unlimited

    def take(self, principal: Principal, project: LimitedProject, address: str) -> None:
        """Count a call, or raise RateLimited; then it is counted nowhere.

        People have no limit but their project's. `address` is the client's, for those without key.
        """
        if not self.applies_to(principal, project):
            return
        own, whole = self._limits(principal, project)
        now, caller, wait = self._clock(), _caller(principal, address), 0
        if own is not None and (wait := self._callers.wait(caller, own, now)):
            raise _refusal("This API key", own, wait)
        if whole is not None:
            there = ("project", project.id)
            if wait := self._projects.wait(there, whole, now):
                raise _refusal("This project", whole, wait)
            self._projects.add(there, whole, now)
        if own is not None:
            self._callers.add(caller, own, now)

    def give_back(self, principal: Principal, project: LimitedProject, address: str) -> None:
        """Count a call no more that `take` counted and that was not made after all."""
        own, whole = self._limits(principal, project)
        if own is not None:
            self._callers.give_back(_caller(principal, address), own)
        if whole is not None:
            self._projects.give_back(("project", project.id), whole)

    def _limits(
        self, principal: Principal, project: LimitedProject
    ) -> tuple[RateLimit | None, RateLimit | None]:
        """Return the limits of a caller and of its project, the defaults where they have none."""
        own = principal.rate_limit
        if own is None and principal.kind != "person":
            own = self._defaults.key
        return own, project.rate_limit or self._defaults.project

    def take_session(self, principal: Principal, address: str) -> None:
        """Count a new session of a caller, or raise RateLimited."""
        limit = self._defaults.sessions
        if limit is None:
            return
        now, caller = self._clock(), _caller(principal, address)
        if wait := self._sessions.wait(caller, limit, now):
            raise RateLimited(
                f"This client opens more than {limit.calls} sessions per {limit.per}; "
                "keep one open, or try again later.",
                retry_after=wait / _SECOND,
            )
        self._sessions.add(caller, limit, now)


class Arrivals:
    """When the calls of each of many callers would be over if they came evenly."""

    def __init__(self, most: int = MAX_CALLERS) -> None:
        self._most = most
        self._over: OrderedDict[_Caller, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._over)

    def wait(self, caller: _Caller, limit: RateLimit, now: int) -> int:
        """Return in how many nanoseconds the caller may call; 0 where it may now."""
        over = max(self._over.get(caller, now), now)
        return max(0, over + limit.interval - now - limit.burst * limit.interval)

    def add(self, caller: _Caller, limit: RateLimit, now: int) -> None:
        """Count a call that was let in."""
        over = max(self._over.pop(caller, now), now)
        # Two go for one that comes, so that those who are silent do not gather.
        for _ in range(2):
            oldest = next(iter(self._over), None)
            if oldest is not None and (self._over[oldest] <= now or len(self._over) >= self._most):
                del self._over[oldest]
        self._over[caller] = over + limit.interval

    def give_back(self, caller: _Caller, limit: RateLimit) -> None:
        """Count a call no more."""
        if caller in self._over:
            self._over[caller] -= limit.interval


def _caller(principal: Principal, address: str) -> _Caller:
    if principal.kind == "anonymous":
        return "anonymous", address
    return principal.kind, principal.id


def _refusal(who: str, limit: RateLimit, wait: int) -> RateLimited:
    return RateLimited(
        f"{who} may make {limit.calls} calls per {limit.per}, {limit.burst} of them at once; "
        "try again later.",
        retry_after=wait / _SECOND,
    )
