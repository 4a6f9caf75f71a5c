"""Brings records into the database in batches, and keeps them safe while it cannot take them."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

from interlock.audit.record import Record, Repeat
from interlock.audit.spool import Spool
from interlock.audit.store import RecordStore
from interlock.errors import Unavailable
from interlock.settings import AuditSettings
from interlock.telemetry.logs import get_logger

BATCH: Final = 500  # records of one insert
SPILL: Final = 1000  # records that go to the disk at once where memory is full
WRITE_DEADLINE: Final = 15.0  # seconds of one insert
FLUSH_DEADLINE: Final = 10.0  # seconds that a reader waits
CLOSE_DEADLINE: Final = 10.0  # seconds until what is left goes to the disk
MAX_PAUSE: Final = 5.0  # seconds between two attempts
PRUNE_INTERVAL: Final = 3600.0  # seconds
PRUNE_BATCH: Final = 1000  # records deleted in one transaction
MAX_KEEP_DAYS: Final = 365 * 1000  # days; the calendar of datetime has no more to subtract

_LOG: Final = get_logger("interlock.audit")


class RecordWriter:
    """Takes records at once and writes them soon; one task, from `start` to `close`.

    Records wait in memory, at most `max_pending` and the batch on its way. While the database
    fails they stay, and more than that go to the file `spool`, from where they return in order
    once it answers; an id is stored once, however often it is tried. Where the file has `max_spool`
    bytes, or the disk takes no more, the oldest are lost: this is counted, logged when it begins
    and, with their number, when it is over. Records older than `keep_days` are deleted, little by
    little, every hour. `on_written` is called with the names of the projects of each batch that the database took.
    """

    def __init__(self, store: RecordStore, settings: AuditSettings, *, spool: Path) -> None:
        self._store = store
        self._settings = settings
        self._spool = Spool(spool, settings.max_spool)
        self._batch: list[Record | Repeat] = []
        self._waiting: deque[Record | Repeat] = deque()
        self._work = asyncio.Event()
        self._has_work = False  # whether `add` has set it, which it does for the first of many
        self._hurry = asyncio.Event()
        self._flushes: list[asyncio.Future[bool]] = []
        self._pause = settings.flush_interval
        self._prune_at = time.monotonic()
        self._closing = False
        self._closed = False
        self._task: asyncio.Task[None] | None = None
        self.on_written: Callable[[set[str]], None] = _no_one
        self.lost = 0  # records that neither the database nor the disk took
        self._told = 0  # of these, how many the log knows of
        self._is_losing = False

    def start(self) -> None:
        """Begin to write; what an earlier process left in the spool goes first."""
        self._task = asyncio.create_task(self._run(), name="record writer")
        self._work.set()

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def pending(self) -> int:
        """How many records are not in the database yet, in memory and on the disk."""
        return len(self._batch) + len(self._waiting) + self._spool.count

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt to write failed; the records wait, and none is lost."""
        return self._pause > self._settings.flush_interval

    def add(self, record: Record | Repeat) -> None:
        """Take `record`; call it on the event loop. It returns at once."""
        self._waiting.append(record)
        if self._closed or len(self._waiting) > self._settings.max_pending:
            self._spill()
        if not self._has_work:
            self._has_work = True
            self._work.set()

    def hurry(self) -> None:
        """Try again at once, where the last attempt failed: the database may be there again."""
        self._hurry.set()

    async def flush(self) -> bool:
        """Write what was added before, so that it can be read; tell whether that worked in time."""
        if self._task is None or not self.pending:
            return not self.pending
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._flushes.append(done)
        self._work.set()
        self._hurry.set()
        try:
            return await asyncio.wait_for(done, FLUSH_DEADLINE)
        except TimeoutError:
            return False

    async def close(self) -> None:
        """Write all that waits; what the database does not take in time goes to the disk."""
        task, self._task = self._task, None
        try:
            if task is not None:
                await self._finish(task)
        finally:
            self._closed = True
            self._answer(self._flushes, written=False)
            self._waiting.extendleft(reversed(self._batch))
            self._batch = []
            while self._waiting:
                self._spill()

    async def _finish(self, task: asyncio.Task[None]) -> None:
        self._closing = True
        self._work.set()
        self._hurry.set()
        try:
            await asyncio.wait({task}, timeout=CLOSE_DEADLINE)
        finally:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def _run(self) -> None:
        while True:
            await self._rest()
            self._has_work = False
            self._work.clear()
            self._hurry.clear()
            flushes, self._flushes = self._flushes, []
            self._answer(flushes, written=await self._attempt())
            if self._closing:
                return

    @staticmethod
    def _answer(flushes: list[asyncio.Future[bool]], *, written: bool) -> None:
        for done in flushes:
            if not done.done():
                done.set_result(written)

    async def _rest(self) -> None:
        """Wait until there is work, then long enough for a batch to gather or a fault to pass."""
        if not self.pending:
            await _either(self._work, max(0.0, self._prune_at - time.monotonic()))
        await _either(self._hurry, self._pause)

    async def _attempt(self) -> bool:
        """Write all that waits; where that fails keep it, and try again later and later."""
        try:
            while await self._step():
                pass
            await self._prune()
        except (Unavailable, OSError) as error:
            self._pause = min(self._pause * 2, MAX_PAUSE)
            _LOG.warning("records wait", pending=self.pending, cause=str(error) or "timeout")
            return False
        except Exception:  # noqa: BLE001 - else a defect would make every later record wait for ever
            self._pause = MAX_PAUSE
            _LOG.exception("records wait", pending=self.pending)
            return False
        self._pause = self._settings.flush_interval
        self._tell_loss()
        return True

    async def _step(self) -> bool:
        """Write one batch, the oldest records first; tell whether there may be more."""
        if self._batch:
            await self._store_batch(self._batch)
            self._batch = []
        elif self._spool:
            await self._store_spooled()
        elif self._waiting:
            size = min(BATCH, len(self._waiting))
            self._batch = [self._waiting.popleft() for _ in range(size)]
        else:
            return False
        return True

    async def _store_spooled(self) -> None:
        records, broken = self._spool.peek(BATCH)
        if broken:
            _LOG.error("spool has broken lines", lines=broken)
        if records:
            await self._store_batch(records)
        self._spool.drop()

    async def _store_batch(self, records: Sequence[Record | Repeat]) -> None:
        async with asyncio.timeout(WRITE_DEADLINE):
            await self._store.add(records)
        self.on_written(
            {(each.kind.record if isinstance(each, Repeat) else each).project for each in records}
        )

    async def _prune(self) -> None:
        """Delete one small batch of old records, if it is time."""
        if time.monotonic() < self._prune_at:
            return
        oldest = datetime.now(UTC) - timedelta(days=min(self._settings.keep_days, MAX_KEEP_DAYS))
        async with asyncio.timeout(WRITE_DEADLINE):
            deleted = await self._store.delete_before(oldest, limit=PRUNE_BATCH)
        if deleted < PRUNE_BATCH:
            self._prune_at = time.monotonic() + PRUNE_INTERVAL

    def _spill(self) -> None:
        """Move the oldest records in memory to the disk.

        This blocks the loop for the time of one write. It happens only where the database has
        failed for so long that memory is full: then it also slows the callers down.
        """
        size = min(SPILL, self._settings.max_pending, len(self._waiting))
        taken = [self._waiting.popleft() for _ in range(size)]
        records = [each.record() if isinstance(each, Repeat) else each for each in taken]
        try:
            self._spool.append(records)
        except OSError as error:
            self.lost += len(records)
            if not self._is_losing:
                self._is_losing, self._told = True, self.lost
                _LOG.error("records are lost", records=len(records), cause=error.strerror)

    def _tell_loss(self) -> None:
        """Say how many more were lost since the log last told of it: it does not tell of each."""
        if self._is_losing:
            _LOG.error("records were lost", more=self.lost - self._told, ever=self.lost)
            self._is_losing = False


async def _either(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _no_one(_projects: set[str]) -> None:
    """Tell nobody of new records."""
