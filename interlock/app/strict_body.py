"""Bodies of the control API: bounded, and JSON that no two readers understand differently."""

from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from interlock.app.refusals import error_response
from interlock.errors import InterlockError
from interlock.gateway.http import ClientGone, headers_of, read_body
from interlock.protocol.json import loads_strict


class StrictBody:
    """Reads and checks a body of at most `limit` bytes before the application sees the request."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        headers = headers_of(scope)
        try:
            body = await read_body(headers, receive, self._limit)
            if body and "json" in headers.get("content-type", "application/json"):
                loads_strict(body)
        except InterlockError as fault:
            await error_response(scope, fault)(scope, receive, send)
            return
        except ClientGone:
            return
        await self._app(scope, _replay(body, receive), send)


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[MutableMapping[str, Any]] = [
        {"type": "http.request", "body": body, "more_body": False}
    ]

    async def replayed() -> MutableMapping[str, Any]:
        return messages.pop() if messages else await receive()

    return replayed
