from typing import Any

import pytest
import structlog

from interlock.telemetry.repeats import RepeatLimit


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def passes(limit: RepeatLimit, method: str = "info", **event: Any) -> dict[str, Any] | None:
    try:
        return dict(limit(None, method, event))
    except structlog.DropEvent:
        return None


def test_a_repeated_event_passes_once_a_second_and_counts_the_others() -> None:
    clock = Clock()
    limit = RepeatLimit(clock=clock)

    passed = []
    for tick in range(25):
        clock.now = tick / 10
        passed.append(passes(limit, event="down"))

    assert passed[0] == {"event": "down"}
    assert passed[10] == {"event": "down", "left_out": 9}
    assert passed[20] == {"event": "down", "left_out": 9}
    assert passed.count(None) == 22


@pytest.mark.parametrize("field", ["event", "logger", "server"])
def test_events_that_differ_do_not_hold_each_other_back(field: str) -> None:
    limit = RepeatLimit(clock=Clock())
    event = {"event": "down", "logger": "x", "server": "demo"}

    assert passes(limit, **event) is not None
    assert passes(limit, **{**event, field: "other"}) is not None
    assert passes(limit, **event, tool="else") is None


def test_messages_from_one_template_count_as_one_event() -> None:
    limit = RepeatLimit(clock=Clock())

    assert passes(limit, event="from 1", _template="from %s") == {"event": "from 1"}
    assert passes(limit, event="from 2", _template="from %s") is None


def test_debug_events_are_never_held_back() -> None:
    limit = RepeatLimit(clock=Clock())

    assert [passes(limit, "debug", event="x") for _ in range(3)] == [{"event": "x"}] * 3


def test_memory_is_bounded_and_what_is_forgotten_is_still_counted() -> None:
    limit = RepeatLimit(capacity=10, clock=Clock())

    for _ in range(4):
        passes(limit, event="first")
    passed = [passes(limit, event=f"other {n}") for n in range(10)]

    assert passed[-1] == {"event": "other 9", "left_out_of_others": 3}
    assert len(limit._repeats) == 10
