"""One change after the other, where memory and the database must stay alike."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from interlock.storage.outage import DatabaseUnavailable

PATIENCE: Final = 5.0  # seconds


class Turns:
    """A lock whose waiters give up, so that they do not queue behind a database that is away."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def one(self) -> AsyncGenerator[None]:
        """Wait for the others, for a while, and hold them up while the block runs.

        Raises DatabaseUnavailable.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                await self._lock.acquire()
        except TimeoutError:
            raise DatabaseUnavailable.because("other changes still wait for it") from None
        try:
            yield
        finally:
            self._lock.release()
