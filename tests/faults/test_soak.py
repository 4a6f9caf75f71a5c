"""A soak of less than a minute: what a gateway holds after many faults is what it held before."""

from tests.faults.soak import soak
from tests.faults.soak_report import Plan

# In hours of the command this shows as a slope; here the allocator alone may take some pages.
GROWTH = 5.0  # MiB
ROOM = 4  # descriptors, tasks, threads and processes: a connection or two may still be closing


async def test_after_many_faults_nothing_is_left_of_them() -> None:
    report = await soak(Plan(seconds=25, rate=30, faults=0.08, sample_every=2))
    faults = sum(count for name, count in report.done.items() if name.startswith("fault"))
    calls = sum(count for name, count in report.done.items() if name.endswith("calls"))
    told = report.text()

    assert faults > 10, told
    assert calls > 100, told
    # A fault is told to the calls that it hits, and others do not notice.
    assert sum(report.failed.values()) < 0.2 * calls, told
    assert {name: count for name, count in report.left().items() if count > ROOM} == {}, told
    assert report.growth() < GROWTH, told
    assert (report.unrecorded, report.doubled) == (0, 0), told
