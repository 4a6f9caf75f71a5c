"""What a further process of a gateway serves: MCP endpoints itself, all else through the keeper."""

import asyncio
from contextlib import AsyncExitStack
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from interlock import __version__
from interlock.app.control import error_response
from interlock.app.data_plane import DataPlane, open_data_plane
from interlock.app.door import Door
from interlock.app.following import Following
from interlock.app.front import front, handover_to
from interlock.app.ground import join_ground
from interlock.app.observation import observe
from interlock.app.sockets import Doors
from interlock.errors import InterlockError, Unavailable
from interlock.gateway.fast_lane import FastLane
from interlock.gateway.handover import KEEPER
from interlock.gateway.http import ClientGone, headers_of, read_body, send_body
from interlock.gateway.perimeter import is_loopback
from interlock.gateway.relay import Relay
from interlock.protocol.json import dumps
from interlock.settings import Settings

FOLLOW_DEADLINE: Final = 45.0  # seconds


class WorkerProgram:
    """One worker as an ASGI application; `open` it before serving, `close` it after.

    `door` is what the other processes reach of it.
    """

    def __init__(self, settings: Settings, doors: Doors, number: int) -> None:
        self._settings = settings
        self._doors = doors
        self._number = number
        self._relay = Relay(number, doors.paths)
        self._stack = AsyncExitStack()
        self._plane: DataPlane | None = None
        self._app: ASGIApp | None = None
        self.door = Door(self)

    async def open(self) -> None:
        """Build everything, and be as the keeper is. Raises InterlockError, TimeoutError."""
        settings, stack = self._settings, self._stack
        stack.push_async_callback(self._relay.close)
        ground = await join_ground(settings, self._number, stack)
        following = Following(self._number, self._relay)
        handover = handover_to(self._doors, self._number, self._relay, ground)
        plane = await open_data_plane(settings, ground, stack, handover, following.host)
        plane.registry.allow_open = is_loopback(settings.host)
        await plane.registry.start()
        stack.push_async_callback(following.close)
        async with asyncio.timeout(FOLLOW_DEADLINE):
            await following.start(plane.registry, ground.keys, plane.changes)
        self._plane = plane
        self.door.metrics = observe(self._number, plane, ground, stack).families
        self._app = front(settings, plane, self._rest)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._app is None:
            raise Unavailable("Interlock is not open yet.")
        await self._app(scope, receive, send)

    async def _rest(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["path"] == "/healthz":
            await send_body(send, HTTPStatus.OK, dumps({"status": "ok", "version": __version__}))
            return
        try:
            body = await read_body(headers_of(scope), receive, self._settings.gateway.max_body)
            await self._relay.send(KEEPER, scope, body, receive, send)
        except InterlockError as fault:
            await error_response(scope, fault)(scope, receive, send)
        except ClientGone:
            return

    @property
    def lane(self) -> FastLane | None:
        """The fast lane, once the program is open."""
        return self._plane.lane if self._plane is not None else None

    def end_streams(self) -> None:
        """Let every open stream end, before a shutdown waits for what is under way."""
        if self._plane is not None:
            self._plane.end_streams()

    async def close(self) -> None:
        """Stop everything, in the reverse order of its start."""
        await self._stack.aclose()
