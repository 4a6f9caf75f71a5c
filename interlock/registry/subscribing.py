"""What we are subscribed to at one server: kept as it is wanted, and anew in every session.

A server of the modern era tells of changes in a stream that names what it tells of, so that another
wish takes another stream. The new one is open before the old one is closed, so that nothing is
missed between them, and what both tell of is passed on once.

Source: 2025-11-25, server/resources; 2026-07-28, basic/patterns/subscriptions.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from typing import Any, TypeAlias

from interlock.errors import RPCError
from interlock.gateway.catalogue import GATEWAY
from interlock.gateway.changes import RESOURCE_UPDATED
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, as_list, as_object
from interlock.upstreams.legacy import LegacySession
from interlock.upstreams.modern import ModernSession
from interlock.upstreams.port import Nobody
from interlock.upstreams.relistening import listen_on

ACKNOWLEDGED_WITHIN = 10.0  # seconds
OVERLAP = 0.25  # seconds in which a stream that was replaced may still tell what it was about to
MAX_OVERLAPPING = 8
AT_ONCE = 16  # requests to one server

Hear: TypeAlias = Callable[[str, JSONObject], None]
_Refusals: TypeAlias = dict[str, RPCError]


class Subscriber:
    """Hears of one server's changes; `wanted` are the resources of whose updates it hears.

    `session` returns the session to hear in, `heard` takes what the server says there, and `missed`
    is called where changes of lists may have gone unheard. Updates that may have gone unheard are
    told as if they had happened.
    """

    def __init__(
        self,
        session: Callable[[], Awaitable[LegacySession | ModernSession]],
        heard: Hear,
        missed: Callable[[], None],
    ) -> None:
        self.wanted: frozenset[str] = frozenset()
        self._session = session
        self._heard = heard
        self._missed = missed
        self._changing = asyncio.Lock()
        self._at: LegacySession | ModernSession | None = None
        self._held: frozenset[str] = frozenset()
        self._unsure: frozenset[str] = frozenset()
        self._streams = _Streams(heard, self._interrupted)

    async def want(self, uris: frozenset[str], of: str | None = None) -> None:
        """Hear of updates of exactly these resources, of which `of` is newly in or out.

        Raises RPCError where the server refuses what concerns `of`, and UpstreamFailed.
        """
        self.wanted = uris
        refused = await self._follow()
        if of in refused:
            raise refused[of]

    async def renew(self) -> None:
        """Have in a session that was opened anew what the one before had. Raises UpstreamFailed."""
        await self._follow()

    async def close(self) -> None:
        """Hear of nothing any more."""
        await self._streams.close()

    async def _follow(self) -> _Refusals:
        # Whoever waited here finds that another did his part meanwhile, and the others' too.
        async with self._changing:
            session = await self._session()
            if session is not self._at:
                self._unsure |= self._held
                self._at, self._held = session, frozenset()
                await self._streams.close()
            refused = await self._follow_in(session)
            unsure, self._unsure = self._unsure & self._held, frozenset()
            self._say_updated(unsure)
            return refused

    async def _follow_in(self, session: LegacySession | ModernSession) -> _Refusals:
        if isinstance(session, LegacySession):
            return await self._subscribe(session)
        wanted = self.wanted
        refused = await self._streams.replace(session, wanted)
        self._held = wanted - refused.keys()
        return refused

    async def _subscribe(self, session: LegacySession) -> _Refusals:
        new, gone = self.wanted - self._held, self._held - self.wanted
        refused: _Refusals = {}
        gate = asyncio.Semaphore(AT_ONCE)

        async def ask(method: str, uri: str) -> None:
            async with gate:
                try:
                    await session.request(method, {"uri": uri}, Nobody())
                except RPCError as refusal:
                    refused[uri] = refusal
                    return
            self._held = self._held | {uri} if uri in new else self._held - {uri}

        asked = [ask("resources/subscribe", uri) for uri in new]
        asked += [ask("resources/unsubscribe", uri) for uri in gone]
        for outcome in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome
        return refused

    def _interrupted(self) -> None:
        """Have read, and have others read, what may have changed while nobody listened."""
        self._missed()
        self._say_updated(self._held)

    def _say_updated(self, uris: Collection[str]) -> None:
        for uri in sorted(uris):
            self._heard(RESOURCE_UPDATED, {"uri": uri})


class _Streams:
    """The modern server's stream of changes, and those that it replaced a moment ago."""

    def __init__(self, heard: Hear, interrupted: Callable[[], None]) -> None:
        self._heard = heard
        self._interrupted = interrupted
        self._told: Counter[str] = Counter()
        self._open: list[_Stream] = []

    async def replace(self, session: ModernSession, uris: frozenset[str]) -> _Refusals:
        """Listen to the changes of these resources; return which of them the server refuses."""
        wanted = _filter(session.facts.capabilities, uris)
        current = self._open[-1] if self._open else None
        if current is not None and current.wanted == wanted and current.refusal is None:
            return current.refused()
        if not wanted:
            await self.close()
            return {}
        stream = _Stream(session, wanted, self._told, self._pass_on, self._interrupted)
        self._open.append(stream)
        try:
            await stream.answered()
        except BaseException:
            await self._end(stream)
            raise
        if stream.refusal is not None:
            refused = dict.fromkeys(uris, stream.refusal)
            await self._end(stream)
            return {uri: each for uri, each in refused.items() if not self._has(uri)}
        if current is not None:
            current.leave(OVERLAP, self._left)
        while len(self._open) > MAX_OVERLAPPING:
            await self._end(self._open[0])
        return stream.refused()

    async def close(self) -> None:
        """End all streams."""
        while self._open:
            await self._end(self._open[-1])

    def _has(self, uri: str) -> bool:
        return bool(self._open) and uri in self._open[-1].uris

    async def _end(self, stream: "_Stream") -> None:
        await stream.end()
        self._left(stream)

    def _left(self, stream: "_Stream") -> None:
        if stream in self._open:
            self._open.remove(stream)
        # What the others did not tell until now, they will not tell any more.
        if len(self._open) == 1:
            self._told.clear()
            self._open[0].told.clear()

    def _pass_on(self, stream: "_Stream", method: str, params: JSONObject) -> None:
        """Pass on what is news; an update that several streams tell of is so once."""
        if method == RESOURCE_UPDATED and len(self._open) > 1:
            uri = str(params.get("uri"))
            stream.told[uri] += 1
            if stream.told[uri] <= self._told[uri]:
                return
            self._told[uri] = stream.told[uri]
        self._heard(method, params)


class _Stream:
    """One stream of changes, taken up again where the server ends it."""

    def __init__(
        self,
        session: ModernSession,
        wanted: JSONObject,
        told: Counter[str],
        pass_on: Callable[["_Stream", str, JSONObject], None],
        interrupted: Callable[[], None],
    ) -> None:
        self.wanted = wanted
        self.uris = frozenset[str](wanted.get("resourceSubscriptions", ()))
        self.told = Counter(told)
        self.refusal: RPCError | None = None
        self._session = session
        self._pass_on = pass_on
        self._interrupted = interrupted
        self._honoured: JSONObject | None = None
        self._was_open = False
        self._answered = asyncio.Event()
        self._leaving: asyncio.TimerHandle | None = None
        self._task = asyncio.create_task(self._listen())

    async def answered(self) -> None:
        """Wait for the server's acknowledgement, or for its refusal, if they come in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ACKNOWLEDGED_WITHIN):
                await self._answered.wait()

    def refused(self) -> _Refusals:
        """Return the resources of whose updates the server does not want to tell."""
        if self._honoured is None:
            return {}
        honoured = as_list(self._honoured.get("resourceSubscriptions")) or ()
        left_out = self.uris.difference(each for each in honoured if isinstance(each, str))
        return {
            uri: RPCError(
                jsonrpc.INVALID_PARAMS, f"The server does not tell of updates of {uri!r}."
            )
            for uri in left_out
        }

    def leave(self, seconds: float, left: Callable[["_Stream"], None]) -> None:
        """End the stream after so many seconds."""

        def end() -> None:
            self._task.cancel()
            left(self)

        self._leaving = asyncio.get_running_loop().call_later(seconds, end)

    async def end(self) -> None:
        """End the stream at once."""
        if self._leaving is not None:
            self._leaving.cancel()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _listen(self) -> None:
        try:
            await listen_on(self._listen_once)
        except RPCError as refusal:
            self.refusal = refusal

    async def _listen_once(self) -> None:
        try:
            await self._session.listen(GATEWAY, self.wanted, self._hear)
        finally:
            self._answered.set()

    def _hear(self, method: str, params: JSONObject) -> None:
        if method != "notifications/subscriptions/acknowledged":
            self._pass_on(self, method, params)
            return
        self._honoured = as_object(params.get("notifications"))
        if self._was_open:
            self._interrupted()
        self._was_open = True
        self._answered.set()


def _filter(capabilities: JSONObject, uris: frozenset[str]) -> JSONObject:
    wanted: dict[str, Any] = {
        f"{name}ListChanged": True
        for name in ("tools", "prompts", "resources")
        if isinstance(capabilities.get(name), dict) and capabilities[name].get("listChanged")
    }
    if uris:
        wanted["resourceSubscriptions"] = sorted(uris)
    return wanted
