"""The HTTP client against real servers: its requests, its connections, its failures to connect."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from interlock.errors import BadInput, UpstreamFailed
from interlock.upstreams import connections
from interlock.upstreams.connections import HTTPClient
from interlock.upstreams.definition import ConnectionLimits
from interlock.upstreams.response import ConnectionFailed
from tests.upstreams.raw_server import (
    DEADLINE,
    ENDLESS,
    LIMIT,
    OK,
    Peer,
    Script,
    always,
    failure_of,
    fetch,
    once,
    serving,
    watching,
)


async def test_a_request_is_written_with_the_headers_that_framing_needs() -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            seen.append(request)
            await peer.send(OK)

    async with serving(script) as (server, client):
        url = server.url
        await (
            await client.request("POST", f"{url}a?b=c", headers=[("X-A", "é")], body=b"hi")
        ).read(LIMIT)
        await fetch(client, f"{url}#part", headers=[("accept-encoding", "gzip")])
    host = url.removeprefix("http://").rstrip("/").encode()
    assert seen == [
        b"POST /a?b=c HTTP/1.1\r\nHost: " + host + b"\r\nX-A: \xe9\r\n"
        b"Accept-Encoding: identity\r\nContent-Length: 2\r\n\r\nhi",
        b"GET / HTTP/1.1\r\nHost: " + host + b"\r\naccept-encoding: gzip\r\n\r\n",
    ]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://EXAMPLE.com:80/", "example.com"),
        ("https://example.com", "example.com"),
        ("https://example.com:80", "example.com:80"),
        ("http://[::1]/", "[::1]"),
        ("http://[::1]:8000/", "[::1]:8000"),
    ],
)
def test_the_host_header_leaves_out_only_the_default_port(url: str, host: str) -> None:
    assert connections._read_url(url).host == host


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "example.com",
        "http://",
        "http://:80/",
        "http://user:hidden@example.com/",
        "http://example.com:99999/",
        "http://[::1/",
        "http://example.com/a b",
        "http://example.com/\r\nX: y",
        "http://exämple.com/",
        "http://exa%20mple.com/",
    ],
)
async def test_an_unsafe_url_is_refused_by_the_name_of_its_field(url: str) -> None:
    with pytest.raises(BadInput, match='"url"') as refusal:
        await HTTPClient().request("GET", url)
    assert "hidden" not in str(refusal.value)


@pytest.mark.parametrize(
    "header",
    [
        ("X-A", "hidden\r\nX-B: c"),
        ("X-A", "hidden\n"),
        ("X-A", "hidden\0"),
        ("X-A", "hidden€"),
        ("X-A\r\nX-B", "hidden"),
        ("X A", "hidden"),
        ("", "hidden"),
        ("Host", "hidden"),
        ("content-length", "hidden"),
        ("Transfer-Encoding", "hidden"),
    ],
)
async def test_an_unsafe_header_is_refused_without_showing_its_value(
    header: tuple[str, str],
) -> None:
    with pytest.raises(BadInput, match="header") as refusal:
        await HTTPClient().request("GET", "http://127.0.0.1:1/", headers=[header])
    assert "hidden" not in str(refusal.value)


async def test_an_unsafe_method_is_refused() -> None:
    with pytest.raises(BadInput, match='"method"'):
        await HTTPClient().request("GET / HTTP/1.1\r\n", "http://127.0.0.1:1/")


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


async def test_an_ipv6_address_is_reached() -> None:
    if not has_ipv6():
        with pytest.raises(ConnectionFailed, match="::1"):
            await HTTPClient().request("GET", "http://[::1]:1/")
        return
    async with serving(always(OK), host="::1") as (server, client):
        assert await fetch(client, server.url) == b"ok"


async def test_an_early_refusal_is_seen_while_the_body_is_unsent() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await refused.wait()

    refused = asyncio.Event()
    async with serving(script) as (server, client):
        for _ in range(2):
            response = await client.request("POST", server.url, body=bytes(32 << 20))
            assert response.status == 413
        refused.set()
        assert server.connections == 2


async def test_the_connection_that_was_used_last_is_used_next() -> None:
    async def script(peer: Peer) -> None:
        while request := await peer.request():
            if b"/slow" in request:
                await release.wait()
            number = b"%d" % peer.number
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + number)

    release = asyncio.Event()
    async with serving(script) as (server, client):
        slow = asyncio.create_task(fetch(client, f"{server.url}slow"))
        fast = asyncio.create_task(fetch(client, server.url))
        fast_number = await fast
        release.set()
        slow_number = await slow
        assert {slow_number, fast_number} == {b"1", b"2"}
        assert await fetch(client, server.url) == slow_number


async def test_an_idle_connection_that_the_server_ended_is_not_used() -> None:
    async with serving(once(OK)) as (server, client):
        for _ in range(3):
            assert await fetch(client, server.url) == b"ok"
            await asyncio.gather(*server.scripts)
        assert server.connections == 3


@contextmanager
def answering_thread() -> Iterator[tuple[str, Callable[[], None]]]:
    """Serve two connections of one answer each from a thread.

    Yields the address, and a function that blocks until the first connection is ended.
    """

    def serve() -> None:
        for _ in range(2):
            peer, _ = listener.accept()
            with peer:
                peer.recv(65536)
                peer.sendall(OK)
                end.wait(DEADLINE)
            ended.set()

    def end_first() -> None:
        end.set()
        assert ended.wait(DEADLINE)

    end, ended = threading.Event(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(DEADLINE)
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/", end_first
        thread.join(DEADLINE)


async def test_an_end_that_the_event_loop_has_not_seen_yet_is_noticed() -> None:
    client = HTTPClient()
    with answering_thread() as (url, end_first):
        assert await fetch(client, url) == b"ok"
        end_first()
        assert await fetch(client, url) == b"ok"
    await client.close()


def breaking_on_reuse(served: int) -> Script:
    """Let the first connection break without an answer after `served` requests."""

    async def script(peer: Peer) -> None:
        count = 0
        while await peer.request():
            if peer.number == 1 and count == served:
                return
            count += 1
            await peer.send(OK)

    return script


async def test_a_repeatable_request_is_sent_again_when_a_kept_connection_proves_dead() -> None:
    async with serving(breaking_on_reuse(1)) as (server, client):
        assert await fetch(client, server.url) == b"ok"
        assert await fetch(client, server.url, repeatable=True) == b"ok"
        assert server.connections == 2


async def test_any_other_request_is_not_sent_again() -> None:
    async with serving(breaking_on_reuse(1)) as (server, client):
        assert await fetch(client, server.url) == b"ok"
        with pytest.raises(ConnectionFailed) as failure:
            await fetch(client, server.url)
        assert (failure.value.sent, failure.value.stale) == (True, True)
        assert server.connections == 1


async def test_a_kept_connection_that_breaks_in_its_answer_is_not_tried_again() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        await peer.send(OK[:9])

    async with serving(script) as (server, client):
        assert await fetch(client, server.url) == b"ok"
        with pytest.raises(ConnectionFailed) as failure:
            await fetch(client, server.url, repeatable=True)
        assert (failure.value.sent, failure.value.stale) == (True, False)
        assert server.connections == 1


async def test_a_retry_that_cannot_connect_still_says_that_the_request_was_sent() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(OK)
        await peer.request()
        server.stop_listening()

    async with serving(script) as (server, client):
        assert await fetch(client, server.url) == b"ok"
        with pytest.raises(ConnectionFailed, match="refused") as failure:
            await fetch(client, server.url, repeatable=True)
    assert failure.value.sent is True


async def test_the_second_attempt_goes_over_a_fresh_connection() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        arrived.release()
        if peer.number <= 2:
            await both.wait()
        await peer.send(OK)
        await peer.request()

    arrived, both = asyncio.Semaphore(0), asyncio.Event()
    async with serving(script) as (server, client):
        tasks = [asyncio.create_task(fetch(client, server.url)) for _ in range(2)]
        for _ in tasks:
            await arrived.acquire()
        both.set()
        assert await asyncio.gather(*tasks) == [b"ok"] * 2
        assert await fetch(client, server.url, repeatable=True) == b"ok"
        assert server.connections == 3


async def test_a_fresh_connection_that_breaks_is_not_tried_again() -> None:
    async with serving(breaking_on_reuse(0)) as (server, client):
        with pytest.raises(ConnectionFailed) as failure:
            await fetch(client, server.url, repeatable=True)
        assert (failure.value.sent, failure.value.stale) == (True, False)
        assert server.connections == 1


async def test_every_idle_connection_expires() -> None:
    async def script(peer: Peer) -> None:
        if b"/slow" in await peer.request():
            await release.wait()
        await peer.send(OK)
        assert await peer.request() == b""
        ended.release()

    release, ended = asyncio.Event(), asyncio.Semaphore(0)
    async with serving(script, idle_timeout=0.2) as (server, client):
        slow = asyncio.create_task(fetch(client, f"{server.url}slow"))
        assert await fetch(client, server.url) == b"ok"
        # The second becomes idle well after the first, so that one timer does not end both.
        await asyncio.sleep(0.05)
        release.set()
        assert await slow == b"ok"
        await ended.acquire()
        await ended.acquire()


async def test_an_idle_connection_that_ended_takes_no_place() -> None:
    async def script(peer: Peer) -> None:
        while request := await peer.request():
            if b"/slow" in request:
                await release.wait()
            await peer.send(OK)
            if b"/last" in request:
                return

    release = asyncio.Event()
    async with serving(script, max_idle_per_origin=1) as (server, client):
        slow = asyncio.create_task(fetch(client, f"{server.url}slow"))
        assert await fetch(client, f"{server.url}last") == b"ok"
        await asyncio.wait(server.scripts, return_when=asyncio.FIRST_COMPLETED)
        release.set()
        assert await slow == b"ok"
        assert await fetch(client, server.url) == b"ok"
        assert server.connections == 2


async def test_a_client_beside_another_has_connections_and_limits_of_its_own() -> None:
    arrived, answer = asyncio.Semaphore(0), asyncio.Event()

    async def script(peer: Peer) -> None:
        while await peer.request():
            arrived.release()
            await answer.wait()
            await peer.send(OK)

    async with serving(script) as (server, client):
        beside = client.beside(ConnectionLimits(max=1, connect_timeout=5.0, idle_timeout=5.0))
        first = asyncio.create_task(fetch(beside, server.url))
        await arrived.acquire()
        second = asyncio.create_task(fetch(beside, server.url))
        other = asyncio.create_task(fetch(client, server.url))
        await arrived.acquire()
        answer.set()

        assert await asyncio.gather(first, second, other) == [b"ok"] * 3
        assert server.connections == 2
        await beside.close()
        assert await fetch(client, server.url) == b"ok"
        assert server.connections == 2


async def test_a_client_beside_another_trusts_the_same_certificates() -> None:
    client = HTTPClient()
    beside = client.beside(ConnectionLimits())

    assert await beside._tls() is await client._tls()


async def test_a_pool_without_connections_is_forgotten() -> None:
    client = HTTPClient()
    for _ in range(3):
        async with serving(once(OK)) as (server, _other):
            assert await fetch(client, server.url) == b"ok"
            await asyncio.gather(*server.scripts)
            await asyncio.sleep(0)
    assert len(client._pools) == 1
    await client.close()


async def test_a_pool_whose_first_connection_is_under_way_is_not_forgotten() -> None:
    gone = asyncio.Event()
    async with (
        serving(always(OK)) as (other, _),
        serving(watching(ENDLESS, gone)) as (server, client),
    ):
        asking = asyncio.create_task(client.request("GET", server.url))
        await asyncio.sleep(0)
        assert await fetch(client, other.url) == b"ok"
        await asking
        await client.close()
        await gone.wait()


async def test_only_so_many_idle_connections_are_kept() -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        arrived.release()
        await answer.wait()
        await peer.send(OK)
        assert await peer.request() == b""
        ended.release()

    arrived, answer, ended = asyncio.Semaphore(0), asyncio.Event(), asyncio.Semaphore(0)
    async with serving(script, max_idle_per_origin=1) as (server, client):
        tasks = [asyncio.create_task(fetch(client, server.url)) for _ in range(3)]
        for _ in tasks:
            await arrived.acquire()
        answer.set()
        assert await asyncio.gather(*tasks) == [b"ok"] * 3
        await ended.acquire()
        await ended.acquire()
        assert ended.locked()


async def test_requests_over_the_bound_wait_for_a_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def script(peer: Peer) -> None:
        while request := await peer.request():
            if b"/slow" in request:
                asked.set()
                await release.wait()
            await peer.send(OK)

    monkeypatch.setattr(connections, "MAX_OPEN_PER_ORIGIN", 1)
    asked, release = asyncio.Event(), asyncio.Event()
    async with serving(script) as (server, client):
        slow = asyncio.create_task(fetch(client, f"{server.url}slow"))
        await asked.wait()
        waiting = [asyncio.create_task(fetch(client, server.url)) for _ in range(3)]
        await asyncio.sleep(0)
        waiting.pop(0).cancel()
        release.set()
        assert await asyncio.gather(slow, *waiting) == [b"ok"] * 3
        assert server.connections == 1


async def test_closing_the_client_ends_the_wait_for_a_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "MAX_OPEN_PER_ORIGIN", 1)
    async with serving(always(ENDLESS)) as (server, client):
        await client.request("GET", server.url)
        waiting = asyncio.create_task(client.request("GET", server.url))
        await asyncio.sleep(0)
        await client.close()
        with pytest.raises(ConnectionFailed, match="closed"):
            await waiting
        assert server.connections == 1


async def test_a_cancelled_or_failed_request_gives_its_place_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def script(peer: Peer) -> None:
        while request := await peer.request():
            if b"/never" in request:
                asked.set()
            else:
                await peer.send(b"junk" if b"/junk" in request else OK)

    monkeypatch.setattr(connections, "MAX_OPEN_PER_ORIGIN", 1)
    asked = asyncio.Event()
    async with serving(script) as (server, client):
        never = asyncio.create_task(fetch(client, f"{server.url}never"))
        await asked.wait()
        never.cancel()
        with pytest.raises(UpstreamFailed):
            await fetch(client, f"{server.url}junk")
        assert await fetch(client, server.url) == b"ok"


async def test_a_refused_connection_sent_nothing_and_takes_no_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "MAX_OPEN_PER_ORIGIN", 1)
    client = HTTPClient()
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{held.getsockname()[1]}"
        async with asyncio.timeout(DEADLINE):
            await failure_of(client, f"http://{address}/")
            failure = await failure_of(client, f"http://{address}/")
    assert failure.sent is False
    assert str(failure) == f"{address} cannot be reached: connection refused."


async def test_an_unknown_name_sent_nothing() -> None:
    failure = await failure_of(HTTPClient(), "http://two..dots/")
    assert failure.sent is False
    assert str(failure) == "two..dots:80 cannot be reached: its name is not known."


async def test_a_connection_whose_request_left_while_it_was_opened_is_used_by_the_next() -> None:
    async with serving(always(OK)) as (server, client):
        for rounds in range(12):
            leaving = asyncio.create_task(fetch(client, server.url))
            for _ in range(rounds):
                await asyncio.sleep(0)
            leaving.cancel()
            await asyncio.wait({leaving})
        assert await fetch(client, server.url) == b"ok"


async def test_closing_ends_a_connection_that_is_being_opened() -> None:
    async with serving(always(OK)) as (server, client):
        leaving = asyncio.create_task(fetch(client, server.url))
        await asyncio.sleep(0)
        leaving.cancel()
        await client.close()
        with pytest.raises(asyncio.CancelledError):
            await leaving
