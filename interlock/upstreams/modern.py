"""The modern era's conversation: stateless calls, discovery, and one stream of changes."""

from collections.abc import Callable

from interlock.protocol.headers import HeaderParam, request_headers
from interlock.protocol.json import JSONObject, as_list, as_object
from interlock.protocol.versions import (
    LATEST_MODERN,
    LEGACY_VERSIONS,
    META_CAPABILITIES,
    META_CLIENT_INFO,
    META_SERVER_INFO,
    META_VERSION,
    MODERN_VERSIONS,
    Era,
)
from interlock.upstreams.conversation import Conversation, pass_notification, token_of
from interlock.upstreams.port import (
    Caller,
    ClientFacts,
    Headers,
    Link,
    ProtocolBroken,
    ServerFacts,
    Way,
)


class NothingDiscovered(ProtocolBroken):
    """The answer to `server/discover` is not that of a server of the modern era."""


def request_meta(client: ClientFacts, version: str = LATEST_MODERN) -> JSONObject:
    """Return the `_meta` members that every modern request carries."""
    return {
        META_VERSION: version,
        META_CLIENT_INFO: client.info,
        META_CAPABILITIES: client.capabilities,
    }


class ModernSession:
    """Stateless calls over one link; each call's params carry their own `_meta`."""

    def __init__(self, link: Link, name: str) -> None:
        self._link = link
        self._name = name
        self._talk = Conversation(link)
        self.facts = ServerFacts(Era.MODERN, LATEST_MODERN, {}, {})

    async def discover(self, client: ClientFacts) -> None:
        """Ask who the server is. Raises RPCError and UpstreamFailed.

        NothingDiscovered is raised where only the old handshake can tell: some legacy servers
        answer whatever they do not know with an empty result.
        """
        params: JSONObject = {"_meta": request_meta(client)}
        headers = self._headers("server/discover", params)
        answer = await self._talk.call("server/discover", params, _ignore, headers)
        named = as_list(answer.get("supportedVersions"))
        versions = tuple(v for v in named or () if isinstance(v, str))
        spoken = [version for version in MODERN_VERSIONS if version in versions]
        if not spoken:
            is_legacy = named is None or any(version in LEGACY_VERSIONS for version in versions)
            kind = NothingDiscovered if is_legacy else ProtocolBroken
            raise kind(f"{self._name} speaks no protocol version that we know.")
        meta = as_object(answer.get("_meta")) or {}
        instructions = answer.get("instructions")
        self.facts = ServerFacts(
            Era.MODERN,
            spoken[0],
            as_object(meta.get(META_SERVER_INFO)) or {},
            as_object(answer.get("capabilities")) or {},
            instructions if isinstance(instructions, str) else None,
            versions,
        )

    async def request(
        self, method: str, params: JSONObject, caller: Caller, headers: Headers = ()
    ) -> JSONObject:
        """Make one call; `headers` are the mirrored arguments of a tool."""
        token = token_of(params)

        def hear(message: JSONObject) -> None:
            if "id" not in message:
                pass_notification(message, token, caller)

        return await self._talk.call(
            method, params, hear, (*self._headers(method, params), *headers)
        )

    def way(self, method: str, name: str, version: str) -> Way:
        """Return the way of equal calls, whose `_meta` says this version."""
        if self._link.is_duplex:
            return self._talk.way(method)
        named = request_headers(method, {"name": name})
        return self._talk.way(method, (("mcp-protocol-version", version), *named))

    def withdraw(self, request_id: int, age: float) -> None:
        """Tell the server that nobody waits for a call any more."""
        self._talk.withdraw(request_id, age)

    def heard(self, message: JSONObject, caller: Caller) -> None:
        """Take what the server said during a call that was begun."""
        if "id" not in message:
            pass_notification(message, None, caller)

    async def listen(
        self, client: ClientFacts, wanted: JSONObject, heard: Callable[[str, JSONObject], None]
    ) -> None:
        """Hear changes until the server ends the stream; the first is the acknowledgement."""
        params: JSONObject = {"_meta": request_meta(client), "notifications": wanted}

        def hear(message: JSONObject) -> None:
            if "id" not in message:
                heard(message["method"], as_object(message.get("params")) or {})

        headers = self._headers("subscriptions/listen", params)
        await self._talk.call("subscriptions/listen", params, hear, headers)

    async def notify(self, method: str, params: JSONObject) -> None:
        """Send a notification."""
        await self._link.post(
            {"jsonrpc": "2.0", "method": method, "params": params},
            [("mcp-protocol-version", self.facts.version), ("mcp-method", method)],
        )

    def _headers(self, method: str, params: JSONObject) -> list[tuple[str, str]]:
        if self._link.is_duplex:
            return []
        version = params["_meta"][META_VERSION]
        return [("mcp-protocol-version", version), *request_headers(method, params)]

    async def close(self) -> None:
        """End the conversation and its link."""
        await self._talk.close()


def mirrored(params: JSONObject, mirrors: tuple[HeaderParam, ...]) -> Headers:
    """Return the headers that mirror a tool's arguments."""
    return [pair for pair in request_headers("", params, mirrors) if pair[0] != "mcp-method"]


def _ignore(message: JSONObject) -> None:
    """Discovery hears nothing but its answer."""
