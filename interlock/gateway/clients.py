"""Clients of the legacy era: their sessions, what they can be asked, and what they wait for."""

import asyncio
import re
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import Protocol

from interlock.errors import NotFound, RPCError, TooMany
from interlock.gateway.questions import check_askable
from interlock.gateway.streams import Stream
from interlock.identity.principal import Principal
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, as_object
from interlock.upstreams.port import ClientFacts

STANDALONE = "main"
KEPT_STREAMS = 16  # finished answers of one session
LOG_LEVELS = ("debug", "info", "notice", "warning", "error", "critical", "alert", "emergency")
ASK_DEADLINE = 600.0  # seconds; people answer, and a client that has left never does
_EVENT_NUMBER = re.compile(r"[0-9]{1,18}")


def is_at_least(level: object, minimum: str) -> bool:
    """Tell whether a log message of `level` is wanted by who asked for `minimum` and above."""
    known = level in LOG_LEVELS
    return not known or LOG_LEVELS.index(str(level)) >= LOG_LEVELS.index(minimum)


class UnderWay(Protocol):
    """A call that is being answered."""

    def cancel(self) -> object:
        """Give it up."""


class ClientSession:
    """One legacy session of a client with one endpoint.

    `only` is the one stream of a transport that has no stream for each answer; `mark` begins the
    id and says which process of the gateway keeps the session.
    """

    __slots__ = (
        *("__weakref__", "_ask_ids", "_asks", "_stream_ids", "_streams", "calls", "client"),
        *("id", "is_closed", "log_level"),
        *("principal", "project", "server", "standalone", "used", "version"),
    )

    def __init__(
        self,
        principal: Principal,
        place: tuple[str, str | None],
        client: ClientFacts,
        version: str,
        only: Stream | None = None,
        *,
        mark: str = "",
    ) -> None:
        self.id = self.new_id(mark)
        self.principal = principal
        self.project, self.server = place
        self.client = client
        self.version = version
        self.log_level: str | None = None
        self.used = time.monotonic()
        self.is_closed = False
        self.standalone = only or Stream(STANDALONE, is_resumable=True, capacity=1000)
        self.calls: dict[jsonrpc.RequestId, UnderWay] = {}
        self._streams: dict[str, Stream] = {}
        self._stream_ids = 0
        self._ask_ids = 0
        self._asks: dict[jsonrpc.RequestId, asyncio.Future[JSONObject]] = {}

    @staticmethod
    def new_id(mark: str = "") -> str:
        """Return an id that nobody can guess, save the `mark` that it begins with."""
        return mark + secrets.token_urlsafe(24)

    @property
    def owner_key(self) -> str:
        """The key of this client's own sessions with servers."""
        return f"client:{self.id}"

    def open_stream(self, *, is_answer_only: bool = False) -> Stream:
        """Return a new stream for the answer to one request."""
        self._stream_ids += 1
        stream = Stream(str(self._stream_ids), is_resumable=True, is_answer_only=is_answer_only)
        self._streams[stream.id] = stream
        return stream

    def forget(self, stream: Stream) -> None:
        """Keep a stream no more; whoever follows it now reads it to its end."""
        self._streams.pop(stream.id, None)

    def find_stream(self, event_id: str) -> tuple[Stream, int]:
        """Return the stream that an event id belongs to, and the event's number.

        Raises NotFound where the stream is not kept any more.
        """
        stream_id, _, number = event_id.rpartition("-")
        stream = self.standalone if stream_id == STANDALONE else self._streams.get(stream_id)
        if stream is None or not _EVENT_NUMBER.fullmatch(number):
            raise NotFound("This stream is not kept any more; start without Last-Event-ID.")
        return stream, int(number)

    async def ask(self, stream: Stream, method: str, params: JSONObject) -> JSONObject:
        """Send the client a request on `stream` and return its result. Raises RPCError."""
        check_askable(self.client.capabilities, method, params)
        self._ask_ids += 1
        ask_id = self._ask_ids
        future: asyncio.Future[JSONObject] = asyncio.get_running_loop().create_future()
        self._asks[ask_id] = future
        stream.send(jsonrpc.request(ask_id, method, params or None))
        try:
            async with asyncio.timeout(ASK_DEADLINE):
                return await future
        except (asyncio.CancelledError, TimeoutError) as ending:
            stream.send(jsonrpc.notification("notifications/cancelled", {"requestId": ask_id}))
            if isinstance(ending, TimeoutError):
                raise RPCError(jsonrpc.INTERNAL_ERROR, "The client gave no answer.") from None
            raise
        finally:
            del self._asks[ask_id]

    def answered(self, response: jsonrpc.Response) -> bool:
        """Take the client's answer to a request of ours; False where nobody waits for it."""
        future = self._asks.get(response.id)
        if future is None or future.done():
            return False
        try:
            future.set_result(jsonrpc.unwrap(response.body))
        except RPCError as error:
            future.set_exception(error)
        return True

    def best_stream(self) -> Stream:
        """Return where a message that belongs to no call will be read soonest."""
        if self.standalone.is_followed:
            return self.standalone
        open_ones = reversed(self._streams.values())
        followed = (each for each in open_ones if not (each.ended or each.is_answer_only))
        return next(followed, self.standalone)

    def announce(self, method: str, params: JSONObject) -> None:
        """Tell the client of a change, on its own stream."""
        self.standalone.send(jsonrpc.notification(method, params))

    def notified(self, method: str, params: JSONObject) -> None:
        """Pass on what a server said in this client's own session, outside of any call."""
        if method == "notifications/message" and not self.wants_log(params):
            return
        self.best_stream().send(jsonrpc.notification(method, params))

    async def asked(self, method: str, params: JSONObject) -> JSONObject:
        """Let the client answer what a server asked in its own session, outside of any call."""
        return await self.ask(self.best_stream(), method, params)

    def wants_log(self, params: JSONObject) -> bool:
        """Tell whether the client wants a log message."""
        return self.log_level is None or is_at_least(params.get("level"), self.log_level)

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs and nobody listens."""
        return not self.calls and not self.standalone.is_followed

    def touch(self) -> None:
        """Count the session as used now."""
        self.used = time.monotonic()

    def close(self) -> None:
        """End all calls and streams."""
        self.is_closed = True
        for task in self.calls.values():
            task.cancel()
        for stream in (self.standalone, *self._streams.values()):
            stream.end()


class FinishedStreams:
    """Answers that are kept for resuming: the oldest go where there are too many, or too heavy."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._kept: OrderedDict[tuple[str, str], tuple[ClientSession, Stream]] = OrderedDict()
        self._by_session: dict[str, deque[tuple[str, str]]] = {}

    def add(self, session: ClientSession, stream: Stream) -> None:
        """Keep a stream as the newest."""
        key = session.id, stream.id
        self._kept[key] = session, stream
        self._bytes += stream.weight
        own = self._by_session.setdefault(session.id, deque())
        own.append(key)
        if len(own) > KEPT_STREAMS:
            self._drop(own[0])
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))

    def forget(self, session: ClientSession) -> None:
        """Keep nothing of a session any more."""
        for key in tuple(self._by_session.get(session.id, ())):
            self._drop(key)

    def _drop(self, key: tuple[str, str]) -> None:
        session, stream = self._kept.pop(key)
        self._bytes -= stream.weight
        session.forget(stream)
        own = self._by_session[session.id]
        own.remove(key)
        if not own:
            del self._by_session[session.id]


class ClientSessions:
    """All legacy sessions; at most `limit` at once.

    Of their finished answers the newest are kept for resuming, in all up to `kept_bytes`. `mark`
    begins the sessions' ids.
    """

    def __init__(self, limit: int, kept_bytes: int, *, mark: str = "") -> None:
        self.mark = mark
        self._limit = limit
        self._sessions: dict[str, ClientSession] = {}
        self._finished = FinishedStreams(kept_bytes)

    def add(self, session: ClientSession) -> None:
        """Keep a new session. Raises TooMany."""
        if len(self._sessions) >= self._limit:
            raise TooMany("The gateway holds as many sessions as it may.", retry_after=10)
        self._sessions[session.id] = session

    def find(
        self, session_id: str, principal: Principal, place: tuple[str, str | None]
    ) -> ClientSession:
        """Return a session of this principal at this endpoint; others' look missing.

        Raises NotFound.
        """
        session = self._sessions.get(session_id)
        if (
            session is None
            or (session.project, session.server) != place
            or (session.principal.kind, session.principal.id) != (principal.kind, principal.id)
        ):
            raise NotFound("This session is unknown or has ended; send initialize again.")
        # The same key may be limited otherwise than when the session began.
        session.principal = principal
        session.used = time.monotonic()
        return session

    def keep(self, session: ClientSession, stream: Stream) -> None:
        """Keep a finished answer for a client that lost its connection meanwhile.

        A client resumes after an event that it saw: an answer that never was events is let go.
        """
        if stream.was_followed and session.id in self._sessions:
            self._finished.add(session, stream)
        else:
            session.forget(stream)

    def remove(self, session: ClientSession) -> None:
        """Forget a session and end it."""
        self._sessions.pop(session.id, None)
        self._finished.forget(session)
        session.close()

    def idle(self, idle_for: float) -> list[ClientSession]:
        """Return the sessions that were silent for so many seconds."""
        limit = time.monotonic() - idle_for
        return [each for each in self._sessions.values() if each.is_idle and each.used < limit]

    def __iter__(self) -> Iterator[ClientSession]:
        return iter(tuple(self._sessions.values()))

    def __len__(self) -> int:
        return len(self._sessions)


def facts_of(params: JSONObject) -> ClientFacts:
    """Read what a client says of itself in `initialize`."""
    return ClientFacts(
        info_of(params.get("clientInfo")), as_object(params.get("capabilities")) or {}
    )


def info_of(told: object) -> JSONObject:
    """Return who a client says it is; servers are told of one that does not say, too."""
    return as_object(told) or {"name": "unknown", "version": "0"}
