"""Remote servers are reached by the proxies that the environment names, and no secret is told."""

import json
import re
import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from interlock.upstreams.connections import HTTPClient
from interlock.upstreams.proxies import Proxies, proxies_of
from tests.support.processes import Running, running
from tests.support.workers import processes
from tests.upstreams.certificates import write_certificates
from tests.upstreams.raw_server import OK, Peer, always, failure_of, fetch, serving

USER, PASSWORD = "ada", "s3cret pass"
CREDENTIAL = f"{USER}:{PASSWORD.replace(' ', '%20')}@"
FAR = "http://far.example:8080/mcp?x=1"
MATRIX = Path(__file__).parents[1] / "matrix"


@contextmanager
def real_proxy(folder: Path) -> Iterator[tuple[Running, str]]:
    """Run a proxy that wants a user and a password; yields it, and its host and port."""
    file = folder / "port"
    command = [sys.executable, "-m", "proxy", "--hostname", "127.0.0.1", "--port", "0"]
    command += ["--port-file", str(file), "--basic-auth", f"{USER}:{PASSWORD}"]
    command += ["--num-workers", "1", "--num-acceptors", "1", "--data-dir", str(folder / "data")]
    is_up = lambda: file.is_file() and file.read_text().strip()  # noqa: E731 -- it is a condition
    with running(command, ready=is_up) as proxy:
        address = f"127.0.0.1:{file.read_text().strip()}"
        proxy.wait_until(lambda: _listens(address), 60)
        yield proxy, address


def _listens(address: str) -> bool:
    host, _, port = address.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    with real_proxy(tmp_path_factory.mktemp("proxy")) as found:
        yield found


def by(address: str, credential: str = CREDENTIAL) -> Proxies:
    """Return the proxies of an environment in which one leads to loopback, too."""
    url = f"http://{credential}{address}"
    return proxies_of({"HTTP_PROXY": url, "HTTPS_PROXY": url, "NO_PROXY": "<-loopback>"})


async def test_a_server_over_http_is_asked_of_the_proxy_by_its_whole_address() -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            seen.append(request)
            await peer.send(OK)

    async with serving(script) as (server, _):
        address = server.url.removeprefix("http://").rstrip("/")
        client = HTTPClient(proxies=by(address))
        await fetch(client, FAR)
        head = client.head(FAR, ())
        await client.close()

    (asked,) = seen
    assert asked == (
        b"GET http://far.example:8080/mcp?x=1 HTTP/1.1\r\nHost: far.example:8080\r\n"
        b"Proxy-Authorization: Basic YWRhOnMzY3JldCBwYXNz\r\nAccept-Encoding: identity\r\n\r\n"
    )
    assert head.startswith(b"POST http://far.example:8080/mcp?x=1 HTTP/1.1\r\n")


async def test_a_real_proxy_lets_a_client_with_the_password_through(
    proxy: tuple[Running, str],
) -> None:
    async with serving(always(OK), proxies=by(proxy[1])) as (server, client):
        assert await fetch(client, server.url) == b"ok"


async def test_a_server_over_https_is_reached_through_a_tunnel(
    proxy: tuple[Running, str], tmp_path: Path
) -> None:
    write_certificates(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "server.pem")
    trusting = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    heard: list[bytes] = []

    async def script(peer: Peer) -> None:
        while request := await peer.request():
            heard.append(request)
            await peer.send(OK)

    options = {"ssl_context": trusting, "proxies": by(proxy[1])}
    async with serving(script, tls=tls, **options) as (server, client):
        for _ in range(2):
            assert await fetch(client, server.url) == b"ok"
        wrong = HTTPClient(ssl_context=trusting, proxies=by(proxy[1], "ada:wr0ng@"))
        failure = await failure_of(wrong, server.url)
        await wrong.close()

    assert heard[0].startswith(b"GET / HTTP/1.1\r\n")
    assert b"proxy-authorization" not in heard[0].lower()
    assert (len(heard), server.connections, failure.sent) == (2, 1, False)
    assert f"by the proxy {proxy[1]}" in failure.message
    assert "HTTP 407" in failure.message
    assert "HTTPS_PROXY" in failure.message
    assert "wr0ng" not in failure.message


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "it refused with HTTP 502"),
        (b"SSH-2.0-none\r\n\r\n", "it gave no answer that is HTTP"),
        (b"HTTP/1.1 200 OK\r\n", "it gave no answer that is HTTP"),
        (b"x" * 20_000, "it gave no answer that is HTTP"),
    ],
)
async def test_a_proxy_that_opens_no_tunnel_is_named_with_the_reason(
    answer: bytes, why: str
) -> None:
    async def script(peer: Peer) -> None:
        assert await peer.request()
        await peer.send(answer)

    async with serving(script) as (server, _):
        address = server.url.removeprefix("http://").rstrip("/")
        client = HTTPClient(proxies=by(address))
        failure = await failure_of(client, "https://far.example/")
        await client.close()

    assert failure.message == f"far.example:443 cannot be reached by the proxy {address}: {why}."


@pytest.mark.parametrize("value", ["socks5://u:s3cret@p:1080", "http://u:s3cret@p:notaport", "//"])
async def test_where_a_proxy_cannot_be_used_nothing_goes_past_it(value: str) -> None:
    client = HTTPClient(proxies=proxies_of({"ALL_PROXY": value}))

    failure = await failure_of(client, "http://far.example/")

    assert failure.sent is False
    assert "ALL_PROXY" in failure.message
    assert "s3cret" not in failure.message
    await client.close()


def led(environ: dict[str, str], url: str) -> str | None:
    """Return by which proxy an address is reached."""
    scheme, _, rest = url.partition("://")
    host, _, port = rest.rpartition(":")
    found = proxies_of(environ).of(scheme, host.strip("[]"), int(port))
    return str(found) if found is not None else None


HTTP, HTTPS, ALL = "http://h:1", "http://s:2", "a:3"


@pytest.mark.parametrize(
    ("environ", "url", "proxy"),
    [
        ({}, "http://x:80", None),
        ({"HTTP_PROXY": HTTP}, "http://x:80", "h:1"),
        ({"HTTP_PROXY": HTTP}, "https://x:443", None),
        ({"HTTPS_PROXY": HTTPS, "ALL_PROXY": ALL}, "https://x:443", "s:2"),
        ({"HTTPS_PROXY": HTTPS, "ALL_PROXY": ALL}, "http://x:80", "a:3"),
        ({"http_proxy": HTTP, "HTTP_PROXY": HTTPS}, "http://x:80", "h:1"),
        ({"http_proxy": "", "HTTP_PROXY": HTTPS}, "http://x:80", "s:2"),
        ({"HTTP_PROXY": "http://[fd00::1]:3128/"}, "http://x:80", "[fd00::1]:3128"),
        ({"HTTP_PROXY": "http://h"}, "http://x:80", "h:80"),
        ({"HTTP_PROXY": HTTP}, "unix:///run/x:0", None),
    ],
)
def test_the_variables_are_read_as_other_programs_read_them(
    environ: dict[str, str], url: str, proxy: str | None
) -> None:
    assert led(environ, url) == proxy


@pytest.mark.parametrize(
    ("no_proxy", "direct", "by_proxy"),
    [
        ("", ["localhost:1", "a.localhost:1", "127.0.0.9:1", "[::1]:1", "0.0.0.0:1"], ["x:1"]),
        ("", ["[::ffff:127.0.0.1]:1"], ["[::ffff:10.0.0.1]:1"]),
        ("<-loopback>", [], ["localhost:1", "127.0.0.1:1", "[::1]:1", "x:1"]),
        ("*", ["x:1", "10.0.0.1:1"], []),
        ("corp.example", ["corp.example:1", "a.corp.example:1"], ["acorp.example:1"]),
        (".corp.example, Other", ["a.corp.example:1", "OTHER:9"], ["corp.example.org:1"]),
        ("*.corp.example", ["a.corp.example:1"], ["x:1"]),
        ("corp.example:8443", ["corp.example:8443"], ["corp.example:443"]),
        ("10.0.0.0/8,fd00::/8", ["10.1.2.3:1", "[fd00::2]:1"], ["11.0.0.1:1", "[fe80::1]:1"]),
        ("10.0.0.7", ["10.0.0.7:1"], ["10.0.0.8:1"]),
        (",,", [], ["x:1"]),
    ],
)
def test_what_no_proxy_names_is_reached_directly(
    no_proxy: str, direct: list[str], by_proxy: list[str]
) -> None:
    environ = {"HTTP_PROXY": HTTP, "NO_PROXY": no_proxy}

    found = {place: led(environ, f"http://{place}") for place in (*direct, *by_proxy)}

    assert found == {**dict.fromkeys(direct), **dict.fromkeys(by_proxy, "h:1")}


def test_no_form_of_a_proxy_shows_its_password() -> None:
    (proxy, _) = by("p:1").by_scheme.values()

    assert proxy.credential is not None
    assert "s3cret" not in f"{proxy} {proxy!r}"
    assert proxy.credential not in repr(proxy)


async def test_a_gateway_reaches_its_servers_by_the_proxy_and_logs_no_password(
    proxy: tuple[Running, str],
) -> None:
    command = [sys.executable, str(MATRIX / "everything_server.py"), "--name", "far", "--http", "0"]
    named = {
        "http_proxy": f"http://{CREDENTIAL}{proxy[1]}",
        "no_proxy": "<-loopback>",
        "INTERLOCK_LOG_LEVEL": "debug",
    }
    with running(command, ready=r"listening on (\S+)") as server:
        assert server.ready is not None
        url = f"{server.ready[1]}/mcp"
        with processes(1, {"mcpServers": {"far": {"url": url}}}, **named) as gateway:
            gateway.program.wait_for("server.up .*server=far", 60)
            port = re.search(r":(\d+)/mcp", url)
            assert port is not None
            proxy[0].wait_for(rf"POST 127\.0\.0\.1:{port[1]}/mcp", 60)
            output = gateway.program.output

    assert f"proxy={proxy[1]}" in output
    assert not [each for each in ("s3cret", "YWRhOn") if each in output], json.dumps(output)
