"""How many may be at work at once, where most find a free slot and need not wait."""

import asyncio
from collections import deque


class Slots:
    """A fair semaphore that can also be taken at once, without a task."""

    def __init__(self, number: int) -> None:
        self._free = number
        self._turns: deque[asyncio.Future[None]] = deque()

    def take(self) -> bool:
        """Take a slot if one is free and nobody waits for it."""
        if self._free <= 0 or self._turns:
            return False
        self._free -= 1
        return True

    async def acquire(self) -> None:
        """Take a slot, after those who waited before."""
        if self.take():
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._turns:
                self._turns.remove(turn)
            elif not turn.cancelled():
                # It was given the slot in the moment in which it left.
                self.release()
            raise

    def release(self) -> None:
        """Give a slot back."""
        while self._turns:
            turn = self._turns.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
