"""The server of the port, in every process of the gateway: uvicorn with our guards and our end."""

import asyncio
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Protocol, cast

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from interlock.gateway.fast_lane import FastLane
from interlock.gateway.listener import guarded_protocol
from interlock.gateway.passing import Passage
from interlock.settings import GatewaySettings

DRAIN_SECONDS = 30
# Longer than clients keep a quiet connection (httpx 5 s, browsers a minute): who closes first while
# the other sends makes a request fail that cannot be sent again safely.
KEEP_ALIVE_SECONDS = 75
BACKLOG = 2048


class Served(Protocol):
    """An ASGI application whose open streams can be ended."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send, /) -> None:
        """Serve one request."""
        ...

    @property
    def lane(self) -> FastLane | None:
        """The fast lane, once the application is open."""
        ...

    def begin(self) -> None:
        """Take note that calls are taken: what they need not wait for can begin."""
        ...

    def end_streams(self) -> None:
        """Let every open stream end, before a shutdown waits for what is under way."""
        ...


class GatewayServer(uvicorn.Server):
    """Ends our streams before it waits for requests under way, and says when it listens.

    `ending` is called when the end begins; by the `passage` come connections that another process
    accepted. A signal ends the serving, not the process: what has to
    be closed after it is closed in order.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        program: Served,
        ready: Callable[[], None],
        ending: Callable[[], None] | None = None,
        passage: Passage | None = None,
    ) -> None:
        super().__init__(config)
        self._program = program
        self._ready = ready
        self._ending = ending
        self._passage = passage

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Let signals end the serving, for as long as the block runs."""
        with super().capture_signals():
            yield
            # uvicorn would send them to us again, which ends a process before it has closed.
            self._captured_signals.clear()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        if self._passage is not None:
            self._passage.listen(self._protocol)
        self._ready()
        self._program.begin()

    def _protocol(self) -> asyncio.Protocol:
        make = cast("Callable[..., asyncio.Protocol]", self.config.http_protocol_class)
        return make(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening and let what is under way finish."""
        if self._passage is not None:
            self._passage.close()
        self._program.end_streams()
        if self._ending is not None:
            self._ending()
        await super().shutdown(sockets)

    def abandon(self) -> None:
        """End without waiting for what is under way."""
        self.handle_exit(signal.SIGTERM, None)
        self.force_exit = True


def uvicorn_config(
    settings: GatewaySettings, program: Served, passage: Passage | None = None
) -> uvicorn.Config:
    """Return how the port is served."""
    protocol = guarded_protocol(settings, program.lane, passage)
    return config_of(program, protocol, keep_alive=KEEP_ALIVE_SECONDS)


def config_of(
    app: Any, protocol: type[HttpToolsProtocol], *, keep_alive: int, is_dated: bool = True
) -> uvicorn.Config:
    """Return how uvicorn serves a socket of ours; `keep_alive` in seconds, with a date or without."""
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=is_dated,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_keep_alive=keep_alive,
        backlog=BACKLOG,
    )
