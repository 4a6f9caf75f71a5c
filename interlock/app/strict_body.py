"""Bodies of the control API: bounded, and JSON that no two readers understand differently."""

import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from interlock.app.refusals import error_response
from interlock.errors import BadInput, InterlockError, TooLarge
from interlock.gateway.http import ClientGone, headers_of, read_body
from interlock.identity.gate import Gate
from interlock.identity.principal import Role
from interlock.protocol.json import loads_strict

_FOR_ANYONE: Final = frozenset({"/api/v1/auth/login"})
_OF_A_PROJECT: Final = re.compile(r"(?:/api/v1)?/projects/([^/]+)")

Admit: TypeAlias = Callable[[Scope], Awaitable[None]]


class StrictBody:
    """Reads and checks a body of at most `limit` bytes before the application sees the request.

    What is wrong with a body is told only to whom `admit` lets in: it raises for others.
    """

    def __init__(self, app: ASGIApp, limit: int, admit: Admit) -> None:
        self._app = app
        self._limit = limit
        self._admit = admit

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
            refusal = await refused(scope, fault, self._admit)
            await error_response(scope, refusal)(scope, receive, send)
            return
        except ClientGone:
            return
        await self._app(scope, _replay(body, receive), send)


async def refused(scope: Scope, fault: InterlockError, admit: Admit | None) -> InterlockError:
    """Return what is told of a fault in a body: to those whom `admit` keeps out, why it does."""
    if admit is None or not isinstance(fault, BadInput | TooLarge):
        return fault
    try:
        await admit(scope)
    except InterlockError as refusal:
        return refusal
    return fault


def admission(gate: Gate) -> Admit:
    """Return what asks for a known caller, who sees the project that the path names."""

    async def admit(scope: Scope) -> None:
        path, request = scope["path"], Request(scope)
        if path in _FOR_ANYONE or await gate.login(request) is not None:
            return
        named = _OF_A_PROJECT.match(path)
        if named is not None:
            await gate.project(Role.REPORTER, limited=True)(request, named[1])
        else:
            await gate.anyone()(request)

    return admit


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[MutableMapping[str, Any]] = [
        {"type": "http.request", "body": body, "more_body": False}
    ]

    async def replayed() -> MutableMapping[str, Any]:
        return messages.pop() if messages else await receive()

    return replayed
