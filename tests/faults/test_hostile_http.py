"""Hostile HTTP: refused with a 4xx, bounded in memory, and no request is smuggled behind another."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from tests.faults.raw_client import head, post, raw, spoken
from tests.faults.stage import MIB, Stage
from tests.requirements.puppet import Puppet, serving
from tests.support.workers import MODERN, PREFIX

MEMORY = 32 * MIB
PATH = "/mcp/default/far"
CALL = ("Mcp-Protocol-Version: " + MODERN, "Mcp-Method: tools/call", "Mcp-Name: act")
CHUNKED = "Transfer-Encoding: chunked"


@dataclass(frozen=True, slots=True)
class Far:
    """The gateway, and the server behind it that counts the calls."""

    on: Stage
    puppet: Puppet

    @property
    def calls(self) -> list[str]:
        """The marks of all calls that the server saw."""
        seen = self.puppet.received("tools/call")
        return [each.message["params"]["arguments"]["mark"] for each in seen]

    def call(self, mark: str, *fields: str) -> bytes:
        """Return a good request for a call."""
        return post(PATH, self.on.gateway.key, body(mark), *CALL, *fields)

    def line(self, *fields: str, line: str = f"POST {PATH} HTTP/1.1") -> bytes:
        """Return the head of a call that says of its body what `fields` say."""
        return head(line, self.on.gateway.key, *CALL, *fields)


def body(mark: str) -> bytes:
    meta = {f"{PREFIX}protocolVersion": MODERN, f"{PREFIX}clientCapabilities": {}}
    params = {"name": "act", "arguments": {"mark": mark}, "_meta": meta}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    return json.dumps(message).encode()


def chunked(*parts: bytes, extension: bytes = b"", trailer: bytes = b"") -> bytes:
    chunks = b"".join(b"%x%b\r\n%b\r\n" % (len(part), extension, part) for part in parts)
    return chunks + b"0\r\n" + trailer + b"\r\n"


@pytest.fixture
async def far(on: Stage) -> AsyncIterator[Far]:
    puppet = Puppet("modern")
    async with serving(puppet), on.beside("far", url=puppet.url):
        yield Far(on, puppet)


TWO_READINGS = {
    "two lengths": ("Content-Length: 0", "Content-Length: {whole}"),
    "two lengths the other way": ("Content-Length: {whole}", "Content-Length: 0"),
    "two equal lengths": ("Content-Length: {outer}", "Content-Length: {outer}"),
    "a list of lengths": ("Content-Length: {outer}, {whole}",),
    "a list of equal lengths": ("Content-Length: {outer}, {outer}",),
    "a length with a sign": ("Content-Length: +{outer}",),
    "a negative length": ("Content-Length: -1",),
    "a hexadecimal length": ("Content-Length: 0x{outer}",),
    "a length with a space in it": ("Content-Length: 1 {outer}",),
    "a length beyond 64 bits": ("Content-Length: 18446744073709551617",),
    "an empty length": ("Content-Length:",),
    "a length and chunks": ("Content-Length: {outer}", CHUNKED),
    "chunks and a length": (CHUNKED, "Content-Length: {outer}"),
    "chunked is not last": ("Transfer-Encoding: chunked, identity",),
    "chunked twice": (CHUNKED, CHUNKED),
    "an unknown coding": ("Transfer-Encoding: xchunked",),
    "a coding behind a vertical tab": ("Transfer-Encoding: \x0bchunked",),
    "a space before the colon": ("Transfer-Encoding : chunked", "Content-Length: {outer}"),
    "a folded coding": ("Transfer-Encoding:\r\n chunked", "Content-Length: {outer}"),
    "a folded length": ("Content-Length: 0\r\n {outer}",),
    "a folded field": ("X-Any: one\r\n two", "Content-Length: {outer}"),
    "a field without a colon": ("X-Any", "Content-Length: {outer}"),
    "a field without a name": (": x", "Content-Length: {outer}"),
    "a NUL in a field": ("X-Any: a\0b", "Content-Length: {outer}"),
    "a bare CR in a field": ("X-Any: a\rContent-Length: 0", "Content-Length: {outer}"),
    "a bare LF after a field": ("X-Any: a\nX-Other: b", "Content-Length: {outer}"),
    "two hosts": ("Host: 127.0.0.1", "Content-Length: {outer}"),
    "two different hosts": ("Host: elsewhere.example", "Content-Length: {outer}"),
}


@pytest.mark.parametrize("fields", TWO_READINGS.values(), ids=TWO_READINGS)
async def test_a_request_that_two_readers_could_cut_differently_is_refused_with_all_behind_it(
    far: Far, fields: tuple[str, ...]
) -> None:
    outer, hidden = body("outer"), far.call("hidden", "Connection: close")
    # The fast lane knows the usual head, and must not take this one for it.
    async with raw(far.on) as client:
        for _ in range(2):
            await client.send(far.call("good"))
            assert (await client.answer())[0] == 200
    sizes = {"outer": len(outer), "whole": len(outer) + len(hidden)}
    request = far.line(*(each.format(**sizes) for each in fields)) + outer
    found = await spoken(far.on, request + hidden)

    assert [status for status in found.statuses if not 400 <= status < 500] in ([], [200])
    assert 400 <= found.statuses[0] < 500
    # Two hosts are no matter of where a request ends: what follows it is a request of its own.
    is_cut_clearly = any(each.startswith("Host") for each in fields)
    assert far.calls == ["good", "good"] + ["hidden"] * is_cut_clearly


async def test_a_bare_lf_ends_no_line_of_a_head(far: Far) -> None:
    request = far.call("outer").replace(b"\r\n", b"\n")
    found = await spoken(far.on, request + far.call("hidden", "Connection: close"))

    assert found.statuses == [400]
    assert far.calls == []


MALFORMED = {
    "a chunk without a size": b"\r\nx\r\n0\r\n\r\n",
    "a size that is no number": b"g\r\nx\r\n0\r\n\r\n",
    "a negative size": b"-1\r\nx\r\n0\r\n\r\n",
    "a size beyond 64 bits": b"10000000000000001\r\nx\r\n0\r\n\r\n",
    "a chunk longer than it says": b"1\r\nxy\r\n0\r\n\r\n",
    "a size with a bare LF": b"1\nx\r\n0\r\n\r\n",
    "an extension with a bare LF": b"1;a\nb\r\nx\r\n0\r\n\r\n",
    "an extension with a bare CR": b"1;a\rb\r\nx\r\n0\r\n\r\n",
    "a chunk that ends in a bare LF": b"1\r\nx\n0\r\n\r\n",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
async def test_malformed_chunks_are_refused_with_all_behind_them(far: Far, sent: bytes) -> None:
    hidden = far.call("hidden", "Connection: close")
    found = await spoken(far.on, far.line(CHUNKED) + sent + hidden)

    assert found.statuses == [400]
    assert far.calls == []


async def test_chunks_with_an_extension_and_a_trailer_are_read_as_what_they_hold(far: Far) -> None:
    text = body("chunks")
    sent = chunked(text[:10], text[10:], extension=b";a=b", trailer=b"X-Checksum: 1\r\n")
    found = await spoken(far.on, far.line(CHUNKED, "Connection: close") + sent)

    assert found.statuses == [200]
    assert far.calls == ["chunks"]


async def test_what_a_trailer_says_is_no_header(far: Far) -> None:
    without = [each for each in CALL if not each.startswith("Mcp-Name")]
    start = head(
        f"POST {PATH} HTTP/1.1", far.on.gateway.key, *without, CHUNKED, "Connection: close"
    )
    found = await spoken(far.on, start + chunked(body("x"), trailer=b"Mcp-Name: act\r\n"))

    assert [400 <= status < 500 for status in found.statuses] == [True]
    assert far.calls == []


def endless(piece: bytes) -> Iterator[bytes]:
    """Send far more than any bound, in pieces of a size that a client might choose."""
    many = piece * (64 * 1024 // len(piece))
    for _ in range(1600):
        yield many


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"X-Any: a", b"a"),
        (b"X-0: a\r\n", b"X-Any: a\r\n"),
        (f"{CHUNKED}\r\n\r\n1;".encode(), b"a"),
        (f"{CHUNKED}\r\n\r\n0\r\n".encode(), b"X-Any: a\r\n"),
        (f"{CHUNKED}\r\n\r\n0\r\nX-Any: ".encode(), b"a"),
        (f"{CHUNKED}\r\n\r\n".encode(), b"1;" + b"a" * 1000 + b"\r\n \r\n"),
        (f"{CHUNKED}\r\n\r\n".encode(), b"0" * 100),
    ],
    ids=[
        "one field",
        "many fields",
        "the extension of a chunk",
        "many trailers",
        "one trailer",
        "tiny chunks with extensions",
        "the size of a chunk",
    ],
)
async def test_a_hundred_megabytes_of_framing_are_refused_and_not_held(
    far: Far, start: bytes, piece: bytes
) -> None:
    begin = far.line()[:-2] + start
    before = far.on.forget_peak()

    def parts() -> Iterator[bytes]:
        yield begin
        yield from endless(piece)

    found = await spoken(far.on, parts())
    peak = far.on.peak()
    far.on.tell(grown_mib=(peak - before) / MIB)

    assert all(400 <= status < 500 for status in found.statuses)
    assert far.calls == []
    assert peak - before < MEMORY


TARGETS = {
    "a foreign absolute form": ("POST http://elsewhere.example{path} HTTP/1.1", {400, 421}),
    "an authority": ("CONNECT 127.0.0.1:80 HTTP/1.1", {400, 404, 405}),
    "an asterisk": ("OPTIONS * HTTP/1.1", {400, 404, 405}),
    "no slash": ("POST mcp HTTP/1.1", {400}),
    "a fragment": ("POST {path}#x HTTP/1.1", {400, 404}),
    "a space": ("POST {path} x HTTP/1.1", {400}),
    "bytes that are no ASCII": ("POST {path}\xff HTTP/1.1", {400, 404}),
    "an escaped NUL": ("POST {path}%00 HTTP/1.1", {400, 404}),
    "an escape cut short": ("POST {path}% HTTP/1.1", {400, 404}),
    "an escape that is no UTF-8": ("POST {path}%ff%fe HTTP/1.1", {400, 404}),
    "a way out": ("GET /../../../../etc/passwd HTTP/1.1", {400, 404}),
    "an escaped way out": ("GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1", {400, 404}),
    "an unknown method": ("BREW {path} HTTP/1.1", {400, 405}),
    "a lower-case method": ("post {path} HTTP/1.1", {400, 405}),
    "HTTP/0.9": ("POST {path}", {400}),
    "HTTP/2.0": ("POST {path} HTTP/2.0", {400, 505}),
    "HTTP/1.2": ("POST {path} HTTP/1.2", {400, 505}),
}


@pytest.mark.parametrize(("line", "expected"), TARGETS.values(), ids=TARGETS)
async def test_a_strange_first_line_is_refused(far: Far, line: str, expected: set[int]) -> None:
    first = line.format(path=PATH)
    request = far.line("Connection: close", "Content-Length: 0", line=first)
    found = await spoken(far.on, request)

    assert [status in expected for status in found.statuses] == [True], found
    assert far.calls == []


async def test_the_absolute_form_of_our_own_address_is_served(far: Far) -> None:
    first = f"POST {far.on.gateway.address}{PATH} HTTP/1.1"
    text = body("absolute")
    request = far.line("Connection: close", f"Content-Length: {len(text)}", line=first) + text
    found = await spoken(far.on, request)

    assert found.statuses == [200]
    assert far.calls == ["absolute"]
