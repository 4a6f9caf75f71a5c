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
from interlock.upstreams.port import Ended, Headers, Hear, ProtocolBroken

log = get_logger(__name__)

_OURS = frozenset(
    {
        *("ping", "server/discover", "logging/setLevel"),
        *("tools/list", "prompts/list", "resources/list", "resources/templates/list"),
    }
)


@dataclass(slots=True)
class _Exchange:
    answer: "asyncio.Future[JSONObject]"
    hear: Hear
    method: str


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
        self._broken: InterlockError | None = None
        self._closing = False

    def attach(self, channel: Channel) -> None:
        """Take the channel whose callbacks are this link's `receive` and `closed`."""
        self._channel = channel

    async def exchange(self, message: JSONObject, hear: Hear, headers: Headers = ()) -> JSONObject:
        """Send a request and wait for the answer with its id."""
        future: asyncio.Future[JSONObject] = asyncio.get_running_loop().create_future()
        exchange = _Exchange(future, hear, message["method"])
        self._exchanges[message["id"]] = exchange
        try:
            await self.post(message)
            return await exchange.answer
        finally:
            del self._exchanges[message["id"]]

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
        """Close the channel; exchanges that wait fail."""
        self._closing = True
        if self._channel is not None:
            await self._channel.close()

    def receive(self, text: bytes) -> None:
        """Take one message from the channel; what is not JSON-RPC is dropped and logged."""
        try:
            value = loads(text)
        except ValueError:
            value = None
            self._fail_unreadable(text)
        # Servers of 2025-03-26 may send several messages together.
        for message in as_list(value) or (value,):
            self._take(as_object(message), len(text))

    def _fail_unreadable(self, text: bytes) -> None:
        """Let the call fail at once whose answer this would be, instead of at its deadline."""
        head, tail = text[:EDGE], text[-EDGE:]
        if not is_answer(head):
            return
        fault = ProtocolBroken(f"{self._name} answered with something that cannot be read as JSON.")
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
        for exchange in self._exchanges.values():
            if not exchange.answer.done():
                exchange.answer.set_exception(UpstreamUnavailable(reason.message))
                # Who still sends hears of it there; asking marks the exception as taken.
                exchange.answer.exception()
        if not self._closing:
            failure = reason if isinstance(reason, UpstreamFailed) else None
            self._ended(failure or UpstreamUnavailable(reason.message))

    def failed(self, reason: UpstreamFailed) -> None:
        """Fail the one exchange that a broken message can have answered, if there is just one."""
        waiting = self._calls()
        if len(waiting) == 1:
            waiting[0].answer.set_exception(reason)

    def _calls(self) -> list[_Exchange]:
        waiting = (one for one in self._exchanges.values() if not one.answer.done())
        return [one for one in waiting if one.method != "subscriptions/listen"]

    def _answer(self, message: JSONObject) -> None:
        answered = message["id"]
        exchange = self._exchanges.get(answered) if isinstance(answered, str | int) else None
        if exchange is None or exchange.answer.done():
            log.warning("upstream.unknown_id", server=self._name)
        else:
            exchange.answer.set_result(message)

    def _owner(self, message: JSONObject) -> Hear:
        params = as_object(message.get("params")) or {}
        meta = as_object(params.get("_meta")) or {}
        token, subscription = params.get("progressToken"), meta.get(META_SUBSCRIPTION)
        if isinstance(token, str | int):
            named = self._exchanges.get(token)
            # Progress after the answer may be of a task that goes on; the session knows.
            return named.hear if named is not None else self._hear
        if isinstance(subscription, str | int):
            named = self._exchanges.get(subscription)
            # What names a stream that has ended came late and belongs to no other.
            return named.hear if named is not None else _drop
        calls = [one for one in self._calls() if one.method not in _OURS]
        return calls[0].hear if len(calls) == 1 else self._hear


def _drop(message: JSONObject) -> None:
    """Nobody waits for it any more."""
