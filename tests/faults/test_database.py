"""The database is locked, full or gone: calls go on, changes are refused, and no record is lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager

import httpx2
import pytest
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.faults.outages import (
    Administration,
    Caller,
    calling,
    full,
    is_ready,
    locked,
    numbers,
    readiness,
    recorded,
    settled,
    spool_of,
    without_file,
    without_folder,
)
from tests.faults.stage import Stage, attached, bad
from tests.support.postgres import PostgreSQL, postgresql
from tests.support.workers import Processes, processes

FEW = 100  # records held in memory, the fewest that can be chosen
SERVERS = {"mcpServers": {"good": bad()}}
KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'interlock'"
Outage = Callable[[Stage], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def sqlite_gateway() -> Iterator[Processes]:
    with processes(1, SERVERS) as running:
        yield running


@pytest.fixture
async def on(sqlite_gateway: Processes) -> AsyncIterator[Stage]:
    async with attached(sqlite_gateway, "good") as running:
        yield running


@pytest.fixture(scope="module")
def scarce_gateway() -> Iterator[Processes]:
    with processes(1, SERVERS, INTERLOCK_AUDIT__MAX_PENDING=str(FEW)) as running:
        yield running


@pytest.fixture
async def scarce(scarce_gateway: Processes) -> AsyncIterator[Stage]:
    """A gateway that holds few records in memory."""
    async with attached(scarce_gateway, "good") as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQL]:
    with postgresql() as running:
        running.run("CREATE DATABASE interlock")
        yield running


@pytest.fixture(scope="module")
def url(server: PostgreSQL) -> str:
    named = make_url(server.url).set(database="interlock")
    return named.render_as_string(hide_password=False)


@pytest.fixture(scope="module")
def postgres_gateway(url: str) -> Iterator[Processes]:
    with processes(1, SERVERS, INTERLOCK_DATABASE_URL=url) as running:
        yield running


@pytest.fixture
async def over(postgres_gateway: Processes) -> AsyncIterator[Stage]:
    """A gateway over PostgreSQL."""
    async with attached(postgres_gateway, "good") as running:
        yield running


def check_refused(answers: dict[str, httpx2.Response]) -> None:
    """Assert that all were told that this cannot be done now, and when to try again."""
    assert {name: each.status_code for name, each in answers.items()} == dict.fromkeys(answers, 503)
    for each in answers.values():
        assert each.headers["retry-after"] == "5"
        error = each.json()["error"]
        assert error["reason"] == "database_unavailable"
        assert error["message"].startswith("The database cannot be used now: ")


def check_done(answers: dict[str, httpx2.Response]) -> None:
    """Assert that all was done."""
    wanted = {"make": 201, "revoke": 204, "limit": 200, "server": 201, "login": 200}
    assert {name: each.status_code for name, each in answers.items()} == wanted


async def check_recorded(on: Stage, caller: Caller, url: str | None = None) -> None:
    """Assert that there is exactly one record of each call, at the latest in a while."""
    for _ in range(100):
        kept = await recorded(on, url)
        if kept.keys() >= set(caller.made):
            break
        await asyncio.sleep(0.1)
    else:
        pytest.fail("Records are missing.")
    assert Counter({each: kept[each] for each in caller.made}) == Counter(caller.made)


async def suffer(on: Stage, outage: Outage, url: str | None = None) -> None:
    """Call before, during and after an outage, and try to change things during and after it."""
    administration = await Administration.of(on)
    async with calling(on) as caller:
        await caller.more(20)
        with outage(on):
            await caller.more(20)
            missing = await readiness(on, lambda status, _: status == 503)
            refused = await administration.writes()
            missing |= await readiness(on, lambda _, missing: "records" in missing)
            # What was refused was not done: the key is as it was.
            used = await administration.status(administration.revoked)
            await caller.more(20)
        await is_ready(on)
        await caller.more(20)
        done = await administration.writes()

    check_refused(refused)
    assert missing.keys() == {"database", "records"}
    assert "none is lost" in missing["records"]
    assert used == 200
    check_done(done)
    assert await administration.status(administration.revoked) == 401
    limited = [await administration.status(administration.limited) for _ in range(2)]
    assert limited == [200, 429]
    await check_recorded(on, caller, url)


@pytest.mark.parametrize("outage", [locked, full, without_file, without_folder])
async def test_calls_go_on_and_all_is_recorded_once_it_is_over(on: Stage, outage: Outage) -> None:
    await suffer(on, outage)


async def test_where_memory_is_full_records_wait_on_the_disk(scarce: Stage) -> None:
    caller = Caller(scarce)
    with locked(scarce):
        await caller.many(FEW + 250)
        waiting = await numbers(scarce)
        assert spool_of(scarce).exists()
    await is_ready(scarce)
    await check_recorded(scarce, caller)

    assert waiting["interlock_records_pending"] == FEW + 250
    assert waiting["interlock_records_lost_total"] == 0
    assert not spool_of(scarce).exists()


async def test_where_memory_and_disk_are_full_the_loss_is_counted_and_told_once(
    scarce: Stage,
) -> None:
    caller = Caller(scarce)
    with full(scarce):
        await caller.many(10 * FEW)
        missing = await readiness(scarce, lambda _, missing: "lost" in missing.get("records", ""))
        waiting = await numbers(scarce)
    await is_ready(scarce)
    await caller.many(10)
    kept = await settled(scarce, caller)

    lost = waiting["interlock_records_lost_total"]
    assert 0 < lost < 10 * FEW
    assert waiting["interlock_records_pending"] == 10 * FEW - lost
    assert f"{lost:.0f} were lost" in missing["records"]
    # What was not lost is there, once, and the last calls first of all.
    assert len(kept) == 10 * FEW + 10 - lost
    assert set(caller.made[-10:]) <= kept
    log = scarce.program.output
    assert (log.count("records are lost"), log.count("records were lost")) == (1, 1)


async def test_so_it_is_while_postgresql_is_stopped(
    over: Stage, server: PostgreSQL, url: str
) -> None:
    await suffer(over, lambda _: server.stopped(), url)


async def test_connections_that_postgresql_ends_are_opened_anew_and_nobody_notices(
    over: Stage, server: PostgreSQL, url: str
) -> None:
    administration = await Administration.of(over)
    engine = create_async_engine(server.url)
    async with calling(over) as caller:
        await caller.more(20)
        async with engine.connect() as connection:
            killed = (await connection.scalars(text(KILL))).all()
        done = await administration.writes()
        await caller.more(20)
    await engine.dispose()

    assert killed
    check_done(done)
    await check_recorded(over, caller, url)
