"""Which call a message answers, seen by its edges alone, as its whole cannot be read."""

import re

from interlock.protocol.json import loads
from interlock.protocol.jsonrpc import RequestId

EDGE = 1024  # bytes that are enough of either end

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


def is_answer(head: bytes) -> bool:
    """Tell whether a message begins as an answer, not as a request or as noise."""
    return _HEAD.match(head) is not None


def answered_id(head: bytes, tail: bytes) -> RequestId | None:
    """Return the id of the call that an answer with these edges belongs to.

    None where the id stands neither near the answer's head nor near its end, or cannot be read.
    """
    begin = _HEAD.match(head)
    if begin is None:
        return None
    found = begin if begin[1] is not None else _TAIL.search(tail)
    try:
        return loads(found[1]) if found is not None else None
    except ValueError:
        return None
