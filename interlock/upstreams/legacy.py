"""A session with a server of the legacy era: the handshake, calls, and the server's own requests."""

import asyncio
from dataclasses import dataclass, field

from interlock.errors import InterlockError, RPCError
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, as_object
from interlock.protocol.versions import LATEST_LEGACY, LEGACY_VERSIONS, Era
from interlock.telemetry.logs import get_logger
from interlock.upstreams.conversation import Conversation, pass_notification, token_of
from interlock.upstreams.port import (
    Caller,
    ClientFacts,
    Headers,
    Link,
    Nobody,
    Peer,
    ProtocolBroken,
    ServerFacts,
    Way,
)

log = get_logger(__name__)

MAX_ASKED = 256  # requests of a server that are being answered; one that reads no answers has more
OF_A_CALL = frozenset({"notifications/progress", "notifications/message"})


@dataclass(slots=True, eq=False)
class _Running:
    """A call under way, and what the server asks its caller meanwhile."""

    caller: Caller
    asks: dict[jsonrpc.RequestId, "asyncio.Task[None]"] = field(
        default_factory=dict[jsonrpc.RequestId, "asyncio.Task[None]"]
    )


class LegacySession:
    """One initialized session; what belongs to no call goes to `peer`.

    In one that `is_shared` by many clients, over a link that does not tell calls apart, nobody
    knows whose call a log message belongs to, not even while only one is under way: it may come
    late, of one that has ended.
    """

    def __init__(
        self, link: Link, name: str, client: ClientFacts, peer: Peer, *, is_shared: bool = False
    ) -> None:
        self.mixes_logs = is_shared and link.is_duplex
        self._link = link
        self._name = name
        self._client = client
        self._peer = peer
        self._talk = Conversation(link)
        self._running: list[_Running] = []
        self._asks: dict[jsonrpc.RequestId, asyncio.Task[None]] = {}
        self._replies: set[asyncio.Task[None]] = set()
        self.facts = ServerFacts(Era.LEGACY, LATEST_LEGACY, {}, {})
        self.log_level: str | None = None

    async def open(self, version: str = LATEST_LEGACY) -> None:
        """Shake hands. Raises UpstreamFailed, and RPCError where the server refuses."""
        params: JSONObject = {
            "protocolVersion": version,
            "capabilities": self._client.capabilities,
            "clientInfo": self._client.info,
        }
        answer = await self._talk.call("initialize", params, self.hear)
        self.facts = self._read(answer)
        if self.facts.version != "2024-11-05":
            self._link.headers["mcp-protocol-version"] = self.facts.version
        await self._link.post(jsonrpc.notification("notifications/initialized"))
        self._talk.spawn(self._listen())

    def _read(self, answer: JSONObject) -> ServerFacts:
        version = answer.get("protocolVersion")
        if version not in LEGACY_VERSIONS:
            raise ProtocolBroken(f"{self._name} speaks protocol {version!r}, which is unknown.")
        instructions = answer.get("instructions")
        return ServerFacts(
            Era.LEGACY,
            version,
            as_object(answer.get("serverInfo")) or {},
            as_object(answer.get("capabilities")) or {},
            instructions if isinstance(instructions, str) else None,
        )

    async def _listen(self) -> None:
        try:
            await self._link.listen()
        except InterlockError:
            # A server without a stream of its own still answers calls.
            return

    async def request(
        self, method: str, params: JSONObject, caller: Caller, headers: Headers = ()
    ) -> JSONObject:
        """Make one call and return its result."""
        token, running = token_of(params), _Running(caller)

        def hear(message: JSONObject) -> None:
            self._hear(message, running, token)

        if isinstance(caller, Nobody):
            return await self._talk.call(method, params, hear, headers)
        self._running.append(running)
        try:
            return await self._talk.call(method, params, hear, headers)
        except (asyncio.CancelledError, InterlockError):
            self._withdraw(running)
            raise
        finally:
            self._running.remove(running)

    def way(self, method: str, name: str, version: str) -> Way:
        """Return the way of equal calls."""
        return self._talk.way(method)

    def withdraw(self, request_id: int, age: float) -> None:
        """Tell the server that nobody waits for a call any more."""
        self._talk.withdraw(request_id, age)

    def heard(self, message: JSONObject, caller: Caller) -> None:
        """Take what the server said during a call that was begun."""
        self._hear(message, _Running(caller), None)

    def _hear(self, message: JSONObject, running: _Running, token: str | int | None) -> None:
        if "id" in message:
            self._answer(message, running)
        elif message["method"] == "notifications/message" and self.mixes_logs:
            self._heard(message)
        elif message["method"] in OF_A_CALL:
            pass_notification(message, token, running.caller)
        else:
            self._heard(message)

    async def notify(self, method: str, params: JSONObject) -> None:
        """Send a notification."""
        await self._link.post(jsonrpc.notification(method, params))

    async def close(self) -> None:
        """End the session and its link."""
        await self._talk.close()

    def broke(self) -> None:
        """Take back all that the server asked: its link has ended, and no answer reaches it."""
        for task in tuple(self._asks.values()):
            task.cancel()

    def hear(self, message: JSONObject) -> None:
        """Take a message of the server that belongs to no call."""
        if "id" in message:
            self._answer(message, None)
        elif message["method"] == "notifications/progress":
            self._talk.hear_late(message)
        else:
            self._heard(message)

    def _heard(self, message: JSONObject) -> None:
        params = as_object(message.get("params")) or {}
        if message["method"] == "notifications/cancelled":
            named = params.get("requestId")
            task = self._asks.get(named) if isinstance(named, str | int) else None
            if task is not None:
                task.cancel()
            return
        self._peer.notified(message["method"], params)

    def _withdraw(self, running: _Running) -> None:
        """Ask no more what only a call wanted to know that was given up, or whose server failed."""
        given_up = RPCError(jsonrpc.INTERNAL_ERROR, "The call was given up before the answer.")
        for asked, task in running.asks.items():
            task.cancel()
            # Where the question belonged to no call after all, its server must not wait for ever.
            self._talk.spawn(self._talk.post(jsonrpc.failure(asked, given_up)))

    def _answer(self, message: JSONObject, running: _Running | None) -> None:
        asked = message["id"]
        if not isinstance(asked, str | int):
            return
        if running is None and len(self._running) == 1:
            # Many servers ask on the session's own stream what a call of theirs wants to know.
            running = self._running[0]
        caller = running.caller if running is not None else None
        if len(self._replies) >= MAX_ASKED:
            log.warning("upstream.asks_too_much", server=self._name)
            return
        task = self._talk.spawn(self._reply(message, caller))
        self._replies.add(task)
        task.add_done_callback(self._replies.discard)
        for asks in (self._asks, *((running.asks,) if running is not None else ())):
            asks[asked] = task
            task.add_done_callback(lambda _, asks=asks: asks.pop(asked, None))

    async def _reply(self, message: JSONObject, caller: Caller | None) -> None:
        method, params = message["method"], as_object(message.get("params")) or {}
        try:
            if method == "ping":
                value: JSONObject = {}
            elif caller is not None:
                value = await caller.ask(method, params)
            else:
                value = await self._peer.asked(method, params)
        except (RPCError, InterlockError) as fault:
            await self._talk.post(jsonrpc.failure(message["id"], fault))
        else:
            await self._talk.post(jsonrpc.result(message["id"], value))
