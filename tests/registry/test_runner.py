"""How often a runner looks at its server."""

from interlock.registry.runner import SPREAD, spread


def test_polls_are_spread_and_never_come_early() -> None:
    intervals = [spread(100.0) for _ in range(1000)]

    assert 100.0 <= min(intervals) < max(intervals) <= 100.0 * SPREAD
    assert len(set(intervals)) > 100
