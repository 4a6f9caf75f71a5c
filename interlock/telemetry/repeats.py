"""A brake on log events that repeat: one a second gets through, with a count of the others."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from structlog.typing import EventDict, WrappedLogger

_KEY_LENGTH: Final = 256


@dataclass(slots=True)
class _Repeat:
    passed_at: float
    left_out: int = 0


class RepeatLimit:
    """Drops an event that the same logger wrote for the same server or worker within `interval`.

    The next one that passes says in `left_out` how many were dropped since. At most `capacity`
    events are remembered; what was dropped of a forgotten one is told in `left_out_of_others`.
    Debug events pass always: whoever turns them on wants to see each. Safe in any thread.
    """

    def __init__(
        self,
        *,
        interval: float = 1.0,
        capacity: int = 1024,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval = interval
        self._capacity = capacity
        self._clock = clock
        self._lock = threading.Lock()
        self._repeats: OrderedDict[int, _Repeat] = OrderedDict()
        self._forgotten = 0

    def __call__(self, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        """Let `event` pass, or raise DropEvent."""
        template = str(event.pop("_template", event.get("event")))[:_KEY_LENGTH]
        if method == "debug":
            return event
        # Hashes instead of the texts themselves bound the memory of each key.
        subject = str(event.get("server")), str(event.get("worker"))
        key = hash((event.get("logger"), template, subject))
        with self._lock:
            self._pass(key, event)
        return event

    def _pass(self, key: int, event: EventDict) -> None:
        now = self._clock()
        repeat = self._repeats.get(key)
        if repeat is not None and now - repeat.passed_at < self._interval:
            repeat.left_out += 1
            raise structlog.DropEvent
        if repeat is not None and repeat.left_out:
            event["left_out"] = repeat.left_out
        self._repeats[key] = _Repeat(passed_at=now)
        self._repeats.move_to_end(key)
        if len(self._repeats) > self._capacity:
            _, oldest = self._repeats.popitem(last=False)
            self._forgotten += oldest.left_out
        if self._forgotten:
            event["left_out_of_others"] = self._forgotten
            self._forgotten = 0
