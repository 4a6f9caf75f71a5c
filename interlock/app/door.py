"""The door of a process: its Unix socket, where the other processes of the gateway hand requests in.

Only the user that runs the gateway can open the socket. The keeper's door has a few paths of its
own, `/-/…`, that the port does not know; every door tells the numbers of its process.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing, asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from interlock.app.bulletin import Bulletin
from interlock.app.echo import Echo
from interlock.app.listening import config_of
from interlock.app.live import News
from interlock.gateway.http import Receive, Scope, Send, read_body, send_body, send_part, until_gone
from interlock.gateway.listener import guarded_protocol
from interlock.gateway.relay import DOOR_KEEP_ALIVE, HANDED_OVER, received
from interlock.protocol.json import JSONObject, dumps, loads
from interlock.registry.registry import Registry
from interlock.settings import GatewaySettings
from interlock.telemetry.families import Family

BULLETIN: Final = "/-/bulletin/"
HEARD: Final = "/-/heard"
MEET: Final = "/-/meet"
CHANGED: Final = "/-/changed"
WRITTEN: Final = "/-/written"
METRICS: Final = "/-/metrics"
_MAX_BODY: Final = 1024 * 1024  # bytes of what processes tell one another


class Door:
    """The application as other processes reach it, with who really calls put back in its place.

    `metrics` returns the numbers of this process.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.metrics: Callable[[], list[Family]] = list
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        scope = received(scope)
        if HANDED_OVER in scope or not await self._told(scope["path"], receive, send):
            # What a client wants is a client's request, whatever its path.
            await self._app(scope, receive, send)

    async def _told(self, path: str, receive: Receive, send: Send) -> bool:
        """Answer another process where it asks this one for itself; False where it does not."""
        if path != METRICS:
            return False
        body = dumps({"families": [each.document() for each in self.metrics()]})
        await send_body(send, HTTPStatus.OK, body)
        return True


class KeeperDoor(Door):
    """The keeper's door: the bulletin, what workers answer to it, and what happened at them."""

    def __init__(
        self, app: ASGIApp, bulletin: Bulletin, echo: Echo, registry: Registry, news: News
    ) -> None:
        super().__init__(app)
        self._bulletin = bulletin
        self._echo = echo
        self._registry = registry
        self._news = news

    async def _told(self, path: str, receive: Receive, send: Send) -> bool:
        if path.startswith(BULLETIN):
            await self._tell(int(path.removeprefix(BULLETIN)), receive, send)
        elif path in {HEARD, MEET, CHANGED, WRITTEN}:
            self._hear(path, loads(await read_body({}, receive, _MAX_BODY)))
            await send_body(send, HTTPStatus.NO_CONTENT, b"", ())
        else:
            return await super()._told(path, receive, send)
        return True

    def _hear(self, path: str, said: JSONObject) -> None:
        if path == HEARD:
            self._bulletin.heard(said["worker"], said["number"])
        elif path == MEET:
            self._registry.meet(said["project"], said["mark"], said["capabilities"])
        elif path == WRITTEN:
            self._news.written(said["projects"])
        else:
            self._bulletin.tell(said["change"], said["worker"])
            self._echo.heard(said["change"])

    async def _tell(self, worker: int, receive: Receive, send: Send) -> None:
        async def lines() -> None:
            await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": ()})
            async with aclosing(self._bulletin.follow(worker)) as bulletin:
                async for line in bulletin:
                    await send_part(send, line)
            await send({"type": "http.response.body", "body": b""})

        await until_gone(receive, lines())


class _DoorServer(uvicorn.Server):
    """Leaves the signals of the process to the server of the port."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_open = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_open.set()


@asynccontextmanager
async def open_door(
    app: ASGIApp, listening: socket.socket, settings: GatewaySettings
) -> AsyncGenerator[None]:
    """Serve `app` at a door while the block runs; at its end what is under way is let finish."""
    protocol = guarded_protocol(settings)
    # The date is that of the process that the client speaks to.
    config = config_of(app, protocol, keep_alive=DOOR_KEEP_ALIVE, is_dated=False)
    server = _DoorServer(config)
    serving = asyncio.create_task(server.serve([listening]), name="door")
    opened = asyncio.create_task(server.is_open.wait())
    try:
        await asyncio.wait({serving, opened}, return_when=asyncio.FIRST_COMPLETED)
        yield
    finally:
        opened.cancel()
        server.should_exit = True
        await serving
