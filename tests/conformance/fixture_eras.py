"""Pins the fixture to one protocol era, so that it answers the other as such a server would."""

import json
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream
from mcp.shared.message import SessionMessage
from mcp_types import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    PROTOCOL_VERSION_META_KEY,
    UNSUPPORTED_PROTOCOL_VERSION,
    ErrorData,
    JSONRPCError,
    JSONRPCRequest,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

VERSION_HEADER = "mcp-protocol-version"


class Era(StrEnum):
    """The protocol revisions that the fixture speaks."""

    LEGACY = "legacy"
    MODERN = "modern"
    BOTH = "both"


class LegacyOnly:
    """Refuses every revision without a handshake, in the words of a server that knows none."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp = self._app
        if scope["type"] == "http":
            version = Request(scope).headers.get(VERSION_HEADER)
            if version is not None and version not in HANDSHAKE_PROTOCOL_VERSIONS:
                known = ", ".join(HANDSHAKE_PROTOCOL_VERSIONS)
                message = (
                    f"Bad Request: Unsupported protocol version: {version}. "
                    f"Supported versions: {known}"
                )
                app = _error(None, ErrorData(code=INVALID_REQUEST, message=message))
        await app(scope, receive, send)


class ModernOnly:
    """Refuses handshakes, sessions and standalone streams."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app: ASGIApp = self._app
        if scope["type"] == "http":
            request = Request(scope, receive)
            if request.method != "POST":
                app = Response(status_code=405, headers={"Allow": "POST"})
            elif request.headers.get(VERSION_HEADER) in (None, *HANDSHAKE_PROTOCOL_VERSIONS):
                app = await self._refusal(request)
        await app(scope, receive, send)

    async def _refusal(self, request: Request) -> Response:
        try:
            body = json.loads(await request.body())
        except ValueError:
            return _error(None, ErrorData(code=PARSE_ERROR, message="Parse error"))
        if not isinstance(body, dict):
            return _error(None, ErrorData(code=INVALID_REQUEST, message="Not a request"))
        if body.get("method") == "initialize":
            return _error(body.get("id"), _handshake_refused(body.get("params")))
        version = request.headers.get(VERSION_HEADER)
        if version is not None:
            return _error(body.get("id"), _unsupported(version))
        error = ErrorData(code=HEADER_MISMATCH, message=f"The {VERSION_HEADER} header is missing")
        return _error(body.get("id"), error)


@asynccontextmanager
async def modern_only(
    received: AsyncIterable[SessionMessage | Exception],
    send: Callable[[SessionMessage], Awaitable[None]],
) -> AsyncIterator[MemoryObjectReceiveStream[SessionMessage | Exception]]:
    """Yield the messages of a stateless client; a request of another era is answered here."""
    passed, stateless = anyio.create_memory_object_stream[SessionMessage | Exception]()

    async def sift() -> None:
        async with passed:
            async for item in received:
                refusal = _stream_refusal(item)
                await (passed.send(item) if refusal is None else send(refusal))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sift)
        yield stateless
        tasks.cancel_scope.cancel()


def _stream_refusal(item: SessionMessage | Exception) -> SessionMessage | None:
    if isinstance(item, Exception) or not isinstance(item.message, JSONRPCRequest):
        return None
    request = item.message
    meta = (request.params or {}).get("_meta")
    if request.method == "initialize":
        error = _handshake_refused(request.params)
    elif not isinstance(meta, dict) or PROTOCOL_VERSION_META_KEY not in meta:
        message = f"Missing required _meta key: {PROTOCOL_VERSION_META_KEY}"
        error = ErrorData(code=INVALID_PARAMS, message=message)
    else:
        return None
    return SessionMessage(JSONRPCError(jsonrpc="2.0", id=request.id, error=error))


def _handshake_refused(params: Any) -> ErrorData:
    requested = params.get("protocolVersion") if isinstance(params, dict) else None
    return _unsupported(str(requested))


def _unsupported(requested: str) -> ErrorData:
    return ErrorData(
        code=UNSUPPORTED_PROTOCOL_VERSION,
        message="Unsupported protocol version",
        data={"supported": list(MODERN_PROTOCOL_VERSIONS), "requested": requested},
    )


def _error(request_id: Any, error: ErrorData) -> Response:
    body = {"jsonrpc": "2.0", "id": request_id, "error": error.model_dump(exclude_none=True)}
    return JSONResponse(body, status_code=400)
