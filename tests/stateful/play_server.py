"""An MCP server that plays a script given with each call, and is directed from outside.

It is the everything server of the matrix with other tools. A connection to a director, beside the
protocol, says when a call goes on and hears what becomes of every call. `--stdio ERA` serves the one
client of a process; `--http` serves three servers, one for each era and transport.
"""

# It runs as a program, which has the folder of the matrix in its path.
# pyright: reportMissingImports=false

import argparse
import asyncio
import importlib
import json
import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "matrix"))

import everything_legacy
import everything_server
import everything_tools
from everything_call import Call
from everything_world import Send, World

JSONObject = dict[str, Any]

ANSWER: JSONObject = {"type": "object", "properties": {"value": {"type": "string"}}}
OVER_HTTP = {"lh": "legacy", "lx": "sse", "mh": "modern"}


class Hearers(set[Any]):
    """The clients that hear of changes; says when one comes or goes."""

    def __init__(self) -> None:
        super().__init__()
        self.changed: Callable[[], None] = lambda: None

    def add(self, hearer: Any) -> None:
        super().add(hearer)
        self.changed()

    def discard(self, hearer: Any) -> None:
        super().discard(hearer)
        self.changed()


class Streams(dict[str, Any]):
    """The sessions' own streams, which ask to be taken up soon; says when one is opened."""

    changed: Callable[[], None] = staticmethod(lambda: None)

    def __setitem__(self, session_id: str, stream: Any) -> None:
        stream._opening = b"retry: 100\n\n"
        super().__setitem__(session_id, stream)
        self.changed()


class PlayWorld(World):
    """The tools `play` and `other`, two resources, and as many more tools as the director wants."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.more = 0
        self.hearers = Hearers()
        self.lists = {
            "tools": self._tools(),
            "prompts": [],
            "resourceTemplates": [],
            "resources": [{"uri": f"play://{name}/{n}", "name": f"{n}"} for n in ("a", "b")],
        }

    def _tools(self) -> list[JSONObject]:
        names = ["play", "other", *(f"more-{n}" for n in range(self.more))]
        return [{"name": name, "inputSchema": {"type": "object"}} for name in names]

    def offer(self, more: int) -> None:
        """Offer so many more tools, and say so where that is news."""
        if more == self.more:
            return
        self.more = more
        self.lists["tools"] = self._tools()
        self._changed("tools")

    @property
    def watched(self) -> list[str]:
        """The resources that somebody wants to hear of."""
        uris: set[str] = set()
        for hearer in self.hearers:
            wanted = getattr(hearer, "_wanted", {})
            uris |= getattr(hearer, "_watched", set())
            uris |= set(wanted.get("resourceSubscriptions", ()))
        return sorted(uris)


class Wings:
    """The connection to the director: its commands, and what it is told."""

    def __init__(self, worlds: list[PlayWorld]) -> None:
        self.worlds = {world.name: world for world in worlds}
        self.forget: dict[str, Callable[[], None]] = {}
        self.endpoint: Any = None
        self._released: set[str] = set()
        self._news = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None

    async def enter(self, port: int, ports: Mapping[str, int]) -> None:
        """Say who is here and wait for the first orders, so that no order is missed."""
        reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        self.report("entered", pid=os.getpid(), servers=[*self.worlds], ports=dict(ports))
        self._obey(json.loads(await reader.readline()))
        self._listening = asyncio.create_task(self._listen(reader))

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                self._obey(json.loads(line))
        finally:
            # Without a director there is nobody to play for, however its connection ended.
            os._exit(0)

    def _obey(self, order: JSONObject) -> None:
        self._released |= set(order.get("release", ()))
        for name, more in order.get("offer", {}).items():
            if name in self.worlds:
                self.worlds[name].offer(more)
        for uri in order.get("touch", ()):
            for world in self.worlds.values():
                world.touch(uri)
        for name in order.get("forget", ()):
            if name in self.forget:
                self.forget[name]()
        self._news.set()

    def report(self, what: str, **more: Any) -> None:
        """Tell the director of something."""
        if self._writer is not None:
            self._writer.write(json.dumps({"what": what, **more}).encode() + b"\n")

    def report_watched(self) -> None:
        """Tell the director which resources are subscribed to now."""
        uris = [uri for world in self.worlds.values() for uri in world.watched]
        deaf = 0
        if self.endpoint is not None:
            deaf = len(self.endpoint._sessions.keys() - self.endpoint._streams.keys())
        hearers = {name: len(world.hearers) for name, world in self.worlds.items()}
        self.report("watching", uris=uris, deaf=deaf, hearers=hearers)

    async def released(self, gate: str) -> None:
        """Wait until the director lets a call go on."""
        while gate not in self._released:
            self._news.clear()
            await self._news.wait()


class PlaySession(everything_legacy.LegacySession):
    """A session that ends its calls when it ends, and takes answers that come too late."""

    wings: Wings

    def close(self) -> None:
        super().close()
        for task in self._running.values():
            if task is not None:
                task.cancel()

    async def receive(
        self, message: JSONObject, send: Send, headers: Mapping[str, str] | None = None
    ) -> None:
        if "method" not in message:
            waiting = self._asks.pop(str(message["id"]), None)
            if waiting is not None and not waiting.done():
                waiting.set_result(message)
            return
        if message["method"] == "notifications/cancelled":
            self.wings.report("told")
        await super().receive(message, send, headers)
        if message["method"].startswith("resources/"):
            self.wings.report_watched()


async def play(call: Call, wings: Wings) -> JSONObject:
    """Do what the script says, step by step; each step is named for the call and its number."""
    tag, answers = call.arguments["tag"], []
    wings.report("began", tag=tag)
    end = "asked"
    try:
        for number, step in enumerate(call.arguments["steps"]):
            name = f"{tag}/{number}"
            match step:
                case "progress" if call.meta.get("progressToken") is not None:
                    call.notify(
                        "notifications/progress",
                        progressToken=call.meta["progressToken"],
                        progress=number + 1,
                        message=name,
                    )
                case "log":
                    call.log("info", name)
                case "hold":
                    wings.report("holds", tag=tag, gate=name)
                    await wings.released(name)
                case "ask":
                    form = {"message": name, "requestedSchema": ANSWER}
                    answers.append(await call.ask("elicitation/create", form))
        end = "done"
    except asyncio.CancelledError:
        end = "cancelled"
        raise
    finally:
        wings.report("ended", tag=tag, how=end)
    return everything_tools.told(server=call.server, tag=tag, answers=answers)


async def _over_stdio(arguments: argparse.Namespace) -> None:
    world = PlayWorld(arguments.name)
    wings = _prepare([world])
    await wings.enter(arguments.director, {})
    await everything_server.serve_stdio(world, arguments.stdio)


def _prepare(worlds: list[PlayWorld]) -> Wings:
    wings = Wings(worlds)
    everything_tools.TOOLS.clear()
    everything_tools.TOOLS["play"] = everything_tools.TOOLS["other"] = lambda call: play(
        call, wings
    )
    PlaySession.wings = wings
    for world in worlds:
        world.hearers.changed = wings.report_watched
    everything_server.LegacySession = PlaySession
    return wings


async def _over_http(arguments: argparse.Namespace) -> None:
    # Over stdio a session is a process, and none should have to load a web framework.
    http: Any = importlib.import_module("everything_http")
    uvicorn = importlib.import_module("uvicorn")
    http.LegacySession = PlaySession
    worlds = [PlayWorld(name) for name in OVER_HTTP]
    wings = _prepare(worlds)
    serving: list[Any] = []
    ports: dict[str, int] = {}
    for world in worlds:
        app = getattr(http, f"{OVER_HTTP[world.name]}_app")(world)
        listening = socket.create_server(("127.0.0.1", 0))
        ports[world.name] = listening.getsockname()[1]
        config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        wings.forget[world.name] = _forgetting(server, app)
        if world.name == "lh":
            wings.endpoint = app.routes[0].endpoint.__self__
            wings.endpoint._streams = Streams()
            wings.endpoint._streams.changed = wings.report_watched
        serving.append(server.serve(sockets=[listening]))
    running = [asyncio.create_task(each) for each in serving]
    await wings.enter(arguments.director, ports)
    await asyncio.gather(*running)


def _forgetting(server: Any, app: Any) -> Any:
    """Return what makes a server behave as one that was started anew."""

    def forget() -> None:
        endpoint = getattr(app.routes[0].endpoint, "__self__", None)
        for session in tuple(endpoint._sessions.values()) if endpoint is not None else ():
            session.close()
        if endpoint is not None:
            endpoint._sessions.clear()
        for connection in tuple(server.server_state.connections):
            connection.transport.abort()

    return forget


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(description="An MCP server that plays scripts, for tests.")
    parser.add_argument("--director", type=int, required=True, metavar="PORT")
    parser.add_argument("--name", default="play")
    transport = parser.add_mutually_exclusive_group(required=True)
    transport.add_argument("--stdio", choices=["legacy", "modern"])
    transport.add_argument("--http", action="store_true")
    arguments = parser.parse_args()
    asyncio.run(_over_http(arguments) if arguments.http else _over_stdio(arguments))


if __name__ == "__main__":
    main()
