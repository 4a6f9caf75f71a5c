"""Whether calls can be taken: what `/readyz` asks of the database."""

import asyncio
import time
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from interlock.audit.writer import RecordWriter
from interlock.storage.database import Database

PATIENCE: Final = 3.0  # seconds that a caller waits
FRESH: Final = 1.0  # seconds for which an answer holds, so that many callers write no more

# It changes nothing, and is written to the disk all the same.
_WRITE: Final = "UPDATE alembic_version SET version_num = version_num"


class Readiness:
    """Writes to the database now and then, when asked; one attempt at a time. Close it at the end."""

    def __init__(self, database: Database, writer: RecordWriter) -> None:
        self._database = database
        self._writer = writer
        self._attempt: asyncio.Task[bool] | None = None
        self._good_until = 0.0

    async def missing(self) -> dict[str, str]:
        """Return what keeps us from being ready, and why; nothing where we are."""
        missing: dict[str, str] = {}
        if not await self._can_write():
            missing["database"] = "The database cannot be written."
        if self._writer.is_failing:
            missing["records"] = (
                f"{self._writer.pending} records wait for the database; none is lost yet."
                if not self._writer.lost
                else f"{self._writer.pending} records wait; {self._writer.lost} were lost."
            )
        return missing

    async def _can_write(self) -> bool:
        if time.monotonic() < self._good_until:
            return True
        if self._attempt is None or self._attempt.done():
            self._attempt = asyncio.create_task(self._write(), name="readiness")
        # A database that is locked lets an attempt wait for longer than a caller does.
        done, _ = await asyncio.wait({self._attempt}, timeout=PATIENCE)
        return bool(done) and self._attempt.result()

    async def _write(self) -> bool:
        try:
            async with self._database.transaction() as session:
                await session.execute(text(_WRITE))
        except (SQLAlchemyError, OSError):
            return False
        self._good_until = time.monotonic() + FRESH
        return True

    async def close(self) -> None:
        """Wait for an attempt that is under way."""
        if self._attempt is not None:
            await asyncio.wait({self._attempt}, timeout=PATIENCE)
            self._attempt.cancel()
            await asyncio.gather(self._attempt, return_exceptions=True)
