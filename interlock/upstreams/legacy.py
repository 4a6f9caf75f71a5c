"""A session with a server of the legacy era: the handshake, calls, and the server's own requests."""

import asyncio

from interlock.errors import InterlockError, RPCError
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, as_object
from interlock.protocol.versions import LATEST_LEGACY, LEGACY_VERSIONS, Era
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
)

OF_A_CALL = frozenset({"notifications/progress", "notifications/message"})


class LegacySession:
    """One initialized session; what belongs to no call goes to `peer`."""

    def __init__(self, link: Link, name: str, client: ClientFacts, peer: Peer) -> None:
        self._link = link
        self._name = name
        self._client = client
        self._peer = peer
        self._talk = Conversation(link)
        self._callers: list[Caller] = []
        self._asks: dict[jsonrpc.RequestId, asyncio.Task[None]] = {}
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
        token = token_of(params)

        def hear(message: JSONObject) -> None:
            if "id" in message:
                self._answer(message, caller)
            elif message["method"] in OF_A_CALL:
                pass_notification(message, token, caller)
            else:
                self._heard(message)

        if isinstance(caller, Nobody):
            return await self._talk.call(method, params, hear, headers)
        self._callers.append(caller)
        try:
            return await self._talk.call(method, params, hear, headers)
        finally:
            self._callers.remove(caller)

    async def notify(self, method: str, params: JSONObject) -> None:
        """Send a notification."""
        await self._link.post(jsonrpc.notification(method, params))

    async def close(self) -> None:
        """End the session and its link."""
        await self._talk.close()

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

    def _answer(self, message: JSONObject, caller: Caller | None) -> None:
        asked = message["id"]
        if not isinstance(asked, str | int):
            return
        if caller is None and len(self._callers) == 1:
            # Many servers ask on the session's own stream what a call of theirs wants to know.
            caller = self._callers[0]
        task = self._talk.spawn(self._reply(message, caller))
        self._asks[asked] = task
        task.add_done_callback(lambda _: self._asks.pop(asked, None))

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
