"""The numbers of every call: plain slots that the path of a call counts up, read at a scrape.

Everything here runs on one thread, the event loop's, so that nothing needs a lock.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from interlock.telemetry.families import Distribution, Family, Point

BOUNDS: Final[tuple[float, ...]] = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
)  # seconds
OTHER: Final = "other"
# No project can be called this: its owner would see what is no project's own.
OTHER_PROJECT: Final = "(other)"
MAX_NAME: Final = 128  # characters of a label
# What lasts as long as its client is counted, but would spoil the times of what is answered.
STREAMS: Final = frozenset({"GET", "subscriptions/listen"})
# A client may send any method: only these become labels.
METHODS: Final = frozenset(
    {
        *("initialize", "ping", "server/discover", "subscriptions/listen", "completion/complete"),
        *("tools/list", "tools/call", "prompts/list", "prompts/get", "logging/setLevel"),
        *("resources/list", "resources/templates/list", "resources/read"),
        *("resources/subscribe", "resources/unsubscribe"),
        *("tasks/list", "tasks/get", "tasks/result", "tasks/cancel", "tasks/update"),
        *("notifications/initialized", "notifications/cancelled", "notifications/progress"),
        *("notifications/roots/list_changed", "response", "batch"),
        *("GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"),
    }
)

_FAILED: Final = frozenset({"refused", "failed", "tool_error"})
_CALL: Final = ("project", "server", "method", "tool")
_SERVER: Final = ("project", "server")


class Times:
    """How long something took, in buckets."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        """Count one time."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds

    @property
    def distribution(self) -> Distribution:
        """The buckets as they are now."""
        return Distribution(BOUNDS, tuple(self.counts), self.total)


class ServerSlot:
    """The times of all calls to one server: in the gateway before it, and with it."""

    __slots__ = ("labels", "queue", "upstream")

    def __init__(self, labels: tuple[str, str]) -> None:
        self.labels = labels
        self.queue = Times()
        self.upstream = Times()


class CallSlot:
    """What is counted of the calls of one method, or one tool, at one server."""

    __slots__ = (
        "_is_timed",
        "_queue",
        "_upstream",
        "errors",
        "labels",
        "ok",
        "others",
        "request_bytes",
        "response_bytes",
        "server",
        "times",
    )

    def __init__(self, labels: tuple[str, str, str, str], server: ServerSlot) -> None:
        self.labels = labels
        self.server = server
        self.ok = 0
        self.others: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.times = Times()
        self.request_bytes = 0
        self.response_bytes = 0
        self._queue = server.queue
        self._upstream = server.upstream
        self._is_timed = labels[2] not in STREAMS

    def ended(  # noqa: PLR0913, PLR0917 -- what is counted of a call; a shape for it would be made per call
        self,
        outcome: str,
        reason: str | None,
        total: float,
        queue: float,
        upstream: float | None,
        request_bytes: int,
        response_bytes: int,
    ) -> None:
        """Count a call that has ended; times in seconds, `upstream` None where none got it.

        It is on the path of every call, so that what `Times.add` does is written out.
        """
        if outcome == "ok":
            self.ok += 1
        else:
            self._otherwise(outcome, reason)
        self.request_bytes += request_bytes
        self.response_bytes += response_bytes
        if not self._is_timed:
            return
        times = self.times
        times.counts[bisect_left(BOUNDS, total)] += 1
        times.total += total
        if upstream is not None:
            times = self._queue
            times.counts[bisect_left(BOUNDS, queue)] += 1
            times.total += queue
            times = self._upstream
            times.counts[bisect_left(BOUNDS, upstream)] += 1
            times.total += upstream

    def _otherwise(self, outcome: str, reason: str | None) -> None:
        self.others[outcome] += 1
        if reason is not None or outcome in _FAILED:
            self.errors[reason or outcome] += 1

    @property
    def outcomes(self) -> dict[str, int]:
        """How many calls ended how."""
        return {"ok": self.ok, **self.others} if self.ok else dict(self.others)


class CallMetrics:
    """The slots of one process.

    Servers and tools come and go, so that labels are bounded: the first so many `tools` and
    `servers` get labels of their own, later ones are counted together as `other`.
    """

    def __init__(self, tools: int = 1000, servers: int = 1000) -> None:
        self._max_tools = tools
        self._max_servers = servers
        self._slots: dict[tuple[str, str, str, str], CallSlot] = {}
        self._servers: dict[tuple[str, str], ServerSlot] = {}
        self._tools: set[tuple[str, str, str]] = set()

    def slot(self, project: str, server: str, method: str, tool: str) -> CallSlot:
        """Return where calls are counted; what a name does not apply to is the empty text."""
        slot = self._slots.get((project, server, method, tool))
        return slot if slot is not None else self._find(project, server, method, tool)

    def _find(self, project: str, server: str, method: str, tool: str) -> CallSlot:
        at = self._servers.get((project, server)) or self._server(_clip(project), _clip(server))
        named = method if method in METHODS else OTHER
        labels = (*at.labels, named, self._tool(at.labels, _clip(tool)))
        slot = self._slots.get(labels)
        if slot is None:
            slot = self._slots[labels] = CallSlot(labels, at)
        return slot

    def _server(self, project: str, server: str) -> ServerSlot:
        labels = project, server
        if labels not in self._servers and len(self._servers) >= self._max_servers:
            labels = OTHER_PROJECT, OTHER
        return self._servers.setdefault(labels, ServerSlot(labels))

    def _tool(self, at: tuple[str, str], tool: str) -> str:
        key = (*at, tool)
        if not tool or key in self._tools:
            return tool
        if len(self._tools) >= self._max_tools:
            return OTHER
        self._tools.add(key)
        return tool

    def families(self) -> list[Family]:
        """Return all that was counted."""
        calls, servers = self._slots.values(), self._servers.values()
        return [
            Family(
                "interlock_calls_total",
                "counter",
                "Calls that have ended, refused ones too, by how they ended.",
                (*_CALL, "outcome"),
                tuple(_by(calls, lambda each: each.outcomes)),
            ),
            Family(
                "interlock_call_errors_total",
                "counter",
                "Calls that were refused or failed, or whose tool failed, by reason.",
                (*_CALL, "reason"),
                tuple(_by(calls, lambda each: each.errors)),
            ),
            Family(
                "interlock_call_seconds",
                "histogram",
                "Time from a call's arrival to the end of its answer; streams are left out.",
                _CALL,
                tuple((each.labels, each.times.distribution) for each in calls),
            ),
            Family(
                "interlock_queue_seconds",
                "histogram",
                "Time of a call in the gateway before its server was sent it.",
                _SERVER,
                tuple((each.labels, each.queue.distribution) for each in servers),
            ),
            Family(
                "interlock_upstream_seconds",
                "histogram",
                "Time that a server had a call.",
                _SERVER,
                tuple((each.labels, each.upstream.distribution) for each in servers),
            ),
            _bytes("request", calls, lambda each: each.request_bytes),
            _bytes("response", calls, lambda each: each.response_bytes),
        ]


_Calls: TypeAlias = Iterable[CallSlot]


def _by(calls: _Calls, counts: Callable[[CallSlot], dict[str, int]]) -> Iterable[Point]:
    for each in calls:
        for name, count in counts(each).items():
            yield (*each.labels, name), count


def _bytes(what: str, calls: _Calls, size: Callable[[CallSlot], int]) -> Family:
    return Family(
        f"interlock_call_{what}_bytes_total",
        "counter",
        f"Bytes of the {what}s of calls.",
        _CALL,
        tuple((each.labels, size(each)) for each in calls),
    )


def _clip(name: str) -> str:
    # A lone surrogate can stand in a JSON text, and in no answer of ours.
    return name[:MAX_NAME].encode("utf-8", "replace").decode()
