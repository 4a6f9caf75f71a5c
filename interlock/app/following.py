"""A worker's ear at the keeper: takes over what changed, and tells which kinds of clients came."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

from interlock.app.bulletin import HEARTBEAT
from interlock.app.door import BULLETIN, CHANGED, HEARD, MEET, WRITTEN
from interlock.app.echo import Echo
from interlock.app.live import BETWEEN
from interlock.errors import InterlockError, UpstreamFailed
from interlock.gateway.changes import Changes
from interlock.gateway.handover import KEEPER
from interlock.gateway.relay import Relay
from interlock.identity.api_keys import KeyRing
from interlock.protocol.json import JSONObject, dumps
from interlock.registry.hosted import Host, HostedState
from interlock.registry.registry import Registry
from interlock.telemetry.logs import get_logger, log_failure
from interlock.upstreams.response import HTTPResponse

SILENCE: Final = HEARTBEAT * 6  # seconds after which the keeper is asked anew
ASK_DEADLINE: Final = 30.0  # seconds
FIRST_DELAY, LONGEST_DELAY = 0.1, 2.0  # seconds before the bulletin is asked for again
MAX_LINE: Final = 256 * 1024 * 1024  # bytes; a line is what one server offers
MAX_UNTOLD: Final = 1000  # messages that wait for the keeper
_MAX_ANSWER: Final = 1024

log = get_logger(__name__)


class Following:
    """Keeps one worker as the keeper is, and tells the keeper what happens here.

    `host` knows the hosted servers.
    """

    def __init__(self, number: int, relay: Relay) -> None:
        self.host = Host(KEEPER, self._met)
        self._number = number
        self._relay = relay
        self._is_told = asyncio.Event()
        self._untold: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(MAX_UNTOLD)
        self._known: set[tuple[str, str]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._echo: Echo | None = None
        self._written: set[str] = set()
        self._is_written = asyncio.Event()

    async def start(self, registry: Registry, keys: KeyRing, changes: Changes) -> None:
        """Begin to follow, and return once everything is as the keeper has it."""
        self._echo = Echo(changes, self._changed)
        registry.announce = self._echo.noticed
        for work in (self._follow(registry, keys), self._tell(), self._tell_written()):
            self._tasks.add(asyncio.create_task(work))
        await self._is_told.wait()

    def written(self, projects: set[str]) -> None:
        """Take note that records of these projects were written here, and tell the keeper soon."""
        self._written |= projects
        self._is_written.set()

    async def close(self) -> None:
        """Follow no more."""
        if self._echo is not None:
            self._echo.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _follow(self, registry: Registry, keys: KeyRing) -> None:
        delay = FIRST_DELAY
        while True:
            try:
                async with asyncio.timeout(ASK_DEADLINE):
                    path = f"{BULLETIN}{self._number}"
                    bulletin = await self._relay.request(KEEPER, "GET", path)
                async with aclosing(_lines(bulletin)) as lines:
                    async for line in lines:
                        await self._take(line, registry, keys)
                        delay = FIRST_DELAY
            except (InterlockError, TimeoutError) as fault:
                log.warning("bulletin.lost", reason=str(fault) or "silence")
            except Exception as error:  # noqa: BLE001 -- whatever one line brought, the next must be heard
                log_failure(log, "bulletin.unforeseen", error)
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY)

    async def _take(self, line: JSONObject, registry: Registry, keys: KeyRing) -> None:
        if "hosted" in line:
            self.host.take(HostedState.read(line["hosted"]))
            return
        if "changed" in line:
            if self._echo is not None:
                self._echo.heard(line["changed"])
            return
        if "restarted" in line:
            registry.restart_all(line["restarted"])
            return
        if "levels" in line:
            registry.log_levels.take(line["levels"])
            return
        if line["keys"]:
            await keys.load()
        if line["registry"]:
            await registry.reload()
        self._is_told.set()
        await self._post(HEARD, dumps({"worker": self._number, "number": line["number"]}))

    def _met(self, project: str, mark: str, capabilities: JSONObject) -> None:
        if (project, mark) not in self._known:
            self._known.add((project, mark))
            self._say(MEET, {"project": project, "mark": mark, "capabilities": capabilities})

    def _changed(self, change: JSONObject) -> None:
        self._say(CHANGED, {"worker": self._number, "change": change})

    def _say(self, path: str, said: JSONObject) -> None:
        if self._untold.full():
            # The keeper has not listened for long; what is lost are announcements and hints.
            log.warning("keeper.not_told", path=path)
            return
        self._untold.put_nowait((path, dumps(said)))

    async def _tell(self) -> None:
        while True:
            await self._send(*await self._untold.get())

    async def _tell_written(self) -> None:
        """Tell whose records were written as often as the console is told, however many there are."""
        while True:
            await self._is_written.wait()
            self._is_written.clear()
            projects, self._written = self._written, set()
            await self._send(WRITTEN, dumps({"projects": sorted(projects)}))
            await asyncio.sleep(BETWEEN)

    async def _send(self, path: str, said: bytes) -> None:
        while True:
            try:
                return await self._post(path, said)
            except (UpstreamFailed, TimeoutError) as fault:
                log.warning("keeper.deaf", reason=str(fault) or "silence")
                await asyncio.sleep(LONGEST_DELAY)

    async def _post(self, path: str, body: bytes) -> None:
        async with asyncio.timeout(ASK_DEADLINE):
            answer = await self._relay.request(KEEPER, "POST", path, body)
            await answer.read(_MAX_ANSWER)


async def _lines(bulletin: HTTPResponse) -> AsyncGenerator[JSONObject]:
    """Yield the lines of a bulletin until it ends. Raises TimeoutError where it falls silent."""
    unread = bytearray()
    async with aclosing(bulletin.chunks()) as chunks:
        while True:
            async with asyncio.timeout(SILENCE):
                chunk = await anext(chunks, b"")
            if not chunk:
                return
            unread += chunk
            if len(unread) > MAX_LINE:
                raise UpstreamFailed("A line of the bulletin is too long.")
            if b"\n" not in chunk:
                continue
            *whole, unread = unread.split(b"\n")
            for line in whole:
                if line:
                    # Deeper and larger numbers than callers may send: these are our own words.
                    said: Any = json.loads(line)
                    yield said
