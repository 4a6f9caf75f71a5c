"""What servers offer is in the database once that is back, whatever happened meanwhile."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text

from interlock.errors import Unavailable
from interlock.gateway.table import Catalogue
from interlock.protocol.versions import Era
from interlock.registry.store import ServerStore
from interlock.registry.unwritten import Unwritten
from interlock.storage.database import Database, sqlite_url
from interlock.storage.migrate import migrate
from interlock.upstreams.port import ServerFacts
from interlock.vault.vault import Vault
from tests.support.program import DEADLINE, program

GROWING = str(Path(__file__).with_name("growing_server.py"))
ASK_AGAIN = 0.02


@contextmanager
def away(path: Path) -> Iterator[None]:
    """Move the file of the database away, and back."""
    moved = path.with_name("moved.db")
    path.rename(moved)
    try:
        yield
    finally:
        moved.rename(path)


class WatchedStore(ServerStore):
    """Counts attempts that failed."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, Vault(database, bytes(range(32))))
        self.failures = 0
        self.failed = asyncio.Event()

    async def keep_catalogue(
        self, server_id: str, catalogue: Catalogue, eras: frozenset[Era], now: datetime
    ) -> None:
        try:
            await super().keep_catalogue(server_id, catalogue, eras, now)
        except Unavailable:
            self.failures += 1
            self.failed.set()
            raise


def catalogue(tool: str) -> Catalogue:
    facts = ServerFacts(Era.LEGACY, "2025-11-25", {"name": "a"}, {"tools": {}})
    return Catalogue(facts, {"tools": ({"name": tool},)})


async def test_a_catalogue_that_was_read_during_an_outage_is_written_when_that_is_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, data = tmp_path / "tool", tmp_path / "data"
    file.write_text("early")
    config = {"mcpServers": {"growing": {"command": sys.executable, "args": [GROWING, str(file)]}}}
    async with program(config, data_dir=data) as gateway, asyncio.timeout(DEADLINE):
        await gateway.up("growing")
        path = data / "interlock.db"
        await until_kept(path, "early")

        with away(path):
            file.write_text("late")
            (runner,) = gateway.registry.runners
            await gateway.registry.restart(runner.server)

            async def was_refused() -> bool:
                return "catalogues.wait" in capsys.readouterr().out

            await gateway.eventually(was_refused)
            assert tools_of(runner.catalogue) == ["late"]

        await until_kept(path, "late")


@pytest_asyncio.fixture
async def store(path: Path) -> AsyncIterator[WatchedStore]:
    """Keep catalogues in a file whose tables are made."""
    database = Database(sqlite_url(path))
    await migrate(database)
    yield WatchedStore(database)
    await database.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "interlock.db"


async def test_the_newest_of_each_server_waits_and_no_more(path: Path, store: WatchedStore) -> None:
    unwritten = Unwritten(store)
    with away(path):
        for number in range(100):
            unwritten.add("one", catalogue(f"t{number}"), frozenset(Era))
            unwritten.add("two", catalogue(f"t{number}"), frozenset(Era))
        assert len(unwritten) == 2
        await asyncio.wait_for(store.failed.wait(), DEADLINE)
        unwritten.forget("two")
        assert len(unwritten) == 1

    async with asyncio.timeout(DEADLINE):
        while unwritten:  # noqa: ASYNC110 -- an event for each would be there for the test alone
            await asyncio.sleep(ASK_AGAIN)
    await unwritten.close()


async def test_an_end_waits_for_one_attempt_and_no_longer(path: Path, store: WatchedStore) -> None:
    unwritten = Unwritten(store)
    with away(path):
        unwritten.add("one", catalogue("t"), frozenset(Era))
        await asyncio.wait_for(store.failed.wait(), DEADLINE)
        tried = store.failures

        await asyncio.wait_for(unwritten.close(), DEADLINE)

        assert store.failures == tried + 1


async def until_kept(path: Path, tool: str) -> None:
    """Wait until the database holds a catalogue with this tool alone."""
    database = Database(sqlite_url(path), create=False)
    try:
        while True:
            async with database.reading() as session:
                kept = [json.loads(each) for each in await session.scalars(text(KEPT))]
            if [[each["name"] for each in items["tools"]] for items in kept] == [[tool]]:
                return
            await asyncio.sleep(ASK_AGAIN)
    finally:
        await database.close()


KEPT = "SELECT items FROM catalogues"


def tools_of(found: Catalogue | None) -> list[str]:
    return [each["name"] for each in found.items["tools"]] if found is not None else []
