"""A stream that is left to its connection: all that is sent arrives, and its end is known."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from interlock.gateway.http import SSE_HEADERS, Receive, Scope, Send
from interlock.gateway.listener import guarded_protocol
from interlock.gateway.quiet import CLOSE, HOLD, MAX_STRAY
from interlock.gateway.streams import Stream, StreamEvent
from interlock.protocol.sse import KEEP_ALIVE
from interlock.settings import GatewaySettings

DEADLINE = 60.0  # seconds; the machine may be slow
REQUEST = b"GET /%s HTTP/1.1\r\nhost: x\r\n\r\n"
END = b"0\r\n\r\n"
MIB = 1 << 20


class Held:
    """A stream as its endpoint knows it; `ends` are how it was over, each time."""

    def __init__(self, stream: Stream, after: int = 0) -> None:
        self.stream = stream
        self.after = after
        self.ends: list[bool] = []
        self.is_over = asyncio.Event()

    def part(self, event: StreamEvent, /) -> bytes:
        return b"<%b>" % event.data

    def over(self, *, is_complete: bool) -> None:
        self.ends.append(is_complete)
        self.is_over.set()


class App:
    """Answers every request with the one stream; keeps what it was told of each."""

    def __init__(self) -> None:
        self.stream = Stream("s", is_resumable=True)
        self.helds: list[Held] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [*SSE_HEADERS, CLOSE]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        held = Held(self.stream, self.stream.delivered)
        self.helds.append(held)
        assert scope[HOLD](held)


class Listener:
    """A client that listens."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def until(self, mark: bytes) -> bytes:
        async with asyncio.timeout(DEADLINE):
            return await self._reader.readuntil(mark)

    async def rest(self) -> bytes:
        async with asyncio.timeout(DEADLINE):
            return await self._reader.read()


class Front:
    """A running server, and its one stream."""

    def __init__(self, app: App, server: uvicorn.Server, port: int) -> None:
        self.app = app
        self.server = server
        self._port = port
        self.listeners: list[Listener] = []

    async def listen(self) -> Listener:
        """Open a connection that hears the stream, and read the head of the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port, limit=4 * MIB)
        listener = Listener(reader, writer)
        self.listeners.append(listener)
        writer.write(REQUEST % b"stream")
        head = await listener.until(b"\r\n\r\n")
        assert b"connection: close\r\n" in head
        return listener

    async def over(self, number: int = 0) -> list[bool]:
        """Wait until a stream is over; return how."""
        held = self.app.helds[number]
        async with asyncio.timeout(DEADLINE):
            await held.is_over.wait()
        return held.ends


@asynccontextmanager
async def front(keep_alive: float = DEADLINE) -> AsyncIterator[Front]:
    app = App()
    config = uvicorn.Config(
        app,
        http=guarded_protocol(GatewaySettings(keep_alive=keep_alive)),
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with asyncio.timeout(DEADLINE):
            running = asyncio.create_task(server.serve([listener]))
            found = Front(app, server, listener.getsockname()[1])
            try:
                yield found
            finally:
                app.stream.end()
                for each in found.listeners:
                    each.writer.close()
                server.should_exit = True
                await running


async def test_what_is_sent_before_and_after_a_client_listens_arrives_in_order() -> None:
    async with front() as on:
        on.app.stream.send({"n": 1})
        listener = await on.listen()
        on.app.stream.send({"n": 2})
        on.app.stream.end()

        assert await listener.rest() == b'9\r\n<{"n":1}>\r\n9\r\n<{"n":2}>\r\n' + END
        assert await on.over() == [True]
        assert on.app.stream.delivered == 2


async def test_a_quiet_stream_holds_no_task() -> None:
    async with front() as on:
        tasks = asyncio.all_tasks()
        await on.listen()
        await on.listen()

        assert asyncio.all_tasks() <= tasks


async def test_a_quiet_stream_is_commented_again_and_again() -> None:
    async with front(keep_alive=0.1) as on:
        listener = await on.listen()
        for _ in range(3):
            await listener.until(b"%x\r\n%b\r\n" % (len(KEEP_ALIVE), KEEP_ALIVE))
        on.app.stream.send({"n": 1})

        assert b'<{"n":1}>' in await listener.until(b"}>")


async def test_a_client_that_leaves_is_noticed_and_its_stream_kept_for_the_next() -> None:
    async with front() as on:
        listener = await on.listen()
        listener.writer.close()

        assert await on.over() == [False]
        assert not on.app.stream.is_followed
        on.app.stream.send({"n": 1})
        assert b'<{"n":1}>' in await (await on.listen()).until(b"}>")


async def test_a_newer_listener_ends_the_older_one() -> None:
    async with front() as on:
        older = await on.listen()
        newer = await on.listen()

        assert await older.rest() == END
        assert await on.over(0) == [True]
        on.app.stream.send({"n": 1})
        assert b'<{"n":1}>' in await newer.until(b"}>")
        assert on.app.helds[1].ends == []


async def test_a_listener_that_sends_a_flood_is_let_go_and_a_little_more_is_borne() -> None:
    async with front() as on:
        listener = await on.listen()
        listener.writer.write(b"x" * 1000)
        on.app.stream.send({"n": 1})
        assert b'<{"n":1}>' in await listener.until(b"}>")
        listener.writer.write(b"x" * MAX_STRAY)

        assert await on.over() == [False]


async def test_a_listener_that_reads_nothing_is_let_go_after_two_comments_were_due() -> None:
    async with front(keep_alive=0.2) as on:
        await on.listen()
        for _ in range(64):
            on.app.stream.send({"x": "y" * MIB})

        assert await on.over() == [False]
        # It was sent what its system took, and the rest is not in memory twice.
        assert on.app.stream.delivered < 64


async def test_a_listener_that_reads_late_hears_all() -> None:
    async with front() as on:
        listener = await on.listen()
        for _ in range(16):
            on.app.stream.send({"x": "y" * MIB})
        on.app.stream.end()
        heard = await listener.rest()

        assert heard.count(b"y") == 16 * MIB
        assert heard.endswith(END)
        assert await on.over() == [True]


async def test_a_server_that_stops_waits_for_no_listener_that_does_not_read() -> None:
    async with front() as on:
        await on.listen()
        for _ in range(64):
            on.app.stream.send({"x": "y" * MIB})
        on.app.stream.end()
        on.server.should_exit = True

        assert await on.over() == [False]
