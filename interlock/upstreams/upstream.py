"""One registered server as calls reach it: its sessions, opened when needed and shared if they may.

A legacy session knows its client's capabilities, so a client that can be asked things has
sessions of its own; all others share one that declares nothing. Modern calls carry everything
with them and share one conversation.
"""

import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from interlock.errors import TooMany, UpstreamFailed, UpstreamUnavailable
from interlock.protocol.json import JSONObject
from interlock.protocol.versions import Era
from interlock.telemetry.metrics import Times
from interlock.upstreams.balancing import Endpoints
from interlock.upstreams.connections import HTTPClient
from interlock.upstreams.hiding import Mask
from interlock.upstreams.legacy import LegacySession
from interlock.upstreams.modern import ModernSession
from interlock.upstreams.port import (
    Caller,
    ClientFacts,
    Connector,
    Headers,
    Peer,
    ProtocolBroken,
    ServerFacts,
    SessionExpired,
)
from interlock.upstreams.probe import Opened, Probe
from interlock.upstreams.streamable_http import HTTPRefused

SHARED = "shared"
_DENIED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Bounds of one server's sessions; `open_timeout` is in seconds and includes its start."""

    open_timeout: float = 60.0
    max_sessions: int = 64


@dataclass(frozen=True, slots=True)
class Remote:
    """What an upstream at addresses has for itself: its connections, and how its endpoints are."""

    client: HTTPClient
    endpoints: Endpoints


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose session a call runs in.

    `exclusive` asks for a session with no other call in it, so that whatever the server asks can
    only belong to this call. `opened` is awaited whenever the session was opened, before its first
    call; `ended` is called when it was closed while its owner may still want it.
    """

    key: str
    client: ClientFacts
    peer: Peer
    exclusive: bool = False
    opened: Callable[[LegacySession | ModernSession], Awaitable[None]] | None = None
    ended: Callable[[], None] | None = None


@dataclass(slots=True)
class Place:
    """A session and the calls in it."""

    session: LegacySession | ModernSession
    owner: Owner
    calls: int = 0
    is_open: bool = True
    used: float = field(default_factory=time.monotonic)


class Upstream:
    """The live side of a server. `down` is called when the shared session breaks by itself."""

    def __init__(
        self,
        name: str,
        connectors: tuple[Connector, ...],
        shared: Owner,
        *,
        down: Callable[[UpstreamFailed], None],
        eras: frozenset[Era] | None = None,
        limits: SessionLimits | None = None,
    ) -> None:
        self.name = name
        self.remote: Remote | None = None
        self.eras: frozenset[Era] | None = eras
        self.facts: ServerFacts | None = None
        self.blocked: UpstreamUnavailable | None = None
        # Servers may repeat their secrets in what they say when they refuse us.
        self.mask = Mask(())
        self.opened = Times()
        # Sessions outlive the calls that open them, so that they have a context of their own.
        self.context: contextvars.Context | None = None
        self._connectors = connectors
        self._shared = replace(shared, key=SHARED)
        self._down = down
        self._limits = limits or SessionLimits()
        self._slots: dict[tuple[Era, str], Place] = {}
        self._opening: dict[tuple[Era, str], asyncio.Task[Place]] = {}
        self._closed = False
        self._call_ended = asyncio.Event()
        self._drains = 0  # how many wait for calls to end

    async def start(self) -> ServerFacts:
        """Open the shared session and learn who the server is. Raises UpstreamFailed."""
        slot = await self._slot(self.preferred_era, self._shared)
        return slot.session.facts

    @property
    def preferred_era(self) -> Era:
        """The era that we use where the client's era does not decide."""
        return Era.LEGACY if self.eras == frozenset({Era.LEGACY}) else Era.MODERN

    def era_for(self, client: Era) -> Era:
        """Return the era of a call for a client of era `client`: its own if the server has it."""
        return client if self.eras and client in self.eras else self.preferred_era

    @property
    def mixes_logs(self) -> bool:
        """Whether log messages in the shared legacy session belong to nobody for certain."""
        slot = self._slots.get((Era.LEGACY, SHARED))
        if slot is not None and isinstance(slot.session, LegacySession):
            return slot.session.mixes_logs
        return all(connector.is_duplex for connector in self._connectors)

    async def request(
        self,
        era: Era,
        owner: Owner | None,
        call: tuple[str, JSONObject],
        caller: Caller,
        headers: Headers = (),
    ) -> JSONObject:
        """Make one call, in `owner`'s session or the shared one (None), and return its result.

        A session that the server has forgotten is opened anew and the call repeated once, since
        the server did nothing with it. Raises RPCError and UpstreamFailed.
        """
        method, params = call

        async def run(session: LegacySession | ModernSession) -> JSONObject:
            return await session.request(method, params, caller, headers)

        return await self.within(era, owner, run)

    async def within(
        self,
        era: Era,
        owner: Owner | None,
        work: Callable[[LegacySession | ModernSession], Awaitable[JSONObject]],
    ) -> JSONObject:
        """Run `work` in a session and keep the session from being closed meanwhile."""
        for last in (False, True):
            slot = await self._take(era, owner or self._shared)
            try:
                return await work(slot.session)
            except SessionExpired:
                await self._discard(slot)
                if last:
                    raise
            finally:
                slot.calls -= 1
                self._call_ended.set()
                slot.used = time.monotonic()
        raise AssertionError("unreachable")

    def place(self, era: Era) -> Place | None:
        """Return the place of calls in the shared session, if that is open."""
        return self._slots.get((era, SHARED))

    def enter(self, place: Place) -> bool:
        """Count a call in a shared session, if that is open still; `leave` when it is over."""
        if self._closed or not place.is_open or self.blocked is not None:
            return False
        place.calls += 1
        return True

    def leave(self, place: Place) -> None:
        """Count a call no more that entered here."""
        place.calls -= 1
        if self._drains:
            self._call_ended.set()

    async def shared(self, era: Era | None = None) -> LegacySession | ModernSession:
        """Return the shared session, opened if need be."""
        return (await self._slot(era or self.preferred_era, self._shared)).session

    async def _take(self, era: Era, owner: Owner) -> Place:
        """Return a session with this call counted in it, alone where its owner wants that."""
        slot = await self._slot(era, owner)
        while owner.exclusive and slot.calls and slot.session.facts.era is Era.LEGACY:
            # Another call took it between its opening and now.
            slot = await self._slot(era, owner)
        slot.calls += 1
        return slot

    async def _slot(self, era: Era, owner: Owner) -> Place:
        if self._closed:
            raise self._removed()
        if self.blocked is not None:
            raise type(self.blocked)(self.blocked.message, data=self.blocked.data)
        if era is Era.MODERN:
            owner = self._shared
        key = (era, owner.key if not owner.exclusive else self._free_key(era, owner.key))
        slot = self._slots.get(key)
        if slot is not None:
            return slot
        task = self._opening.get(key)
        if task is None:
            context = self.context.copy() if self.context is not None else None
            task = asyncio.create_task(self._open(key, owner), context=context)
            self._opening[key] = task
            task.add_done_callback(lambda _: self._opening.pop(key, None))
        # Others may wait for the same session: one caller's cancellation must not end its opening.
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled() and self._closed:
                raise self._removed() from None
            raise

    def _removed(self) -> UpstreamUnavailable:
        return UpstreamUnavailable(f"{self.name} was removed or is being changed.")

    def _free_key(self, era: Era, prefix: str) -> str:
        for number in range(self._limits.max_sessions):
            name = f"{prefix}#{number}"
            slot = self._slots.get((era, name))
            if (slot is None or slot.calls == 0) and (era, name) not in self._opening:
                return name
        raise TooMany(
            f"{self.name} has {self._limits.max_sessions} calls that wait for their clients."
        )

    async def _open(self, key: tuple[Era, str], owner: Owner) -> Place:
        await self._make_room()
        era, name = key
        begun = time.perf_counter()
        opened = await self._connect(owner, key, era)
        self.opened.add(time.perf_counter() - begun)
        actual = (opened.session.facts.era, name)
        slot = self._slots.get(actual)
        if slot is not None:
            # Someone who asked for the other era opened it at the same time.
            await opened.session.close()
            return slot
        slot = self._slots[actual] = Place(opened.session, owner)
        if owner.opened is not None:
            await owner.opened(opened.session)
        if name == SHARED:
            remembered = self.eras if era is Era.LEGACY else None
            self.eras = opened.eras | (remembered or frozenset())
            self.facts = opened.session.facts
        return slot

    async def _connect(self, owner: Owner, key: tuple[Era, str], era: Era) -> Opened:
        known = frozenset({Era.LEGACY}) if era is Era.LEGACY and self.eras else None
        try:
            return await self._try_each(owner, key, known)
        except ProtocolBroken:
            if known is None or era is not self.preferred_era:
                raise
            # What was remembered may be out of date: the server is asked again.
            return await self._try_each(owner, key, None)

    async def _try_each(
        self, owner: Owner, key: tuple[Era, str], known: frozenset[Era] | None
    ) -> Opened:
        failure: UpstreamFailed | None = None
        for connector in self._connectors:
            probe = Probe(
                self.name,
                owner.client,
                owner.peer,
                lambda reason: self._broken(key, reason),
                deadline=self._limits.open_timeout,
                mask=self.mask,
                is_shared=owner.key == SHARED,
            )
            try:
                return await probe.open(connector, known)
            except HTTPRefused as refusal:
                if refusal.code in _DENIED:
                    # The next transport would only hide that a credential is missing.
                    raise
                # A legacy SSE server refuses the POST of the newer transport: try the next one.
                failure = refusal
        raise failure or UpstreamUnavailable(f"{self.name} has no transport.")

    def _broken(self, key: tuple[Era, str], reason: UpstreamFailed) -> None:
        for era in (key[0], *Era):
            slot = self._slots.get((era, key[1]))
            if slot is not None:
                del self._slots[era, key[1]]
                slot.is_open = False
                if isinstance(slot.session, LegacySession):
                    slot.session.broke()
                _ended(slot)
                break
        if key[1] == SHARED and not self._closed:
            self._down(reason)

    async def _discard(self, slot: Place) -> None:
        for key, candidate in tuple(self._slots.items()):
            if candidate is slot:
                del self._slots[key]
                slot.is_open = False
                await slot.session.close()

    async def _end(self, slot: Place) -> None:
        await self._discard(slot)
        _ended(slot)

    async def drained(self, seconds: float) -> None:
        """Wait until no call is under way, for at most so many seconds."""
        self._drains += 1
        try:
            async with asyncio.timeout(seconds):
                while any(slot.calls for slot in self._slots.values()):
                    self._call_ended.clear()
                    await self._call_ended.wait()
        except TimeoutError:
            return
        finally:
            self._drains -= 1

    @property
    def is_busy(self) -> bool:
        """Whether a call is under way in a shared session."""
        return any(slot.calls for (_, name), slot in self._slots.items() if name == SHARED)

    async def reset(self) -> None:
        """Close the shared sessions, so that the next use opens them anew."""
        for era in Era:
            slot = self._slots.get((era, SHARED))
            if slot is not None:
                await self._discard(slot)

    async def _make_room(self) -> None:
        if len(self._slots) < self._limits.max_sessions:
            return
        idle = [s for (_, name), s in self._slots.items() if s.calls == 0 and name != SHARED]
        if not idle:
            raise TooMany(
                f"{self.name} has {self._limits.max_sessions} sessions, all of them busy."
            )
        await self._end(min(idle, key=lambda slot: slot.used))

    async def notify(self, owner_key: str, method: str, params: JSONObject) -> None:
        """Pass a notification on to the sessions of an owner that are open."""
        for (_, name), slot in tuple(self._slots.items()):
            if name == owner_key:
                await slot.session.notify(method, params)

    async def release(self, owner_key: str) -> None:
        """Close the sessions of an owner that has gone."""
        for (_, name), slot in tuple(self._slots.items()):
            if name == owner_key or name.startswith(f"{owner_key}#"):
                await self._discard(slot)

    async def expire(self, idle_for: float) -> None:
        """Close sessions, other than the shared ones, that made no call for so many seconds."""
        limit = time.monotonic() - idle_for
        for (_, name), slot in tuple(self._slots.items()):
            if name != SHARED and slot.calls == 0 and slot.used < limit:
                await self._end(slot)

    @property
    def calls(self) -> int:
        """How many calls are under way, in all sessions."""
        return sum(slot.calls for slot in self._slots.values())

    @property
    def session_count(self) -> int:
        """How many sessions are open."""
        return len(self._slots)

    async def close(self) -> None:
        """End every session; calls that wait fail."""
        self._closed = True
        for task in tuple(self._opening.values()):
            task.cancel()
        await asyncio.gather(*self._opening.values(), return_exceptions=True)
        for slot in tuple(self._slots.values()):
            await self._end(slot)
        if self.remote is not None:
            await self.remote.client.close()


def _ended(slot: Place) -> None:
    if slot.owner.ended is not None:
        slot.owner.ended()
