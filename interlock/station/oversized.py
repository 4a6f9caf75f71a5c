"""Which call a line answered that was too large to read, so that only that call fails."""

import re

from interlock.errors import TooLarge, UpstreamFailed
from interlock.protocol.json import loads
from interlock.protocol.jsonrpc import RequestId
from interlock.station.framing import Oversized

# Only members of the envelope itself may match: at the head nothing but "jsonrpc" and "id" may
# stand before "result" or "error", at the tail nothing but "jsonrpc" beside "id".
_VERSION = rb'"jsonrpc"\s*:\s*"2\.0"'
_ID = rb'"id"\s*:\s*(-?[0-9]{1,19}|"(?:[^"\\]|\\.)*")'
_HEAD = re.compile(
    rb"\s*\{\s*(?:" + _VERSION + rb"\s*,\s*)?"
    rb"(?:" + _ID + rb"\s*,\s*)?"
    rb"(?:" + _VERSION + rb"\s*,\s*)?"
    rb'"(?:result|error)"\s*:',
    re.DOTALL,
)
_TAIL = re.compile(
    rb",\s*" + _ID + rb"\s*(?:,\s*" + _VERSION + rb"\s*)?\}\s*\Z",
    re.DOTALL,
)


class AnswerTooLarge(UpstreamFailed):
    """A server answered with more bytes than are read; the session goes on."""

    rpc_code = TooLarge.rpc_code
    reason = "answer_too_large"

    def __init__(self, name: str, *, size: int, limit: int) -> None:
        super().__init__(
            f"Server `{name}` answered with {size} bytes, and at most {limit} are read; "
            "ask for less at once, or raise INTERLOCK_STATION__MAX_LINE."
        )


def is_answer(line: Oversized) -> bool:
    """Tell whether the dropped line begins as an answer, not as a request or as noise."""
    return _HEAD.match(line.head) is not None


def answered_id(line: Oversized) -> RequestId | None:
    """Return the id of the call that the dropped answer belongs to.

    None where the id stands neither near the answer's head nor near its end.
    """
    head = _HEAD.match(line.head)
    if head is None:
        return None
    found = head if head[1] is not None else _TAIL.search(line.tail)
    return loads(found[1]) if found is not None else None
