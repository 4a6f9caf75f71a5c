"""A real, migrated database, and records to put into it."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from interlock.audit.store import RecordStore
from interlock.storage.database import Database
from tests.storage.databases import migrated_database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    async with migrated_database(tmp_path) as database:
        yield database


@pytest.fixture
def store(database: Database) -> RecordStore:
    return RecordStore(database)
