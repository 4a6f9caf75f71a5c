"""All SQL of the vault: data keys, as they lie wrapped in the database."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from interlock.storage.database import Database
from interlock.vault.models import DataKeyRow


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A data key that only the master key can unwrap."""

    id: str
    workspace_id: str
    wrapped: str


class DataKeyStore:
    """Reads and writes wrapped data keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, key_id: str) -> WrappedKey | None:
        """Return the data key with this id."""
        async with self._database.reading() as session:
            row = await session.get(DataKeyRow, key_id)
        return _wrapped(row) if row else None

    async def newest(self, workspace_id: str) -> WrappedKey | None:
        """Return the data key that seals for a workspace."""
        query = (
            select(DataKeyRow)
            .where(DataKeyRow.workspace_id == workspace_id)
            .order_by(DataKeyRow.created_at.desc(), DataKeyRow.id)
            .limit(1)
        )
        async with self._database.reading() as session:
            row = await session.scalar(query)
        return _wrapped(row) if row else None

    async def add(self, key: WrappedKey) -> bool:
        """Keep a new data key; False where its id is taken."""
        row = DataKeyRow(
            id=key.id,
            workspace_id=key.workspace_id,
            wrapped=key.wrapped,
            created_at=datetime.now(UTC),
        )
        try:
            async with self._database.transaction() as session:
                session.add(row)
        except IntegrityError:
            return False
        return True


def _wrapped(row: DataKeyRow) -> WrappedKey:
    return WrappedKey(row.id, row.workspace_id, row.wrapped)
