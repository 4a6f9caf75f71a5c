"""Slots that are taken at once or in turn, and that come back whoever leaves."""

import asyncio

import pytest

from interlock.upstreams.slots import Slots


async def waiting(slots: Slots, order: list[int], number: int) -> None:
    await slots.acquire()
    order.append(number)


def free(slots: Slots) -> int:
    """Return how many slots can be taken at once; they are taken then."""
    number = 0
    while slots.take():
        number += 1
    return number


async def test_as_many_are_taken_at_once_as_there_are() -> None:
    assert free(Slots(3)) == 3


async def test_who_waits_is_served_in_turn_and_before_who_asks_later() -> None:
    slots, order = Slots(1), list[int]()
    assert slots.take()
    tasks = [asyncio.create_task(waiting(slots, order, number)) for number in range(3)]
    await asyncio.sleep(0)
    for number in range(3):
        slots.release()
        assert not slots.take()
        await tasks[number]
    assert order == [0, 1, 2]


@pytest.mark.parametrize("is_given", [False, True])
async def test_who_leaves_keeps_no_slot(*, is_given: bool) -> None:
    slots = Slots(1)
    assert slots.take()
    task = asyncio.create_task(slots.acquire())
    await asyncio.sleep(0)
    if is_given:
        slots.release()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    if not is_given:
        slots.release()
    assert free(slots) == 1


async def test_a_slot_given_to_who_leaves_goes_to_the_next() -> None:
    slots, order = Slots(1), list[int]()
    assert slots.take()
    leaving = asyncio.create_task(slots.acquire())
    staying = asyncio.create_task(waiting(slots, order, 1))
    await asyncio.sleep(0)
    slots.release()
    leaving.cancel()
    await asyncio.wait([leaving, staying], timeout=5)
    assert order == [1]
