"""Which path is which endpoint: the MCP paths, and the source documents' own as aliases."""

import re
from collections.abc import Callable
from urllib.parse import quote

from interlock.gateway.http import NAMED_SERVER, Receive, Scope, Send
from interlock.gateway.legacy_sse import LegacySSE, Place
from interlock.gateway.streamable_http import StreamableHTTP

RESERVED = frozenset({"request", "invoke", "dispatch"})

_MCP = re.compile(r"/mcp/(?P<project>[^/]+)(?:/(?P<server>[^/]+))?/?")
_SSE = re.compile(r"/sse/(?P<project>[^/]+)(?:/(?P<server>[^/]+))?(?P<messages>/-/messages)?/?")
_UNIFIED = re.compile(
    r"/projects/(?P<project>[^/]+)/(?:unified|servers/(?P<server>[^/]+))/"
    r"(?:(?P<sse>sse)|(?P<messages>messages)|mcp)/?"
)
_PROXY = re.compile(
    r"/api/proxy/mcp/(?P<server>[^/]+)/(?:(?P<sse>sse)|(?P<messages>messages)|mcp)/?"
)


class Endpoints:
    """Sends a request for an MCP endpoint on its way.

    `place_of` finds the project of a server that is named by its id alone; for one that is unknown
    it returns a place that does not exist, so that nobody learns more without a key.
    """

    def __init__(
        self, http: StreamableHTTP, sse: LegacySSE, place_of: Callable[[str], Place]
    ) -> None:
        self.http = http
        self._sse = sse
        self._place_of = place_of

    def end_streams(self) -> None:
        """Let the streams of the older transport end, those without a session too."""
        self._sse.close()

    def is_ours(self, path: str) -> bool:
        """Tell whether a path is an MCP endpoint's."""
        mcp = _MCP.fullmatch(path)
        if mcp is not None:
            return mcp["project"] not in RESERVED
        return any(pattern.fullmatch(path) for pattern in (_SSE, _UNIFIED, _PROXY))

    def http_place(self, path: str) -> Place | None:
        """Return the place of a Streamable HTTP endpoint by its main path; None for all others."""
        found = _MCP.fullmatch(path)
        return _place(found) if found is not None and found["project"] not in RESERVED else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request whose path is ours."""
        path: str = scope["path"]
        found = _MCP.fullmatch(path)
        if found is not None:
            await self.http(scope, receive, send, _place(found))
            return
        found = _SSE.fullmatch(path)
        if found is not None:
            base = path.removesuffix("/")
            await self._legacy(scope, receive, send, _place(found), found, f"{base}/-/messages")
            return
        found = _UNIFIED.fullmatch(path)
        if found is not None:
            await self._alias(scope, receive, send, _place(found), found)
            return
        found = _PROXY.fullmatch(path)
        if found is not None:
            named = {**scope, NAMED_SERVER: found["server"]}
            await self._alias(named, receive, send, self._place_of(found["server"]), found)

    async def _alias(
        self, scope: Scope, receive: Receive, send: Send, place: Place, found: re.Match[str]
    ) -> None:
        if found["sse"] is None and found["messages"] is None:
            await self.http(scope, receive, send, place)
            return
        base = scope["path"].removesuffix("/").rpartition("/")[0]
        await self._legacy(scope, receive, send, place, found, f"{base}/messages")

    async def _legacy(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        place: Place,
        found: re.Match[str],
        messages: str,
    ) -> None:
        if found["messages"] is not None:
            await self._sse.message(scope, receive, send, place)
        else:
            path = quote(messages, safe="/")
            await self._sse.stream(
                scope, receive, send, place, lambda marker: f"{path}?session_id={marker}"
            )


def _place(found: re.Match[str]) -> Place:
    return found["project"], found["server"]
