"""The circuit of a remote server: it opens when the server fails, and lets one call try it again."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal, TypeAlias

from interlock.errors import (
    InterlockError,
    RPCError,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from interlock.upstreams.balancing import UpstreamBusy
from interlock.upstreams.port import ProtocolBroken
from interlock.upstreams.streamable_http import HTTPRefused

State: TypeAlias = Literal["closed", "open", "half_open"]
Verdict: TypeAlias = Literal["well", "ill", "unknown"]


class CircuitOpen(UpstreamUnavailable):
    """The server failed too often to be asked now; `data` says in how many ms it is tried again."""

    reason = "circuit_open"


@dataclass(frozen=True, slots=True)
class CircuitLimits:
    """When a circuit opens, and for how long; times in seconds.

    It opens after `failures` in a row, or where of at least `volume` outcomes in a `window` half
    are failures, or where a server fails a look at it while `stuck` calls wait in a `silence`.
    """

    failures: int = 5
    volume: int = 10
    window: float = 10.0
    stuck: int = 4
    silence: float = 2.0
    first_open: float = 2.0
    longest_open: float = 15.0


@dataclass(frozen=True, slots=True)
class CircuitState:
    """How a circuit is; `retry_in` are the seconds until an open one lets a call through."""

    state: State
    retry_in: float | None = None


class Circuit:
    """Counts how the calls of one server end, and refuses calls while it does not answer.

    While it is open, `retry_at` is the moment from which a call is let through again. Each call that
    `admit` lets in is ended by exactly one `end`. What `look` is told counts like a
    call, and decides where there is doubt. `alarm` is called when a look becomes due; `look_at`
    says when. A circuit has no timers of its own and knows only the `clock`, in seconds.
    """

    def __init__(
        self,
        name: str,
        *,
        alarm: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
        limits: CircuitLimits | None = None,
    ) -> None:
        self._name = name
        self._alarm = alarm
        self._clock = clock
        self._limits = limits or CircuitLimits()
        self.retry_at: float | None = None
        self._is_probed = False
        self._openings = 0
        self._pending = 0
        self._heard_at = 0.0
        self._forget()

    @property
    def state(self) -> CircuitState:
        """How the circuit is now."""
        if self.retry_at is None:
            return CircuitState("closed")
        left = self.retry_at - self._clock()
        return CircuitState("open", left) if left > 0 else CircuitState("half_open")

    @property
    def look_at(self) -> float | None:
        """The moment from which somebody should look whether the server answers; None for never."""
        if self.retry_at is not None:
            return self.retry_at
        if self._pending >= self._limits.stuck:
            return self._heard_at + self._limits.silence
        return None

    @property
    def is_open(self) -> bool:
        """Whether calls are refused, but for one at a time that tries."""
        return self.retry_at is not None

    def check(self) -> None:
        """Raise CircuitOpen where no call is let through now."""
        if self.retry_at is None:
            return
        left = self.retry_at - self._clock()
        if left > 0 or self._is_probed:
            raise self._refusal(max(left, 0))

    def admit(self) -> bool:
        """Let a call in; True says that it is the one that tries. Raises CircuitOpen."""
        is_trying = self.retry_at is not None
        if is_trying:
            self.check()
        self._is_probed = is_trying
        if not self._pending:
            self._heard_at = self._clock()
        self._pending += 1
        if self._pending == self._limits.stuck:
            self._alarm()
        return is_trying

    def end(self, verdict: Verdict, *, was_trying: bool) -> None:
        """Take note of how a call ended that was let in."""
        self._pending -= 1
        if was_trying:
            self._is_probed = False
        if verdict == "well":
            self._well()
        elif verdict == "ill" and self.retry_at is None:
            self._ill()
        elif verdict == "ill" and was_trying:
            self._open()

    def look(self, verdict: Verdict) -> None:
        """Take note of what somebody saw who looked whether the server answers."""
        if verdict == "well":
            self._well()
        elif verdict == "ill":
            due = self.look_at
            if due is not None and due <= self._clock():
                self._open()
            elif self.retry_at is None:
                self._ill()

    def reset(self) -> None:
        """Close the circuit and forget what was counted."""
        self.retry_at = None
        self._is_probed = False
        self._openings = 0
        self._heard_at = self._clock()
        self._forget()

    def _well(self) -> None:
        self._heard_at = now = self._clock()
        self._in_a_row = 0
        if now - self._window_began > self._limits.window:
            self._begin_window(now)
        self._good += 1
        if self.retry_at is not None:
            self.reset()
            self._alarm()

    def _ill(self) -> None:
        self._in_a_row += 1
        limits, now = self._limits, self._clock()
        if now - self._window_began > limits.window:
            self._begin_window(now)
        self._bad += 1
        is_often = self._bad + self._good >= limits.volume and self._bad >= self._good
        if self._in_a_row >= limits.failures or is_often:
            self._open()

    def _open(self) -> None:
        limits = self._limits
        seconds = min(limits.longest_open, limits.first_open * 2.0 ** min(self._openings, 16))
        self._openings += 1
        self.retry_at = self._clock() + seconds
        self._is_probed = False
        self._forget()
        self._alarm()

    def _begin_window(self, now: float) -> None:
        self._window_began = now
        self._good = self._bad = 0

    def _forget(self) -> None:
        self._in_a_row = self._good = self._bad = 0
        self._window_began = self._clock()

    def _refusal(self, left: float) -> CircuitOpen:
        when = f"in {max(0.1, left):.1f} s" if left > 0 else "now"
        return CircuitOpen(
            f"{self._name} failed too often; it is tried again {when}.",
            data={"retry_after_ms": round(left * 1000)},
        )


def verdict_of(failure: BaseException) -> Verdict:
    """Tell what the failure of a call says of its server: whether it lives, or not, or nothing."""
    match failure:
        case RPCError():
            return "well"
        case CircuitOpen() | UpstreamBusy() | ProtocolBroken():
            return "unknown"
        case HTTPRefused():
            return "ill" if failure.code >= HTTPStatus.INTERNAL_SERVER_ERROR else "well"
        case UpstreamUnavailable() | UpstreamTimeout():
            return "ill"
        case UpstreamFailed() | InterlockError():
            return "unknown"
        case _:
            return "unknown"
