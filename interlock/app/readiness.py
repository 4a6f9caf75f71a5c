"""Whether calls can be taken: what `/readyz` asks of the database."""

import asyncio
import time
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from interlock.audit.writer import RecordWriter
from interlock.storage.database import Database
from interlock.storage.outage import DatabaseUnavailable
from interlock.telemetry.logs import get_logger, log_failure

PATIENCE: Final = 3.0  # seconds that a caller waits
FRESH: Final = 1.0  # seconds for which an answer holds, so that many callers write no more

# It changes nothing, and is written to the disk all the same.
_WRITE: Final = "UPDATE alembic_version SET version_num = version_num"
_LATE: Final = f"The database does not take a write within {PATIENCE:.0f} seconds."
_REFUSED: Final = "The database refuses to be written; the log says more."

log = get_logger(__name__)


class Readiness:
    """Writes to the database now and then, when asked; one attempt at a time. Close it at the end."""

    def __init__(self, database: Database, writer: RecordWriter) -> None:
        self._database = database
        self._writer = writer
        self._attempt: asyncio.Task[str | None] | None = None
        self._good_until = 0.0

    async def missing(self) -> dict[str, str]:
        """Return what keeps us from being ready, and why; nothing where we are."""
        missing: dict[str, str] = {}
        if fault := await self._fault():
            missing["database"] = fault
        elif self._writer.is_failing:
            # It rests between its attempts, and the database is there again.
            self._writer.hurry()
        if self._writer.is_failing:
            missing["records"] = (
                f"{self._writer.pending} records wait for the database; none is lost yet."
                if not self._writer.lost
                else f"{self._writer.pending} records wait; {self._writer.lost} were lost."
            )
        return missing

    async def _fault(self) -> str | None:
        if time.monotonic() < self._good_until:
            return None
        if self._attempt is None or self._attempt.done():
            self._attempt = asyncio.create_task(self._write(), name="readiness")
        # A database that is locked lets an attempt wait for longer than a caller does.
        done, _ = await asyncio.wait({self._attempt}, timeout=PATIENCE)
        return self._attempt.result() if done else _LATE

    async def _write(self) -> str | None:
        try:
            async with self._database.transaction() as session:
                await session.execute(text(_WRITE))
        except DatabaseUnavailable as fault:
            return fault.message
        except SQLAlchemyError as error:
            log_failure(log, "readiness.failed", error)
            return _REFUSED
        self._good_until = time.monotonic() + FRESH
        return None

    async def close(self) -> None:
        """Wait for an attempt that is under way."""
        if self._attempt is not None:
            await asyncio.wait({self._attempt}, timeout=PATIENCE)
            self._attempt.cancel()
            await asyncio.gather(self._attempt, return_exceptions=True)
