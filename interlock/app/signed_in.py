"""People who are signed in call MCP endpoints from the console, without a key of their own.

A browser sends the session cookie with every request, so that alone says nothing: only a request
with the proof of our own pages, `X-CSRF-Token`, and without a key is one of a login.
"""

from collections.abc import Callable
from typing import Final

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from interlock.errors import InterlockError
from interlock.gateway.http import CALLER, LOGIN_PROOF
from interlock.identity.gate import Gate
from interlock.identity.principal import Principal

_OF_KEYS: Final = frozenset({b"authorization", b"x-api-key"})


def is_of_login(scope: Scope) -> bool:
    """Tell whether a request is a login's, and not a key's."""
    names = {name for name, _ in scope["headers"]}
    return LOGIN_PROOF in names and not names & _OF_KEYS


class SignedIn:
    """The MCP endpoints for logins: finds out whose each request is, and lets `endpoints` serve."""

    def __init__(self, endpoints: ASGIApp, gate: Gate) -> None:
        self._endpoints = endpoints
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; one whose login does not hold is refused there, and recorded."""
        scope[CALLER] = await self._caller(Request(scope))
        await self._endpoints(scope, receive, send)

    async def _caller(self, request: Request) -> Callable[[], Principal]:
        try:
            principal = await self._gate.proven(request)
        except InterlockError as fault:
            refusal = fault

            def refuse() -> Principal:
                raise refusal

            return refuse
        return lambda: principal
