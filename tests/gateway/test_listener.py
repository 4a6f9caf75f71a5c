"""The socket's guard, in front of a real server: what drips, stalls or swells is refused."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from interlock.gateway.http import Receive, Scope, Send, read_body, send_body
from interlock.gateway.listener import MAX_HEAD, guarded_protocol
from interlock.settings import GatewaySettings

DEADLINE = 60.0  # seconds; the machine may be slow
LIMIT = 1 << 20
REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


class App:
    """Answers with the length of what it got; `/hold` waits until the test lets it go on."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.holding = asyncio.Event()
        self.released = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.paths.append(scope["path"])
        body = await read_body({}, receive, LIMIT)
        if scope["path"] == "/hold":
            self.holding.set()
            await self.released.wait()
        text = b"%s %d" % (scope["path"].encode(), len(body))
        await send_body(send, 200, text, [(b"content-type", b"text/plain")])


class Wire:
    """One connection, byte for byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        """Return the status and body of the next answer; 0 where the connection ended instead."""
        try:
            head = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return 0, b""
        fields = head.lower().split(b"\r\n")
        length = next(int(field[15:]) for field in fields if field.startswith(b"content-length:"))
        return int(head.split(b" ")[1]), await self._reader.readexactly(length)

    async def is_closed(self) -> bool:
        """Wait for the end of the connection; False where the server sends on."""
        try:
            return await self._reader.read(1) == b""
        except ConnectionError:
            return True


class Front:
    """A running server, and the connections to it."""

    def __init__(self, app: App, port: int) -> None:
        self.app = app
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> Wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers.append(writer)
        return Wire(reader, writer)

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
        await asyncio.gather(
            *(each.wait_closed() for each in self._writers), return_exceptions=True
        )


@asynccontextmanager
async def front(
    header_timeout: float = DEADLINE, body_timeout: float = DEADLINE
) -> AsyncIterator[Front]:
    settings = GatewaySettings(header_timeout=header_timeout, body_timeout=body_timeout)
    app = App()
    config = uvicorn.Config(
        app,
        http=guarded_protocol(settings),
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with asyncio.timeout(DEADLINE):
            running = asyncio.create_task(server.serve([listener]))
            running_front = Front(app, listener.getsockname()[1])
            try:
                yield running_front
            finally:
                app.released.set()
                await running_front.close()
                server.should_exit = True
                await running


async def drip(wire: Wire, piece: bytes, ended: asyncio.Event) -> None:
    """Send a byte now and then until the server has had enough."""
    while not ended.is_set():
        try:
            await wire.send(piece)
        except ConnectionError:
            return
        await asyncio.sleep(0.05)


async def answer_while_dripping(wire: Wire, piece: bytes) -> tuple[int, bytes]:
    ended = asyncio.Event()
    dripping = asyncio.create_task(drip(wire, piece, ended))
    try:
        return await wire.answer()
    finally:
        ended.set()
        await dripping


async def test_headers_that_drip_are_refused_at_the_deadline() -> None:
    async with front(header_timeout=0.5) as served:
        wire = await served.connect()
        await wire.send(b"GET / HTTP/1.1\r\nx: ")

        status, body = await answer_while_dripping(wire, b"a")

        assert (status, body) == (408, b"The headers were not complete in time.")
        assert await wire.is_closed()
        assert served.app.paths == []


async def test_a_connection_that_says_nothing_is_refused_at_the_deadline() -> None:
    async with front(header_timeout=0.3) as served:
        wire = await served.connect()

        status, _ = await wire.answer()

        assert status == 408
        assert await wire.is_closed()


async def test_the_headers_of_a_later_request_have_a_deadline_too() -> None:
    async with front(header_timeout=0.5) as served:
        wire = await served.connect()
        await wire.send(REQUEST)
        assert await wire.answer() == (200, b"/ 0")

        await wire.send(b"GET /again HTTP/1.1\r\nx: ")
        status, _ = await answer_while_dripping(wire, b"a")

        assert status == 408
        assert served.app.paths == ["/"]


async def test_a_body_without_progress_is_refused_at_the_deadline() -> None:
    async with front(body_timeout=0.3) as served:
        wire = await served.connect()
        await wire.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n12345")

        status, body = await wire.answer()

        assert (status, body) == (408, b"The body made no progress in time.")
        assert await wire.is_closed()


async def test_a_chunked_body_without_progress_is_refused_at_the_deadline() -> None:
    async with front(body_timeout=0.3) as served:
        wire = await served.connect()
        head = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        await wire.send(head + b"5\r\n12345\r\n")

        assert (await wire.answer())[0] == 408


async def test_progress_keeps_a_body_alive_beyond_the_deadline() -> None:
    async with front(body_timeout=2.0) as served:
        wire = await served.connect()
        await wire.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 25\r\n\r\n")

        for _ in range(25):
            await asyncio.sleep(0.1)
            await wire.send(b"x")

        assert await wire.answer() == (200, b"/ 25")


async def test_an_answer_may_take_longer_than_any_deadline() -> None:
    async with front(header_timeout=0.2, body_timeout=0.2) as served:
        wire = await served.connect()
        await wire.send(b"POST /hold HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nok")
        await served.app.holding.wait()

        await asyncio.sleep(0.6)
        served.app.released.set()

        assert await wire.answer() == (200, b"/hold 2")


async def test_many_requests_follow_each_other_on_one_connection() -> None:
    async with front(header_timeout=30.0, body_timeout=30.0) as served:
        wire = await served.connect()
        for number in range(50):
            body = b"x" * number
            await wire.send(
                b"POST /%d HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (number, number)
            )
            await wire.send(body)
            assert await wire.answer() == (200, b"/%d %d" % (number, number))


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with front() as served:
        wire = await served.connect()
        requests = [
            b"POST /%d HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc" % number
            for number in range(5)
        ]

        await wire.send(b"".join(requests))

        answers = [await wire.answer() for _ in requests]
        assert answers == [(200, b"/%d 3" % number) for number in range(5)]


async def test_a_pipelined_request_that_drips_does_not_end_the_call_before_it() -> None:
    async with front(header_timeout=0.2, body_timeout=0.2) as served:
        wire = await served.connect()
        await wire.send(b"GET /hold HTTP/1.1\r\nhost: x\r\n\r\nGET /next HTTP/1.1\r\nx: ")
        await served.app.holding.wait()
        await wire.send(b"a")

        await asyncio.sleep(0.6)
        served.app.released.set()

        assert await wire.answer() == (200, b"/hold 0")
        assert (await wire.answer())[0] in {0, 408}
        assert served.app.paths == ["/hold"]


async def test_a_pipelined_body_that_waits_for_its_turn_is_not_late() -> None:
    async with front(header_timeout=0.2, body_timeout=0.2) as served:
        wire = await served.connect()
        await wire.send(b"GET /hold HTTP/1.1\r\nhost: x\r\n\r\n")
        await served.app.holding.wait()
        await wire.send(b"POST /next HTTP/1.1\r\nhost: x\r\ncontent-length: 6\r\n\r\nabc")

        await asyncio.sleep(0.6)
        await wire.send(b"def")
        served.app.released.set()

        assert await wire.answer() == (200, b"/hold 0")
        assert await wire.answer() == (200, b"/next 6")


async def test_headers_of_ordinary_size_pass_and_huge_ones_are_refused() -> None:
    async with front() as served:
        wire = await served.connect()
        await wire.send(
            b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"a" * (MAX_HEAD - 1000) + b"\r\n\r\n"
        )
        assert await wire.answer() == (200, b"/ 0")

        await wire.send(b"GET /big HTTP/1.1\r\nhost: x\r\nx: " + b"a" * MAX_HEAD + b"\r\n\r\n")

        assert await wire.answer() == (431, b"The headers are too large.")
        assert await wire.is_closed()
        assert served.app.paths == ["/"]


async def test_huge_headers_are_refused_however_they_are_cut() -> None:
    many = b"".join(b"x-%d: %s\r\n" % (number, b"a" * 100) for number in range(1000))
    async with front() as served:
        for head in (
            b"GET / HTTP/1.1\r\nx: " + b"a" * (4 * MAX_HEAD),
            b"GET / HTTP/1.1\r\n" + many,
        ):
            wire = await served.connect()
            for start in range(0, len(head), 5000):
                try:
                    await wire.send(head[start : start + 5000])
                except ConnectionError:
                    break
            # What is sent after the refusal may make the system drop the refusal itself.
            assert (await wire.answer())[0] in {431, 0}
        assert served.app.paths == []


async def test_a_huge_url_is_refused_like_a_huge_header() -> None:
    async with front() as served:
        wire = await served.connect()

        await wire.send(b"GET /" + b"a" * MAX_HEAD + b" HTTP/1.1\r\nhost: x\r\n\r\n")

        assert (await wire.answer())[0] == 431
        assert served.app.paths == []


async def test_no_request_behind_huge_headers_is_served() -> None:
    async with front() as served:
        wire = await served.connect()
        huge = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nx: %s\r\n\r\nabc"

        await wire.send(huge % (b"a" * MAX_HEAD) + REQUEST)

        assert (await wire.answer())[0] == 431
        assert await wire.is_closed()
        assert served.app.paths == []


async def test_a_large_body_in_one_piece_with_its_headers_is_no_large_header() -> None:
    async with front() as served:
        wire = await served.connect()
        head = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (4 * MAX_HEAD)

        for _ in range(2):
            await wire.send(head + b"x" * (4 * MAX_HEAD))
            assert await wire.answer() == (200, b"/ %d" % (4 * MAX_HEAD))


async def test_what_is_not_http_is_refused() -> None:
    async with front() as served:
        wire = await served.connect()

        await wire.send(b"\x16\x03\x01\x02\x00\x01\x00")

        assert (await wire.answer())[0] == 400
        assert served.app.paths == []


async def test_a_client_that_leaves_in_the_middle_of_its_headers_leaves_nothing() -> None:
    async with front(header_timeout=0.2) as served:
        wire = await served.connect()
        await wire.send(b"GET / HT")
        await served.close()
        other = await served.connect()

        await other.send(REQUEST)

        assert await other.answer() == (200, b"/ 0")
