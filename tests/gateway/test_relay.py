"""Requests that are handed over whole: what arrives, what comes back, and who hears of an end."""

import asyncio
import os
from typing import Any

import httpx2
import pytest

from interlock.errors import BadInput, InterlockError
from interlock.gateway.http import Receive, Scope, Send, read_body, send_part, until_gone
from interlock.gateway.relay import (
    HANDED_OVER,
    HandedOverTwice,
    ProcessLost,
    Relay,
    received,
)
from tests.gateway.relaying import (
    DEADLINE,
    FRONT,
    LIMIT,
    PEER,
    answer,
    relaying,
    relaying_to,
)
from tests.integration.logs import caught_log

START = {"type": "http.response.start", "status": 200, "headers": [(b"x-kept", b"1")]}
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def ok(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the whole request and say that all is well."""
    await read_body({}, receive, LIMIT)
    await answer(send)


async def test_a_request_arrives_as_it_was_sent() -> None:
    request = (
        b"PATCH /a%2Fb/%C3%BC;x=1?q=%20&q=2&&r HTTP/1.1\r\nHost: example.com:1\r\nConnection: close\r\n"
        b"X-Twice: one\r\nAuthorization: Bearer key\r\nX-Twice: two\r\nX-Latin: \xe9\r\n"
        b"Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{\r\n\0\r\n}"
    )
    async with relaying(ok) as pair:
        answered = await pair.exchange(request)
        (seen,) = pair.seen

    assert answered.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answered.endswith(b"\r\n\r\nok")
    assert seen.scope["method"] == "PATCH"
    assert seen.scope["raw_path"] == b"/a%2Fb/%C3%BC;x=1"
    assert seen.scope["query_string"] == b"q=%20&q=2&&r"
    assert seen.body == b"{\r\n\0\r\n}"
    assert seen.scope["headers"] == [
        (b"host", b"example.com:1"),
        (b"x-twice", b"one"),
        (b"authorization", b"Bearer key"),
        (b"x-twice", b"two"),
        (b"x-latin", b"\xe9"),
        (b"content-type", b"application/json"),
        (b"content-length", b"7"),
    ]


async def test_what_is_about_the_connection_alone_stays_behind() -> None:
    request = (
        b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close, X-Mine\r\nx-mine: 1\r\n"
        b"keep-alive: 5\r\nproxy-connection: close\r\nte: trailers\r\ntrailer: x-end\r\n"
        b"upgrade: h2c\r\nx-kept: 1\r\ntransfer-encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    async with relaying(ok) as pair:
        await pair.exchange(request)
        (seen,) = pair.seen

    assert seen.body == b"abcde"
    assert seen.scope["headers"] == [
        (b"host", b"x"),
        (b"x-kept", b"1"),
        (b"content-length", b"5"),
    ]


async def test_the_peer_knows_who_calls_and_who_handed_over() -> None:
    async with relaying(ok) as pair, pair.client() as client:
        await client.get("/", headers={"x-interlock-relayed-by": "3"})
        await client.get("/", headers={"X-Interlock-Relayed-For": "8.8.8.8 53"})
        hosts = [each.scope["client"][0] for each in pair.seen]
        ports = {each.scope["client"][1] for each in pair.seen}

    # What a client says of this by itself does not count.
    assert hosts == ["127.0.0.1"] * 2
    assert all(port > 1023 for port in ports)
    assert [each.scope[HANDED_OVER] for each in pair.seen] == [FRONT] * 2
    names = {name for each in pair.seen for name, _ in each.scope["headers"]}
    assert [name for name in names if name.startswith(b"x-interlock")] == []


def test_a_request_that_was_not_handed_over_is_left_as_it_is() -> None:
    headers = [(b"host", b"x"), (b"x-interlock-relayed-for", b"8.8.8.8 53")]
    scope: Scope = {"type": "http", "headers": headers, "client": ("127.0.0.1", 1)}

    assert received(scope) is scope


def test_a_client_without_an_address_has_none_at_the_peer_either() -> None:
    scope: Scope = {"headers": [(b"x-interlock-relayed-by", b"2")], "client": ("", 0)}

    assert received(scope) == {"headers": [], "client": None, HANDED_OVER: 2}


async def test_an_answer_comes_back_as_it_was_given() -> None:
    async def cookies(_scope: Scope, _receive: Receive, send: Send) -> None:
        fields = [
            *((b"set-cookie", b"a=1"), (b"set-cookie", b"b=2"), (b"content-type", b"x/y")),
            *((b"keep-alive", b"timeout=1"), (b"X-Latin", b"\xe9"), (b"content-length", b"3")),
        ]
        await send({"type": "http.response.start", "status": 418, "headers": fields})
        await send({"type": "http.response.body", "body": b"\0\r\n"})

    async with relaying(cookies) as pair, pair.client() as client:
        answered = await client.get("/")

    assert answered.status_code == 418
    assert answered.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert answered.headers["content-type"] == "x/y"
    assert (b"x-latin", b"\xe9") in [(name.lower(), each) for name, each in answered.headers.raw]
    assert "keep-alive" not in answered.headers
    assert "transfer-encoding" not in answered.headers
    assert answered.content == b"\0\r\n"


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_without_a_body_has_none(status: int) -> None:
    async def empty(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async with relaying(empty) as pair, pair.client() as client:
        statuses = [(await client.get("/")).status_code for _ in range(2)]

    assert statuses == [status] * 2


async def test_each_part_of_a_stream_comes_as_soon_as_it_is_sent() -> None:
    is_read = [asyncio.Event() for _ in range(3)]

    async def stream(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(START)
        for number, event in enumerate(is_read):
            await send_part(send, b"data: %d\n\n" % number)
            # The next is sent only once the client has this one: nobody may hold it back.
            await event.wait()
        await send({"type": "http.response.body", "body": b""})

    parts: list[bytes] = []
    async with relaying(stream) as pair, pair.client() as client, asyncio.timeout(DEADLINE):
        async with client.stream("GET", "/") as answered:
            async for part in answered.aiter_raw():
                is_read[len(parts)].set()
                parts.append(part)
        end = await pair.ends.get()

    assert answered.headers["x-kept"] == "1"
    assert parts == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n"]
    assert end is True


@pytest.mark.parametrize("begins", [False, True])
async def test_a_client_that_leaves_is_seen_to_leave(*, begins: bool) -> None:
    arrived, left = asyncio.Event(), asyncio.Event()

    async def hang(_scope: Scope, receive: Receive, send: Send) -> None:
        await read_body({}, receive, LIMIT)
        if begins:
            await send(START)
            await send_part(send, b"data: 1\n\n")
        arrived.set()
        await until_gone(receive, asyncio.sleep(DEADLINE))
        left.set()

    async with relaying(hang) as pair, asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection("127.0.0.1", pair.port)
        writer.write(GET)
        await arrived.wait()
        if begins:
            await reader.readuntil(b"data: 1\n\n")
        writer.close()
        await left.wait()

        # The peer writes the record of a call that was cancelled.
        assert await pair.ends.get() is True


async def dies_at_once(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def talks_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"220 mail.example.com ESMTP\r\n\r\n")


@pytest.mark.parametrize("script", [None, dies_at_once, talks_nonsense])
async def test_a_peer_that_is_lost_before_it_answers_is_told_of_in_the_clients_words(
    script: Any,
) -> None:
    async with relaying_to(script) as pair, pair.client() as client:
        with caught_log() as logged:
            answered = await client.post("/mcp/default", content=b"{}")
        end = await pair.ends.get()

    assert answered.status_code == 503
    assert answered.json()["id"] == 7
    message = "Process 0 of the gateway, which must serve this, does not answer; try again."
    assert answered.json()["error"]["message"] == message
    assert isinstance(end, ProcessLost)
    assert "handover.failed" in logged.getvalue()


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 100\r\n\r\nhalf of",
        b"transfer-encoding: chunked\r\n\r\n5\r\nhalf \r\n2\r\nof\r\n",
    ],
)
async def test_an_answer_that_breaks_off_never_looks_whole(head: bytes) -> None:
    async def breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + head)

    async with relaying_to(breaks) as pair, pair.client() as client:
        read = bytearray()
        with pytest.raises(httpx2.RemoteProtocolError):
            await _read(client, read)
        end = await pair.ends.get()

    assert read == b"half of"
    assert end is False


async def _read(client: httpx2.AsyncClient, read: bytearray) -> None:
    async with client.stream("GET", "/") as answered:
        async for part in answered.aiter_raw():
            read += part


async def test_an_answer_to_head_has_the_headers_and_no_body() -> None:
    async def page(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, b"a page", content_type="text/html")

    async with relaying(page) as pair, pair.client() as client:
        answers = [await client.head("/") for _ in range(3)]
        whole = await client.get("/")
        lengths = [each.values("content-length") for each in pair.seen]

    assert [(each.status_code, each.content) for each in answers] == [(200, b"")] * 3
    assert {each.headers["content-length"] for each in answers} == {"6"}
    assert whole.content == b"a page"
    assert lengths == [[]] * 4


async def test_large_bodies_pass_both_ways() -> None:
    large = os.urandom(4 * 1024 * 1024)

    async def back(_scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_body({}, receive, LIMIT)
        await send(START)
        for _ in range(4):
            await send_part(send, body)
        await send({"type": "http.response.body", "body": b""})

    async with relaying(back) as pair, pair.client() as client:
        answered = await client.post("/", content=large)

    assert answered.content == large * 4


async def test_a_client_that_waits_to_be_told_to_go_on_is_told_so() -> None:
    async with relaying(ok) as pair, asyncio.timeout(DEADLINE):
        reader, writer = await asyncio.open_connection("127.0.0.1", pair.port)
        head = b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 3\r\n"
        writer.write(head + b"connection: close\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abc")
        answered = await reader.read()
        writer.close()
        (seen,) = pair.seen

    assert answered.endswith(b"\r\n\r\nok")
    assert (seen.body, seen.values("expect")) == (b"abc", [])


async def test_connections_are_used_again() -> None:
    connections = 0

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while not reader.at_eof():
            try:
                await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                return
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")

    async with relaying_to(counted) as pair, pair.client() as client:
        statuses = [(await client.get("/")).status_code for _ in range(20)]

    assert statuses == [200] * 20
    assert connections == 1


def handed(**more: Any) -> Scope:
    scope: Scope = {"method": "GET", "path": "/", "raw_path": b"/", "query_string": b""}
    return {**scope, "headers": [(b"host", b"x")], "client": ("127.0.0.1", 1), **more}


HOSTILE = (
    handed(headers=[(b"x", b"1\r\nx-interlock-relayed-by: 0")]),
    handed(headers=[(b"x", b"1\nauthorization: Bearer stolen")]),
    handed(headers=[(b"x\r\ny", b"1")]),
    handed(headers=[(b"x", b"1\0")]),
    handed(raw_path=b"/ HTTP/1.1\r\nhost: y\r\n\r\nGET /-/meet"),
    handed(query_string=b"a\r\nb: c"),
    handed(client=("1.1.1.1\r\nx: y", 1)),
)


async def test_no_header_can_smuggle_another_one_in() -> None:
    async with relaying(ok) as pair:
        for scope in HOSTILE:
            with pytest.raises(BadInput, match="forbids"):
                await pair.relay.send(PEER, scope, b"", _never, _never)

        assert pair.seen == []


async def test_a_request_is_handed_over_once_at_most() -> None:
    async with relaying(ok) as pair:
        with caught_log() as logged, pytest.raises(HandedOverTwice) as refused:
            await pair.relay.send(PEER, handed(**{HANDED_OVER: 3}), b"", _never, _never)

        assert pair.seen == []
    assert refused.value.status == 500
    assert "handover.loop" in logged.getvalue()


async def test_processes_speak_to_one_another_the_same_way() -> None:
    async with relaying(ok) as pair:
        answered = await pair.relay.request(PEER, "POST", "/-/heard", b"abc")
        body = await answered.read(10)
        (seen,) = pair.seen

    assert (answered.status, body) == (200, b"ok")
    assert (seen.scope["path"], seen.body) == ("/-/heard", b"abc")
    assert HANDED_OVER not in seen.scope


async def test_a_relay_that_is_closed_takes_no_more() -> None:
    relay = Relay(FRONT, ["nowhere.sock"])
    await relay.close()

    with pytest.raises(InterlockError):
        await relay.send(PEER, handed(), b"", _never, _never)


async def _never(*_: object) -> Any:
    await asyncio.Event().wait()
