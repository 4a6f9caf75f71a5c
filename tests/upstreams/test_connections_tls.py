"""The HTTP client over TLS, with a throw-away authority, and against an ordinary server."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from interlock.upstreams.connections import HTTPClient
from tests.upstreams.certificates import write_certificates
from tests.upstreams.raw_server import (
    DEADLINE,
    ENDLESS,
    LIMIT,
    OK,
    Peer,
    failure_of,
    fetch,
    once,
    serving,
    watching,
)


async def test_a_server_that_is_silent_at_the_handshake_is_given_up() -> None:
    async def script(peer: Peer) -> None:
        assert await peer.request() == b""

    async with serving(script, connect_timeout=0.1) as (server, client):
        failure = await failure_of(client, server.url.replace("http:", "https:"))
    assert failure.sent is False
    assert "no connection within 0.1 seconds" in str(failure)


async def test_a_server_without_tls_is_sent_nothing_over_https() -> None:
    async def script(peer: Peer) -> None:
        await peer.send(OK)

    async with serving(script) as (server, client):
        failure = await failure_of(client, server.url.replace("http:", "https:"))
    assert failure.sent is False
    assert "TLS failed" in str(failure)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a throw-away authority, `ca.pem`, and a server's `server.pem`."""
    folder = tmp_path_factory.mktemp("certificates")
    write_certificates(folder)
    return folder


@pytest.fixture
def server_tls(certificates: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem")
    return context


@pytest.fixture
def trusting(certificates: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificates / "ca.pem")


async def test_an_untrusted_certificate_is_refused_before_anything_is_sent(
    server_tls: ssl.SSLContext,
) -> None:
    async with serving(once(OK), tls=server_tls) as (server, client):
        failure = await failure_of(client, server.url)
    assert failure.sent is False
    assert "certificate is not trusted" in str(failure)


async def test_a_body_that_lasts_until_the_end_is_read_over_tls(
    server_tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    body = bytes(1 << 20)
    script = once(b"HTTP/1.1 200 OK\r\n\r\n" + body)
    async with serving(script, tls=server_tls, ssl_context=trusting) as (server, client):
        assert await fetch(client, server.url) == body


async def test_the_server_learns_of_a_cancellation_over_tls(
    server_tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    gone = asyncio.Event()
    script = watching(ENDLESS, gone)
    async with serving(script, tls=server_tls, ssl_context=trusting) as (server, client):
        parts = (await client.request("GET", server.url)).chunks()
        assert await anext(parts) == b"one"
        task = asyncio.ensure_future(anext(parts))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await gone.wait()


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the body in as many pieces as it came in."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    more = True
    while more:
        event = await receive()
        more = event.get("more_body", False)
        await send({"type": "http.response.body", "body": event["body"], "more_body": more})


@asynccontextmanager
async def uvicorn_serving(**options: Any) -> AsyncIterator[str]:
    config = uvicorn.Config(echo, lifespan="off", log_config=None, access_log=False, **options)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with asyncio.timeout(DEADLINE):
            task = asyncio.create_task(server.serve(sockets=[listener]))
            scheme = "https" if config.is_ssl else "http"
            yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/"
            server.should_exit = True
            await task


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_an_ordinary_server_is_called_many_times_at_once(
    scheme: str, certificates: Path, trusting: ssl.SSLContext
) -> None:
    async def call(number: int) -> bytes:
        response = await client.request("POST", url, body=b"%d" % number)
        return await response.read(LIMIT)

    options = {"ssl_certfile": certificates / "server.pem"} if scheme == "https" else {}
    client = HTTPClient(ssl_context=trusting)
    async with uvicorn_serving(**options) as url:
        for start in range(0, 96, 32):
            batch = range(start, start + 32)
            answers = await asyncio.gather(*(call(number) for number in batch))
            assert answers == [b"%d" % number for number in batch]
        response = await client.request("POST", url, body=bytes(8 << 20))
        assert sum([len(part) async for part in response.chunks()]) == 8 << 20
        await client.close()
