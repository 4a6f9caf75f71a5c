"""JSON-RPC over a duplex channel: many exchanges at once on one pipe, each answer to its own."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from interlock.errors import InterlockError, UpstreamFailed, UpstreamUnavailable
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, as_list, as_object, dumps, loads
from interlock.protocol.versions import META_SUBSCRIPTION
from interlock.telemetry.logs import get_logger
from interlock.upstreams.channel import Channel
from interlock.upstreams.envelope import EDGE, answered_id, is_answer
from interlock.upstreams.large import LARGE, PASSED_ON, read_in_turns
from interlock.upstreams.port import Begun, Ended, Headers, Hear, ProtocolBroken, Sink, Way

log = get_logger(__name__)

READ_OUT = 5.0  # seconds in which answers that have come are read to their end, on closing
_OURS = frozenset(
    {
        *("ping", "server/discover", "logging/setLevel"),
        *("tools/list", "prompts/list", "resources/list", "resources/templates/list"),
    }
)


@dataclass(slots=True, eq=False)
class _Exchange:
    """A request under way. One that is awaited is kept until its caller has taken the answer.

    What the server says right after its answer may still be of it. `others` are all of its link.
    """

    id: int
    others: "dict[Any, _Exchange]"
    sink: Sink
    method: str
    is_awaited: bool
    is_over: bool = False
    reading: "asyncio.Task[None] | None" = None

    def give_up(self) -> None:
        """Want the answer no more."""
        self.others.pop(self.id, None)
        if self.reading is not None:
            self.reading.cancel()


class _DuplexWay:
    """The way of requests with one method over a link."""

    __slots__ = ("_link", "_method", "_template")

    def __init__(self, link: "DuplexLink", method: str) -> None:
        self._link = link
        self._method = method
        self._template = jsonrpc.request_template(method)

    def begin(self, params: bytes, sink: Sink) -> Begun | None:
        """Send a request at once, if the channel takes it."""
        link = self._link
        number = next(link.ids)
        return link.begin(number, self._method, self._template % (number, params), sink)


@dataclass(frozen=True, slots=True)
class _Awaited:
    """Takes the outcome of an exchange for a caller that awaits it."""

    answer: "asyncio.Future[JSONObject]"
    hear: Hear

    def answered(self, message: JSONObject) -> None:
        if not self.answer.done():
            self.answer.set_result(message)

    def failed(self, fault: InterlockError) -> None:
        if not self.answer.done():
            self.answer.set_exception(fault)
            # Who still sends hears of it there; asking marks the exception as taken.
            self.answer.exception()


class DuplexLink:
    """A link over a channel that both sides may speak on at any time (stdio, legacy SSE).

    The channel does not say which exchange a notification or a server's request belongs to. It is
    found by progress token or subscription id; failing that, by being the only call there is, beside
    what we ask for ourselves and servers say nothing about.
    """

    is_duplex = True

    def __init__(self, name: str, hear: Hear, ended: Ended) -> None:
        self.headers: dict[str, str] = {}
        self.ids: Iterator[int] = count(1)
        self._name = name
        self._hear = hear
        self._ended = ended
        self._channel: Channel | None = None
        self._exchanges: dict[Any, _Exchange] = {}
        self._readings: set[asyncio.Task[None]] = set()
        self._broken: InterlockError | None = None
        self._closing = False

    def attach(self, channel: Channel) -> None:
        """Take the channel whose callbacks are this link's `receive` and `closed`."""
        self._channel = channel

    async def exchange(self, message: JSONObject, hear: Hear, headers: Headers = ()) -> JSONObject:
        """Send a request and wait for the answer with its id."""
        awaited = _Awaited(asyncio.get_running_loop().create_future(), hear)
        number, method = message["id"], message["method"]
        exchange = self._exchanges[number] = _Exchange(
            number, self._exchanges, awaited, method, is_awaited=True
        )
        try:
            await self.post(message)
            return await awaited.answer
        finally:
            exchange.give_up()

    def way(self, method: str, headers: Headers = ()) -> Way:
        """Return the way of requests with this method."""
        return _DuplexWay(self, method)

    def begin(self, number: int, method: str, message: bytes, sink: Sink) -> Begun | None:
        """Send the request with this number, if the channel takes it; the outcome is `sink`'s."""
        channel, exchanges = self._channel, self._exchanges
        if self._broken is not None or channel is None:
            return None
        begun = exchanges[number] = _Exchange(number, exchanges, sink, method, False)
        if not channel.send_now(message):
            del exchanges[number]
            return None
        return begun

    async def post(self, message: JSONObject, headers: Headers = ()) -> None:
        """Send one message."""
        if self._broken is not None:
            raise UpstreamUnavailable(self._broken.message)
        if self._channel is None:
            raise UpstreamUnavailable(f"The connection to {self._name} is not open yet.")
        await self._channel.send(dumps(message))

    async def listen(self) -> None:
        """Return at once: a duplex link always hears."""

    async def close(self) -> None:
        """Close the channel; exchanges that wait fail, unless their answers have come."""
        self._closing = True
        if self._channel is not None:
            await self._channel.close()
        if self._readings:
            await asyncio.wait(self._readings, timeout=READ_OUT)
            for reading in self._readings:
                reading.cancel()
            await asyncio.gather(*self._readings, return_exceptions=True)

    def receive(self, text: bytes) -> None:
        """Take one message from the channel; what is not JSON-RPC is dropped and logged."""
        if len(text) > LARGE and self._is_taking(text):
            return
        try:
            value = loads(text)
        except ValueError:
            value = None
            self._fail_unreadable(text)
        message = as_object(value)
        if message is not None and self._answered(message):
            return
        # Servers of 2025-03-26 may send several messages together.
        for each in as_list(value) or (value,):
            self._take(as_object(each), len(text))

    def _answered(self, message: JSONObject) -> bool:
        """Pass a plain answer on to who began its request; most messages are one."""
        number = message.get("id")
        if type(number) is not int or "method" in message:
            return False
        exchange = self._exchanges.get(number)
        if exchange is None or exchange.is_over or exchange.is_awaited:
            return False
        exchange.is_over = True
        del self._exchanges[number]
        exchange.sink.answered(message)
        return True

    def _is_taking(self, text: bytes) -> bool:
        """Begin to read a large answer, if it is one that is passed on.

        To all else that the server says, its exchange is over.
        """
        exchange = self._exchanges.get(answered_id(text[:EDGE], text[-EDGE:]))
        if exchange is None or exchange.is_over or exchange.method not in PASSED_ON:
            return False
        self._over(exchange.id)
        exchange.reading = asyncio.get_running_loop().create_task(self._read(exchange, text))
        self._readings.add(exchange.reading)
        exchange.reading.add_done_callback(self._readings.discard)
        return True

    async def _read(self, exchange: _Exchange, text: bytes) -> None:
        reading = read_in_turns(text)
        del text
        try:
            message = await reading or {}
        except asyncio.CancelledError:
            exchange.sink.failed(UpstreamUnavailable(f"The connection to {self._name} was closed."))
            raise
        if "method" in message or message.get("id") != exchange.id:
            message = jsonrpc.failure(exchange.id, self._unreadable())
        exchange.sink.answered(message)

    def _unreadable(self) -> ProtocolBroken:
        return ProtocolBroken(f"{self._name} answered with something that cannot be read as JSON.")

    def _fail_unreadable(self, text: bytes) -> None:
        """Let the call fail at once whose answer this would be, instead of at its deadline."""
        head, tail = text[:EDGE], text[-EDGE:]
        if not is_answer(head):
            return
        fault = self._unreadable()
        answered = answered_id(head, tail)
        if answered is None:
            self.failed(fault)
        else:
            self._take(jsonrpc.failure(answered, fault), len(text))

    def _take(self, message: JSONObject | None, size: int) -> None:
        method = message.get("method") if message is not None else None
        if message is not None and isinstance(method, str):
            self._owner(message)(message)
        elif (
            message is not None and method is None and not isinstance(message.get("id", True), bool)
        ):
            # To Python, true is the number one.
            self._answer(message)
        else:
            log.warning("upstream.not_a_message", server=self._name, size=size)

    def closed(self, reason: InterlockError) -> None:
        """Fail every exchange that waits, and say once that the link ended."""
        if self._broken is not None:
            return
        self._broken = reason
        exchanges, self._exchanges = self._exchanges, {}
        for exchange in exchanges.values():
            if not exchange.is_over:
                exchange.sink.failed(UpstreamUnavailable(reason.message))
        if not self._closing:
            failure = reason if isinstance(reason, UpstreamFailed) else None
            self._ended(failure or UpstreamUnavailable(reason.message))

    def failed(self, reason: UpstreamFailed) -> None:
        """Fail the one exchange that a broken message can have answered, if there is just one."""
        waiting = self._calls()
        if len(waiting) == 1:
            self._over(waiting[0]).sink.failed(reason)

    def _calls(self) -> list[Any]:
        """Return the ids of the exchanges that an answer ends."""
        return [
            request_id
            for request_id, one in self._exchanges.items()
            if one.method != "subscriptions/listen" and not one.is_over
        ]

    def _answer(self, message: JSONObject) -> None:
        answered = message["id"]
        exchange = self._exchanges.get(answered) if isinstance(answered, str | int) else None
        if exchange is None or exchange.is_over:
            log.warning("upstream.unknown_id", server=self._name)
        else:
            self._over(answered).sink.answered(message)

    def _over(self, request_id: Any) -> _Exchange:
        exchange = self._exchanges[request_id]
        exchange.is_over = True
        if not exchange.is_awaited:
            del self._exchanges[request_id]
        return exchange

    def _owner(self, message: JSONObject) -> Hear:
        params = as_object(message.get("params")) or {}
        meta = as_object(params.get("_meta")) or {}
        token, subscription = params.get("progressToken"), meta.get(META_SUBSCRIPTION)
        if isinstance(token, str | int):
            named = self._exchanges.get(token)
            # Progress after the answer may be of a task that goes on; the session knows.
            return named.sink.hear if named is not None else self._hear
        if isinstance(subscription, str | int):
            named = self._exchanges.get(subscription)
            # What names a stream that has ended came late and belongs to no other.
            return named.sink.hear if named is not None else _drop
        calls = [each for each in self._calls() if self._exchanges[each].method not in _OURS]
        return self._exchanges[calls[0]].sink.hear if len(calls) == 1 else self._hear


def _drop(message: JSONObject) -> None:
    """Nobody waits for it any more."""
