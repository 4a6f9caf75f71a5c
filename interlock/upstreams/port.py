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


class Begun(Protocol):
    """A request under way that nobody awaits; `id` is its number on its link."""

    @property
    def id(self) -> int:
        """The number that the server knows it by."""
        ...

    def give_up(self) -> None:
        """Want the answer no more; `Session.withdraw` tells the server, where it can be told."""
        ...


class Way(Protocol):
    """The way of equal requests to one server: what all of them say is written once."""

    def begin(self, params: bytes, sink: Sink) -> Begun | None:
        """Send a request with these params, as JSON, at once; the outcome goes to `sink`.

        None where something would have to be waited for: then nothing was sent.
        """
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

    def way(self, method: str, headers: Headers = ()) -> Way:
        """Return the way of requests with this method and these headers."""
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

    def way(self, method: str, name: str, version: str) -> Way:
        """Return the way of calls without a progress token for the thing of this name.

        The modern era's say `version` in their `_meta`. What a sink hears there is handed to `heard`.
        """
        ...

    def withdraw(self, request_id: int, age: float) -> None:
        """Tell the server that nobody waits for a request any more, where that can be told.

        It was sent `age` seconds ago.
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
