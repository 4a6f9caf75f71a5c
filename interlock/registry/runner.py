"""Keeps one server running: starts it, watches it, reads its lists, starts it again."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from interlock.errors import InterlockError, RPCError, UpstreamFailed, UpstreamUnavailable
from interlock.gateway.catalogue import GATEWAY, read_catalogue
from interlock.gateway.changes import RESOURCE_UPDATED
from interlock.gateway.table import Catalogue, Condition, ServerEntry
from interlock.gateway.tasks import TASK_STATUS
from interlock.policy.breaker import CircuitOpen, CircuitState, Verdict, verdict_of
from interlock.policy.retry import Retries
from interlock.protocol.json import JSONObject
from interlock.protocol.versions import Era
from interlock.registry.entities import Server
from interlock.registry.subscribing import Subscriber
from interlock.registry.variants import Variants
from interlock.registry.watching import LOOK_DEADLINE, Watch
from interlock.station.logs import LogWriter
from interlock.station.supervisor import RestartPolicy
from interlock.telemetry.logs import get_logger, log_failure
from interlock.upstreams.balancing import UpstreamBusy
from interlock.upstreams.definition import HTTPTarget
from interlock.upstreams.legacy import LegacySession
from interlock.upstreams.modern import ModernSession, request_meta
from interlock.upstreams.port import Nobody
from interlock.upstreams.upstream import Upstream

log = get_logger(__name__)

HEALTH_INTERVAL = 30.0  # seconds between two looks at a quiet server
HEALTH_DEADLINE = 10.0  # seconds
MAX_MISSED = 3  # looks without an answer after which a server is started anew
REFRESH_INTERVAL = 300.0  # seconds after which lists that announce no changes are read again
SPREAD = 1.25  # times an interval at most, so that many servers are not asked at one moment
SETTLE = 0.05  # seconds in which announcements of changes are gathered into one reading


@dataclass(slots=True)
class Health:
    """How a server is. `response_ms` is of the last look, `restarts` counts since our start."""

    condition: Condition = "starting"
    reason: str | None = "It is being started."
    response_ms: float | None = None
    last_error: str | None = None
    last_error_at: datetime | None = None
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Whom a runner tells: of a new state, of a new catalogue to keep, of what the server said.

    `looking` bounds how many servers are started at once only to be looked at; none is started
    before `begun` is set.
    """

    changed: Callable[["ServerRunner"], None]
    keep: Callable[["ServerRunner", Catalogue], None]
    heard: Callable[[str, str, JSONObject], None]
    looking: asyncio.Semaphore
    begun: asyncio.Event


class ServerRunner:
    """One enabled server, from `start` to `close`. It is also the peer of its shared session."""

    def __init__(self, server: Server, notes: LogWriter, callbacks: Callbacks) -> None:
        self.server = server
        self.health = Health()
        self.catalogue = server.catalogue
        self._notes = notes
        self._callbacks = callbacks
        self._variants = Variants(
            callbacks.looking, server.definition.timeout, lambda: callbacks.changed(self)
        )
        self._policy = RestartPolicy()
        self._wake = asyncio.Event()
        self._is_down = False
        self._is_stale = False
        self._retry_now = False
        self._refresh_at = 0.0
        self._missed = 0
        self._is_reopened = False
        self.subscriber = Subscriber(self._shared, self.notified, self._read_again)
        self._task: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        is_remote = isinstance(server.definition.target, HTTPTarget)
        self._watch = Watch(server.definition.name) if is_remote else None
        self._retries = Retries(server.definition.retries) if is_remote else None
        self._upstream: Upstream | None = None

    @property
    def upstream(self) -> Upstream:
        """The live side of the server."""
        if self._upstream is None:
            raise UpstreamUnavailable(f"{self.server.definition.name} is not started.")
        return self._upstream

    @property
    def circuit(self) -> CircuitState:
        """Whether calls are let through: by the calls' own circuit, and by that of restarts."""
        if self._policy.retry_at is not None:
            return CircuitState("open", max(0.0, self._policy.retry_at - time.monotonic()))
        if self._policy.is_probing and self.health.condition != "ok":
            return CircuitState("half_open")
        return self._watch.circuit.state if self._watch is not None else CircuitState("closed")

    @property
    def entry(self) -> ServerEntry:
        """The server as the routing table has it."""
        definition = self.server.definition
        condition = self.health.condition
        if condition == "failed" and self.catalogue is not None:
            condition = "stale"
        is_http = isinstance(definition.target, HTTPTarget) and not definition.target.legacy_sse
        return ServerEntry(
            id=self.server.id,
            name=definition.name,
            upstream=self.upstream,
            timeout=definition.timeout,
            catalogue=self.catalogue,
            condition=condition,
            reason=self.health.reason,
            variants=dict(self._variants.catalogues),
            tool_timeouts=definition.tool_timeouts,
            disabled_tools=definition.disabled_tools,
            circuit=self._watch.circuit if self._watch is not None else None,
            retries=self._retries,
            mirrors_headers=is_http and Era.MODERN in (self.upstream.eras or ()),
        )

    def start(self, upstream: Upstream) -> None:
        """Begin to keep the server running."""
        self._upstream = upstream
        name = self.server.definition.name
        self._task = asyncio.create_task(
            self._run(), name=f"server {name}", context=upstream.context
        )
        if self._watch is not None:
            self._watching = asyncio.create_task(
                self._watch.run(self._look_closely),
                name=f"watch of {name}",
                context=upstream.context,
            )

    async def close(self) -> None:
        """Stop the server and all that belongs to it."""
        running = (self._task, self._watching)
        tasks = [task for task in running if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.subscriber.close()
        if self._upstream is not None:
            await self._upstream.close()

    def take(self, server: Server) -> None:
        """Go on with another definition, which connects like the one before.

        Sessions, the process and calls under way stay; the next entry has the new definition.
        """
        self.server = server
        self._variants.timeout = server.definition.timeout
        if self._retries is not None:
            self._retries.limit = server.definition.retries

    def restart(self) -> None:
        """Try again at once, whatever the policy says of failures before."""
        self._policy = RestartPolicy()
        if self._watch is not None:
            self._watch.circuit.reset()
        self._retry_now = self._is_down = True
        self._wake.set()

    def down(self, reason: UpstreamFailed) -> None:
        """Take note that the shared session broke by itself."""
        self._fail(reason)
        # A call must not start the server again meanwhile: it would be stopped in the next moment.
        self.upstream.blocked = UpstreamUnavailable(self.health.reason or reason.message)
        self._is_down = True
        self._wake.set()

    async def _run(self) -> None:
        await self._callbacks.begun.wait()
        while True:
            self._policy.started(time.monotonic())
            self._is_down = self._retry_now = False
            self._missed = 0
            try:
                await self._come_up()
                await self._stay_up()
            except InterlockError as failure:
                self._note(verdict_of(failure))
                self._fail(failure)
            except Exception as error:  # noqa: BLE001 -- one server's oddity must not end its keeper
                log_failure(log, "server.unforeseen", error, server=self.server.definition.name)
                self._fail(UpstreamFailed("Something unforeseen happened; the log says more."))
            await self.upstream.reset()
            self._policy.ended(time.monotonic())
            await self._wait_for_restart()

    async def _come_up(self) -> None:
        upstream = self.upstream
        upstream.blocked = None
        await upstream.start()
        await self._refresh()
        self._note("well")
        self._set("ok", None)
        log.info("server.up", server=self.server.definition.name)

    async def _stay_up(self) -> None:
        """Return when the server has to be started again."""
        self._is_reopened = False
        await self.subscriber.renew()
        await self._variants.read(self.upstream, self.catalogue)
        while not self._is_down:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(spread(HEALTH_INTERVAL)):
                    await self._wake.wait()
            self._wake.clear()
            if self._is_down:
                return
            if self._is_reopened:
                # The server forgot the session before; it may be another version by now.
                self._is_reopened, self._is_stale = False, True
                await self.subscriber.renew()
            if self._is_stale:
                await asyncio.sleep(SETTLE)
                self._is_stale = False
                await self._refresh()
                self._callbacks.changed(self)
            elif self._variants.is_complete:
                await self._look()
            await self._variants.read(self.upstream, self.catalogue)

    async def _look(self) -> None:
        """See whether the server still answers, and read lists again that announce no changes."""
        if self.upstream.is_busy or (self._watch is not None and self._watch.circuit.is_open):
            # A server that works on one call at a time answers when it is done. At one whose
            # circuit is open, the watch looks.
            return
        try:
            self.health.response_ms = await self.measure(HEALTH_DEADLINE)
            self._missed = 0
            if time.monotonic() > self._refresh_at:
                await self._refresh()
        except UpstreamBusy:
            # It lives, and is asked again when it wants to be.
            return
        except UpstreamFailed as failure:
            self._note(verdict_of(failure))
            self._fail(failure)
            self._missed += 1
            if self._missed >= MAX_MISSED:
                raise
        else:
            self._note("well")
            self._set("ok", None)

    async def _look_closely(self) -> Verdict:
        """See at once whether the server answers, for its circuit."""
        if self.upstream.blocked is not None:
            return "unknown"
        try:
            self.health.response_ms = await self.measure(LOOK_DEADLINE)
        except InterlockError as failure:
            verdict = verdict_of(failure)
            if verdict == "ill":
                self._fail(failure)
            return verdict
        if self.catalogue is not None:
            self._set("ok", None)
        return "well"

    def _note(self, verdict: Verdict) -> None:
        if self._watch is not None:
            self._watch.circuit.look(verdict)

    async def measure(self, seconds: float) -> float:
        """Return the milliseconds of one trip to the server. Raises UpstreamFailed."""
        upstream, started = self.upstream, time.perf_counter()
        try:
            async with asyncio.timeout(seconds):
                await upstream.within(upstream.preferred_era, None, _answer_anything)
        except RPCError:
            # An answer is an answer: the server lives.
            pass
        except TimeoutError:
            name = self.server.definition.name
            raise UpstreamUnavailable(f"{name} did not answer within {seconds:g} s.") from None
        return (time.perf_counter() - started) * 1000

    async def _shared(self) -> LegacySession | ModernSession:
        return await self.upstream.shared()

    async def _refresh(self) -> None:
        name = self.server.definition.name
        session = await self.upstream.shared()
        started = time.perf_counter()
        try:
            async with asyncio.timeout(self.server.definition.timeout):
                catalogue = await read_catalogue(session, name, self.catalogue)
        except TimeoutError:
            raise UpstreamUnavailable(f"{name} did not list what it offers in time.") from None
        self._refresh_at = time.monotonic() + spread(REFRESH_INTERVAL)
        self.health.response_ms = (time.perf_counter() - started) * 1000
        self._variants.outdate()
        if catalogue != self.catalogue:
            self.catalogue = catalogue
            self._callbacks.keep(self, catalogue)

    async def _wait_for_restart(self) -> None:
        while not self._retry_now:
            now = time.monotonic()
            delay = self._policy.delay_before_restart(now)
            if delay == 0:
                break
            kind = UpstreamUnavailable
            if delay is None:
                kind, delay = CircuitOpen, max(0.1, (self._policy.retry_at or now) - now)
            self.upstream.blocked = kind(
                f"{self.health.reason} It is tried again in {delay:.0f} s.",
                data={"retry_after_ms": round(delay * 1000)},
            )
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._wake.wait()
        self.health.restarts += 1
        self.upstream.blocked = None

    def meet(self, kinds: Mapping[str, JSONObject]) -> None:
        """Read what the server offers to these kinds of clients (capabilities by signature)."""
        self._variants.kinds = kinds
        self._wake.set()

    def _fail(self, failure: InterlockError) -> None:
        # What a server says of its troubles may repeat the secrets that it was given.
        message = self.upstream.mask.apply(failure.message)
        self.health.last_error = message
        self.health.last_error_at = datetime.now(UTC)
        log.warning("server.down", server=self.server.definition.name, reason=message)
        self._set("failed", message)

    def _set(self, condition: Condition, reason: str | None) -> None:
        if (self.health.condition, self.health.reason) != (condition, reason):
            self.health.condition, self.health.reason = condition, reason
        self._callbacks.changed(self)

    def notified(self, method: str, params: JSONObject) -> None:
        """Take what the server says of itself to all: changed lists, updates, log lines."""
        if method.endswith("/list_changed"):
            self._read_again()
        elif method in {RESOURCE_UPDATED, TASK_STATUS}:
            self._callbacks.heard(self.server.id, method, params)
        elif method == "notifications/message":
            self._notes.note(f"[{params.get('level')}] {params.get('data')}")

    async def asked(self, method: str, params: JSONObject) -> JSONObject:
        """Refuse: the shared session declares that nobody can be asked."""
        return await Nobody().ask(method, params)

    async def watch(self, uris: frozenset[str], of: str | None = None) -> None:
        """Subscribe to exactly these resources. Raises RPCError and UpstreamFailed."""
        await self.subscriber.want(uris, of)

    async def opened(self) -> None:
        """Take note that a shared session was opened, in which nothing is subscribed to yet."""
        self._is_reopened = True
        self._wake.set()

    def _read_again(self) -> None:
        self._is_stale = True
        self._wake.set()


async def _answer_anything(session: LegacySession | ModernSession) -> JSONObject:
    """Make the smallest request that there is."""
    if isinstance(session, ModernSession):
        params: JSONObject = {"_meta": request_meta(GATEWAY)}
        return await session.request("server/discover", params, Nobody())
    return await session.request("ping", {}, Nobody())


def spread(interval: float) -> float:
    """Return an interval between polls, a little longer than `interval` and never the same."""
    return interval * random.uniform(1, SPREAD)  # noqa: S311 -- it hides nothing
