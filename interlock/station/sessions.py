"""REST sessions: one hosted server each; they end by request, by idleness, or with their server."""

import asyncio
import sys
import time
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import PurePath
from typing import Final, Protocol, TypeAlias

from interlock.errors import (
    BadInput,
    NotFound,
    RPCError,
    TooMany,
    Unavailable,
    UpstreamFailed,
    UpstreamTimeout,
)
from interlock.protocol.json import JSONObject
from interlock.settings import StationSettings
from interlock.station.failures import StartFailed
from interlock.upstreams.definition import StdioTarget

_REMEMBERED: Final = 1000
_NOBODY: Final = (object(), "")
_INTERPRETERS: Final = {
    "python": (sys.executable, (".py",)),
    "node": ("node", (".js", ".mjs", ".cjs")),
}


class Conversation(Protocol):
    """An MCP session with a hosted server, after its handshake."""

    @property
    def pid(self) -> int:
        """The id of the server's process."""
        ...

    @property
    def ended(self) -> "asyncio.Future[str]":
        """Done when the conversation is over; its result is a sentence that says why."""
        ...

    async def request(self, method: str, params: JSONObject) -> JSONObject:
        """Make one call within the conversation's own deadline and return its result.

        Raises RPCError for the server's own error and UpstreamFailed where there is no answer.
        """
        ...

    async def close(self) -> None:
        """End the conversation and its process. Safe to call twice."""
        ...


# Starts a process under a name and does the handshake; cancelling it leaves no process.
Connect: TypeAlias = Callable[[StdioTarget, str], Awaitable[Conversation]]


class SessionEnded(NotFound):
    """The session was there but is over; the message says why."""

    status = HTTPStatus.GONE
    reason = "session_ended"


@dataclass(frozen=True, slots=True)
class ProcessSession:
    """A session that runs: what its owner may know of it."""

    id: str
    server_type: str
    command: str
    created_at: datetime
    pid: int


@dataclass(slots=True)
class _Live:
    facts: ProcessSession
    owner: object
    conversation: Conversation
    used_at: float
    calls: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)


def interpreted(server_type: str, target: StdioTarget) -> StdioTarget:
    """Return `target` run by its interpreter, where its command is a Python or Node.js file."""
    program, suffixes = _INTERPRETERS.get(server_type.lower(), ("", ()))
    if PurePath(target.command).suffix not in suffixes:
        return target
    return StdioTarget(program, (target.command, *target.args), target.env, target.cwd)


class ProcessSessions:
    """The sessions of all owners; each owner sees and ends only its own.

    An owner is any value that compares equal for the same owner, such as the id of a workspace.
    """

    def __init__(self, connect: Connect, settings: StationSettings) -> None:
        self._connect = connect
        self._max_sessions = settings.max_sessions
        self._max_idle = settings.session_idle
        self._start_timeout = settings.start_timeout
        self._live: dict[str, _Live] = {}
        self._ended: OrderedDict[str, tuple[object, str]] = OrderedDict()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._starting = 0
        self._is_closing = False

    async def create(self, owner: object, server_type: str, target: StdioTarget) -> ProcessSession:
        """Start a server for `owner`, shake hands with it and return the session.

        Raises TooMany where no further session is allowed, BadInput where the command cannot be
        run, and UpstreamFailed where the server does not answer as an MCP server.
        """
        self._check_open()
        session_id = str(uuid.uuid4())
        name = f"{PurePath(target.command).name}-{session_id[:8]}"
        with self._place():
            conversation = await self._open(interpreted(server_type, target), name)
            if self._is_closing:
                await conversation.close()
            self._check_open()
            facts = ProcessSession(
                session_id, server_type, target.command, datetime.now(UTC), conversation.pid
            )
            self._admit(_Live(facts, owner, conversation, used_at=time.monotonic()))
        return facts

    def owned_by(self, owner: object) -> list[ProcessSession]:
        """Return the sessions of `owner` that run, oldest first."""
        return [live.facts for live in self._live.values() if live.owner == owner]

    def get(self, owner: object, session_id: str) -> ProcessSession:
        """Return one session. Raises SessionEnded and NotFound."""
        return self._find(owner, session_id).facts

    async def request(
        self, owner: object, session_id: str, method: str, params: JSONObject
    ) -> JSONObject:
        """Make one MCP call in a session and return its result.

        Raises SessionEnded, NotFound, UpstreamFailed, and RPCError for the server's own error.
        """
        live = self._find(owner, session_id)
        live.calls += 1
        try:
            return await live.conversation.request(method, params)
        finally:
            live.calls -= 1
            live.used_at = time.monotonic()

    async def delete(self, owner: object, session_id: str) -> None:
        """End a session and return when its process is gone. Raises NotFound.

        A session that ended by itself is forgotten.
        """
        live = self._live.get(session_id)
        if live is not None and live.owner == owner:
            self._end(live, "It was deleted.")
        if self._ended.get(session_id, _NOBODY)[0] != owner:
            raise _not_found(session_id)
        if session_id in self._tasks:
            await asyncio.wait({self._tasks[session_id]})
        self._ended.pop(session_id, None)

    async def close(self) -> None:
        """End every session, all at the same time."""
        self._is_closing = True
        for live in tuple(self._live.values()):
            self._end(live, "Interlock shut down.")
        if self._tasks:
            await asyncio.wait(set(self._tasks.values()))

    def _check_open(self) -> None:
        if self._is_closing:
            raise Unavailable("Interlock is shutting down; it starts no more sessions.")

    @contextmanager
    def _place(self) -> Generator[None]:
        if len(self._tasks) + self._starting >= self._max_sessions:
            raise TooMany(
                f"There are {self._max_sessions} sessions already; delete one or wait until one "
                "ends, or raise INTERLOCK_STATION__MAX_SESSIONS.",
                retry_after=10.0,
            )
        self._starting += 1
        try:
            yield
        finally:
            self._starting -= 1

    async def _open(self, target: StdioTarget, name: str) -> Conversation:
        try:
            async with asyncio.timeout(self._start_timeout):
                return await self._connect(target, name)
        except TimeoutError:
            raise UpstreamTimeout(
                f"Server `{name}` did not answer the handshake in {self._start_timeout:g} s."
            ) from None
        except StartFailed as fault:
            raise BadInput(fault.message) from fault
        except RPCError as fault:
            raise UpstreamFailed(
                f"Server `{name}` refused the handshake: {fault.message}"
            ) from fault

    def _admit(self, live: _Live) -> None:
        session_id = live.facts.id
        self._live[session_id] = live
        self._tasks[session_id] = asyncio.create_task(self._watch(live), name=session_id)
        live.conversation.ended.add_done_callback(lambda ended: self._end(live, _result(ended)))

    async def _watch(self, live: _Live) -> None:
        try:
            while not live.over.is_set():
                await self._wait(live)
            await live.conversation.close()
        finally:
            del self._tasks[live.facts.id]

    async def _wait(self, live: _Live) -> None:
        left = live.used_at + self._max_idle - time.monotonic()
        if left <= 0 and not live.calls:
            self._end(live, f"It was idle for {self._max_idle:g} s.")
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(left if left > 0 else self._max_idle):
                await live.over.wait()

    def _end(self, live: _Live, why: str) -> None:
        if self._live.pop(live.facts.id, None) is None:
            return
        self._ended[live.facts.id] = (live.owner, why)
        if len(self._ended) > _REMEMBERED:
            self._ended.popitem(last=False)
        live.over.set()

    def _find(self, owner: object, session_id: str) -> _Live:
        live = self._live.get(session_id)
        if live is not None and live.owner == owner:
            return live
        past_owner, why = self._ended.get(session_id, _NOBODY)
        if past_owner != owner:
            raise _not_found(session_id)
        raise SessionEnded(f"Session {session_id} has ended. {why}")


def _result(ended: "asyncio.Future[str]") -> str:
    return "Its server was stopped." if ended.cancelled() else ended.result()


def _not_found(session_id: str) -> NotFound:
    return NotFound(f"There is no session {session_id}; create one with POST /sessions.")
