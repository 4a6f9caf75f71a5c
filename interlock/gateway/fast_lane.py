"""The fast lane: the common call, answered without a task; all else is left to the general lane.

A call of a tool whose whole request arrives at once, with a head that was read before, goes from
here to its server, and the answer from there to the client, by callbacks. What is the same for
equal calls was found out for the first of them, and is checked for each. Both lanes use the same
views, sessions, policies and records. `take` returns None before it has done anything.
"""

import asyncio
import time
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, Final, Protocol

from interlock.errors import InterlockError, UpstreamUnavailable
from interlock.gateway.bridging import without_modern
from interlock.gateway.call import Trace
from interlock.gateway.deadline import overdue
from interlock.gateway.entry import Arrival, Entry
from interlock.gateway.fast_call import FastCall, Line
from interlock.gateway.fast_routes import METHOD, FastRoutes
from interlock.gateway.handover import Handover
from interlock.gateway.heads import Head, Heads, Route, read_head
from interlock.gateway.http import VARY, Accepted, Receive, Scope, Send, accepted, is_json
from interlock.gateway.legacy import LegacyClients, StreamCaller
from interlock.gateway.modern import RequestCaller
from interlock.gateway.perimeter import refusal
from interlock.gateway.questions import Askable
from interlock.gateway.routes import Endpoints
from interlock.gateway.streamable_http import OPEN_AFTER, StreamableHTTP
from interlock.gateway.streams import Stream
from interlock.protocol.json import JSONObject, as_object, dumps, loads_quick
from interlock.protocol.versions import (
    META_CAPABILITIES,
    META_CLIENT_INFO,
    META_LOG_LEVEL,
    META_VERSION,
)
from interlock.upstreams.port import Caller

BELIEVED: Final = 1.0  # seconds that a caller's key is believed before it is looked up again
SWEEP: Final = 0.25  # seconds between two looks at the calls under way
_IDS: Final = (int, str)
_NO_META: Final[JSONObject] = {}
_LEFT_TO_OTHERS: Final = frozenset({"requestState", "inputResponses", "task"})
_HEARD_META: Final = frozenset({"progressToken", META_LOG_LEVEL, "traceparent", "tracestate"})


class Keys(Protocol):
    """The API keys."""

    @property
    def stamp(self) -> int:
        """A number of the state of all keys."""
        ...


class FastLane:
    """Takes common calls from connections, and answers them there; `taken` counts them."""

    def __init__(  # noqa: PLR0913 -- all that the general lane uses
        self,
        entry: Entry,
        keys: Keys,
        endpoints: Endpoints,
        legacy: LegacyClients,
        handover: Handover,
        *,
        hosts: frozenset[str],
        is_traced: bool = False,
    ) -> None:
        self.now = time.perf_counter
        self._loop = asyncio.get_running_loop()
        self._entry = entry
        self._keys = keys
        self._endpoints = endpoints
        self._http: StreamableHTTP = endpoints.http
        self._legacy = legacy
        self._routes = FastRoutes(entry, legacy, handover)
        self.ledger = entry.ledger
        self._hosts = hosts
        self._is_traced = is_traced
        self._heads = Heads()
        self._calls: dict[FastCall, None] = {}
        self.taken = 0
        self._sweeping: asyncio.TimerHandle | None = None

    def learn(self, key: bytes, scope: Scope) -> None:
        """Remember a head that was read in full, if requests like it may come here."""
        if self._is_traced or scope["method"] != "POST" or self._heads.get(key) is not None:
            return
        place = self._endpoints.http_place(scope["path"])
        if place is None or refusal(scope, self._hosts) is not None:
            return
        head = read_head(scope, place)
        if head is not None and is_json(head.headers) and _accepts_both(head):
            self._heads.add(key, head, time.perf_counter())

    def known(self, key: bytes) -> Head | None:
        """Return what is known of a head that `split` returned."""
        return self._heads.get(key)

    def take(self, head: Head, body: bytes, data: bytes, line: Line) -> FastCall | None:
        """Begin the call that a request asks for; None where the general lane must serve it."""
        started = self.now()
        message = loads_quick(body) if len(body) <= self._entry.max_body else None
        envelope = as_object(message)
        if envelope is None or envelope.get("method") != METHOD:
            return None
        params, number = as_object(envelope.get("params")), envelope.get("id")
        if (
            number is None
            or type(number) not in _IDS
            or envelope.get("jsonrpc") != "2.0"
            or params is None
            or not _LEFT_TO_OTHERS.isdisjoint(params)
        ):
            return None
        route = self._route(head, params, number, started)
        if route is None:
            return None
        params["name"] = route.target.name
        sent = dumps(without_modern(params) if route.translates else params)
        fast = FastCall(self, line, head, route, number, started, data, len(body))
        return fast if self._begin(fast, route, sent) else None

    def _route(self, head: Head, params: JSONObject, number: object, now: float) -> Route | None:
        """Return where a call goes, if all that made its route what it is still holds."""
        name, meta = params.get("name"), as_object(params.get("_meta", _NO_META))
        if (
            not isinstance(name, str)
            or meta is None
            or not _HEARD_META.isdisjoint(meta)
            or (META_VERSION in meta) is not head.is_modern
        ):
            return None
        if (
            now - head.checked > BELIEVED
            or head.table is not self._entry.table()
            or head.stamp != self._keys.stamp
        ):
            self._renew(head, now)
        route = head.routes.get(name)
        if route is None or not _holds(route, head, meta):
            route = self._routes.find(head, name, meta)
            if route is None or not _holds(route, head, meta):
                return None
            head.routes[name] = route
        session = route.session
        if session is not None and (session.log_level or number in session.calls):
            return None
        return route

    def _renew(self, head: Head, now: float) -> None:
        """Find out who calls; for a caller who is not let in nothing is known then."""
        head.routes = {}
        head.table, head.stamp, head.checked = self._entry.table(), self._keys.stamp, now
        head.principal = head.project = head.view = None
        with suppress(InterlockError):
            arrival = self._entry.admit(head.scope, head.place, Trace("", ""))
            self._heads.check(head, now)
            head.view = arrival.view({})
            head.principal, head.project = arrival.principal, arrival.project

    def _begin(self, fast: FastCall, route: Route, params: bytes) -> bool:
        """Ask the policies, and send the call; where one refuses, the general lane says so."""
        server, limits = route.target.server, self._entry.limits
        if server.circuit is not None and server.circuit.retry_at is not None:
            return False
        if route.is_limited:
            try:
                limits.take(route.principal, route.project, fast.address)
            except InterlockError:
                return False
        if not self._send(fast, route, params):
            if route.is_limited:
                limits.give_back(route.principal, route.project, fast.address)
            return False
        self.taken += 1
        self._calls[fast] = None
        if route.session is not None:
            route.session.calls[fast.id] = fast
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(SWEEP, self._sweep)
        return True

    def _send(self, fast: FastCall, route: Route, params: bytes) -> bool:
        upstream = route.target.server.upstream
        if not upstream.enter(route.place):
            return False
        begun = route.way.begin(params, fast)
        if begun is None:
            upstream.leave(route.place)
            return False
        fast.begun(begun)
        return True

    def stream_of(self, fast: FastCall) -> Stream:
        """Return a stream for what a call brings besides its answer."""
        session = fast.route.session
        return session.open_stream() if session is not None else Stream("", is_resumable=False)

    def caller_of(self, fast: FastCall, stream: Stream) -> Caller:
        """Return the client as the server may talk to it."""
        route = fast.route
        if route.session is not None:
            return StreamCaller(route.session, stream)
        caller = RequestCaller(stream, has_token=False, level=None)
        return Askable(caller, METHOD, route.client.capabilities)

    async def carry_on(self, fast: FastCall, scope: Scope, receive: Receive, send: Send) -> None:
        """Deliver what a call still brings as the general lane does."""
        route, head, trace = fast.route, fast.head, fast.trace
        if fast.stream is None:
            raise UpstreamUnavailable("The call was forgotten.")
        arrival = Arrival(
            route.principal,
            route.project,
            (route.project.name, head.place[1]),
            head.headers,
            fast.address,
            trace,
            _meet_nobody,
        )

        async def varied(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], VARY]
            await send(message)

        over = asyncio.Event()
        if fast in self._calls:
            fast.on_over = over.set
        else:
            over.set()
        try:
            is_there = await self._http.deliver_late(
                arrival, fast.stream, route.session, receive, varied
            )
            if not is_there and route.session is None:
                fast.cancel()
            await over.wait()
            if route.session is not None:
                self._legacy.sessions.keep(route.session, fast.stream)
        finally:
            self._entry.close(trace)

    def forget(self, fast: FastCall) -> None:
        """Let go of a call that is over."""
        self._calls.pop(fast, None)
        session = fast.route.session
        if session is not None and session.calls.get(fast.id) is fast:
            del session.calls[fast.id]
            session.used = time.monotonic()

    def _sweep(self) -> None:
        """End the calls whose time is over, and let long ones go on as streams."""
        self._sweeping = None
        now = self.now()
        for fast in tuple(self._calls):
            target = fast.route.target
            age, timeout = now - fast.started, target.deadline
            if age > timeout:
                fast.give_up(overdue(target.server.name, timeout))
            elif age > OPEN_AFTER and not fast.disconnected:
                fast.go_on()
        if self._calls:
            self._sweeping = self._loop.call_later(SWEEP, self._sweep)


def _holds(route: Route, head: Head, meta: JSONObject) -> bool:
    """Tell whether what was found out for earlier calls is so still, and for this one."""
    if route.target.server.upstream.eras is not route.eras or not route.place.is_open:
        return False
    if route.session is not None:
        return not route.session.is_closed
    return (
        meta.get(META_VERSION) == head.version
        and meta.get(META_CAPABILITIES) == {}
        and meta.get(META_CLIENT_INFO) == route.meta
    )


def _meet_nobody(project: str, mark: str, capabilities: JSONObject) -> None:
    """Take note of nothing: a client in the fast lane declares nothing."""


def _accepts_both(head: Head) -> bool:
    try:
        return accepted(head.headers) == Accepted(json=True, sse=True)
    except InterlockError:
        return False
