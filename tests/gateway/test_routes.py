"""Which path is which endpoint, and where the old transport's messages are to be posted."""

from typing import cast

import pytest

from interlock.gateway.http import Receive, Scope, Send
from interlock.gateway.legacy_sse import LegacySSE, Place
from interlock.gateway.routes import RESERVED, Endpoints
from interlock.gateway.streamable_http import StreamableHTTP

ALL = ("p", None)
ONE = ("p", "s")


class Recorder:
    """Stands for both transports: notes which was served, and for which place."""

    def __init__(self) -> None:
        self.served: list[tuple[str, Place]] = []
        self.messages = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send, place: Place) -> None:
        self.served.append(("http", place))

    async def stream(
        self, scope: Scope, receive: Receive, send: Send, place: Place, messages: object
    ) -> None:
        self.served.append(("stream", place))
        assert callable(messages)
        self.messages = cast("str", messages("id-1"))

    async def message(self, scope: Scope, receive: Receive, send: Send, place: Place) -> None:
        self.served.append(("message", place))


def endpoints(recorder: Recorder) -> Endpoints:
    http, sse = cast("StreamableHTTP", recorder), cast("LegacySSE", recorder)
    return Endpoints(http, sse, lambda server: (f"project-of-{server}", server))


async def served(path: str) -> tuple[str, Place, str]:
    """Return which transport serves a path, for which place, and where it has messages posted."""
    recorder = Recorder()
    routes = endpoints(recorder)
    assert routes.is_ours(path)
    unused = cast("Receive", None)
    await routes({"type": "http", "path": path}, unused, cast("Send", None))
    ((transport, place),) = recorder.served
    return transport, place, recorder.messages


@pytest.mark.parametrize("end", ["", "/"])
@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/mcp/p", ALL),
        ("/mcp/p/s", ONE),
        ("/projects/p/unified/mcp", ALL),
        ("/projects/p/servers/s/mcp", ONE),
        ("/api/proxy/mcp/s/mcp", ("project-of-s", "s")),
        ("/mcp/p/request", ("p", "request")),
        ("/mcp/pro ject/sér", ("pro ject", "sér")),
    ],
)
async def test_streamable_http_is_served_at_its_path_and_the_aliases(
    path: str, place: Place, end: str
) -> None:
    assert await served(path + end) == ("http", place, "")


@pytest.mark.parametrize("end", ["", "/"])
@pytest.mark.parametrize(
    ("path", "place", "messages"),
    [
        ("/sse/p", ALL, "/sse/p/-/messages"),
        ("/sse/p/s", ONE, "/sse/p/s/-/messages"),
        ("/sse/p/-", ("p", "-"), "/sse/p/-/-/messages"),
        ("/sse/a b/ü?#", ("a b", "ü?#"), "/sse/a%20b/%C3%BC%3F%23/-/messages"),
        ("/projects/p/unified/sse", ALL, "/projects/p/unified/messages"),
        ("/projects/p/servers/s/sse", ONE, "/projects/p/servers/s/messages"),
        ("/api/proxy/mcp/s/sse", ("project-of-s", "s"), "/api/proxy/mcp/s/messages"),
    ],
)
async def test_the_old_transports_stream_says_where_to_post(
    path: str, place: Place, messages: str, end: str
) -> None:
    assert await served(path + end) == ("stream", place, f"{messages}?session_id=id-1")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/sse/p/-/messages", ALL),
        ("/sse/p/s/-/messages", ONE),
        ("/sse/p/-/-/messages", ("p", "-")),
        ("/projects/p/unified/messages", ALL),
        ("/projects/p/servers/s/messages", ONE),
        ("/api/proxy/mcp/s/messages", ("project-of-s", "s")),
    ],
)
async def test_messages_arrive_for_the_place_of_their_stream(path: str, place: Place) -> None:
    assert await served(path) == ("message", place, "")


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_reserved_names_are_no_projects(name: str) -> None:
    routes = endpoints(Recorder())

    assert not routes.is_ours(f"/mcp/{name}")
    assert not routes.is_ours(f"/mcp/{name}/")
    assert not routes.is_ours(f"/mcp/{name}/s")


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/mcp",
        "/mcp/",
        "/mcp//",
        "/mcp//s",
        "/mcp/p/s/x",
        "/mcp/p//",
        "/MCP/p",
        "/x/mcp/p",
        "/sse",
        "/sse/",
        "/sse/p/s/messages",
        "/sse/p/s/x/-/messages",
        "/projects/p",
        "/projects/p/unified",
        "/projects/p/servers",
        "/projects/p/servers/s",
        "/projects/p/cline-config",
        "/api/proxy/mcp/s",
        "/api/v1/servers",
        "/healthz",
    ],
)
def test_other_paths_are_not_ours(path: str) -> None:
    assert not endpoints(Recorder()).is_ours(path)
