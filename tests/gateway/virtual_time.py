"""An event loop whose clock jumps to the next deadline, so that tests of time neither wait nor race."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Lets time pass instead of waiting, once nothing else is left to do."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("Everything waits, and no deadline will ever end it.")
        ready = super().select(0)
        if not ready:
            self.passed += max(timeout, 0)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _Selector()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.passed


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end; the loop's clock begins at 0 and moves only while all sleep."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work)


def now() -> float:
    return asyncio.get_running_loop().time()
