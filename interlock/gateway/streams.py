"""Messages on their way to one client: kept until followed, and for a while after, for resuming."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Protocol

from interlock.protocol.json import JSONObject, dumps

MAX_HELD = 32 * 1024 * 1024  # bytes of messages before the newest, where a client reads too slowly


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One message of a stream, numbered from 1."""

    number: int
    data: bytes


class Hearer(Protocol):
    """Follows a stream without a task of its own."""

    def news(self) -> None:
        """Take what was sent; or the stream has ended."""
        ...

    def replaced(self) -> None:
        """Follow no longer, for a newer follower does."""
        ...


class Stream:
    """An ordered run of messages to one client.

    At most `capacity` messages are held, and `MAX_HELD` bytes of those before the newest; beyond
    that the oldest go. With `is_resumable` messages stay after they were followed, so that a client
    that lost its connection can have them again.
    With `is_answer_only` its client reads a lone answer and nothing that comes before it.
    `delivered` is the number of the last message that a follower took, `weight` the bytes sent,
    `was_followed` whether anybody ever began to.
    """

    __slots__ = (
        *(
            "_capacity",
            "_changed",
            "_events",
            "_follower",
            "_hearer",
            "_held",
            "_is_resumable",
            "_number",
        ),
        *("delivered", "dropped", "ended", "id", "is_answer_only", "is_followed"),
        *("was_followed", "weight"),
    )

    def __init__(
        self,
        stream_id: str,
        *,
        is_resumable: bool,
        is_answer_only: bool = False,
        capacity: int = 10_000,
    ) -> None:
        self.id = stream_id
        self.is_answer_only = is_answer_only
        self.delivered = 0
        self.weight = 0
        self.is_followed = self.was_followed = False
        self.ended = False
        self.dropped = 0
        self._capacity = capacity
        self._is_resumable = is_resumable
        # Most streams are quiet for most of the time, and these two are large even when empty.
        self._events: deque[StreamEvent] | None = None
        self._changed: asyncio.Event | None = None
        self._held = 0
        self._number = 0
        self._follower = 0
        self._hearer: Hearer | None = None

    def send(self, message: JSONObject) -> int:
        """Append a message and return its size in bytes."""
        self._number += 1
        events = self._events = self._events if self._events is not None else deque()
        while len(events) >= self._capacity or self._held > MAX_HELD:
            self._forget_oldest(events)
            self.dropped += 1
        data = dumps(message)
        self._held += len(data)
        self.weight += len(data)
        events.append(StreamEvent(self._number, data))
        self._tell()
        return len(data)

    def end(self) -> None:
        """Say that no message will come after the last one."""
        self.ended = True
        self._tell()

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed.set()
        if self._hearer is not None:
            self._hearer.news()

    @property
    def size(self) -> int:
        """How many messages were sent in all."""
        return self._number

    async def settled(self, patience: float) -> bool:
        """Wait until the stream has ended with one message; False once that cannot be any more.

        Also False after `patience` seconds without any message.
        """
        try:
            async with asyncio.timeout(patience):
                while not self._number and not self.ended:
                    await self._change()
        except TimeoutError:
            return False
        return self.ended and self._number == 1

    async def finished(self) -> None:
        """Wait until the stream has ended."""
        while not self.ended:
            await self._change()

    def only(self) -> bytes:
        """Return the one message of a settled stream."""
        if not self._events:
            raise LookupError(self.id)
        return self._events[-1].data

    async def follow(self, after: int, heartbeat: float) -> AsyncGenerator[StreamEvent | None]:
        """Yield the messages numbered above `after` until the stream ends.

        Yields None after each `heartbeat` seconds of silence. A newer follower ends an older one.
        """
        me = self._succeed(None)
        try:
            while me == self._follower:
                for event in self.pending(after):
                    after = event.number
                    yield event
                    self.delivered = max(self.delivered, after)
                if self.ended and after >= self._number:
                    return
                if not self._has_after(after) and not await self._changes(heartbeat):
                    yield None
        finally:
            if me == self._follower:
                self.is_followed = False

    def hand_to(self, hearer: Hearer) -> None:
        """Tell `hearer` of all that comes; the follower before it ends, as it does by a newer one.

        It takes what is `pending`, and says what it has `taken`.
        """
        self._succeed(hearer)

    def leave(self, hearer: Hearer) -> None:
        """Tell a hearer no more."""
        if self._hearer is hearer:
            self._hearer = None
            self.is_followed = False

    def pending(self, after: int) -> list[StreamEvent]:
        """Return the messages numbered above `after`; of what is not resumable, the rest goes."""
        self._forget_until(after)
        return [event for event in self._events or () if event.number > after]

    def taken(self, number: int) -> None:
        """Know that a follower has the messages up to this number."""
        self.delivered = max(self.delivered, number)
        self._forget_until(number)

    def _forget_until(self, number: int) -> None:
        events = self._events
        if self._is_resumable or events is None:
            return
        while events and events[0].number <= number:
            self._forget_oldest(events)
        if not events:
            self._events = None

    def _succeed(self, hearer: Hearer | None) -> int:
        """Begin to be followed by someone else; return the follower's number."""
        self._follower += 1
        previous, self._hearer = self._hearer, hearer
        self.is_followed = self.was_followed = True
        if previous is not None:
            previous.replaced()
        if self._changed is not None:
            self._changed.set()
        return self._follower

    def _forget_oldest(self, events: deque[StreamEvent]) -> None:
        self._held -= len(events.popleft().data)

    def _has_after(self, number: int) -> bool:
        return bool(self._events) and self._events[-1].number > number

    async def _changes(self, heartbeat: float) -> bool:
        try:
            async with asyncio.timeout(heartbeat):
                await self._change()
        except TimeoutError:
            return False
        return True

    async def _change(self) -> None:
        """Wait until something is sent, or the stream ends, or another follows it."""
        if self._changed is None:
            self._changed = asyncio.Event()
        self._changed.clear()
        await self._changed.wait()
