"""The bridge itself: reads the client's messages, keeps its requests apart, and ends in order."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing, suppress
from functools import partial
from http import HTTPStatus
from typing import Any, TypeAlias

from interlock.cli.bridge.endpoint import Cursor, Endpoint
from interlock.cli.bridge.exchange import Call, Exchange, refusal
from interlock.cli.bridge.mirrors import Mirrors, modern_version
from interlock.cli.bridge.streams import MAX_LINE, Output
from interlock.errors import BadMessage, InterlockError, TooLarge, TooMany
from interlock.protocol import jsonrpc
from interlock.protocol.json import HostileJSON, dumps, loads
from interlock.station.framing import Oversized

Work: TypeAlias = Callable[[], Awaitable[None]]

MAX_CALLS = 256
MAX_POSTS = 256
FINISH_TIMEOUT = 5.0  # seconds for calls under way once the client has hung up
CANCEL_GRACE = 10.0  # seconds that a cancelled legacy request is still listened to
MAX_RETRY_DELAY = 30.0  # seconds


class Bridge:
    """Carries one client's messages to one endpoint, and back to `output`."""

    def __init__(self, endpoint: Endpoint, output: Output) -> None:
        self._endpoint = endpoint
        self._output = output
        self._mirrors = Mirrors()
        self._exchange = Exchange(endpoint, output, self._mirrors)
        self._calls: dict[jsonrpc.RequestId, tuple[Call, asyncio.Task[None]]] = {}
        self._posts: set[asyncio.Task[None]] = set()
        self._gate: asyncio.Task[None] | None = None
        self._listener: asyncio.Task[None] | None = None

    async def run(self, lines: AsyncGenerator[bytes | Oversized], stop: asyncio.Event) -> None:
        """Serve until the client hangs up, nobody reads the answers, or `stop` is set."""
        reading = asyncio.create_task(self._read(lines))
        ends = [asyncio.create_task(each.wait()) for each in (stop, self._output.broken)]
        try:
            await asyncio.wait({reading, *ends}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hung_up = reading.done() and not any(end.done() for end in ends)
            await _cancelled({reading, *ends})
            await self._finish(FINISH_TIMEOUT if hung_up else 0)
        if not reading.cancelled():
            reading.result()

    async def _read(self, lines: AsyncGenerator[bytes | Oversized]) -> None:
        async with aclosing(lines):
            async for line in lines:
                await self._take(line)

    async def _take(self, line: bytes | Oversized) -> None:
        request_id: jsonrpc.RequestId | None = None
        try:
            if isinstance(line, Oversized):
                raise TooLarge(f"A message is larger than {MAX_LINE} bytes; send less at once.")
            message = jsonrpc.read(_parsed(line))
            if isinstance(message, jsonrpc.Request):
                request_id = message.id
                self._start(message, line)
            else:
                await self._pass(message, line)
        except InterlockError as fault:
            await self._output.write(dumps(jsonrpc.failure(request_id, fault)))

    def _start(self, request: jsonrpc.Request, line: bytes) -> None:
        if request.id in self._calls:
            raise BadMessage(f"The id {request.id!r} is in use already; give each request its own.")
        if len(self._calls) >= MAX_CALLS:
            raise TooMany(f"{MAX_CALLS} requests are under way; wait until one is answered.")
        call = Call(request, line, is_modern=modern_version(request.params) is not None)
        task = asyncio.create_task(_after(self._gate, partial(self._answer, call)))
        self._calls[request.id] = (call, task)
        task.add_done_callback(lambda _: self._calls.pop(request.id, None))
        if request.method == "initialize":
            self._gate = task

    async def _answer(self, call: Call) -> None:
        request_id = call.request.id
        try:
            await self._exchange.carry(call)
        except InterlockError as fault:
            if not call.is_cancelled:
                await self._output.write(dumps(jsonrpc.failure(request_id, fault)))
        except Exception as error:  # noqa: BLE001 - Whatever one call meets, its client must not wait.
            fault = InterlockError(f"The bridge failed with {type(error).__name__}; report it.")
            await self._output.write(dumps(jsonrpc.failure(request_id, fault)))

    async def _pass(self, message: jsonrpc.Notification | jsonrpc.Response, line: bytes) -> None:
        """Send on what wants no answer."""
        if isinstance(message, jsonrpc.Notification):
            if message.method == "notifications/cancelled" and self._cancel(message):
                return
            if message.method == "notifications/initialized":
                self._gate = self._post(partial(self._initialized, line))
                return
        while len(self._posts) >= MAX_POSTS:
            await asyncio.wait(self._posts, return_when=asyncio.FIRST_COMPLETED)
        self._post(partial(self._forward, message, line))

    def _cancel(self, message: jsonrpc.Notification) -> bool:
        """Cancel a request; False where the gateway has to hear of it too."""
        wanted = message.params.get("requestId")
        found = self._calls.get(wanted) if isinstance(wanted, str | int) else None
        if found is None:
            return False
        call, task = found
        call.is_cancelled = True
        if call.is_modern:
            # In the modern era closing the stream of a request is how it is cancelled.
            task.cancel()
            return True
        asyncio.get_running_loop().call_later(CANCEL_GRACE, task.cancel)
        return False

    def _post(self, work: Work) -> asyncio.Task[None]:
        task = asyncio.create_task(_after(self._gate, work))
        self._posts.add(task)
        task.add_done_callback(self._posts.discard)
        return task

    async def _forward(self, message: jsonrpc.Notification | jsonrpc.Response, line: bytes) -> None:
        session = self._exchange.session
        if isinstance(message, jsonrpc.Notification) and session.id is None:
            await self._send(line, self._mirrors.headers(message.method, message.params))
        else:
            await self._send(line, session.headers())

    async def _initialized(self, line: bytes) -> None:
        await self._send(line, self._exchange.session.headers())
        if self._listener is not None:
            await _cancelled({self._listener})
        if self._exchange.session.id is not None:
            self._listener = asyncio.create_task(self._listen())

    async def _send(self, line: bytes, headers: list[tuple[str, str]]) -> None:
        try:
            async with self._endpoint.post(line, headers) as reply:
                if reply.status >= HTTPStatus.BAD_REQUEST:
                    raise refusal(reply.status, self._endpoint.url)
        except InterlockError as fault:
            complain(fault.message)

    async def _listen(self) -> None:
        """Pass on what the server sends of its own accord, for as long as the session lives."""
        cursor = Cursor()
        failures = 0
        while True:
            try:
                if not await self._follow(cursor):
                    return
                failures = 0
            except InterlockError:
                failures += 1
            delay = max(cursor.retry, 0.05) * 2 ** min(failures, 6)
            await asyncio.sleep(min(delay, MAX_RETRY_DELAY))

    async def _follow(self, cursor: Cursor) -> bool:
        headers = [*cursor.headers(), *self._exchange.session.headers()]
        async with self._endpoint.get(headers) as reply:
            if not reply.is_stream:
                # A server may offer no such stream, and a session may have ended.
                return reply.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            async with aclosing(reply.messages(cursor)) as messages:
                async for message in messages:
                    await self._output.write(message)
        return True

    async def _finish(self, grace: float) -> None:
        if self._listener is not None:
            await _cancelled({self._listener})
        endless = {
            task
            for call, task in self._calls.values()
            if call.is_cancelled or call.request.method == "subscriptions/listen"
        }
        rest = {task for _, task in self._calls.values()} | self._posts
        await _cancelled(endless)
        if rest - endless:
            await asyncio.wait(rest - endless, timeout=grace)
        await _cancelled(rest)
        session = self._exchange.session
        if session.id is not None:
            with suppress(InterlockError):
                await self._endpoint.delete(session.headers())


def complain(sentence: str) -> None:
    """Tell people, who read stderr; stdout belongs to the protocol."""
    sys.stderr.write(f"interlock connect: {sentence}\n")
    sys.stderr.flush()


def _parsed(line: bytes) -> object:
    try:
        return loads(line)
    except ValueError as error:
        raise HostileJSON("The line is not valid JSON; send one message a line.") from error


async def _after(gate: asyncio.Task[None] | None, work: Work) -> None:
    """Do `work` once the handshake before it is through."""
    if gate is not None and not gate.done():
        await asyncio.wait({gate})
    await work()


async def _cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    ended = set(tasks)
    for task in ended:
        task.cancel()
    if ended:
        await asyncio.wait(ended)
