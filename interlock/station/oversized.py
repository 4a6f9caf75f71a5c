"""Which call a line answered that was too large to read, so that only that call fails."""

from interlock.errors import TooLarge, UpstreamFailed
from interlock.protocol.jsonrpc import RequestId
from interlock.station.framing import Oversized
from interlock.upstreams import envelope


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
    return envelope.is_answer(line.head)


def answered_id(line: Oversized) -> RequestId | None:
    """Return the id of the call that the dropped answer belongs to; None where it is not found."""
    return envelope.answered_id(line.head, line.tail)
