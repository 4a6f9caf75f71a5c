"""Answers of many megabytes on one line: read in linear time, while others hardly wait."""

import asyncio
import time

from tests.faults.stage import IS_FULL, MIB, Stage, neighbour, percentile

QUIET = 2.0  # seconds in which the neighbour is watched before
READ_WITHIN = 1.0  # seconds for 20 MB
WAIT = 0.25  # seconds that a neighbour's call takes at most
MEMORY = 64 * MIB
# Other programs on two processors may take two thirds of the time.
NOISE = 3.0  # times


async def test_20_megabytes_on_one_line_arrive_while_neighbours_hardly_wait(on: Stage) -> None:
    async with neighbour(on, "good") as other:
        await asyncio.sleep(QUIET)
        before = on.forget_peak()
        taken: list[float] = []
        moments: list[tuple[float, float]] = []
        for _ in range(3):
            began = time.monotonic()
            answer = await on.call("bad", "big", mib=20)
            moments.append((began, time.monotonic()))
            assert len(answer.text) == 20 * MIB
            taken.append(answer.seconds)
        peak = on.peak()

    waits = [max(other.between(*moment)) for moment in moments]
    on.tell(
        fastest=min(taken),
        slowest=max(taken),
        least_wait=min(waits),
        grown_mib=(peak - before) / MIB,
    )

    assert min(taken) < READ_WITHIN * NOISE
    assert min(waits) < WAIT * NOISE
    assert peak - before < 2 * MEMORY


async def test_time_grows_with_the_size_and_not_with_its_square(on: Stage) -> None:
    async def fastest(mib: int) -> float:
        return min([(await on.call("bad", "big", mib=mib)).seconds for _ in range(4)])

    await fastest(2)
    small, large = await fastest(6), await fastest(24)

    on.tell(small=small, large=large)
    # Four times the size takes four times the time; quadratic reading would take sixteen times.
    assert large < 8 * small + 0.1


async def test_an_answer_over_the_limit_fails_its_call_alone(on: Stage) -> None:
    pid = (await on.call("bad", "pid")).text
    before = on.forget_peak()
    answer = await on.call("bad", "big", mib=50)
    peak = on.peak()
    on.tell(seconds=answer.seconds, grown_mib=(peak - before) / MIB)

    assert "`bad` answered with" in answer.error
    assert "INTERLOCK_STATION__MAX_LINE" in answer.error
    assert peak - before < MEMORY
    assert (await on.call("bad", "pid")).text == pid
    assert (await on.call("good", "echo", text="fine")).text == "fine"


async def test_a_line_without_end_holds_little_memory_and_slows_nobody_down(on: Stage) -> None:
    size = 500 if IS_FULL else 150
    before = on.forget_peak()
    async with neighbour(on, "good") as other:
        quiet = time.monotonic()
        await asyncio.sleep(QUIET)
        began = time.monotonic()
        # The server writes the line without its end before it answers this call behind it.
        answer = await on.call("bad", "big", mib=size, endless=True)
        until = time.monotonic()
    peak = on.peak()
    p99 = percentile(other.between(began, until), 0.99)
    on.tell(
        seconds=until - began,
        p99_before=percentile(other.between(quiet, began), 0.99),
        p99_meanwhile=p99,
        grown_mib=(peak - before) / MIB,
    )

    assert answer.text == "after the line"
    assert peak - before < MEMORY
    assert p99 < WAIT
    assert (await on.call("bad", "echo", text="alive")).text == "alive"
