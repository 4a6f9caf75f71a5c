"""The answer to a request that was begun over Streamable HTTP, taken as it arrives.

Nobody waits for it: whatever comes is passed to the sink of the request in the moment it is whole.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final, Protocol, TypeAlias

from interlock.errors import InterlockError, TooLarge
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, as_list, as_object, loads
from interlock.protocol.sse import EventReader, ServerSentEvent
from interlock.upstreams.balancing import Endpoint
from interlock.upstreams.connection import Connection
from interlock.upstreams.envelope import EDGE, answered_id
from interlock.upstreams.large import LARGE
from interlock.upstreams.port import Begun, Hear, SessionExpired, Sink

MAX_MESSAGE: Final = 32 * 1024 * 1024  # bytes
RECONNECT_DELAY: Final = 1.0  # seconds, where the server names none
MIN_RETRY: Final = 0.1  # seconds, however soon a server wants us back


@dataclass(slots=True)
class Cursor:
    """Where a stream stands, so that it can be taken up again after a break.

    `is_passed_on` says whether the answer in it is hardly looked into here.
    """

    last_event_id: str | None = None
    retry: float = RECONNECT_DELAY  # seconds
    was_open: bool = False
    is_passed_on: bool = False

    def texts(self, events: Iterable[ServerSentEvent]) -> Iterator[bytes]:
        """Yield the texts of messages in some events, and stand behind them."""
        for event in events:
            self.advance(event)
            if event.data and event.event == "message":
                yield event.data

    def advance(self, event: ServerSentEvent) -> None:
        """Stand behind an event."""
        if event.id is not None:
            self.last_event_id = event.id
        if event.retry is not None:
            # A server that names a time must not be asked before it; calls have their own deadline.
            self.retry = max(event.retry / 1000, MIN_RETRY)


def messages_in(text: bytes) -> Iterator[JSONObject]:
    """Yield the messages in the text of an event; none where it cannot be read."""
    try:
        value = loads(text)
    except ValueError:
        return
    # Servers of 2025-03-26 may send several messages together.
    for each in as_list(value) or (value,):
        message = as_object(each)
        if message is not None:
            yield message


def answer_in(body: bytes) -> JSONObject | None:
    """Return the answer in the body of a response, if there is one."""
    try:
        return answer_of(as_object(loads(body)))
    except ValueError:
        return None


def answer_of(message: JSONObject | None) -> JSONObject | None:
    """Return what a server wrote if it is an answer."""
    # A web framework's own error may be an object with a member `error`, too.
    if message is None or "result" in message or as_object(message.get("error")) is not None:
        return message
    return None


_Begin: TypeAlias = Callable[[], Coroutine[None, None, JSONObject]]
Fields: TypeAlias = Sequence[tuple[bytes, bytes]]


class Origin(Protocol):
    """The link that a request was begun on; `now` is the clock of its endpoints, `ids` its numbers."""

    ids: Iterator[int]
    now: Callable[[], float]

    def free(self) -> tuple[Endpoint, Connection] | None:
        """Return a connection that takes a call at once, and where it leads, if there is one."""
        ...

    def is_expiry(self, status: int) -> bool:
        """Tell whether a status says that our session is gone."""
        ...

    def expired(self) -> SessionExpired:
        """Return what failed then."""
        ...

    def was_answered(self, endpoint: Endpoint, status: int, fields: Fields) -> None:
        """Take note of the head of an answer."""
        ...

    def was_given_up(self, endpoint: Endpoint, since: float) -> None:
        """Take note that nobody waits for the head of an answer any more."""
        ...

    def broke(self, endpoint: Endpoint, error: InterlockError) -> InterlockError:
        """Take note of what ended a connection; return what failed."""
        ...

    def read_answer(
        self, endpoint: Endpoint, status: int, fields: Fields, body: bytes
    ) -> JSONObject:
        """Return the answer in a body. Raises UpstreamFailed."""
        ...

    async def read_large(self, text: bytes) -> JSONObject:
        """Return the large answer in a text, read in turns. Raises UpstreamFailed."""
        ...

    async def resumed(
        self, endpoint: Endpoint, cursor: Cursor, wanted: object, hear: Hear
    ) -> JSONObject:
        """Take a stream up again, where that can be, and return the answer."""
        ...


class HTTPWay:
    """The way of equal requests over one link; `write` writes their head for an endpoint."""

    __slots__ = ("_heads", "_ids", "_origin", "_template", "_write")

    def __init__(self, origin: Origin, method: str, write: Callable[[Endpoint], bytes]) -> None:
        self._origin = origin
        self._ids = origin.ids
        self._template = jsonrpc.request_template(method)
        self._write = write
        self._heads: dict[Endpoint, bytes] = {}

    def begin(self, params: bytes, sink: Sink) -> Begun | None:
        """POST a request at once, if a connection is free."""
        free = self._origin.free()
        if free is None:
            return None
        endpoint, connection = free
        head = self._heads.get(endpoint)
        if head is None:
            head = self._heads[endpoint] = self._write(endpoint)
        number = next(self._ids)
        body = self._template % (number, params)
        answer = BegunAnswer(self._origin, endpoint, connection, number, sink)
        connection.start(b"%b%d\r\n\r\n%b" % (head, len(body), body), answer)
        return answer


class BegunAnswer:
    """Receives the answer with this `id`, as JSON or from a stream, for `sink`."""

    __slots__ = (
        *("_began", "_connection", "_cursor", "_endpoint", "_fields"),
        *("_is_over", "_is_pending", "_origin", "_parts", "_reader", "_rest", "_sink"),
        *("_size", "_status", "id"),
    )
    takes_whole = True

    def __init__(
        self,
        origin: Origin,
        endpoint: Endpoint,
        connection: Connection,
        number: int,
        sink: Sink,
    ) -> None:
        self._origin = origin
        self._endpoint = endpoint
        self._began = origin.now()
        self._is_pending = True
        endpoint.pending += 1
        self._fields: Fields = ()
        self._connection = connection
        self.id = number
        self._sink = sink
        self._status = 0
        self._parts: list[bytes] = []
        self._size = 0
        self._is_over = False
        self._reader: EventReader | None = None
        self._cursor: Cursor | None = None
        self._rest: asyncio.Task[None] | None = None  # what is left to do when all has come

    @property
    def waiting(self) -> int:
        """Nothing waits: what is kept here is bounded by the size of a message."""
        return 0

    def give_up(self) -> None:
        """Want the answer no more; the server sees the connection end."""
        self._finish()
        if not self._status:
            self._origin.was_given_up(self._endpoint, self._began)
        self._connection.give_up(self)
        if self._rest is not None:
            self._rest.cancel()

    def whole(self, body: bytes) -> None:
        """Take an answer that came at once and is nothing but its body."""
        if self._is_over:
            return
        self._endpoint.succeeded()
        answer = answer_in(body)
        if answer is None:
            self._read(body)
        else:
            self._is_over, self._is_pending = True, False
            self._endpoint.pending -= 1
            self._sink.answered(answer)

    def head(self, status: int, fields: Fields) -> None:
        """Take the status, and whether a stream follows."""
        self._status, self._fields = status, fields
        self._origin.was_answered(self._endpoint, status, fields)
        for name, value in fields:
            if name.lower() == b"content-type":
                kind = value.partition(b";")[0].strip().lower()
                if kind == b"text/event-stream" and not self._origin.is_expiry(status):
                    self._reader, self._cursor = EventReader(MAX_MESSAGE), Cursor(is_passed_on=True)

    def part(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._size += len(data)
        if self._is_over:
            return
        if self._reader is not None and self._cursor is not None:
            self._follow(self._reader, self._cursor, data)
        elif self._size > MAX_MESSAGE:
            self._fail(
                TooLarge(f"The answer of {self._connection.server} is over {MAX_MESSAGE} bytes.")
            )
        else:
            self._parts.append(data)

    def end(self, error: InterlockError | None) -> None:
        """Pass the answer on, or why there is none."""
        if self._is_over:
            return
        if self._cursor is not None:
            self._take_up(self._cursor, error)
        elif error is not None:
            self._fail(self._origin.broke(self._endpoint, error))
        elif self._origin.is_expiry(self._status):
            self._fail(self._origin.expired())
        else:
            parts = self._parts
            body = parts[0] if len(parts) == 1 else b"".join(parts)
            parts.clear()
            if self._size > LARGE and self._status == HTTPStatus.OK:
                self._go_on(partial(self._origin.read_large, body))
            else:
                self._read(body)

    def _read(self, body: bytes) -> None:
        try:
            answer = self._origin.read_answer(self._endpoint, self._status, self._fields, body)
        except InterlockError as fault:
            self._fail(fault)
        else:
            self._finish()
            self._sink.answered(answer)

    def _follow(self, reader: EventReader, cursor: Cursor, data: bytes) -> None:
        try:
            for text in cursor.texts(reader.feed(data)):
                if len(text) > LARGE and answered_id(text[:EDGE], text[-EDGE:]) == self.id:
                    self._is_over = True
                    self._connection.leave()
                    self._go_on(partial(self._origin.read_large, text))
                else:
                    self._take(text)
                if self._is_over:
                    return
        except TooLarge as fault:
            self._fail(fault)

    def _take(self, text: bytes) -> None:
        for message in messages_in(text):
            if isinstance(message.get("method"), str):
                self._sink.hear(message)
            elif "method" not in message and message.get("id") in (self.id, None):
                self._finish()
                self._connection.leave()
                self._sink.answered(message)
            if self._is_over:
                return

    def _take_up(self, cursor: Cursor, error: InterlockError | None) -> None:
        if error is not None and cursor.last_event_id is None:
            self._fail(self._origin.broke(self._endpoint, error))
            return
        self._go_on(partial(self._origin.resumed, self._endpoint, cursor, self.id, self._sink.hear))

    def _go_on(self, begin: _Begin) -> None:
        self._rest = asyncio.get_running_loop().create_task(self._pass_on(begin))

    async def _pass_on(self, begin: _Begin | None) -> None:
        if begin is None:
            return
        coming = begin()
        # It holds the text, which is not needed any more once it was read.
        begin = None
        try:
            answer = await coming
        except InterlockError as fault:
            self._fail(fault)
        else:
            self._finish()
            self._sink.answered(answer)

    def _finish(self) -> None:
        self._is_over = True
        if self._is_pending:
            self._is_pending = False
            self._endpoint.pending -= 1

    def _fail(self, fault: InterlockError) -> None:
        self._finish()
        self._connection.give_up(self)
        self._sink.failed(fault)
