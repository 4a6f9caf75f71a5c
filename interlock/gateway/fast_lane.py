"""The fast lane: the common call, answered without a task; all else is left to the general lane.

A call of a tool whose whole request arrives at once, with a head that was read before, goes from
here to its server, and the answer from there to the client, by callbacks. Both lanes use the same
views, sessions, policies and records. `take` returns None before it has done anything.
"""

import asyncio
import time
from collections.abc import MutableMapping
from typing import Any, Final, Protocol

from interlock.errors import InterlockError, UpstreamUnavailable
from interlock.gateway.bridging import without_modern
from interlock.gateway.call import Call, Trace
from interlock.gateway.clients import ClientSession
from interlock.gateway.deadline import overdue
from interlock.gateway.entry import Arrival, Entry
from interlock.gateway.fast_call import FastCall, Line, Request
from interlock.gateway.handover import Handover
from interlock.gateway.heads import Head, Heads, read_head
from interlock.gateway.http import VARY, Accepted, Receive, Scope, Send, accepted, is_json
from interlock.gateway.legacy import LegacyClients, StreamCaller
from interlock.gateway.modern import RequestCaller, is_modern
from interlock.gateway.perimeter import refusal
from interlock.gateway.pipeline import tool_label
from interlock.gateway.questions import Askable
from interlock.gateway.routes import Endpoints
from interlock.gateway.streamable_http import OPEN_AFTER, StreamableHTTP
from interlock.gateway.streams import Stream
from interlock.gateway.table import Target, View
from interlock.gateway.tasks import has_tasks
from interlock.identity.principal import Principal
from interlock.protocol.json import JSONObject, as_object, loads_quick
from interlock.protocol.versions import (
    META_CAPABILITIES,
    META_CLIENT_INFO,
    META_LOG_LEVEL,
    META_VERSION,
    MODERN_VERSIONS,
    Era,
)
from interlock.telemetry.request_ids import new_request_id
from interlock.upstreams.port import Caller, ClientFacts, Nobody, Session

METHOD: Final = "tools/call"
BELIEVED: Final = 1.0  # seconds that a caller's key is believed before it is looked up again
SWEEP: Final = 0.25  # seconds between two looks at the calls under way
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
        self._handover = handover
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

    def take(self, key: bytes, body: bytes, data: bytes, line: Line) -> FastCall | None:
        """Begin the call that a request asks for; None where the general lane must serve it."""
        head = self._heads.get(key)
        if head is None or len(body) > self._entry.max_body:
            return None
        message = as_object(loads_quick(body))
        if message is None or message.get("method") != METHOD:
            return None
        request_id = message.get("id")
        if isinstance(request_id, bool) or not isinstance(request_id, str | int):
            return None
        trace = Trace(new_request_id(), "streamable-http", request_bytes=len(body))
        call = self._read(head, message, trace)
        target = self._target(head, call) if call is not None else None
        if call is None or target is None:
            return None
        fast = FastCall(self, Request(line, head, data, request_id), call, target)
        return fast if self._let_in(fast, head) else None

    def _let_in(self, fast: FastCall, head: Head) -> bool:
        """Ask the policies, and begin the call; where one refuses, the general lane says so."""
        project, principal, address = head.project, fast.call.principal, fast.address
        circuit, limits = fast.target.server.circuit, self._entry.limits
        if project is None or (circuit is not None and circuit.is_open):
            return False
        try:
            limits.take(principal, project, address)
        except InterlockError:
            return False
        if not self._begin(fast):
            limits.give_back(principal, project, address)
            return False
        self._keep(fast)
        return True

    def _keep(self, fast: FastCall) -> None:
        self.taken += 1
        self._calls[fast] = None
        if fast.call.session is not None:
            fast.call.session.calls[fast.id] = fast
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(SWEEP, self._sweep)

    def _read(self, head: Head, message: JSONObject, trace: Trace) -> Call | None:
        params = as_object(message.get("params"))
        if (
            message.get("jsonrpc") != "2.0"
            or params is None
            or not _LEFT_TO_OTHERS.isdisjoint(params)
        ):
            return None
        meta = as_object(params.get("_meta", {}))
        if meta is None or not _HEARD_META.isdisjoint(meta):
            return None
        principal = self._principal(head, trace)
        if principal is None or head.project is None:
            return None
        trace.project, trace.server = head.project.name, head.place[1]
        trace.principal, trace.method = principal, METHOD
        if is_modern(head.headers, params, METHOD):
            return self._modern(head, params, meta, trace)
        return self._of_session(head, message.get("id"), params, trace)

    def _principal(self, head: Head, trace: Trace) -> Principal | None:
        """Return who calls, looked up anew where that may have changed."""
        table = self._entry.table()
        if (
            head.table is table
            and head.stamp == self._keys.stamp
            and trace.started - head.checked < BELIEVED
        ):
            return head.principal
        try:
            arrival = self._entry.admit(head.scope, head.place, Trace("", ""))
        except InterlockError:
            return None
        self._heads.check(head, trace.started)
        head.table, head.stamp = table, self._keys.stamp
        head.principal, head.project = arrival.principal, arrival.project
        head.view = arrival.view({})
        head.targets = {}
        return head.principal

    def _modern(
        self, head: Head, params: JSONObject, meta: JSONObject, trace: Trace
    ) -> Call | None:
        version, headers, name = meta.get(META_VERSION), head.headers, params.get("name")
        if (
            version not in MODERN_VERSIONS
            or head.version != version
            or meta.get(META_CAPABILITIES) != {}
            or headers.get("mcp-method") != METHOD
            or headers.get("mcp-name") != name
            or not isinstance(name, str)
            or name.startswith("=?")
            or head.view is None
        ):
            return None
        info = as_object(meta.get(META_CLIENT_INFO)) or {"name": "unknown", "version": "0"}
        client = ClientFacts(info, {})
        return self._call(head.view, Era.MODERN, client, params, trace, headers=headers)

    def _of_session(
        self, head: Head, request_id: object, params: JSONObject, trace: Trace
    ) -> Call | None:
        if head.session_id is None or trace.principal is None:
            return None
        place = (trace.project, head.place[1])
        try:
            session = self._legacy.sessions.find(head.session_id, trace.principal, place)
            view = self._legacy.view_of(session)
        except InterlockError:
            return None
        if session.client.capabilities or session.log_level or request_id in session.calls:
            return None
        if self._handover.of_view(view) != self._handover.number:
            return None
        return self._call(view, Era.LEGACY, session.client, params, trace, session=session)

    def _call(  # noqa: PLR0913 -- the parts of a call
        self,
        view: View,
        era: Era,
        client: ClientFacts,
        params: JSONObject,
        trace: Trace,
        *,
        session: ClientSession | None = None,
        headers: dict[str, str] | None = None,
    ) -> Call | None:
        principal = trace.principal
        if principal is None or not principal.may_call:
            return None
        trace.era, trace.client_name = era, str(client.info.get("name", ""))
        return Call(
            view=view,
            principal=principal,
            era=era,
            client=client,
            method=METHOD,
            params=params,
            caller=Nobody(),
            trace=trace,
            session=session,
            headers=headers or {},
        )

    def _target(self, head: Head, call: Call) -> Target | None:
        name = call.params.get("name")
        if not isinstance(name, str):
            return None
        call.trace.target = name
        target = call.view.tools.get(name)
        if target is None or target is head.targets.get(name):
            return target
        if target.mirrored or target.needs_task or has_tasks(target.server):
            return None
        if target.server.process is not None:
            return None
        head.targets[name] = target
        return target

    def _begin(self, fast: FastCall) -> bool:
        """Send a call to its server in the era that both can best agree on."""
        call, target = fast.call, fast.target
        upstream = target.server.upstream
        if not upstream.eras:
            return False
        era = upstream.era_for(call.era)
        if call.era is Era.LEGACY and era is Era.MODERN:
            return False
        place = upstream.enter(era)
        if place is None:
            return False
        params = call.params
        if target.name != params["name"]:
            params = {**params, "name": target.name}
        if call.era is Era.MODERN and era is Era.LEGACY:
            params = without_modern(params)
        session: Session = place.session
        give_up = session.begin(METHOD, params, fast)
        if give_up is None:
            upstream.leave(place)
            return False
        call.trace.server = target.server.name
        call.trace.found = (call.view.project, target.server.name, tool_label(call, target))
        call.trace.sent = self.now()
        fast.begun(session, place, give_up)
        return True

    def stream_of(self, fast: FastCall) -> Stream:
        """Return a stream for what a call brings besides its answer."""
        session = fast.call.session
        return session.open_stream() if session is not None else Stream("", is_resumable=False)

    def caller_of(self, fast: FastCall, stream: Stream) -> Caller:
        """Return the client as the server may talk to it."""
        call = fast.call
        if call.session is not None:
            return StreamCaller(call.session, stream)
        caller = RequestCaller(stream, has_token=False, level=None)
        return Askable(caller, METHOD, call.client.capabilities)

    async def carry_on(self, fast: FastCall, scope: Scope, receive: Receive, send: Send) -> None:
        """Deliver what a call still brings as the general lane does."""
        call, head = fast.call, fast.head
        if head.project is None or fast.stream is None:
            raise UpstreamUnavailable("The call was forgotten.")
        arrival = Arrival(
            call.principal,
            head.project,
            (head.project.name, head.place[1]),
            head.headers,
            fast.address,
            call.trace,
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
                arrival, fast.stream, call.session, receive, varied
            )
            if not is_there and call.session is None:
                fast.cancel()
            await over.wait()
            if call.session is not None:
                self._legacy.sessions.keep(call.session, fast.stream)
        finally:
            self.close(call.trace)

    def forget(self, fast: FastCall) -> None:
        """Let go of a call that is over."""
        self._calls.pop(fast, None)
        session = fast.call.session
        if session is not None and session.calls.get(fast.id) is fast:
            del session.calls[fast.id]
            session.touch()

    def close(self, trace: Trace) -> None:
        """Write the record of a call."""
        self._entry.close(trace)

    def _sweep(self) -> None:
        """End the calls whose time is over, and let long ones go on as streams."""
        self._sweeping = None
        now = self.now()
        for fast in tuple(self._calls):
            age, timeout = now - fast.trace.started, fast.target.deadline
            if age > timeout:
                fast.give_up(overdue(fast.target.server.name, timeout))
            elif age > OPEN_AFTER and not fast.disconnected:
                fast.go_on()
        if self._calls:
            self._sweeping = self._loop.call_later(SWEEP, self._sweep)


def _meet_nobody(project: str, mark: str, capabilities: JSONObject) -> None:
    """Take note of nothing: a client in the fast lane declares nothing."""


def _accepts_both(head: Head) -> bool:
    try:
        return accepted(head.headers) == Accepted(json=True, sse=True)
    except InterlockError:
        return False
