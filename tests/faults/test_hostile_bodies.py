"""Hostile bodies at every door that reads one: a 4xx, a little memory, and nothing reaches a server."""

import gzip
import json
from collections.abc import Iterator

import pytest

from tests.faults.raw_client import head, raw, spoken
from tests.faults.stage import MIB, Stage
from tests.support.workers import MODERN, PREFIX

MEMORY = 32 * MIB
SIZE = 100 * MIB
CALL = ("Mcp-Protocol-Version: " + MODERN, "Mcp-Method: tools/call", "Mcp-Name: pid")
DOORS = {
    "modern": ("/mcp/default/good", *CALL),
    "legacy": ("/mcp/default/good",),
    "legacy, all servers": ("/mcp/default",),
    "SSE": ("/sse/default/good/-/messages?session_id={session}",),
    "control": ("/api/v1/projects/default/servers",),
    "login": ("/api/v1/auth/login",),
    "REST": ("/mcp/request",),
    "REST sessions": ("/sessions",),
}


def call(**arguments: object) -> str:
    meta = {f"{PREFIX}protocolVersion": MODERN, f"{PREFIX}clientCapabilities": {}}
    params = {"name": "pid", "arguments": arguments, "_meta": meta}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})


def within(text: str) -> bytes:
    """Return a call that would be good, with `text` among its arguments."""
    return call(x="HERE").replace('"HERE"', text).encode()


BODIES = {
    "deep lists": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep lists without an end": b"[" * 100_000,
    "deep arguments": within("[" * 100_000 + "]" * 100_000),
    "5,000 digits": within("9" * 5000),
    "5,000 digits behind the point": within("0." + "9" * 5000 + "e99999"),
    "a large exponent": within("1e99999"),
    "NaN": within("NaN"),
    "repeated keys": within('1, "x": 2'),
    "a repeated method": call()[:-1].encode() + b', "method": "ping"}',
    "a repeated key, escaped": within('1, "\\u0078": 2'),
    "half of a pair": within('"\\ud800"'),
    "bytes that are no UTF-8": within('"?"').replace(b"?", b"\xff\xfe"),
    "a NUL": within('"?"').replace(b"?", b"\0"),
    "UTF-16": call().encode("utf-16"),
    "a mark before it": b"\xef\xbb\xbf" + call().encode(),
    "two values": call().encode() + call().encode(),
    "nothing": b"",
    "white space": b" " * 1000,
    "null": b"null",
    "a string": b'"x"',
    "an empty list": b"[]",
    "a list of numbers": b"[1, 2, 3]",
    "100,000 messages": b"[" + b",".join([call().encode()] * 10_000) + b"]",
    "gzip": gzip.compress(call().encode()),
}
BOMB = gzip.compress(bytes(SIZE))


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
async def test_a_hostile_body_is_refused_at_every_door(on: Stage, body: bytes) -> None:
    key = on.gateway.key
    found: dict[str, list[int]] = {}
    before = on.forget_peak()
    async with raw(on) as stream:
        await stream.send(head("GET /sse/default/good HTTP/1.1", key))
        await stream.until(b"session_id=")
        session = (await stream.reader.readuntil(b"\n")).strip().decode()
        for door, (path, *fields) in DOORS.items():
            line = f"POST {path.format(session=session)} HTTP/1.1"
            sizes = (f"Content-Length: {len(body)}", "Connection: close")
            found[door] = (await spoken(on, head(line, key, *fields, *sizes) + body)).statuses
    peak = on.peak()

    assert {door: [400 <= each < 500 for each in some] for door, some in found.items()} == {
        door: [True] for door in DOORS
    }, found
    assert peak - before < MEMORY


def parts_of(body: bytes, *, is_chunked: bool) -> Iterator[bytes]:
    """Send 100 MB of a body again and again the same."""
    for _ in range(SIZE // len(body)):
        yield b"%x\r\n%b\r\n" % (len(body), body) if is_chunked else body
    if is_chunked:
        yield b"0\r\n\r\n"


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_body_of_100_megabytes_is_refused_at_every_door_and_never_held(
    on: Stage, *, is_chunked: bool
) -> None:
    key, piece = on.gateway.key, b'{"a": "' + b"x" * (MIB - 9) + b'"}'
    found: dict[str, list[int]] = {}
    before = on.forget_peak()
    for door, (path, *fields) in DOORS.items():
        size = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {SIZE}"
        line = f"POST {path.format(session='none')} HTTP/1.1"
        start = head(line, key, *fields, size, "Connection: close")

        def parts(start: bytes = start) -> Iterator[bytes]:
            yield start
            yield from parts_of(piece, is_chunked=is_chunked)

        found[door] = (await spoken(on, parts())).statuses
    peak = on.peak()
    on.tell(grown_mib=(peak - before) / MIB)

    # Whoever sends on though it was refused may lose the answer with the connection.
    statuses = [status for some in found.values() for status in some]
    assert set(statuses) <= {404, 413}, found
    assert all(400 <= status < 500 for some in found.values() for status in some), found
    assert peak - before < MEMORY


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "gzip, gzip", "x-unknown"])
async def test_a_compressed_body_is_refused_and_not_unpacked(on: Stage, coding: str) -> None:
    key = on.gateway.key
    found: dict[str, list[int]] = {}
    before = on.forget_peak()
    for door, (path, *fields) in DOORS.items():
        line = f"POST {path.format(session='none')} HTTP/1.1"
        sizes = (f"Content-Encoding: {coding}", f"Content-Length: {len(BOMB)}", "Connection: close")
        found[door] = (await spoken(on, head(line, key, *fields, *sizes) + BOMB)).statuses
    peak = on.peak()

    assert {door: [400 <= each < 500 for each in some] for door, some in found.items()} == {
        door: [True] for door in DOORS
    }, found
    assert peak - before < MEMORY
