"""How a project's calls went over a span of time: counts, failures and latencies, in steps."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

BOUNDS_MS: Final = (
    *(1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0),
    *(1_000.0, 2_000.0, 5_000.0, 10_000.0, 20_000.0, 60_000.0),
)
"""Upper bounds of the classes of total times; the last class has none."""

FAILED: Final = frozenset({"failed", "tool_error"})


@dataclass(frozen=True, slots=True)
class Tally:
    """How many records are alike: `key` is a step's number or a name, `duration` a class of times."""

    key: tuple[int | str | None, ...]
    outcome: str
    duration: int
    count: int


@dataclass(slots=True)
class Sum:
    """What is known of some calls together."""

    calls: int = 0
    failed: int = 0
    refused: int = 0
    _durations: Counter[int] = field(default_factory=Counter[int])

    def add(self, tally: Tally) -> None:
        """Count records that belong here."""
        self.calls += tally.count
        self.failed += tally.count * (tally.outcome in FAILED)
        self.refused += tally.count * (tally.outcome == "refused")
        self._durations[tally.duration] += tally.count

    def percentile(self, share: float) -> float | None:
        """Return the total time in milliseconds that this share of the calls did not exceed.

        It is read off the classes of times, evenly within each, as histograms are; None where
        there was no call.
        """
        wanted, seen = share * self.calls, 0
        for duration in sorted(self._durations):
            count = self._durations[duration]
            if seen + count >= wanted:
                low = BOUNDS_MS[duration - 1] if duration else 0.0
                high = BOUNDS_MS[min(duration, len(BOUNDS_MS) - 1)]
                return round(low + (high - low) * (wanted - seen) / count, 3)
            seen += count
        return None


@dataclass(frozen=True, slots=True)
class Span:
    """From `since` up to `until` in steps; the last may be shorter."""

    since: datetime
    until: datetime
    step: timedelta

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return -((self.since - self.until) // self.step)

    def starts(self) -> list[datetime]:
        """Return when each step begins."""
        return [self.since + self.step * number for number in range(self.steps)]


def duration_class(milliseconds: float) -> int:
    """Return the class that a total time falls in, as the database counts it."""
    return bisect_left(BOUNDS_MS, milliseconds)


def series(span: Span, tallies: Iterable[Tally]) -> list[Sum]:
    """Return the sum of each step, those without a call too."""
    sums = [Sum() for _ in range(span.steps)]
    for tally in tallies:
        (number,) = tally.key
        if isinstance(number, int) and 0 <= number < len(sums):
            sums[number].add(tally)
    return sums


def total(tallies: Iterable[Tally]) -> Sum:
    """Return the sum of all."""
    whole = Sum()
    for tally in tallies:
        whole.add(tally)
    return whole


def by_name(
    tallies: Iterable[Tally], *, most: int
) -> Sequence[tuple[tuple[int | str | None, ...], Sum]]:
    """Return the sums by key, those with the most failures and then calls first."""
    sums: dict[tuple[int | str | None, ...], Sum] = {}
    for tally in tallies:
        sums.setdefault(tally.key, Sum()).add(tally)
    ordered = sorted(sums.items(), key=lambda each: (-each[1].failed, -each[1].calls, str(each[0])))
    return ordered[:most]
