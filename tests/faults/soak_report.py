"""What a soak is told to do, what it measures, and when that counts as flat."""

from collections import Counter
from dataclasses import asdict, dataclass, field

WARM_UP = 0.4  # of the time; caches fill, and pools grow to their size
SLOPE = 1.0  # MiB an hour that memory may grow
ROOM = 3  # descriptors, tasks and processes that may come and go at any moment


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to run, how many calls a second, and the share of them that are faults."""

    seconds: float
    rate: float
    faults: float = 0.01
    seed: int = 1
    sample_every: float = 5.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What the gateway's process holds at a moment, in seconds since the start."""

    at: float
    mib: float
    descriptors: int
    tasks: int
    processes: int
    threads: int
    sessions: int


def held(sample: Sample) -> tuple[int, int, int]:
    """Return what is counted and not measured."""
    return sample.descriptors, sample.tasks, sample.processes


@dataclass(slots=True)
class Report:
    """What was done and found; `quiet` are the first sample and the last, without any client."""

    samples: list[Sample] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    ids: list[str] = field(default_factory=list)
    before: Sample | None = None
    after: Sample | None = None
    unrecorded: int = 0
    doubled: int = 0

    def slope(self) -> float:
        """Return the MiB an hour by which memory grew after the warm-up: a line through all points."""
        points = self._warm()
        middle_at = sum(each.at for each in points) / len(points)
        middle = sum(each.mib for each in points) / len(points)
        spread = sum((each.at - middle_at) ** 2 for each in points)
        rise = sum((each.at - middle_at) * (each.mib - middle) for each in points)
        return rise / spread * 3600

    def growth(self) -> float:
        """Return the MiB that the last third of the samples after the warm-up hold above the first."""
        points = [each.mib for each in self._warm()]
        third = max(1, len(points) // 3)
        return sum(points[-third:]) / third - sum(points[:third]) / third

    def _warm(self) -> list[Sample]:
        start = self.samples[-1].at * WARM_UP
        return [each for each in self.samples if each.at >= start]

    def left(self) -> dict[str, int]:
        """Return how many more descriptors, tasks and processes there are without any client."""
        assert self.before is not None
        assert self.after is not None
        before, after = asdict(self.before), asdict(self.after)
        names = ("descriptors", "tasks", "processes", "threads", "sessions")
        return {name: after[name] - before[name] for name in names}

    def text(self) -> str:
        """Return all of it for people."""
        lines = [f"{name}: {count}" for name, count in sorted(self.done.items())]
        lines += [f"failed, {name}: {count}" for name, count in sorted(self.failed.items())]
        lines += [f"{asdict(each)}" for each in (self.before, self.after) if each is not None]
        lines += [
            f"memory: {self.slope():.2f} MiB an hour after the warm-up, {self.growth():.2f} MiB in all",
            f"left: {self.left()}",
            f"records: {self.unrecorded} of {len(self.ids)} calls have none, {self.doubled} have two",
        ]
        return "\n".join(lines)

    def is_flat(self) -> bool:
        """Tell whether nothing grew."""
        return (
            self.slope() < SLOPE
            and all(count <= ROOM for count in self.left().values())
            and not self.unrecorded + self.doubled
        )
