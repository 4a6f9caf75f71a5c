"""The legacy HTTP+SSE endpoint: one stream to the client, a POST for each message from it.

Source: 2024-11-05, basic/transports, "HTTP with SSE".
"""

import asyncio
from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from interlock.errors import BadInput, InterlockError, NotFound, RPCError
from interlock.gateway.call import Trace
from interlock.gateway.clients import ClientSession
from interlock.gateway.entry import Arrival, Entry
from interlock.gateway.handover import Handover
from interlock.gateway.held import HeldConnection
from interlock.gateway.http import (
    SSE_HEADERS,
    ClientGone,
    MethodNotAllowed,
    Receive,
    Scope,
    Send,
    check_content_type,
    read_body,
    send_body,
    send_failure,
    send_part,
    until_gone,
)
from interlock.gateway.legacy import LegacyClients
from interlock.gateway.quiet import CLOSE, HOLD, Hold
from interlock.gateway.relay import ProcessLost
from interlock.gateway.streams import Stream
from interlock.gateway.table import View
from interlock.identity.principal import Principal
from interlock.policy.rate_limit import RateLimited
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject
from interlock.protocol.sse import KEEP_ALIVE, encode
from interlock.protocol.versions import Era

Place = tuple[str, str | None]


class _Connection:
    """One open stream; its session begins with `initialize`."""

    def __init__(self, principal: Principal, place: Place) -> None:
        self.principal = principal
        self.place = place
        self.stream = Stream("", is_resumable=False)
        self.session: ClientSession | None = None


class LegacySSE:
    """Serves the GET that opens a stream, and the POSTs to the endpoint that it names."""

    def __init__(
        self, entry: Entry, legacy: LegacyClients, handover: Handover, *, keep_alive: float
    ) -> None:
        self._entry = entry
        self._legacy = legacy
        self._handover = handover
        self._keep_alive = keep_alive
        self._connections: dict[str, _Connection] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """End every stream, and with it its session."""
        for connection in tuple(self._connections.values()):
            connection.stream.end()

    async def end(self) -> None:
        """End every session that is left, and wait until all that belonged to any is taken back."""
        for marker in tuple(self._connections):
            self._left(marker)
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def stream(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        place: Place,
        messages: Callable[[str], str],
    ) -> None:
        """Serve the GET; `messages` makes the path for the POSTs from the connection's id."""
        trace = self._entry.trace(scope, "sse")
        trace.era = Era.LEGACY
        is_recorded_there = False
        try:
            if scope["method"] != "GET":
                raise MethodNotAllowed(
                    "GET opens the event stream; it names where to POST.", allow="GET"
                )
            arrival = self._entry.admit(scope, place, trace)
            process = self._handover.home(arrival.view({}))
            if process != self._handover.number:
                is_recorded_there = await self._relay(process, scope, b"", receive, send, trace)
                return
            self._entry.take(arrival)
            self._entry.take_session(arrival)
            marker = ClientSession.new_id(self._handover.session_mark)
            self._connections[marker] = connection = _Connection(arrival.principal, arrival.place)
            is_recorded_there = True
            left = partial(self._left, marker)
            held = HeldConnection(connection.stream, 0, trace, self._entry, left)
            await self._leave_open(scope, held, messages(marker), receive, send)
        except InterlockError as fault:
            trace.fail(fault)
            trace.http_status = await send_failure(send, fault, None, trace.request_id)
        finally:
            if not is_recorded_there:
                self._entry.close(trace)

    async def _relay(
        self, process: int, scope: Scope, body: bytes, receive: Receive, send: Send, trace: Trace
    ) -> bool:
        """Hand a request over; True where the other process writes its record."""
        is_whole = await self._handover.relay(process, scope, body, receive, send)
        if not is_whole:
            trace.fail(ProcessLost("The answer broke off."))
        return is_whole

    async def _leave_open(
        self, scope: Scope, held: HeldConnection, endpoint: str, receive: Receive, send: Send
    ) -> None:
        """Let the connection follow the stream by itself; where it cannot, follow it here."""
        hold: Hold | None = scope.get(HOLD)
        is_complete = is_held = False
        try:
            if hold is None:
                is_complete = await until_gone(receive, self._events(held, endpoint, send))
            else:
                await _begin(send, endpoint, CLOSE)
                is_held = hold(held)
        finally:
            if not is_held:
                held.over(is_complete=is_complete)

    async def _events(self, held: HeldConnection, endpoint: str, send: Send) -> None:
        await _begin(send, endpoint)
        async for event in held.stream.follow(held.after, self._keep_alive):
            await send_part(send, KEEP_ALIVE if event is None else held.part(event))
        await send({"type": "http.response.body", "body": b""})

    def _left(self, marker: str) -> None:
        connection = self._connections.pop(marker, None)
        if connection is None:
            return
        connection.stream.end()
        if connection.session is not None:
            closing = asyncio.create_task(self._legacy.close(connection.session))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def message(self, scope: Scope, receive: Receive, send: Send, place: Place) -> None:
        """Serve a POST to the endpoint of a connection."""
        trace = self._entry.trace(scope, "sse")
        trace.era = Era.LEGACY
        is_recorded_elsewhere = False
        request_id: jsonrpc.RequestId | None = None
        try:
            if scope["method"] != "POST":
                raise MethodNotAllowed("Messages are sent by POST.")
            arrival = self._entry.admit(scope, place, trace)
            process = self._handover.of_session(_marker(scope))
            if process != self._handover.number:
                body = await read_body(arrival.headers, receive, self._entry.max_body)
                is_recorded_elsewhere = await self._relay(
                    process, scope, body, receive, send, trace
                )
                return
            connection = self._find(scope, arrival)
            check_content_type(arrival.headers)
            body = await read_body(arrival.headers, receive, self._entry.max_body)
            trace.request_bytes = len(body)
            message = jsonrpc.parse(body)
            request_id = message.id if isinstance(message, jsonrpc.Request) else None
            self._entry.describe(trace, message)
            trace.http_status = HTTPStatus.ACCEPTED
            is_recorded_elsewhere = await self._take(connection, arrival, message, trace)
            await send_body(send, HTTPStatus.ACCEPTED, b"", ())
        except InterlockError as fault:
            trace.fail(fault)
            trace.http_status = await send_failure(send, fault, request_id, trace.request_id)
        except ClientGone:
            trace.outcome = "cancelled"
        finally:
            if not is_recorded_elsewhere:
                self._entry.close(trace)

    def _find(self, scope: Scope, arrival: Arrival) -> _Connection:
        connection = self._connections.get(_marker(scope))
        who = (arrival.principal.kind, arrival.principal.id)
        if (
            connection is None
            or connection.place != arrival.place
            or (connection.principal.kind, connection.principal.id) != who
        ):
            raise NotFound("This session is unknown or has ended; open the event stream again.")
        if connection.session is not None:
            # The same key may be limited otherwise than when the session began.
            connection.session.principal = arrival.principal
        return connection

    async def _take(
        self, connection: _Connection, arrival: Arrival, message: jsonrpc.Message, trace: Trace
    ) -> bool:
        """Begin to serve a message; True where its record is written when the answer is known."""
        session = connection.session
        if isinstance(message, jsonrpc.Request) and self._is_refused(connection, arrival, message):
            return False
        if isinstance(message, jsonrpc.Request) and message.method == "initialize":
            self._initialize(connection, arrival, message)
        elif session is None:
            raise BadInput("The session begins with initialize; send it first.")
        elif isinstance(message, jsonrpc.Response):
            session.answered(message)
        elif isinstance(message, jsonrpc.Notification):
            await self._legacy.notified(session, message)
        else:
            self._check_home(connection, arrival.view({}))
            task = self._legacy.start(session, message, connection.stream, trace)
            task.add_done_callback(lambda _: self._entry.close(trace))
            return True
        return False

    def _is_refused(
        self, connection: _Connection, arrival: Arrival, message: jsonrpc.Request
    ) -> bool:
        """Answer a call that is one too many on the stream, where its client looks for answers."""
        try:
            self._entry.take(arrival)
        except RateLimited as fault:
            arrival.trace.fail(fault)
            connection.stream.send(jsonrpc.failure(message.id, fault))
            return True
        return False

    def _check_home(self, connection: _Connection, view: View) -> None:
        try:
            self._handover.check_home(view)
        except NotFound:
            # The end of the stream is what makes the client open another.
            connection.stream.end()
            raise

    def _initialize(
        self, connection: _Connection, arrival: Arrival, message: jsonrpc.Request
    ) -> None:
        if connection.session is not None:
            raise BadInput("This session is initialized already; open another event stream.")
        try:
            session, result = self._legacy.open(arrival, message.params, connection.stream)
        except (InterlockError, RPCError) as fault:
            arrival.trace.fail(fault)
            answer: JSONObject = jsonrpc.failure(message.id, fault)
        else:
            connection.session = session
            answer = jsonrpc.result(message.id, result)
        connection.stream.send(answer)


async def _begin(send: Send, endpoint: str, *fields: tuple[bytes, bytes]) -> None:
    """Send the head of a stream, and where its client POSTs."""
    headers = (*fields, *SSE_HEADERS)
    await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
    await send_part(send, encode(endpoint.encode(), event="endpoint"))


def _marker(scope: Scope) -> str:
    query = scope["query_string"].decode("latin-1").split("&")
    return next((part[11:] for part in query if part.startswith("session_id=")), "")
