"""One call in the fast lane: from the request that was sent to its server to the bytes of the answer."""

from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple, Protocol

from interlock.errors import InterlockError, RPCError, UpstreamFailed
from interlock.gateway.bridging import modern_error, to_modern
from interlock.gateway.call import Call, Trace
from interlock.gateway.heads import Head
from interlock.gateway.modern import http_status
from interlock.gateway.questions import check_questions
from interlock.gateway.rewriting import expose_result
from interlock.gateway.streams import Stream
from interlock.gateway.table import Target
from interlock.policy.breaker import Verdict, verdict_of
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, as_object, dumps
from interlock.protocol.versions import Era
from interlock.upstreams.port import Caller, GiveUp, Session, SessionExpired
from interlock.upstreams.upstream import Place


class Lane(Protocol):
    """The fast lane, as its calls use it."""

    def now(self) -> float:
        """Return the time by the clock of traces, in seconds."""
        ...

    def stream_of(self, fast: "FastCall") -> Stream:
        """Return a new stream for what a call brings besides its answer."""
        ...

    def caller_of(self, fast: "FastCall", stream: Stream) -> Caller:
        """Return the client as the server may talk to it."""
        ...

    def forget(self, fast: "FastCall") -> None:
        """Let go of a call that is over."""
        ...

    def close(self, trace: Trace) -> None:
        """Write the record of a call."""
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


class Request(NamedTuple):
    """How a call came: its connection, its head, all its bytes, and its JSON-RPC id."""

    line: Line
    head: Head
    data: bytes
    id: jsonrpc.RequestId


class FastCall:
    """A call under way. The connection takes it for the cycle of a request that is being answered."""

    __slots__ = (
        *("_data", "_draft", "_give_up", "_is_over", "_lane", "_line", "_place", "_session"),
        *("_verdict", "call", "disconnected", "head", "id", "keep_alive", "on_over"),
        *("response_complete", "response_started", "stream", "target"),
    )

    def __init__(self, lane: Lane, request: "Request", call: Call, target: Target) -> None:
        self._line, self.head, self._data, self.id = request
        self.call = call
        self.target = target
        self.stream: Stream | None = None
        self.on_over: Callable[[], None] | None = None
        self.keep_alive = True
        self.response_complete = self.response_started = self.disconnected = False
        self._lane = lane
        self._is_over = False
        self._give_up: GiveUp | None = None
        self._place: Place | None = None
        self._session: Session | None = None
        self._draft: Stream | None = None
        self._verdict: Verdict = "unknown"

    @property
    def address(self) -> str:
        """The client's host."""
        return self._line.address

    @property
    def trace(self) -> Trace:
        """The trace of the call."""
        return self.call.trace

    @property
    def message_event(self) -> "FastCall":
        """What the connection sets when the client has left."""
        return self

    def set(self) -> None:
        """Know that the client may have left; a modern one has cancelled its call by that."""
        if self.disconnected and self.stream is None and self.call.era is Era.MODERN:
            self.trace.outcome = "cancelled"
            self._end(is_given_up=True)

    def begun(self, session: Session, place: Place, give_up: GiveUp) -> None:
        """Know that the request is on its way to the server."""
        self._session, self._place, self._give_up = session, place, give_up
        server = self.target.server
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
        if self._session is None or self._is_over:
            return
        stream = self._drafted()
        self._session.heard(message, self._lane.caller_of(self, stream))
        if (stream.size or "id" in message) and not self.disconnected:
            self.go_on()

    def answered(self, message: JSONObject, /) -> None:
        """Answer the client."""
        if self._is_over:
            return
        self._verdict = "well"
        try:
            body = jsonrpc.result(self.id, self._result(message))
            status: int = HTTPStatus.OK
        except (InterlockError, RPCError) as fault:
            status, body = self._refused(fault)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the client must get an answer
            body = jsonrpc.failure(self.id, self.trace.unforeseen(error))
            status = HTTPStatus.INTERNAL_SERVER_ERROR
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
        retries = self.target.server.retries
        if isinstance(fault, SessionExpired):
            return True
        if retries is None or not retries.limit or not isinstance(fault, UpstreamFailed):
            return False
        return retries.take(fault, is_safe=self.target.is_repeatable)

    def give_up(self, fault: InterlockError) -> None:
        """Wait no longer; the server is told, and the client gets `fault`."""
        if self._is_over:
            return
        if self._give_up is not None:
            self._give_up()
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
        call, target = self.call, self.target
        try:
            result = jsonrpc.unwrap(message)
        except RPCError as error:
            self._verdict = verdict_of(error)
            if call.era is Era.LEGACY:
                raise
            result = modern_error(call.method, call.client.capabilities, error)
        self.trace.tool_error = result.get("isError") is True
        if call.era is Era.MODERN:
            if result.get("resultType") == "input_required":
                asked = as_object(result.get("inputRequests")) or {}
                check_questions(call.method, call.client.capabilities, asked)
                self.trace.outcome = "input_required"
            elif "resultType" not in result:
                result = to_modern(result, call, target.server)
        return expose_result(call.view, target, call.method, None, result)

    def _refused(self, fault: InterlockError | RPCError) -> tuple[int, JSONObject]:
        self.trace.fail(fault)
        is_modern = self.call.era is Era.MODERN
        return (
            http_status(fault) if is_modern else HTTPStatus.OK,
            jsonrpc.failure(self.id, fault),
        )

    def _reply(self, status: int, message: JSONObject) -> None:
        trace = self.trace
        trace.answered = self._lane.now()
        trace.http_status = status
        if self.stream is not None:
            self.stream.send(message)
            self.stream.end()
        elif not self.disconnected:
            body = dumps(message)
            trace.response_bytes = len(body)
            self._line.answer(self, status, body)
        self._end()

    def _end(self, *, is_given_up: bool = False) -> None:
        self._is_over = True
        if is_given_up and self._give_up is not None:
            self._give_up()
        self._release()
        if self.on_over is not None:
            self.on_over()
        elif self.stream is None:
            if self._draft is not None and self.call.session is not None:
                self.call.session.forget(self._draft)
            self._lane.close(self.trace)

    def _release(self) -> None:
        place, self._place = self._place, None
        if place is not None:
            server = self.target.server
            server.upstream.leave(place)
            if server.circuit is not None:
                server.circuit.end(self._verdict, was_trying=False)
        self._lane.forget(self)
