"""Messages on their way to one client: kept until followed, and for a while after, for resuming."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from interlock.protocol.json import JSONObject, dumps

MAX_HELD = 32 * 1024 * 1024  # bytes of messages before the newest, where a client reads too slowly


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One message of a stream, numbered from 1."""

    number: int
    data: bytes


class Stream:
    """An ordered run of messages to one client.

    At most `capacity` messages are held, and `MAX_HELD` bytes of those before the newest; beyond
    that the oldest go. With `is_resumable` messages stay after they were followed, so that a client
    that lost its connection can have them again.
    With `is_answer_only` its client reads a lone answer and nothing that comes before it.
    `delivered` is the number of the last message that a follower took, `weight` the bytes sent,
    `was_followed` whether anybody ever began to.
    """

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
        self._is_resumable = is_resumable
        self._events: deque[StreamEvent] = deque(maxlen=capacity)
        self._held = 0
        self._number = 0
        self._follower = 0
        self._changed = asyncio.Event()

    def send(self, message: JSONObject) -> int:
        """Append a message and return its size in bytes."""
        self._number += 1
        while len(self._events) == self._events.maxlen or self._held > MAX_HELD:
            self._forget_oldest()
            self.dropped += 1
        data = dumps(message)
        self._held += len(data)
        self.weight += len(data)
        self._events.append(StreamEvent(self._number, data))
        self._changed.set()
        return len(data)

    def end(self) -> None:
        """Say that no message will come after the last one."""
        self.ended = True
        self._changed.set()

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
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return self.ended and self._number == 1

    async def finished(self) -> None:
        """Wait until the stream has ended."""
        while not self.ended:
            self._changed.clear()
            await self._changed.wait()

    def only(self) -> bytes:
        """Return the one message of a settled stream."""
        return self._events[-1].data

    async def follow(self, after: int, heartbeat: float) -> AsyncGenerator[StreamEvent | None]:
        """Yield the messages numbered above `after` until the stream ends.

        Yields None after each `heartbeat` seconds of silence. A newer follower ends an older one.
        """
        self._follower += 1
        me = self._follower
        self._changed.set()
        self.is_followed = self.was_followed = True
        try:
            while me == self._follower:
                for event in self._pending(after):
                    after = event.number
                    yield event
                    self.delivered = max(self.delivered, after)
                if self.ended and after >= self._number:
                    return
                if not self._has_after(after) and not await self._change(heartbeat):
                    yield None
        finally:
            if me == self._follower:
                self.is_followed = False

    def _pending(self, after: int) -> list[StreamEvent]:
        if not self._is_resumable:
            while self._events and self._events[0].number <= after:
                self._forget_oldest()
        return [event for event in self._events if event.number > after]

    def _forget_oldest(self) -> None:
        self._held -= len(self._events.popleft().data)

    def _has_after(self, number: int) -> bool:
        return bool(self._events) and self._events[-1].number > number

    async def _change(self, heartbeat: float) -> bool:
        self._changed.clear()
        try:
            async with asyncio.timeout(heartbeat):
                await self._changed.wait()
        except TimeoutError:
            return False
        return True
