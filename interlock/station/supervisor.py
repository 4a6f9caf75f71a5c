"""When a server that ended may start again: growing delays, then a circuit that opens."""

import random
from collections import deque
from collections.abc import Callable
from typing import Final

FIRST_DELAY: Final = 0.1
LONGEST_DELAY: Final = 10.0
MAX_RESTARTS: Final = 5
WINDOW: Final = 60.0
OPEN_TIME: Final = 30.0
STABLE_RUN: Final = 60.0


class RestartPolicy:
    """Decides when to restart one server; every moment is given in seconds of one clock.

    Delays double from 0.1 to 10 s, each up to a quarter shorter by chance so that servers that
    fell together do not rise together. After 5 restarts within a minute the circuit opens: 30 s
    later one attempt is let through, and if that fails too, one more every 30 s. A run of over
    60 s makes the server as good as new. A start that fails counts as a run: call `started` before
    the attempt and `ended` when it failed.
    """

    def __init__(self, chance: Callable[[], float] = random.random) -> None:
        self._chance = chance
        self._restarts: deque[float] = deque(maxlen=MAX_RESTARTS)
        self._failures = 0
        self._probing = False
        self._started_at: float | None = None
        self._restart_at: float | None = None
        self._retry_at: float | None = None

    @property
    def retry_at(self) -> float | None:
        """The moment at which an open circuit lets one attempt through; None if it is closed."""
        return self._retry_at

    @property
    def is_probing(self) -> bool:
        """Whether the attempt is under way that an open circuit let through."""
        return self._probing and self._retry_at is None

    def delay_before_restart(self, now: float) -> float | None:
        """Return the seconds to wait before the next start; None while the circuit is open."""
        if self._retry_at is not None:
            return 0.0 if now >= self._retry_at else None
        return max(0.0, self._restart_at - now) if self._restart_at is not None else 0.0

    def started(self, now: float) -> None:
        """Note that a start is being made."""
        if self._failures:
            self._restarts.append(now)
        self._probing = self._retry_at is not None
        self._retry_at = self._restart_at = None
        self._started_at = now

    def ended(self, now: float) -> None:
        """Note that the server ended, or that its start failed."""
        if self._started_at is not None and now - self._started_at > STABLE_RUN:
            self._failures, self._probing = 0, False
            self._restarts.clear()
        self._started_at = None
        self._failures += 1
        restart_at = now + self._backoff()
        if self._probing or self._restarts_since(restart_at - WINDOW) >= MAX_RESTARTS:
            self._retry_at = now + OPEN_TIME
        else:
            self._restart_at = restart_at

    def _restarts_since(self, moment: float) -> int:
        return sum(restart > moment for restart in self._restarts)

    def _backoff(self) -> float:
        # The exponent is capped because a float overflows where a server falls often and slowly.
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(self._failures - 1, 16))
        return delay * (1 - self._chance() / 4)
