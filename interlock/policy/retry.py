"""Which calls may be made a second time, how often, and how soon."""

import random
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from interlock.errors import UpstreamFailed, UpstreamUnavailable
from interlock.policy.breaker import CircuitOpen
from interlock.protocol.json import JSONObject, as_object
from interlock.upstreams.balancing import UpstreamBusy
from interlock.upstreams.response import ConnectionFailed
from interlock.upstreams.streamable_http import HTTPRefused

EARNED: Final = 1
COST: Final = 5  # so that a server never sees more than 1.2 requests for each call
MOST: Final = 10
FIRST_PAUSE: Final = 0.1  # seconds
LONGEST_PAUSE: Final = 2.0  # seconds

_READING: Final = frozenset(
    {
        *("tools/list", "resources/list", "resources/templates/list", "prompts/list"),
        *("resources/read", "prompts/get", "completion/complete"),
        *("tasks/list", "tasks/get"),
    }
)


def is_repeatable_tool(tool: JSONObject) -> bool:
    """Tell whether a tool says of itself that calling it twice does no more than calling it once."""
    hints = as_object(tool.get("annotations")) or {}
    return hints.get("readOnlyHint") is True or hints.get("idempotentHint") is True


def is_safe(method: str, *, is_repeatable: bool, params: JSONObject) -> bool:
    """Tell whether a server may see a request twice; `is_repeatable` is what its tool says.

    The answer to a server's question is given once.
    """
    if "requestState" in params or "inputResponses" in params:
        return False
    return method in _READING or (method == "tools/call" and is_repeatable)


class Retries:
    """The second tries of one server: at most `limit` for a call, and in all a fifth of the calls.

    What never reached the server is no load for it, so that trying again costs nothing.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._tokens = 0

    def earn(self) -> None:
        """Take note of a call."""
        if self._tokens < MOST:
            self._tokens += EARNED

    def take(self, failure: UpstreamFailed, *, is_safe: bool) -> bool:
        """Tell whether a call that failed so may be made again, and pay for it."""
        if isinstance(failure, UpstreamBusy):
            # It was turned away, so nothing was done; where nobody else can take it, it has to wait.
            return failure.has_others and self._pay()
        if isinstance(failure, ConnectionFailed) and not failure.sent:
            return True
        is_transient = (
            failure.code >= HTTPStatus.INTERNAL_SERVER_ERROR
            if isinstance(failure, HTTPRefused)
            else isinstance(failure, UpstreamUnavailable) and not isinstance(failure, CircuitOpen)
        )
        return is_safe and is_transient and self._pay()

    def _pay(self) -> bool:
        if self._tokens < COST:
            return False
        self._tokens -= COST
        return True


def pause_before(attempt: int, chance: Callable[[], float] = random.random) -> float:
    """Return the seconds to wait before the next try; `attempt` counts those that were made.

    They double up to a limit; chance takes up to half, so that calls that failed together do not
    come back together.
    """
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempt - 1, 16))
    return longest * (1 - chance() / 2)
