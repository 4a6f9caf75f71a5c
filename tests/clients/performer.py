"""Carries out a plan with one MCP client and prints what it saw, for the clients in Python.

A plan is `{"runs": [{"target": …, "steps": […]}]}`. A target is a URL with headers and the way to
come, or a command. What was seen is printed in one line that begins with `REPORT`: for each run the
`facts` of the connection, and for each step its `result` or `error`, beside what was heard of
progress and asked meanwhile. This file needs nothing but the standard library, for it runs in the
environment of each client.
"""

import asyncio
import json
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

JSONObject = dict[str, Any]

STEP_SECONDS = 60.0
PAUSE = 0.1  # seconds between two looks at a list
CANCELLED = "the client gave up"
ROOTS = [{"uri": "file:///home/ada/project", "name": "project"}]
SAID: JSONObject = {
    "role": "assistant",
    "content": {"type": "text", "text": "Hello back"},
    "model": "a-model",
    "stopReason": "endTurn",
}


class Unable(Exception):
    """The client has no way to do this, or the era of its connection has none."""


class Answered(Exception):
    """A request was answered with a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: object) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, "data": data}


class Seen:
    """What a client hears and is asked while it carries out a run."""

    def __init__(self) -> None:
        self._asked: list[JSONObject] = []
        self._heard: list[JSONObject] = []
        self._news = asyncio.Event()

    def hear(self, method: str, params: JSONObject) -> None:
        """Take note of a notification."""
        self._heard.append({"method": method, "params": params})
        self._news.set()

    def answer(self, method: str, params: JSONObject) -> JSONObject:
        """Take note of a question and return the answer that this client's person gives."""
        self._asked.append({"method": method, "params": params})
        if method == "roots/list":
            return {"roots": ROOTS}
        if method == "sampling/createMessage":
            return SAID
        if params.get("mode") == "url":
            return {"action": "accept"}
        fields = params["requestedSchema"]["properties"]
        return {"action": "accept", "content": {"name": "Ada"} if "name" in fields else {"age": 36}}

    def take_asked(self) -> list[JSONObject]:
        """Return what was asked since the last time."""
        asked, self._asked = self._asked, []
        return asked

    async def until(self, method: str, where: dict[str, str]) -> JSONObject:
        """Wait for a notification whose params, as text, match the patterns; take and return it."""
        while True:
            self._news.clear()
            for message in self._heard:
                params = message["params"]
                matches = (re.search(at, str(params.get(key))) for key, at in where.items())
                if message["method"] == method and all(matches):
                    self._heard.remove(message)
                    return params
            await self._news.wait()


Progress = Callable[[float, float | None, str | None], None]


class Connection(ABC):
    """One client while it is connected; each method does what its name says and returns JSON."""

    @abstractmethod
    def facts(self) -> JSONObject:
        """Return version, server, capabilities and instructions as the client knows them."""

    @abstractmethod
    async def all_of(self, kind: str) -> list[JSONObject]:
        """Return all pages of a list: tools, prompts, resources or resourceTemplates."""

    @abstractmethod
    async def call(self, name: str, arguments: JSONObject, heard: Progress) -> JSONObject:
        """Call a tool, and hear its progress and its log messages of every level."""

    @abstractmethod
    async def prompt(self, name: str, arguments: dict[str, str]) -> JSONObject:
        """Get a prompt."""

    @abstractmethod
    async def read(self, uri: str) -> JSONObject:
        """Read a resource."""

    @abstractmethod
    async def complete(
        self, ref: JSONObject, argument: dict[str, str], context: dict[str, str] | None
    ) -> JSONObject:
        """Complete an argument."""

    @abstractmethod
    async def ping(self) -> None:
        """Ask for a sign of life. Raises Unable."""

    @abstractmethod
    async def level(self, level: str) -> None:
        """Say which log messages the session shall hear. Raises Unable."""

    @abstractmethod
    async def watch(self, uris: list[str]) -> None:
        """Hear of updates of these resources, and of changed tools, from now on."""

    @abstractmethod
    async def unwatch(self, uris: list[str]) -> None:
        """Hear of these no more."""

    async def cancel(self, name: str, arguments: JSONObject) -> JSONObject:
        """Call a tool and give the call up once it tells of progress; return how it ended."""
        begun = asyncio.Event()
        calling = asyncio.create_task(self.call(name, arguments, lambda *_: begun.set()))
        await begun.wait()
        calling.cancel()
        ended = await asyncio.gather(calling, return_exceptions=True)
        return {"ended": CANCELLED if isinstance(ended[0], asyncio.CancelledError) else str(ended)}


Connect = Callable[[JSONObject, Seen], AbstractAsyncContextManager[Connection]]


def perform(connect: Connect) -> None:
    """Carry out the plan in the file that the command line names, and print the report."""
    plan = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    report = asyncio.run(_runs(plan["runs"], connect))
    sys.stdout.write(f"\nREPORT {json.dumps({'runs': report})}\n")
    sys.stdout.flush()


async def _runs(runs: list[JSONObject], connect: Connect) -> list[JSONObject]:
    return [await _run(run, connect) for run in runs]


async def _run(run: JSONObject, connect: Connect) -> JSONObject:
    seen = Seen()
    async with connect(run["target"], seen) as connection:
        steps = [await _step(step, connection, seen) for step in run["steps"]]
        return {"facts": connection.facts(), "steps": steps}


async def _step(step: JSONObject, connection: Connection, seen: Seen) -> JSONObject:
    told: list[list[object]] = []
    outcome: JSONObject = {"progress": told}
    try:
        async with asyncio.timeout(STEP_SECONDS):
            outcome["result"] = await _do(step, connection, seen, lambda *of: told.append([*of]))
    except Answered as fault:
        outcome["error"] = fault.error
    except Unable:
        outcome["unable"] = True
    except TimeoutError:
        outcome["timeout"] = True
    outcome["asked"] = seen.take_asked()
    return outcome


async def _do(step: JSONObject, to: Connection, seen: Seen, heard: Progress) -> object:
    name, arguments = step.get("name", ""), step.get("arguments", {})
    ways: dict[str, Callable[[], Awaitable[object]]] = {
        "list": lambda: _list(to, step["kind"], step.get("until", []), step.get("gone", [])),
        "call": lambda: to.call(name, arguments, heard),
        "cancel": lambda: to.cancel(name, arguments),
        "prompt": lambda: to.prompt(name, arguments),
        "read": lambda: to.read(step["uri"]),
        "complete": lambda: to.complete(step["ref"], step["argument"], step.get("context")),
        "ping": to.ping,
        "level": lambda: to.level(step["level"]),
        "watch": lambda: to.watch(step["uris"]),
        "unwatch": lambda: to.unwatch(step["uris"]),
        "hear": lambda: seen.until(step["method"], step["where"]),
    }
    return await ways[step["do"]]()


async def _list(
    connection: Connection, kind: str, until: list[str], gone: list[str]
) -> list[JSONObject]:
    """List, again and again if items must come or go: not all clients hear when that is."""
    while True:
        items = await connection.all_of(kind)
        names = {each[key] for each in items for key in ("name", "uri") if key in each}
        if names.issuperset(until) and names.isdisjoint(gone):
            return items
        await asyncio.sleep(PAUSE)
