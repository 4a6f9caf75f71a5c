"""Changes take turns, and nobody waits for ever for theirs."""

import asyncio

import pytest

from interlock.storage import turns as turns_module
from interlock.storage.outage import DatabaseUnavailable
from interlock.storage.turns import Turns


async def test_one_after_the_other() -> None:
    turns, inside, seen = Turns(), 0, []

    async def change() -> None:
        nonlocal inside
        async with turns.one():
            inside += 1
            await asyncio.sleep(0)
            seen.append(inside)
            inside -= 1

    await asyncio.gather(*(change() for _ in range(20)))

    assert seen == [1] * 20


async def test_who_waits_too_long_is_told_and_the_next_gets_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns_module, "PATIENCE", 0.01)
    turns = Turns()

    async with turns.one():
        with pytest.raises(DatabaseUnavailable, match="other changes still wait for it"):
            async with turns.one():
                pass

    async with turns.one():
        assert turns._lock.locked()


async def test_a_change_that_fails_holds_up_nobody() -> None:
    turns = Turns()

    with pytest.raises(LookupError):
        async with turns.one():
            raise LookupError

    assert not turns._lock.locked()
