"""The port: what the gateway asks of every kind of server, and what a server may ask back."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from interlock.errors import InterlockError, RPCError, UpstreamFailed
from interlock.protocol.json import JSONObject
from interlock.protocol.jsonrpc import METHOD_NOT_FOUND
from interlock.protocol.versions import Era

Headers: TypeAlias = Sequence[tuple[str, str]]
Hear: TypeAlias = Callable[[JSONObject], None]
GiveUp: TypeAlias = Callable[[], None]


class ProtocolBroken(UpstreamFailed):
    """A server answered something that MCP does not allow."""


class SessionExpired(UpstreamFailed):
    """A server no longer knows our session; nothing was done, and a new session may repeat it."""


class Caller(Protocol):
    """The client's side of one call: the server may talk to it while it works."""

    def notify(self, method: str, params: JSONObject) -> None:
        """Pass a notification of the server on to the client."""
        ...

    async def ask(self, method: str, params: JSONObject) -> JSONObject:
        """Let the client answer a request of the server. Raises RPCError."""
        ...


class Peer(Protocol):
    """The client's side of a whole session, for what belongs to no call."""

    def notified(self, method: str, params: JSONObject) -> None:
        """Take a notification that belongs to no call, such as a changed list."""
        ...

    async def asked(self, method: str, params: JSONObject) -> JSONObject:
        """Answer a request that belongs to no call. Raises RPCError."""
        ...


class Nobody:
    """The client where the gateway calls for itself: it hears nothing and answers nothing."""

    def notify(self, method: str, params: JSONObject) -> None:
        """Drop it."""

    def notified(self, method: str, params: JSONObject) -> None:
        """Drop it."""

    async def ask(self, method: str, params: JSONObject) -> JSONObject:
        """Refuse it."""
        raise RPCError(METHOD_NOT_FOUND, f"Nobody here answers {method}.")

    async def asked(self, method: str, params: JSONObject) -> JSONObject:
        """Refuse it."""
        return await self.ask(method, params)


class Sink(Protocol):
    """What takes the outcome of a request that was begun and not waited for.

    Exactly one of `answered` and `failed` is called, once, unless the request is given up before.
    """

    def hear(self, message: JSONObject, /) -> None:
        """Take what the server says before the answer."""
        ...

    def answered(self, message: JSONObject, /) -> None:
        """Take the answer, as an envelope."""
        ...

    def failed(self, fault: InterlockError, /) -> None:
        """Take the reason why there is none."""
        ...


class Link(Protocol):
    """Carries messages to one server and back, whatever the transport.

    What the server says during an exchange goes to that exchange's `hear` where the transport can
    tell that it belongs there, all else to the `hear` that the link was opened with. `ids` number
    the requests of all conversations on the link, so that no answer fits two of them.
    """

    is_duplex: bool
    headers: dict[str, str]
    ids: Iterator[int]

    async def exchange(self, message: JSONObject, hear: Hear, headers: Headers = ()) -> JSONObject:
        """Send a request and return its answer. Raises UpstreamFailed."""
        ...

    def begin(self, message: JSONObject, sink: Sink, headers: Headers = ()) -> GiveUp | None:
        """Send a request at once and return what gives it up; the outcome goes to `sink`.

        None where something would have to be waited for: then nothing was sent.
        """
        ...

    async def post(self, message: JSONObject, headers: Headers = ()) -> None:
        """Send a notification or an answer. Raises UpstreamFailed."""
        ...

    async def listen(self) -> None:
        """Hear what belongs to no exchange until the link closes; duplex links hear always."""
        ...

    async def close(self) -> None:
        """End the link; exchanges that wait fail. Safe to call twice."""
        ...


Ended: TypeAlias = Callable[[UpstreamFailed], None]


class Connector(Protocol):
    """Opens links to one server: starts the process, or knows the address.

    `is_duplex` says whether a link carries all calls in one stream, so that what a server says
    without a token cannot be told apart.
    """

    is_duplex: bool

    async def connect(self, hear: Hear, ended: Ended) -> Link:
        """Open a link; `ended` is called once if it breaks by itself. Raises UpstreamFailed."""
        ...


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """What a client says of itself: its name, and what it can be asked for."""

    info: JSONObject
    capabilities: JSONObject = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says of itself at the handshake or on discovery."""

    era: Era
    version: str
    info: JSONObject
    capabilities: JSONObject
    instructions: str | None = None
    versions: tuple[str, ...] = ()


class Session(Protocol):
    """A conversation with one server: a legacy session, or the modern era's stateless calls."""

    facts: ServerFacts

    async def request(
        self, method: str, params: JSONObject, caller: Caller, headers: Headers = ()
    ) -> JSONObject:
        """Make one call and return its result; cancelling it cancels it at the server.

        Raises RPCError for the server's own error and UpstreamFailed where there is no answer.
        """
        ...

    def begin(
        self, method: str, params: JSONObject, sink: Sink, headers: Headers = ()
    ) -> GiveUp | None:
        """Begin a call without a progress token, if that needs no waiting; else return None.

        What `sink` hears is handed to `heard`.
        """
        ...

    def heard(self, message: JSONObject, caller: Caller) -> None:
        """Take what the server said during a call that was begun."""
        ...

    async def notify(self, method: str, params: JSONObject) -> None:
        """Send a notification. Raises UpstreamFailed."""
        ...

    async def close(self) -> None:
        """End the conversation. Safe to call twice."""
        ...
