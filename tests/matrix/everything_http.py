"""The everything server over HTTP: Streamable HTTP in either era, and the legacy SSE transport."""

import asyncio
import json
import secrets
import socket
import sys
from collections import deque
from collections.abc import Awaitable, Callable

import uvicorn
from everything_legacy import LegacySession
from everything_modern import VERSION, ModernServer
from everything_offer import JSONObject
from everything_world import World
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

HEADER_MISMATCH = -32020
METHOD_NOT_FOUND = -32601
NAMES = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    **dict.fromkeys(("tasks/get", "tasks/update", "tasks/cancel"), "taskId"),
}
MAX_UNHEARD = 100


class Events(Response):
    """Sends messages as an event stream while `work` runs; cancels it if the client leaves."""

    def __init__(self, opening: bytes = b"") -> None:
        self.status_code = 200
        self.background = None
        self.work: Callable[[], Awaitable[object]] = asyncio.Event().wait
        self._messages: asyncio.Queue[JSONObject | None] = asyncio.Queue()
        self._opening = opening

    def send(self, message: JSONObject) -> None:
        """Add a message to the stream."""
        self._messages.put_nowait(message)

    def end(self) -> None:
        """End the stream after the messages that are in it."""
        self._messages.put_nowait(None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the stream."""
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self._opening, "more_body": True})
        tasks = [
            asyncio.create_task(each)
            for each in (self._work(), self._write(send), _until_gone(receive))
        ]
        try:
            await asyncio.wait(tasks[1:], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _work(self) -> None:
        try:
            await self.work()
        finally:
            self.end()

    async def _write(self, send: Send) -> None:
        while (message := await self._messages.get()) is not None:
            part = b"event: message\ndata: " + json.dumps(message).encode() + b"\n\n"
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def modern_app(world: World) -> ASGIApp:
    """Serve Streamable HTTP as 2026-07-28 has it, and check the headers that mirror the body."""

    async def post(request: Request) -> Response:
        message = await request.json()
        headers = _mcp_headers(request)
        fault = _mismatch(message, headers)
        if fault is not None:
            error = {"code": HEADER_MISMATCH, "message": fault}
            return JSONResponse({"jsonrpc": "2.0", "id": message.get("id"), "error": error}, 400)
        events = Events()
        # Requests of several clients may have the same id, so none is to be known to the others.
        events.work = lambda: ModernServer(world).receive(message, events.send, headers)
        return events

    return Starlette(routes=[Route("/mcp", post, methods=["POST"])])


def _mcp_headers(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name.startswith("mcp-")}


def _mismatch(message: JSONObject, headers: dict[str, str]) -> str | None:
    expected = {"mcp-protocol-version": VERSION, "mcp-method": message["method"]}
    if message["method"] in NAMES:
        expected["mcp-name"] = message["params"][NAMES[message["method"]]]
    for name, value in expected.items():
        if headers.get(name) != value:
            return f"{name} is {headers.get(name)!r} but the body says {value!r}."
    return None


class _LegacyEndpoint:
    """Sessions, each with a stream of its own if the client opens one."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sessions: dict[str, LegacySession] = {}
        self._streams: dict[str, Events] = {}
        self._unheard: dict[str, deque[JSONObject]] = {}

    async def post(self, request: Request) -> Response:
        message = await request.json()
        if message.get("method") == "initialize":
            return await self._initialize(message)
        session = self._sessions.get(request.headers.get("mcp-session-id", ""))
        if session is None:
            return _unknown_session(request, message)
        if "method" not in message or "id" not in message:
            await session.receive(message, lambda _: None)
            return Response(status_code=202)
        events = Events()
        # A client that leaves has not cancelled, so the call is not tied to the stream.
        task = asyncio.create_task(session.receive(message, events.send, _mcp_headers(request)))
        events.work = lambda: asyncio.wait([task])
        return events

    async def _initialize(self, message: JSONObject) -> Response:
        session_id = secrets.token_hex(8)

        def send(message: JSONObject) -> None:
            if session_id in self._streams:
                self._streams[session_id].send(message)
            elif session_id in self._unheard:
                # The client may be about to open its stream.
                self._unheard[session_id].append(message)

        self._unheard[session_id] = deque(maxlen=MAX_UNHEARD)
        session = self._sessions[session_id] = LegacySession(self._world, send)
        session.end = lambda: self._end(session_id)
        answers: list[JSONObject] = []
        await session.receive(message, answers.append)
        return JSONResponse(answers[0], headers={"mcp-session-id": session_id})

    async def get(self, request: Request) -> Response:
        session_id = request.headers.get("mcp-session-id", "")
        if session_id not in self._sessions:
            return Response(status_code=404 if session_id else 405)
        events = self._streams[session_id] = Events()
        for message in self._unheard.pop(session_id, ()):
            events.send(message)
        return events

    async def delete(self, request: Request) -> Response:
        session_id = request.headers.get("mcp-session-id", "")
        if session_id not in self._sessions:
            return Response(status_code=404)
        self._end(session_id)
        return Response(status_code=204)

    def _end(self, session_id: str) -> None:
        self._sessions.pop(session_id).close()
        self._unheard.pop(session_id, None)
        stream = self._streams.pop(session_id, None)
        if stream is not None:
            stream.end()


def legacy_app(world: World) -> ASGIApp:
    """Serve Streamable HTTP as 2025-11-25 has it, with sessions."""
    endpoint = _LegacyEndpoint(world)
    return Starlette(
        routes=[
            Route("/mcp", endpoint.post, methods=["POST"]),
            Route("/mcp", endpoint.get, methods=["GET"]),
            Route("/mcp", endpoint.delete, methods=["DELETE"]),
        ]
    )


def _unknown_session(request: Request, message: JSONObject) -> Response:
    error = {"code": METHOD_NOT_FOUND, "message": "Send initialize first."}
    status = 404 if "mcp-session-id" in request.headers else 400
    return JSONResponse({"jsonrpc": "2.0", "id": message.get("id"), "error": error}, status)


def sse_app(world: World) -> ASGIApp:
    """Serve the HTTP+SSE transport of 2024-11-05."""
    sessions: dict[str, tuple[LegacySession, Events]] = {}
    running: set[asyncio.Task[None]] = set()

    async def stream(_request: Request) -> Response:
        session_id = secrets.token_hex(8)
        events = Events(f"event: endpoint\ndata: /messages?session={session_id}\n\n".encode())
        session = LegacySession(world, events.send)
        session.end = events.end
        sessions[session_id] = (session, events)
        events.work = lambda: _until_closed(session_id)
        return events

    async def _until_closed(session_id: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            sessions.pop(session_id)[0].close()

    async def message(request: Request) -> Response:
        if request.query_params["session"] not in sessions:
            return Response(status_code=404)
        session, events = sessions[request.query_params["session"]]
        task = asyncio.create_task(session.receive(await request.json(), events.send))
        running.add(task)
        task.add_done_callback(running.discard)
        return Response(status_code=202)

    return Starlette(
        routes=[
            Route("/sse", stream, methods=["GET"]),
            Route("/messages", message, methods=["POST"]),
        ]
    )


class _Announcing(uvicorn.Server):
    """Says on stderr where it listens, as soon as it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        port = self.servers[0].sockets[0].getsockname()[1]
        sys.stderr.write(f"listening on http://127.0.0.1:{port}\n")
        sys.stderr.flush()


async def serve(app: ASGIApp, port: int) -> None:
    """Serve until the process is told to stop."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="warning", timeout_graceful_shutdown=1
    )
    await _Announcing(config).serve()
