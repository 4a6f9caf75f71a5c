"""Large answers are read in turns with all other work, so that no call waits for another's answer."""

import asyncio
from typing import Final

from interlock.protocol.json import JSONObject, as_object
from interlock.protocol.large import read_in_pieces

LARGE: Final = 512 * 1024  # bytes from which on a text is not read at once

# The results of these are passed on, and hardly looked into.
PASSED_ON: Final = frozenset({"tools/call", "prompts/get", "resources/read", "tasks/result"})


class _Readers:
    """Counts the readers of this process, which take turns."""

    count = 0


async def read_in_turns(text: bytes) -> JSONObject | None:
    """Return an answer that is only passed on; its large members stay JSON. None if it is no object.

    After each step of a few milliseconds all others have their turn.
    """
    reading = read_in_pieces(text)
    # Once it is read, the text is not needed while the answer is written.
    del text
    _Readers.count += 1
    try:
        while True:
            try:
                next(reading)
            except StopIteration as over:
                return as_object(over.value)
            except ValueError:
                return None
            for _ in range(_Readers.count):
                await asyncio.sleep(0)
    finally:
        _Readers.count -= 1
