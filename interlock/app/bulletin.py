"""What the keeper tells the other processes: hosted servers' states, and that something changed.

Each worker follows one long answer of JSON lines. A line `{"hosted": …}` is the state of one hosted
server, a line `{"changed": …}` a change of lists that another process noticed, a line
`{"levels": …}` how much is logged about single servers, a line `{"restarted": …}` the ids of servers
that someone lets start anew; a line `{"number": …, "registry": …, "keys": …}` ends a batch and says what to read anew.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.types import ASGIApp

from interlock.gateway.http import Receive, Scope, Send
from interlock.identity.api_keys import KeyRing
from interlock.protocol.json import JSONObject, dumps
from interlock.registry.hosted import HostedState, is_hosted
from interlock.registry.registry import Registry
from interlock.telemetry.logs import get_logger

HEARTBEAT: Final = 5.0  # seconds between two lines of a quiet bulletin
PATIENCE: Final = 1.0  # seconds that an answer waits for every process to know of a change
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

log = get_logger(__name__)


@dataclass(slots=True)
class _Follower:
    """What one worker was told, and the number up to which it has taken it over."""

    news: asyncio.Event = field(default_factory=asyncio.Event)
    hosted: dict[str, HostedState] = field(default_factory=dict[str, HostedState])
    changed: dict[str, JSONObject] = field(default_factory=dict[str, JSONObject])
    restarted: set[str] = field(default_factory=set[str])
    levels: JSONObject | None = None
    registry: int = -1
    keys: int = -1
    heard: int = -1


class Bulletin:
    """Tells workers of changes, and knows which of them have taken them over.

    Nothing is queued: a worker that is slow is told how things are, not how they came to be so.
    """

    def __init__(self, registry: Registry, keys: KeyRing) -> None:
        self._registry = registry
        self._number = 0
        self._keys = 0
        self._followers: dict[int, _Follower] = {}
        self._settling: set[asyncio.Event] = set()
        registry.on_publish = self._changed
        registry.on_restart = self._restarted
        keys.on_change = self._keys_changed

    async def follow(self, worker: int) -> AsyncGenerator[bytes]:
        """Yield lines for a worker until it leaves; a newer stream of its replaces an older one.

        Empty lines say that the keeper lives.
        """
        follower = self._followers[worker] = _Follower()
        follower.news.set()
        try:
            while self._followers.get(worker) is follower:
                if follower.news.is_set():
                    follower.news.clear()
                    for line in self._lines(follower):
                        yield dumps(line) + b"\n"
                try:
                    async with asyncio.timeout(HEARTBEAT):
                        await follower.news.wait()
                except TimeoutError:
                    yield b"\n"
        finally:
            if self._followers.get(worker) is follower:
                del self._followers[worker]
                self._wake(self._settling)

    def _lines(self, follower: _Follower) -> Iterator[JSONObject]:
        # The number is read first: what changes while the lines are sent is in the next batch too.
        number, revision, keys = self._number, self._registry.revision, self._keys
        states = [
            HostedState.of(runner) for runner in self._registry.runners if is_hosted(runner.server)
        ]
        told, follower.hosted = follower.hosted, {state.server_id: state for state in states}
        for state in states:
            if told.get(state.server_id) != state:
                yield {"hosted": state.document()}
        changed, follower.changed = follower.changed, {}
        for change in changed.values():
            yield {"changed": change}
        if follower.restarted:
            restarted, follower.restarted = follower.restarted, set()
            yield {"restarted": sorted(restarted)}
        levels = self._registry.log_levels.document()
        if levels != follower.levels:
            follower.levels = levels
            yield {"levels": levels}
        yield {
            "number": number,
            "registry": follower.registry != revision,
            "keys": follower.keys != keys,
        }
        follower.registry, follower.keys = revision, keys

    def tell(self, change: JSONObject, noticed_by: int | None = None) -> None:
        """Tell of changed lists to all workers but the one that noticed."""
        for number, follower in self._followers.items():
            if number != noticed_by:
                # The same change twice is told once, so that this is bounded by what can change.
                follower.changed[dumps(change).decode()] = change
                follower.news.set()

    def heard(self, worker: int, number: int) -> None:
        """Take note that a worker has taken over everything up to a number."""
        follower = self._followers.get(worker)
        if follower is not None:
            follower.heard = max(follower.heard, number)
            self._wake(self._settling)

    async def settled(self) -> None:
        """Wait until every worker that follows knows how things are now, or for `PATIENCE`."""
        number = self._number
        waiting = asyncio.Event()
        self._settling.add(waiting)
        try:
            async with asyncio.timeout(PATIENCE):
                while any(each.heard < number for each in self._followers.values()):
                    waiting.clear()
                    await waiting.wait()
        except TimeoutError:
            late = [n for n, each in self._followers.items() if each.heard < number]
            log.warning("bulletin.late", workers=late)
        finally:
            self._settling.discard(waiting)

    def _restarted(self, server_id: str) -> None:
        for follower in self._followers.values():
            follower.restarted.add(server_id)
        self._changed()

    def _keys_changed(self) -> None:
        self._keys += 1
        self._changed()

    def _changed(self) -> None:
        self._number += 1
        self._wake(each.news for each in self._followers.values())

    @staticmethod
    def _wake(sleepers: Iterable[asyncio.Event]) -> None:
        for sleeper in sleepers:
            sleeper.set()


class Announced:
    """Lets no answer to a change out of the control API before every process knows of the change."""

    def __init__(self, app: ASGIApp, bulletin: Bulletin) -> None:
        self._app = app
        self._bulletin = bulletin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] in _SAFE:
            await self._app(scope, receive, send)
            return

        async def told_send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                await self._bulletin.settled()
            await send(message)

        await self._app(scope, receive, told_send)
