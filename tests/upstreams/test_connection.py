"""Answers as they arrive on one connection: odd, slow, broken, cancelled."""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import cast

import pytest

from interlock.errors import InterlockError, TooLarge, UpstreamFailed
from interlock.upstreams.connection import MAX_BUFFERED, MAX_HEAD, Connection
from interlock.upstreams.response import ConnectionFailed, HTTPResponse
from tests.upstreams.raw_server import (
    ENDLESS,
    LIMIT,
    OK,
    Peer,
    always,
    fetch,
    once,
    serving,
    watching,
)


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK, b"ok"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b""),
        (ENDLESS + b"4;ext=1\r\n two\r\n0\r\nX-Trailer: 1\r\n\r\n", b"one two"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + OK, b"ok"),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    ],
)
async def test_an_answer_is_read_to_its_end_and_its_connection_kept(
    answer: bytes, body: bytes
) -> None:
    async with serving(always(answer)) as (server, client):
        for _ in range(3):
            assert await fetch(client, server.url) == body
        assert server.connections == 1


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nto the end", b"to the end"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nraw", b"raw"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", b"ok"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    ],
)
async def test_an_answer_that_ends_its_connection_is_read_whole(answer: bytes, body: bytes) -> None:
    async with serving(once(answer)) as (server, client):
        for _ in range(2):
            assert await fetch(client, server.url) == body
        assert server.connections == 2


async def test_an_answer_may_arrive_byte_by_byte() -> None:
    async def script(peer: Peer) -> None:
        while await peer.request():
            for byte in ENDLESS + b"0\r\n\r\n":
                await peer.send(bytes([byte]))
                await asyncio.sleep(0)

    async with serving(script) as (server, client):
        assert await fetch(client, server.url) == b"one"
        assert await fetch(client, server.url) == b"one"
        assert server.connections == 1


async def test_the_answer_to_head_has_no_body() -> None:
    async def script(peer: Peer) -> None:
        while request := await peer.request():
            is_head = request.startswith(b"HEAD")
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" if is_head else OK)

    async with serving(script) as (server, client):
        response = await client.request("HEAD", server.url)
        assert response.headers["content-length"] == "500"
        assert await response.read(LIMIT) == b""
        assert await fetch(client, server.url) == b"ok"


async def test_the_headers_of_an_interim_answer_are_forgotten() -> None:
    async with serving(always(b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + OK)) as (server, client):
        response = await client.request("GET", server.url)
        assert response.status == 200
        assert response.headers == {"content-length": "2"}
        assert await response.read(LIMIT) == b"ok"


async def test_header_names_are_lower_case_and_repeated_values_joined() -> None:
    answer = b"HTTP/1.1 200 OK\r\nX-One: a \r\nx-one: b\r\nEmpty:\r\nX-One: \xe9\r\n" + OK[17:]
    async with serving(always(answer)) as (server, client):
        response = await client.request("GET", server.url)
        assert response.headers == {"x-one": "a, b, é", "empty": "", "content-length": "2"}
        assert await response.read(LIMIT) == b"ok"


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 4000 + OK,
        ENDLESS + b"zz\r\n",
        ENDLESS + b"0\r\nX-Trailer: " + b"a" * 200_000 + b"\r\n\r\n",
        ENDLESS + b"1;" + b"a" * 200_000 + b"\r\n!\r\n0\r\n\r\n",
    ],
)
async def test_an_answer_that_is_not_http_names_the_server_and_is_not_read_on(
    answer: bytes,
) -> None:
    gone = asyncio.Event()
    async with serving(watching(answer, gone)) as (server, client):
        with pytest.raises(UpstreamFailed, match=r"127\.0\.0\.1") as failure:
            await fetch(client, server.url)
        assert failure.type is UpstreamFailed
        await gone.wait()


async def test_a_large_head_under_the_limit_is_read() -> None:
    answer = b"HTTP/1.1 200 OK\r\nX: " + b"a" * 60_000 + b"\r\n" + OK[17:]
    async with serving(always(answer)) as (server, client):
        response = await client.request("GET", server.url)
        assert len(response.headers["x"]) == 60_000
        assert await response.read(LIMIT) == b"ok"


@pytest.mark.parametrize(
    "answer",
    [
        ENDLESS,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\na",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 20",
    ],
)
async def test_a_connection_that_breaks_in_an_answer_fails_the_read(answer: bytes) -> None:
    async with serving(once(answer)) as (server, client):
        with pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1") as failure:
            await fetch(client, server.url, repeatable=True)
        assert failure.value.sent is True
        assert server.connections == 1


async def test_chunks_are_yielded_as_they_arrive() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(ENDLESS)
        await first_read.wait()
        await peer.send(b"3\r\ntwo\r\n0\r\n\r\n")
        assert await peer.request() != b""
        await peer.send(OK)

    first_read = asyncio.Event()
    async with serving(script) as (server, client):
        parts: list[bytes] = []
        async for part in (await client.request("GET", server.url)).chunks():
            parts.append(part)
            first_read.set()
        assert parts == [b"one", b"two"]
        assert await fetch(client, server.url) == b"ok"


async def test_a_slow_reader_slows_the_server_instead_of_filling_memory() -> None:
    size = 16 << 20

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        for _ in range(size >> 16):
            await peer.send(bytes(1 << 16))
        assert await peer.request() != b""
        await peer.send(OK)

    async with serving(script) as (server, client):
        lengths: list[int] = []
        async for part in (await client.request("GET", server.url)).chunks():
            lengths.append(len(part))
            for _ in range(40):
                await asyncio.sleep(0)
        assert sum(lengths) == size
        assert max(lengths) <= 2 * MAX_BUFFERED
        assert await fetch(client, server.url) == b"ok"


async def test_a_body_over_the_limit_is_refused_and_its_connection_ended() -> None:
    gone = asyncio.Event()
    async with serving(watching(ENDLESS, gone)) as (server, client):
        response = await client.request("GET", server.url)
        with pytest.raises(TooLarge, match="2 bytes"):
            await response.read(2)
        await gone.wait()


async def test_a_body_of_exactly_the_limit_is_read() -> None:
    async with serving(always(OK)) as (server, client):
        assert await (await client.request("GET", server.url)).read(2) == b"ok"


async def test_the_server_learns_that_a_request_was_cancelled() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()
        assert await peer.request() == b""
        gone.set()

    asked, gone = asyncio.Event(), asyncio.Event()
    async with serving(script) as (server, client):
        task = asyncio.create_task(client.request("GET", server.url))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await gone.wait()


async def _read(response: HTTPResponse) -> None:
    await response.read(LIMIT)


async def _stream(response: HTTPResponse) -> None:
    async for _ in response.chunks():
        pass


@pytest.mark.parametrize("use", [_read, _stream])
async def test_the_server_learns_that_a_read_was_cancelled(
    use: Callable[[HTTPResponse], Coroutine[None, None, None]],
) -> None:
    gone = asyncio.Event()
    async with serving(watching(ENDLESS, gone)) as (server, client):
        task = asyncio.create_task(use(await client.request("GET", server.url)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await gone.wait()


async def test_closing_an_answer_before_its_end_ends_the_connection() -> None:
    gone = asyncio.Event()
    async with serving(watching(ENDLESS, gone)) as (server, client):
        response = await client.request("GET", server.url)
        await response.close()
        await gone.wait()
        with pytest.raises(ConnectionFailed, match="closed"):
            await response.read(LIMIT)


async def test_leaving_a_stream_early_ends_the_connection() -> None:
    gone = asyncio.Event()
    async with serving(watching(ENDLESS, gone)) as (server, client):
        parts = (await client.request("GET", server.url)).chunks()
        assert await anext(parts) == b"one"
        del parts
        await gone.wait()


async def test_closing_the_client_fails_what_is_under_way_and_what_comes_later() -> None:
    async with serving(always(ENDLESS)) as (server, client):
        response = await client.request("GET", server.url)
        await client.close()
        with pytest.raises(ConnectionFailed) as under_way:
            await response.read(LIMIT)
        with pytest.raises(ConnectionFailed, match="closed") as later:
            await client.request("GET", server.url)
    assert (under_way.value.sent, later.value.sent) == (True, False)


async def test_closing_the_client_ends_a_request_that_is_still_connecting() -> None:
    async def script(peer: Peer) -> None:
        assert await peer.request() == b""

    async with serving(script) as (server, client):
        task = asyncio.create_task(client.request("GET", server.url))
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(ConnectionFailed, match="closed") as failure:
            await task
    assert failure.value.sent is False


async def test_a_body_cut_by_closing_the_client_does_not_look_whole() -> None:
    async with serving(always(b"HTTP/1.1 200 OK\r\n\r\nhalf")) as (server, client):
        response = await client.request("GET", server.url)
        await client.close()
        with pytest.raises(ConnectionFailed):
            await response.read(LIMIT)


async def test_a_cancellation_after_the_whole_answer_leaves_the_connection_to_others() -> None:
    freed: list[Connection] = []
    ours, theirs = socket.socketpair()
    with theirs:
        connection = Connection("peer", freed=freed.append, gone=lambda _: None)
        transport, _ = await asyncio.get_running_loop().create_connection(
            lambda: cast("asyncio.Protocol", connection), sock=ours
        )
        task = asyncio.create_task(connection.exchange(b"GET", bodyless=False))
        await asyncio.sleep(0)
        connection.data_received(OK)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert freed == [connection]
        assert not transport.is_closing()
        transport.close()
        await connection.lost


@pytest.mark.parametrize("leftover", [OK, b"HTTP/1.1 ", b"junk"])
async def test_a_connection_with_unasked_bytes_is_not_used_again(leftover: bytes) -> None:
    async with serving(always(OK + leftover)) as (server, client):
        for _ in range(2):
            assert await fetch(client, server.url) == b"ok"
        assert server.connections == 2


async def test_an_answer_that_fills_a_whole_read_is_not_the_end_of_what_was_sent() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 65494\r\n\r\n"
    body = bytes(65494)
    assert len(head + body) == MAX_HEAD
    async with serving(always(head + body + OK)) as (server, client):
        for _ in range(2):
            assert await fetch(client, server.url) == body
        assert server.connections == 2


async def test_bytes_on_an_idle_connection_end_it() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await read.wait()
        await peer.send(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        assert await peer.request() == b""
        gone.set()

    read, gone = asyncio.Event(), asyncio.Event()
    async with serving(script) as (server, client):
        assert await fetch(client, server.url) == b"ok"
        read.set()
        await gone.wait()


class Taken:
    """Takes one answer, and keeps in what parts it came."""

    takes_whole = True
    waiting = 0

    def __init__(self) -> None:
        self.parts: list[object] = []
        self.over = asyncio.Event()

    def whole(self, body: bytes) -> None:
        self.parts.append(("whole", body))
        self.over.set()

    def head(self, status: int, fields: Sequence[tuple[bytes, bytes]]) -> None:
        self.parts.append(status)

    def part(self, data: bytes) -> None:
        self.parts.append(data)

    def end(self, error: InterlockError | None) -> None:
        self.parts.append(error)
        self.over.set()


PLAIN = b"HTTP/1.1 %s OK\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s"


def plain(body: bytes, status: bytes = b"200", field: bytes = b"") -> bytes:
    return PLAIN % (status, field, len(body), body)


async def test_an_answer_with_a_head_that_was_read_before_is_taken_whole() -> None:
    hostile = plain(b"{}", b"500")
    answers: list[tuple[bytes, list[object]]] = [
        (plain(b"1"), [200, b"1", None]),
        (plain(b"1"), [("whole", b"1")]),
        (plain(b"[1, 2]"), [("whole", b"[1, 2]")]),
        (plain(b"{}", b"500"), [500, b"{}", None]),
        (plain(b"3", field=b"Content-Encoding: x\r\n"), [200, b"3", None]),
        # What looks like a head in a body is none.
        (plain(hostile), [("whole", hostile)]),
        (hostile, [500, b"{}", None]),
        (plain(b"4"), [("whole", b"4")]),
    ]

    async def script(peer: Peer) -> None:
        for answer in (OK, *(each for each, _ in answers)):
            await peer.request()
            await peer.send(answer)

    async with serving(script) as (server, client):
        await fetch(client, server.url)
        for answer, expected in answers:
            connection = client.idle(server.url)
            assert connection is not None
            taken = Taken()
            connection.start(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", taken)
            async with asyncio.timeout(30):
                await taken.over.wait()
            assert (answer, expected) == (answer, taken.parts)
        assert server.connections == 1
