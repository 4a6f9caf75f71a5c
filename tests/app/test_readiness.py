"""Readiness falls while the database cannot be written, and returns by itself."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import event

from interlock.app.readiness import Readiness
from interlock.audit.store import RecordStore
from interlock.audit.writer import RecordWriter
from interlock.settings import AuditSettings
from tests.storage.databases import migrated_database
from tests.support.program import RunningProgram, program


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold the lock that every writer needs."""
    connection = sqlite3.connect(data_dir / "interlock.db", isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
    finally:
        connection.close()


async def until(
    gateway: RunningProgram, status: int, holds: Callable[[dict[str, str]], object] = lambda _: True
) -> dict[str, str]:
    """Ask until the answer has this status and what is missing is such that `holds`."""
    missing: dict[str, str] = {}

    async def is_so() -> bool:
        nonlocal missing
        answer = await gateway.client.get("/readyz")
        missing = answer.json()["missing"]
        return answer.status_code == status and bool(holds(missing))

    await gateway.eventually(is_so)
    return missing


async def test_a_database_that_is_locked_is_missing_until_it_is_free_again() -> None:
    async with program({"mcpServers": {}}) as gateway:
        assert await until(gateway, 200) == {}
        with locked(gateway.data_dir):
            missing = await until(gateway, 503)
            assert missing["database"] == "The database does not take a write within 3 seconds."
            assert (await gateway.client.get("/healthz")).status_code == 200
        assert await until(gateway, 200) == {}


async def test_records_that_wait_are_told_until_they_are_written() -> None:
    async with program({"mcpServers": {}}, audit={"flush_interval": 0.05}) as gateway:
        with locked(gateway.data_dir):
            # A call that is refused leaves a record, which cannot be written now.
            assert (await gateway.client.post("/mcp/nowhere", content=b"{}")).status_code == 404
            missing = await until(gateway, 503, lambda missing: "records" in missing)
            assert missing["records"] == "1 records wait for the database; none is lost yet."
        assert await until(gateway, 200) == {}


async def test_many_who_ask_cost_one_write(tmp_path: Path) -> None:
    async with migrated_database(tmp_path) as database:
        writer = RecordWriter(RecordStore(database), AuditSettings(), spool=tmp_path / "spool")
        readiness = Readiness(database, writer)
        commits: list[Any] = []
        event.listen(database.engine.sync_engine, "commit", commits.append)
        found = await asyncio.gather(*(readiness.missing() for _ in range(50)))
        await readiness.close()

    assert found == [{}] * 50
    assert len(commits) == 1
