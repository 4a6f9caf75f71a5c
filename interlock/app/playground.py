"""The console's own door to a project's MCP endpoint: a person who is signed in calls as themself.

The body is what any client of the modern era posts to `/mcp/{project}`; the call takes the same path
and leaves the same record. Only the credential differs: the session cookie with its CSRF token, or
an API key as everywhere in the control API.
"""

import re
from typing import Final
from urllib.parse import unquote

from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from interlock.app.control import error_response
from interlock.errors import InterlockError
from interlock.gateway.entry import CALLER
from interlock.gateway.streamable_http import StreamableHTTP
from interlock.identity.gate import Gate
from interlock.identity.principal import Role

_PATH: Final = re.compile(r"/api/v1/projects/(?P<project>[^/]+)/playground")


class Playground:
    """Serves POST of the playground's path."""

    def __init__(self, gate: Gate, endpoint: StreamableHTTP) -> None:
        self._ask = gate.project(Role.DEVELOPER, limited=True)
        self._endpoint = endpoint

    def serves(self, scope: Scope) -> bool:
        """Tell whether a request is for the playground."""
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        return is_post and _PATH.fullmatch(scope["path"]) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a call in, if its caller may use the project."""
        found = _PATH.fullmatch(scope["path"])
        project = unquote(found["project"]) if found is not None else ""
        try:
            access = await self._ask(Request(scope), project)
        except InterlockError as fault:
            await error_response(scope, fault)(scope, receive, send)
            return
        scope[CALLER] = access.principal
        await self._endpoint(scope, receive, send, (access.project.name, None))
