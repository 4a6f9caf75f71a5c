"""What counting a call costs: run it on a quiet machine; the target is under 1.5 µs a call."""

import time
from collections.abc import Callable

from interlock.telemetry.metrics import CallMetrics

CALLS = 200_000
ROUNDS = 9


def main() -> None:
    """Print microseconds of processor time per call: the quickest of some rounds."""
    metrics = CallMetrics()
    found = ("default", "well", "echo")
    kept = metrics.slot("default", "well", "tools/call", "echo")

    def general() -> None:
        project, server, tool = found
        slot = metrics.slot(project, server, "tools/call", tool)
        slot.ended("ok", None, 0.0023, 0.0002, 0.002, 300, 200)

    def with_a_slot_kept() -> None:
        kept.ended("ok", None, 0.0023, 0.0002, 0.002, 300, 200)

    for work in (general, with_a_slot_kept):
        print(f"{work.__name__}: {min(_timed(work) for _ in range(ROUNDS)):.2f} us")


def _timed(work: Callable[[], None]) -> float:
    began = time.process_time()
    for _ in range(CALLS):
        work()
    return (time.process_time() - began) / CALLS * 1e6


if __name__ == "__main__":
    main()
