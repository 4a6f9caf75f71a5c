"""What keys and projects can be limited to."""

import pytest

from interlock.errors import BadInput
from interlock.identity.limits import (
    MAX_CALLS,
    MAX_PATTERN,
    MAX_SERVER_PATTERNS,
    MAX_TOOL_PATTERNS,
    Access,
    RateLimit,
)


def test_equal_limits_are_equal_in_whatever_order_they_are_given() -> None:
    one = Access.of({"b": ["y", "x", "x"], "a": []})

    assert one == Access.of({"a": [], "b": ["x", "y"]})
    assert hash(one) == hash(Access.of({"a": [], "b": ["x", "y"]}))
    assert one.document() == {"a": [], "b": ["x", "y"]}
    assert Access.of(one.document()) == one


@pytest.mark.parametrize(
    "grants",
    [
        {"": ["*"]},
        {"a": [""]},
        {"a" * (MAX_PATTERN + 1): []},
        {"a": ["b" * (MAX_PATTERN + 1)]},
        {"a": ["line\nbreak"]},
        {str(number): [] for number in range(MAX_SERVER_PATTERNS + 1)},
        {"a": [str(number) for number in range(MAX_TOOL_PATTERNS + 1)]},
    ],
)
def test_limits_that_no_server_or_tool_could_have_are_refused(grants: dict[str, list[str]]) -> None:
    with pytest.raises(BadInput, match='"access" '):
        Access.of(grants)


def test_the_largest_limits_are_taken() -> None:
    grants = {str(number): ["x" * MAX_PATTERN] * 10 for number in range(MAX_SERVER_PATTERNS)}

    assert len(Access.of(grants).grants) == MAX_SERVER_PATTERNS


def test_without_a_burst_all_calls_may_come_at_once() -> None:
    assert RateLimit.of(30) == RateLimit(30, "minute", 30)
    assert RateLimit.of(30, "second", 5) == RateLimit(30, "second", 5)


def test_the_interval_is_in_nanoseconds() -> None:
    assert [RateLimit.of(4, "second").interval, RateLimit.of(4).interval] == [
        250_000_000,
        15_000_000_000,
    ]


@pytest.mark.parametrize(("calls", "burst"), [(0, 1), (-1, 1), (1, 0), (MAX_CALLS + 1, 1)])
def test_a_limit_that_lets_nothing_or_all_through_is_refused(calls: int, burst: int) -> None:
    with pytest.raises(BadInput, match='"calls" and "burst"'):
        RateLimit.of(calls, burst=burst)


def test_a_limit_is_kept_whole() -> None:
    limit = RateLimit.of(7, "second", 3)

    assert RateLimit.kept(limit.document()) == limit
