"""What servers offer, on its way into the database: what it cannot take yet waits, the newest of each server."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from interlock.errors import Unavailable
from interlock.gateway.table import Catalogue
from interlock.protocol.versions import Era
from interlock.registry.store import ServerStore
from interlock.telemetry.logs import get_logger, log_failure

WRITE_DEADLINE: Final = 20.0  # seconds
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0  # seconds between two attempts
CLOSE_DEADLINE: Final = 5.0  # seconds for a last attempt

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Offer:
    catalogue: Catalogue
    eras: frozenset[Era]
    read_at: datetime


class Unwritten:
    """Writes catalogues one after the other, and again where the database is away.

    Of each server only the newest waits, so that there are never more than servers.
    """

    def __init__(self, store: ServerStore) -> None:
        self._store = store
        self._offers: dict[str, _Offer] = {}
        self._writing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def __len__(self) -> int:
        """How many servers have something that is not in the database yet."""
        return len(self._offers)

    def add(self, server_id: str, catalogue: Catalogue, eras: frozenset[Era]) -> None:
        """Keep what a server offers as of now, in the place of what it offered before."""
        self._offers[server_id] = _Offer(catalogue, eras, datetime.now(UTC))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="catalogues")

    def forget(self, server_id: str) -> None:
        """Write nothing of a server any more."""
        self._offers.pop(server_id, None)

    async def close(self) -> None:
        """Try once more, and give up what cannot be written: servers are asked anew at a start."""
        self._closing.set()
        if self._writing is not None:
            await asyncio.wait({self._writing}, timeout=CLOSE_DEADLINE)
            self._writing.cancel()
            await asyncio.gather(self._writing, return_exceptions=True)

    async def _write(self) -> None:
        pause, is_away = FIRST_PAUSE, False
        while self._offers:
            is_last = self._closing.is_set()
            server_id, offer = next(iter(self._offers.items()))
            try:
                await self._keep(server_id, offer)
            except (Unavailable, TimeoutError) as fault:
                if not is_away:
                    log.warning("catalogues.wait", servers=len(self), cause=str(fault) or "timeout")
                if is_last:
                    return
                is_away = True
                await self._rest(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            except Exception as error:  # noqa: BLE001 -- else a defect would keep the others out for ever
                log_failure(log, "catalogue.not_kept", error)
            pause, is_away = FIRST_PAUSE, False
            if self._offers.get(server_id) is offer:
                del self._offers[server_id]

    async def _keep(self, server_id: str, offer: _Offer) -> None:
        async with asyncio.timeout(WRITE_DEADLINE):
            await self._store.keep_catalogue(server_id, offer.catalogue, offer.eras, offer.read_at)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()
