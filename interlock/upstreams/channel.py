"""The duplex channel: a pipe or a stream pair that carries whole messages both ways."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from interlock.errors import InterlockError

Receive: TypeAlias = Callable[[bytes], None]
Closed: TypeAlias = Callable[[InterlockError], None]


class Channel(Protocol):
    """Carries whole JSON-RPC messages, as bytes without a line end, in both directions.

    Whoever opens a channel hands over two callbacks: `receive(message)` is called for every
    message that arrives, in order; `closed(reason)` exactly once, when nothing more can come
    because the process ended, the stream broke, or `close` was called.
    """

    async def send(self, message: bytes) -> None:
        """Send one message; waits while the peer reads too slowly. Raises UpstreamUnavailable."""
        ...

    def send_now(self, message: bytes) -> bool:
        """Send one message if that needs no waiting; False where nothing was sent."""
        ...

    async def close(self) -> None:
        """End the channel and whatever stands behind it; safe to call twice."""
        ...
