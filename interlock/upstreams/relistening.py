"""Listening that goes on: a stream of changes is taken up again where its server ends it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from interlock.errors import InterlockError

RELISTEN_AFTER = 1.0  # seconds, doubled for each stream that ends at once
MAX_RELISTEN = 30.0  # seconds
LASTED = 10.0  # seconds after which a stream did not end at once


async def listen_on(listen: Callable[[], Awaitable[object]]) -> None:
    """Listen again and again, ever more slowly to a server that ends its streams at once.

    `listen` returns, or raises InterlockError, where a stream has ended. Raises RPCError where the
    server refuses.
    """
    pause, loop = 0.0, asyncio.get_running_loop()
    while True:
        began = loop.time()
        # The session breaks with its link, and is opened anew by those who keep it.
        with suppress(InterlockError):
            await listen()
        if loop.time() - began > LASTED:
            pause = 0.0
        pause = min(max(2 * pause, RELISTEN_AFTER), MAX_RELISTEN)
        await asyncio.sleep(pause)
