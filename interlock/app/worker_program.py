"""What a further process of a gateway serves: MCP endpoints itself, all else through the keeper."""

import asyncio
from http import HTTPStatus
from typing import Final

from starlette.types import Receive, Scope, Send

from interlock import __version__
from interlock.app.data_plane import open_data_plane
from interlock.app.door import Door
from interlock.app.following import Following
from interlock.app.front import Process, front, handover_to
from interlock.app.ground import join_ground
from interlock.app.observation import observe
from interlock.app.refusals import error_response
from interlock.app.sockets import Doors
from interlock.app.strict_body import Admit, admission, refused
from interlock.errors import InterlockError
from interlock.gateway.handover import KEEPER
from interlock.gateway.http import ClientGone, headers_of, read_body, send_body
from interlock.gateway.perimeter import is_loopback
from interlock.gateway.relay import Relay
from interlock.protocol.json import dumps
from interlock.settings import Settings

FOLLOW_DEADLINE: Final = 45.0  # seconds


class WorkerProgram(Process):
    """One worker as an ASGI application; `open` it before serving, `close` it after.

    `door` is what the other processes reach of it.
    """

    def __init__(self, settings: Settings, doors: Doors, number: int) -> None:
        super().__init__()
        self._settings = settings
        self._doors = doors
        self._number = number
        self._relay = Relay(number, doors.paths)
        self.door = Door(self)
        self._admit: Admit | None = None

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
        ground.writer.on_written = following.written
        gate, _ = ground.gate(settings, allow_open=plane.registry.allow_open)
        self._admit = admission(gate)
        self._plane = plane
        self.door.metrics = observe(self._number, plane, ground, stack).families
        self._app = front(settings, plane, self._rest)

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
            refusal = await refused(scope, fault, self._admit)
            await error_response(scope, refusal)(scope, receive, send)
        except ClientGone:
            return
