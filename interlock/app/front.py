"""What every process of the gateway puts before its parts: perimeter, MCP endpoints, the others."""

from contextlib import AsyncExitStack

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from interlock.app.data_plane import DataPlane
from interlock.app.ground import Ground
from interlock.app.signed_in import is_of_login
from interlock.app.sockets import Doors
from interlock.errors import Unavailable
from interlock.gateway.fast_lane import FastLane
from interlock.gateway.handover import Handover
from interlock.gateway.perimeter import Perimeter, allowed_hosts
from interlock.gateway.relay import Relay
from interlock.settings import Settings

_LOOPBACK_ORIGIN = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"


class Process:
    """One process of the gateway as an ASGI application: what keeper and workers have in common.

    A subclass opens it: then there are a data plane and an application.
    """

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._plane: DataPlane | None = None
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._app is None:
            raise Unavailable("Interlock is not open yet.")
        await self._app(scope, receive, send)

    @property
    def lane(self) -> FastLane | None:
        """The fast lane, once the process is open."""
        return self._plane.lane if self._plane is not None else None

    def begin(self) -> None:
        """Take note that calls are taken: what they need not wait for can begin."""

    def end_streams(self) -> None:
        """Let every open stream end, before a shutdown waits for what is under way."""
        if self._plane is not None:
            self._plane.end_streams()

    async def close(self) -> None:
        """Stop everything, in the reverse order of its start."""
        await self._stack.aclose()


def front(settings: Settings, plane: DataPlane, rest: ASGIApp) -> ASGIApp:
    """Return the application: the MCP endpoints, and `rest` for other paths and for logins."""
    mcp = CORSMiddleware(
        plane.endpoints,
        allow_origin_regex=_LOOPBACK_ORIGIN if plane.registry.allow_open else None,
        allow_origins=[f"https://{host}" for host in settings.allowed_hosts],
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"],
        expose_headers=["Mcp-Session-Id", "X-Request-Id"],
    )

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        is_mcp = scope["type"] == "http" and plane.endpoints.is_ours(scope["path"])
        # Logins are known to the control API alone.
        if is_mcp and not is_of_login(scope):
            await mcp(scope, receive, send)
        else:
            await rest(scope, receive, send)

    hosts = allowed_hosts(settings.host, settings.public_url, settings.allowed_hosts)
    return Perimeter(app, hosts)


def handover_to(doors: Doors, number: int, relay: Relay, ground: Ground) -> Handover:
    """Return what the process `number` knows of the others behind `doors`."""
    # Another gateway behind this one has states of the same form, but another tag.
    tag = ground.vault.keyed_hash("request-state mark", b"").hex()[:8]
    return Handover(number, doors.count, tag=tag, relay=relay)
