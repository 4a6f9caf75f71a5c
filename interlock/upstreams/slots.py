"""How many may be at work at once, where most find a free slot and need not wait."""

import asyncio


class Slots(asyncio.Semaphore):
    """A semaphore that can also be taken without waiting."""

    def take(self) -> bool:
        """Take a slot if one is free and nobody waits for it."""
        if self._value <= 0 or self._waiters:
            return False
        self._value -= 1
        return True

    def release(self) -> None:
        """Give a slot back."""
        if self._waiters:
            super().release()
        else:
            self._value += 1
