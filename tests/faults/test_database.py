"""The database is locked, full or gone: calls go on, changes are refused, and no record is lost."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager

import httpx2
import pytest

from tests.faults.outages import (
    Administration,
    calling,
    full,
    gateway,
    is_ready,
    locked,
    readiness,
    recorded,
    without_file,
    without_folder,
)
from tests.faults.stage import Stage

Outage = Callable[[Stage], AbstractContextManager[None]]


def check_refused(answers: dict[str, httpx2.Response]) -> None:
    """Assert that all were told that this cannot be done now, and when to try again."""
    assert {name: each.status_code for name, each in answers.items()} == dict.fromkeys(answers, 503)
    for each in answers.values():
        assert each.headers["retry-after"] == "5"
        error = each.json()["error"]
        assert error["reason"] == "database_unavailable"
        assert error["message"].startswith("The database cannot be used now: ")


@pytest.mark.parametrize("outage", [locked, full, without_file, without_folder])
async def test_calls_go_on_and_all_is_recorded_once_it_is_over(outage: Outage) -> None:
    async with gateway() as on:
        administration = await Administration.of(on)
        async with calling(on) as caller:
            await caller.more(20)
            with outage(on):
                await caller.more(20)
                missing = await readiness(on, lambda status, _: status == 503)
                refused = await administration.writes()
                missing |= await readiness(on, lambda _, missing: "records" in missing)
                # A change that was refused has not been made, and logins are as they were.
                used = await administration.status(administration.revoked)
                await caller.more(20)
            await is_ready(on)
            await caller.more(20)
            done = await administration.writes()
            await is_ready(on)
        made = caller.made
        assert await administration.status(administration.revoked) == 401
        limited = [await administration.status(administration.limited) for _ in range(2)]
        kept = await everything_recorded(on, made)

    check_refused(refused)
    assert set(missing) == {"database", "records"}
    assert "none is lost" in missing["records"]
    assert used == 200
    assert {name: each.status_code for name, each in done.items()} == {
        "make": 201,
        "revoke": 204,
        "limit": 200,
        "server": 201,
        "login": 200,
    }
    assert limited == [200, 429]
    assert Counter(made) == Counter({each: kept[each] for each in made})


async def everything_recorded(on: Stage, made: list[str]) -> Counter[str]:
    """Wait until all calls are recorded, for a while."""
    for _ in range(100):
        kept = await recorded(on)
        if kept.keys() >= set(made):
            break
        await asyncio.sleep(0.1)
    return kept
