"""The endpoint that MCP clients call: Streamable HTTP in both eras.

Source: 2026-07-28 and 2025-11-25, basic/transports.
"""

import asyncio
from http import HTTPStatus

from interlock.errors import BadInput, BadMessage, InterlockError
from interlock.gateway.call import Trace
from interlock.gateway.clients import ClientSession
from interlock.gateway.entry import Arrival, Entry
from interlock.gateway.handover import SESSION_HEADER, Handover
from interlock.gateway.held import HeldGet, HeldListen, HeldStream, part_of
from interlock.gateway.http import (
    JSON_TYPE,
    SSE_HEADERS,
    ClientGone,
    HeaderList,
    MethodNotAllowed,
    NotAcceptable,
    Receive,
    Scope,
    Send,
    accepted,
    check_content_type,
    read_body,
    send_body,
    send_failure,
    send_part,
    until_gone,
)
from interlock.gateway.legacy import LegacyClients
from interlock.gateway.listening import Listen
from interlock.gateway.modern import ModernClients, ModernRequest, is_modern
from interlock.gateway.passing import OWNER
from interlock.gateway.quiet import CLOSE, HOLD, Hold
from interlock.gateway.relay import ProcessLost
from interlock.gateway.streams import Stream
from interlock.policy.rate_limit import RateLimited
from interlock.protocol import jsonrpc
from interlock.protocol.sse import KEEP_ALIVE, encode
from interlock.protocol.versions import LEGACY_VERSIONS, Era

OPEN_AFTER = 5.0  # seconds of silence after which a waiting client gets a stream with comments
PRIMED_SINCE = "2025-11-25"
BATCHING = "2025-03-26"


class StreamableHTTP:
    """Serves POST, GET and DELETE of one MCP endpoint."""

    def __init__(
        self,
        entry: Entry,
        legacy: LegacyClients,
        modern: ModernClients,
        handover: Handover,
        *,
        keep_alive: float,
    ) -> None:
        self._entry = entry
        self._handover = handover
        self._legacy = legacy
        self._modern = modern
        self._keep_alive = keep_alive

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send, place: tuple[str, str | None]
    ) -> None:
        """Serve one HTTP request to the endpoint of `place` (project, server or None)."""
        trace = self._entry.trace(scope, "streamable-http")
        request_id: jsonrpc.RequestId | None = None
        is_recorded_there = False
        try:
            arrival = self._entry.admit(scope, place, trace)
            body, message = b"", None
            if scope["method"] == "POST":
                body, message = await self._read(arrival, receive)
                request_id = message.id if isinstance(message, jsonrpc.Request) else None
            process = self._handover.of_message(arrival, message)
            if process == self._handover.number:
                is_recorded_there = await self._serve(scope, arrival, message, receive, send)
            else:
                scope[OWNER] = process
                is_recorded_there = await self._handover.relay(process, scope, body, receive, send)
                if not is_recorded_there:
                    trace.fail(ProcessLost("The answer broke off."))
        except InterlockError as fault:
            trace.fail(fault)
            trace.http_status = await send_failure(send, fault, request_id, trace.request_id)
        except ClientGone:
            trace.outcome = "cancelled"
        finally:
            if not is_recorded_there:
                self._entry.close(trace)

    async def _serve(
        self,
        scope: Scope,
        arrival: Arrival,
        message: jsonrpc.Message | list[jsonrpc.Message] | None,
        receive: Receive,
        send: Send,
    ) -> bool:
        """Serve a request here; return whether its record is written at the end of a stream."""
        if isinstance(message, list):
            await self._batch(scope, arrival, message, receive, send)
        elif message is not None:
            return await self._post(scope, arrival, message, receive, send)
        elif scope["method"] == "GET":
            await self._get(scope, arrival, receive, send)
            return True
        elif scope["method"] == "DELETE":
            await self._delete(arrival, send)
        else:
            raise MethodNotAllowed(
                f"{scope['method']} is not a method of an MCP endpoint.", allow="GET, POST, DELETE"
            )
        return False

    async def _read(
        self, arrival: Arrival, receive: Receive
    ) -> tuple[bytes, jsonrpc.Message | list[jsonrpc.Message]]:
        check_content_type(arrival.headers)
        body = await read_body(arrival.headers, receive, self._entry.max_body)
        arrival.trace.request_bytes = len(body)
        message = jsonrpc.parse_any(body)
        if isinstance(message, list):
            arrival.trace.method = "batch"
        else:
            self._entry.describe(arrival.trace, message)
        return body, message

    async def _post(
        self,
        scope: Scope,
        arrival: Arrival,
        message: jsonrpc.Message,
        receive: Receive,
        send: Send,
    ) -> bool:
        if not isinstance(message, jsonrpc.Request):
            await self._take(arrival, message)
            arrival.trace.http_status = HTTPStatus.ACCEPTED
            await send_body(send, HTTPStatus.ACCEPTED, b"", ())
        elif is_modern(arrival.headers, message.params, message.method):
            arrival.trace.era = Era.MODERN
            self._entry.take(arrival)
            request = ModernRequest(arrival, message)
            if message.method == "subscriptions/listen":
                return await self._listen(scope, request, receive, send)
            await self._modern_request(request, receive, send)
        else:
            arrival.trace.era = Era.LEGACY
            self._entry.take(arrival)
            await self._legacy_request(arrival, message, receive, send)
        return False

    async def _take(self, arrival: Arrival, message: jsonrpc.Message) -> None:
        if SESSION_HEADER not in arrival.headers:
            if isinstance(message, jsonrpc.Notification):
                # The modern era knows no notification of a client that would need an answer.
                arrival.trace.era = Era.MODERN
                return
            raise BadInput("A response needs the Mcp-Session-Id of the session that asked.")
        session = self._session(arrival)
        arrival.trace.era = Era.LEGACY
        if isinstance(message, jsonrpc.Response):
            session.answered(message)
        elif isinstance(message, jsonrpc.Notification):
            await self._legacy.notified(session, message)

    async def _modern_request(self, request: ModernRequest, receive: Receive, send: Send) -> None:
        arrival, stream = request.arrival, Stream("", is_resumable=False)
        trace = arrival.trace

        async def work() -> None:
            try:
                trace.http_status = await self._modern.answer(request, stream, trace)
            finally:
                stream.end()

        task = asyncio.create_task(work())
        try:
            if not await self._deliver(arrival, stream, receive, send, {}):
                # Closing the connection is how a modern client cancels its request.
                trace.outcome = "cancelled"
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _listen(
        self, scope: Scope, request: ModernRequest, receive: Receive, send: Send
    ) -> bool:
        """Open a stream of changes; return whether it is open."""
        arrival, stream = request.arrival, Stream("", is_resumable=False)
        if not accepted(arrival.headers).sse:
            raise NotAcceptable("Changes are told by a stream of events; accept text/event-stream.")
        found = self._modern.listen(request, stream, arrival.trace)
        if isinstance(found, Listen):
            held = HeldListen(stream, 0, arrival.trace, self._entry, self._modern, found)
            await self._leave_open(scope, arrival, held, receive, send)
            return True
        arrival.trace.http_status = found
        stream.end()
        await self._deliver(arrival, stream, receive, send, {})
        return False

    async def _legacy_request(
        self, arrival: Arrival, message: jsonrpc.Request, receive: Receive, send: Send
    ) -> None:
        trace = arrival.trace
        if message.method == "initialize":
            await self._initialize(arrival, message, receive, send)
            return
        session = self._session(arrival)
        self._handover.check_home(arrival.view({}))
        stream = session.open_stream(is_answer_only=not accepted(arrival.headers).sse)
        task = self._legacy.start(session, message, stream, trace)
        await self._deliver(
            arrival, stream, receive, send, {}, primed=session.version >= PRIMED_SINCE
        )
        # A legacy client that leaves has not cancelled: its call goes on and can be resumed.
        await asyncio.wait({task})
        self._legacy.sessions.keep(session, stream)

    async def _batch(
        self,
        scope: Scope,
        arrival: Arrival,
        messages: list[jsonrpc.Message],
        receive: Receive,
        send: Send,
    ) -> None:
        """Serve many messages of one POST; their answers come on one stream as they are ready."""
        arrival.trace.era = Era.LEGACY
        session = self._session(arrival) if SESSION_HEADER in arrival.headers else None
        if session is None or session.version != BATCHING or not accepted(arrival.headers).sse:
            raise BadMessage(
                f"Batches need a session of protocol version {BATCHING} and an event stream; "
                "send each message by itself."
            )
        self._handover.check_home(arrival.view({}))
        stream = session.open_stream()
        tasks: set[asyncio.Task[None]] = set()
        refused = 0
        for message in messages:
            if isinstance(message, jsonrpc.Request):
                trace = self._entry.part(scope, arrival.trace, message)
                if self._is_refused(arrival, message, trace, stream):
                    refused += 1
                    continue
                task = self._legacy.start(session, message, stream, trace, ends=False)
                task.add_done_callback(lambda _, trace=trace: self._entry.close(trace))
                tasks.add(task)
            elif isinstance(message, jsonrpc.Response):
                session.answered(message)
            else:
                await self._legacy.notified(session, message)
        if not tasks and not refused:
            session.forget(stream)
            arrival.trace.http_status = HTTPStatus.ACCEPTED
            await send_body(send, HTTPStatus.ACCEPTED, b"", ())
            return

        async def end() -> None:
            await asyncio.gather(*tasks, return_exceptions=True)
            stream.end()

        ending = asyncio.create_task(end())
        await until_gone(receive, self._events(arrival, stream, send, {}))
        await asyncio.wait({ending})
        self._legacy.sessions.keep(session, stream)

    def _is_refused(
        self, arrival: Arrival, message: jsonrpc.Request, trace: Trace, stream: Stream
    ) -> bool:
        """Answer one call of a batch that is one too many; the others are made."""
        try:
            self._entry.take(arrival)
        except RateLimited as fault:
            trace.era = Era.LEGACY
            trace.fail(fault)
            trace.response_bytes = stream.send(jsonrpc.failure(message.id, fault))
            self._entry.close(trace)
            return True
        return False

    async def _initialize(
        self, arrival: Arrival, message: jsonrpc.Request, receive: Receive, send: Send
    ) -> None:
        self._entry.take_session(arrival)
        session, result = self._legacy.open(arrival, message.params)
        arrival.trace.client_name = str(session.client.info.get("name", ""))
        stream = Stream("", is_resumable=False)
        stream.send(jsonrpc.result(message.id, result))
        stream.end()
        await self._deliver(arrival, stream, receive, send, {SESSION_HEADER: session.id})

    def _session(self, arrival: Arrival) -> ClientSession:
        version = arrival.headers.get("mcp-protocol-version")
        if version is not None and version not in LEGACY_VERSIONS:
            raise BadInput(f"The header MCP-Protocol-Version names {version}, which is unknown.")
        session_id = arrival.headers.get(SESSION_HEADER)
        if session_id is None:
            raise BadInput("The header Mcp-Session-Id is missing; send initialize first.")
        return self._legacy.sessions.find(session_id, arrival.principal, arrival.place)

    async def _get(self, scope: Scope, arrival: Arrival, receive: Receive, send: Send) -> None:
        if SESSION_HEADER not in arrival.headers:
            raise MethodNotAllowed("GET needs the Mcp-Session-Id of a session; POST opens one.")
        if not accepted(arrival.headers).sse:
            raise NotAcceptable("GET answers a stream of events; accept text/event-stream.")
        arrival.trace.era, arrival.trace.method = Era.LEGACY, "GET"
        self._entry.take(arrival)
        session = self._session(arrival)
        last_event = arrival.headers.get("last-event-id")
        stream, after = session.standalone, session.standalone.delivered
        if last_event is not None:
            stream, after = session.find_stream(last_event)
        held = HeldGet(stream, after, arrival.trace, self._entry, session)
        await self._leave_open(scope, arrival, held, receive, send)

    async def _leave_open(
        self, scope: Scope, arrival: Arrival, held: HeldStream, receive: Receive, send: Send
    ) -> None:
        """Let the connection follow a stream by itself; where it cannot, follow it here."""
        hold: Hold | None = scope.get(HOLD)
        is_complete = is_held = False
        try:
            if hold is None:
                events = self._events(arrival, held.stream, send, {}, after=held.after)
                is_complete = await until_gone(receive, events)
            else:
                await self._begin(arrival, send, [CLOSE, *_headers(arrival, {})])
                is_held = hold(held)
        finally:
            if not is_held:
                held.over(is_complete=is_complete)

    async def _delete(self, arrival: Arrival, send: Send) -> None:
        if SESSION_HEADER not in arrival.headers:
            raise MethodNotAllowed("DELETE needs the Mcp-Session-Id of the session to end.")
        arrival.trace.era, arrival.trace.method = Era.LEGACY, "DELETE"
        await self._legacy.close(self._session(arrival))
        arrival.trace.http_status = HTTPStatus.NO_CONTENT
        await send_body(send, HTTPStatus.NO_CONTENT, b"", ())

    async def _deliver(
        self,
        arrival: Arrival,
        stream: Stream,
        receive: Receive,
        send: Send,
        extra: dict[str, str],
        *,
        primed: bool = False,
    ) -> bool:
        """Send what a stream brings, alone as JSON or as events; False if the client left."""

        async def reply() -> None:
            accept = accepted(arrival.headers)
            if not accept.sse:
                await stream.finished()
            if not accept.sse or (accept.json and await stream.settled(OPEN_AFTER)):
                await self._lone(arrival, stream, send, extra)
            else:
                await self._events(arrival, stream, send, extra, primed=primed)

        return await until_gone(receive, reply())

    async def deliver_late(
        self,
        arrival: Arrival,
        stream: Stream,
        session: ClientSession | None,
        receive: Receive,
        send: Send,
    ) -> bool:
        """Send what a call brings that began elsewhere; False if the client left."""
        primed = session is not None and session.version >= PRIMED_SINCE
        return await until_gone(receive, self._events(arrival, stream, send, {}, primed=primed))

    async def _lone(
        self, arrival: Arrival, stream: Stream, send: Send, extra: dict[str, str]
    ) -> None:
        if not stream.size:
            # The request was cancelled: it has no answer, and there is nothing to wait for.
            arrival.trace.http_status = HTTPStatus.ACCEPTED
            await send_body(send, HTTPStatus.ACCEPTED, b"", _headers(arrival, extra))
            return
        body = stream.only()
        arrival.trace.response_bytes = len(body)
        headers = [JSON_TYPE, *_headers(arrival, extra)]
        await send_body(send, arrival.trace.http_status, body, headers)

    async def _events(
        self,
        arrival: Arrival,
        stream: Stream,
        send: Send,
        extra: dict[str, str],
        *,
        after: int = 0,
        primed: bool = False,
    ) -> None:
        trace = arrival.trace
        await self._begin(arrival, send, _headers(arrival, extra))
        if primed:
            await send_part(send, encode(b"", event_id=f"{stream.id}-0"))
        async for event in stream.follow(after, self._keep_alive):
            if event is None:
                await send_part(send, KEEP_ALIVE)
                continue
            await send_part(send, part_of(trace, stream, event))
        await send({"type": "http.response.body", "body": b""})

    async def _begin(self, arrival: Arrival, send: Send, extra: HeaderList) -> None:
        """Send the head of a stream of events."""
        arrival.trace.http_status = HTTPStatus.OK
        headers = [*SSE_HEADERS, *extra]
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})


def _headers(arrival: Arrival, extra: dict[str, str]) -> list[tuple[bytes, bytes]]:
    own = {"x-request-id": arrival.trace.request_id, **extra}
    return [(name.encode(), value.encode()) for name, value in own.items()]
