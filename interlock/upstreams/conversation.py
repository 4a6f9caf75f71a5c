"""What both eras' sessions share: ids, progress tokens, and telling the server of a cancellation."""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine

from interlock.errors import InterlockError
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, as_object
from interlock.upstreams.port import Caller, Headers, Hear, Link, Way

CANCEL_DEADLINE = 5.0  # seconds
HEAD_START = 0.5  # seconds that a request has before its cancellation, where they race
MAX_WAYS = 1024  # of one link
MAX_LASTING = 1000  # tasks whose progress is still passed on


class Conversation:
    """Numbers requests on one link and keeps each caller's own progress token.

    Many clients share a link, so their tokens may be equal: each request gets its own id as its
    token, and notifications are given the client's token back.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._tasks: set[asyncio.Task[None]] = set()
        self._ways: dict[tuple[str, tuple[tuple[str, str], ...]], Way] = {}
        self._lasting: OrderedDict[int, Hear] = OrderedDict()

    async def call(
        self, method: str, params: JSONObject, hear: Hear, headers: Headers = ()
    ) -> JSONObject:
        """Send a request and return its result. Raises RPCError and UpstreamFailed."""
        request_id, begun = next(self._link.ids), asyncio.get_running_loop().time()
        message = jsonrpc.request(request_id, method, with_token(params, request_id))
        try:
            result = jsonrpc.unwrap(await self._link.exchange(message, hear, headers))
        except asyncio.CancelledError:
            # The handshake is the one request that a client must not cancel (2025-11-25,
            # basic/utilities/cancellation).
            if method != "initialize":
                self.withdraw(request_id, asyncio.get_running_loop().time() - begun)
            raise
        if "task" in result and token_of(params) is not None:
            # The token of a request that became a task is good for as long as the task.
            self._lasting[request_id] = hear
            if len(self._lasting) > MAX_LASTING:
                self._lasting.popitem(last=False)
        return result

    def way(self, method: str, headers: tuple[tuple[str, str], ...] = ()) -> Way:
        """Return the way of requests that have no progress token; it is made once."""
        way = self._ways.get((method, headers))
        if way is None:
            if len(self._ways) >= MAX_WAYS:
                self._ways.clear()
            way = self._ways[method, headers] = self._link.way(method, headers)
        return way

    def withdraw(self, request_id: int, age: float) -> None:
        """Tell the server that nobody waits for a request any more, where that can be told.

        It was sent `age` seconds ago.
        """
        if self._hears_cancellation():
            self.spawn(self._cancel(request_id, age))

    def _hears_cancellation(self) -> bool:
        return self._link.is_duplex or "mcp-session-id" in self._link.headers

    def hear_late(self, message: JSONObject) -> None:
        """Take progress that came after its request was answered, if the request became a task."""
        token = (as_object(message.get("params")) or {}).get("progressToken")
        hear = self._lasting.get(token) if isinstance(token, int) else None
        if hear is not None:
            hear(message)

    async def _cancel(self, request_id: int, age: float) -> None:
        if not self._link.is_duplex:
            # Over two connections, what was sent first may be read last; a server runs a call to
            # its end whose cancellation it read before.
            await asyncio.sleep(max(0.0, HEAD_START - age))
        params: JSONObject = {"requestId": request_id, "reason": "The client gave the call up."}
        await self.post(jsonrpc.notification("notifications/cancelled", params))

    async def post(self, message: JSONObject) -> None:
        """Send a message that wants no answer; a link that broke meanwhile ends the matter."""
        try:
            async with asyncio.timeout(CANCEL_DEADLINE):
                await self._link.post(message)
        except (InterlockError, TimeoutError):
            return

    def spawn(self, work: Coroutine[None, None, None]) -> "asyncio.Task[None]":
        """Run `work` beside the call; the session waits for it or cancels it when it closes."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Stop what runs beside calls and close the link."""
        await self._stop()
        await self._link.close()
        # Until it was closed, the server could still ask for something.
        await self._stop()

    async def _stop(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def token_of(params: JSONObject) -> str | int | None:
    """Return the progress token of a request's params, if it has one."""
    meta = as_object(params.get("_meta"))
    token = meta.get("progressToken") if meta is not None else None
    return token if isinstance(token, str | int) else None


def with_token(params: JSONObject, token: int) -> JSONObject:
    """Return `params` with `token` in the place of the progress token, if there is one."""
    if token_of(params) is None:
        return params
    return {**params, "_meta": {**params["_meta"], "progressToken": token}}


def pass_notification(message: JSONObject, token: str | int | None, caller: Caller) -> None:
    """Hand a notification of a call to its caller, under the client's own progress token."""
    method, params = message["method"], as_object(message.get("params")) or {}
    if method == "notifications/progress":
        if token is None:
            return
        params = {**params, "progressToken": token}
    caller.notify(method, params)
