"""One call in the fast lane: from the request that was sent to its server to the bytes of the answer."""

from collections.abc import Callable
from typing import Final, Protocol

from interlock.errors import InterlockError, RPCError, UpstreamFailed
from interlock.gateway.bridging import modern_error, to_modern
from interlock.gateway.call import Trace
from interlock.gateway.fast_routes import METHOD, MODERN
from interlock.gateway.heads import Head, Route
from interlock.gateway.ledger import Ledger
from interlock.gateway.modern import http_status
from interlock.gateway.questions import check_questions
from interlock.gateway.rewriting import expose_result
from interlock.gateway.streams import Stream
from interlock.policy.breaker import Verdict, verdict_of
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, as_object, dumps
from interlock.telemetry.request_ids import new_request_id
from interlock.upstreams.port import Begun, Caller, SessionExpired

_ABSENT: Final = object()


class Lane(Protocol):
    """The fast lane, as its calls use it; `now` is the clock of traces, in seconds."""

    now: Callable[[], float]
    ledger: Ledger

    def stream_of(self, fast: "FastCall") -> Stream:
        """Return a new stream for what a call brings besides its answer."""
        ...

    def caller_of(self, fast: "FastCall", stream: Stream) -> Caller:
        """Return the client as the server may talk to it."""
        ...

    def forget(self, fast: "FastCall") -> None:
        """Let go of a call that is over."""
        ...


class Line(Protocol):
    """The client's connection, as a call in the fast lane uses it."""

    @property
    def address(self) -> str:
        """The client's host."""
        ...

    def answer(self, call: "FastCall", status: int, body: bytes) -> None:
        """Write a whole answer, and take the next request."""
        ...

    def replay(self, call: "FastCall", data: bytes) -> bool:
        """Let the general lane serve the request as if it had come now; False where it cannot."""
        ...

    def carry_on(self, call: "FastCall") -> None:
        """Let the general lane deliver what the call still brings, as a stream."""
        ...


class FastCall:
    """A call under way. The connection takes it for the cycle of a request that is being answered.

    Of a call that is simply answered nothing is noted but what is here; its `trace` is made where
    more is to be said of it.
    """

    __slots__ = (
        *("_begun", "_data", "_draft", "_is_over", "_lane", "_line", "_request_bytes", "_sent"),
        *("_trace", "_verdict", "disconnected", "head", "id", "keep_alive", "on_over"),
        *("request_id", "response_complete", "response_started", "route", "started", "stream"),
    )

    def __init__(  # noqa: PLR0913, PLR0917 -- one is made for every call, and a shape for these too would cost as much
        self,
        lane: Lane,
        line: Line,
        head: Head,
        route: Route,
        number: jsonrpc.RequestId,
        started: float,
        data: bytes,
        request_bytes: int,
    ) -> None:
        self._lane = lane
        self._line = line
        self.head = head
        self.route = route
        self.id = number
        self.started = started
        self.request_id = new_request_id()
        self.stream: Stream | None = None
        self.on_over: Callable[[], None] | None = None
        self.keep_alive = True
        self.response_complete = self.response_started = self.disconnected = False
        self._data = data
        self._request_bytes = request_bytes
        self._sent = started
        self._is_over = False
        self._begun: Begun | None = None
        self._draft: Stream | None = None
        self._trace: Trace | None = None
        self._verdict: Verdict = "unknown"

    @property
    def address(self) -> str:
        """The client's host."""
        return self._line.address

    @property
    def trace(self) -> Trace:
        """What the general lane would have noted of the call by now."""
        if self._trace is None:
            route, target = self.route, self.route.target
            server, project = target.server, route.project.name
            tool = target.name if server.catalogue is not None else ""
            self._trace = Trace(
                self.request_id,
                "streamable-http",
                self.started,
                project,
                server.name,
                route.principal,
                METHOD,
                route.name,
                route.era,
                str(route.client.info.get("name", "")),
                request_bytes=self._request_bytes,
                sent=self._sent,
                found=(project, server.name, tool),
            )
        return self._trace

    @property
    def message_event(self) -> "FastCall":
        """What the connection sets when the client has left."""
        return self

    def set(self) -> None:
        """Know that the client may have left; a modern one has cancelled its call by that."""
        if self.disconnected and self.stream is None and self.route.era is MODERN:
            self.trace.outcome = "cancelled"
            self._end(is_given_up=True)

    def begun(self, begun: Begun) -> None:
        """Know that the request is on its way to the server."""
        self._begun = begun
        self._sent = self._lane.now()
        server = self.route.target.server
        if server.circuit is not None and server.retries is not None:
            server.retries.earn()
            server.circuit.admit()

    def cancel(self) -> None:
        """Give the call up, as its client wants."""
        if self._is_over:
            return
        self.trace.outcome = "cancelled"
        if not self.disconnected:
            # As in the general lane: a cancelled call is answered by a stream without an answer.
            self.go_on().end()
        self._end(is_given_up=True)

    def hear(self, message: JSONObject, /) -> None:
        """Pass on what the server says before its answer."""
        if self._begun is None or self._is_over:
            return
        stream = self._drafted()
        self.route.place.session.heard(message, self._lane.caller_of(self, stream))
        if (stream.size or "id" in message) and not self.disconnected:
            self.go_on()

    def answered(self, message: JSONObject, /) -> None:
        """Answer the client."""
        if self._is_over:
            return
        self._verdict = "well"
        try:
            body = {"jsonrpc": "2.0", "id": self.id, "result": self._result(message)}
            status = 200
        except (InterlockError, RPCError) as fault:
            status, body = self._refused(fault)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the client must get an answer
            body = jsonrpc.failure(self.id, self.trace.unforeseen(error))
            status = 500
        if self._trace is None and self._draft is None and not self.disconnected:
            self._reply_plainly(dumps(body))
        else:
            self._reply(status, body)

    def failed(self, fault: InterlockError, /) -> None:
        """Tell the client why there is no answer; what the server never saw, make anew."""
        if self._is_over:
            return
        if isinstance(fault, UpstreamFailed):
            self._verdict = verdict_of(fault)
        if self.stream is None and not self.disconnected and self._may_repeat(fault):
            self._release()
            if self._line.replay(self, self._data):
                return
        self._reply(*self._refused(fault))

    def _may_repeat(self, fault: InterlockError) -> bool:
        retries = self.route.target.server.retries
        if isinstance(fault, SessionExpired):
            return True
        if retries is None or not retries.limit or not isinstance(fault, UpstreamFailed):
            return False
        return retries.take(fault, is_safe=self.route.target.is_repeatable)

    def give_up(self, fault: InterlockError) -> None:
        """Wait no longer; the server is told, and the client gets `fault`."""
        if self._is_over:
            return
        self._withdraw()
        # A server that has talked lives, however long it takes.
        self._verdict = "ill" if self._draft is None else "well"
        self._reply(*self._refused(fault))

    def go_on(self) -> Stream:
        """Let the general lane deliver what comes, on a stream."""
        if self.stream is None:
            self.stream = self._drafted()
            self._line.carry_on(self)
        return self.stream

    def _drafted(self) -> Stream:
        if self._draft is None:
            self._draft = self._lane.stream_of(self)
        return self._draft

    def _result(self, message: JSONObject) -> JSONObject:
        route = self.route
        result = as_object(message.get("result"))
        if result is None or "error" in message:
            result = self._unwrapped(message)
        if "isError" in result and result["isError"] is True:
            self.trace.tool_error = True
        if route.era is MODERN:
            result = self._as_modern(result)
        return expose_result(route.view, route.target, METHOD, None, result)

    def _unwrapped(self, message: JSONObject) -> JSONObject:
        try:
            return jsonrpc.unwrap(message)
        except RPCError as error:
            self._verdict = verdict_of(error)
            if self.route.era is not MODERN:
                raise
            return modern_error(METHOD, self.route.client.capabilities, error)

    def _as_modern(self, result: JSONObject) -> JSONObject:
        kind = result.get("resultType", _ABSENT)
        if kind is _ABSENT:
            return to_modern(result, METHOD, self.route.target.server)
        if kind == "input_required":
            asked = as_object(result.get("inputRequests")) or {}
            check_questions(METHOD, self.route.client.capabilities, asked)
            self.trace.outcome = "input_required"
        return result

    def _refused(self, fault: InterlockError | RPCError) -> tuple[int, JSONObject]:
        self.trace.fail(fault)
        status = http_status(fault) if self.route.era is MODERN else 200
        return status, jsonrpc.failure(self.id, fault)

    def _reply(self, status: int, message: JSONObject) -> None:
        trace = self.trace
        trace.answered, trace.http_status = self._lane.now(), status
        if trace.tool_error is None and "result" in message:
            trace.tool_error = False
        if self.stream is not None:
            self.stream.send(message)
            self.stream.end()
        elif not self.disconnected:
            body = dumps(message)
            trace.response_bytes = len(body)
            self._line.answer(self, status, body)
        self._end()

    def _reply_plainly(self, body: bytes) -> None:
        """Answer a call that went as most do."""
        now = self._lane.now()
        self._is_over = True
        self._line.answer(self, 200, body)
        self._release()
        self._lane.ledger.went_well(
            self.route.account,
            self.started,
            self._sent,
            now,
            self._request_bytes,
            len(body),
            self.request_id,
        )

    def _end(self, *, is_given_up: bool = False) -> None:
        self._is_over = True
        if is_given_up:
            self._withdraw()
        self._release()
        if self.on_over is not None:
            self.on_over()
        elif self.stream is None:
            if self._draft is not None and self.route.session is not None:
                self.route.session.forget(self._draft)
            self._lane.ledger.close(self.trace)

    def _withdraw(self) -> None:
        if self._begun is not None:
            self._begun.give_up()
            age = self._lane.now() - self._sent
            self.route.place.session.withdraw(self._begun.id, age)

    def _release(self) -> None:
        if self._begun is not None:
            self._begun = None
            server = self.route.target.server
            server.upstream.leave(self.route.place)
            if server.circuit is not None:
                server.circuit.end(self._verdict, was_trying=False)
        self._lane.forget(self)
