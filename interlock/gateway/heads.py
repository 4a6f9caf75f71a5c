"""Heads of HTTP requests that were read before: what they say, found by their bytes alone.

A client writes the same head again and again; only the number in `Content-Length` differs. Parsing
is a function of the bytes, so what the parser once made of a head holds for every equal one.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

from interlock.gateway.clients import ClientSession
from interlock.gateway.http import LOGIN_PROOF, Scope, headers_of
from interlock.gateway.ledger import Account
from interlock.gateway.quiet import HOLD
from interlock.gateway.table import ProjectEntry, RouteTable, Target, View
from interlock.identity.principal import Principal
from interlock.protocol.versions import LEGACY_VERSIONS, Era
from interlock.upstreams.port import ClientFacts, Way
from interlock.upstreams.upstream import Place

MAX_HEADS: Final = 4096
UNUSED: Final = 60.0  # seconds after which a head is forgotten
_UNUSUAL: Final = frozenset(
    {
        *("transfer-encoding", "content-encoding", "expect", "upgrade", "connection", "origin"),
        *("te", "traceparent", "tracestate", LOGIN_PROOF.decode()),
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """Where calls of one tool go that come with one head, and what is the same for all of them.

    `name` is the tool's as the client knows it, `era` the client's, `session` its legacy one; `meta` is the client's name in the `_meta` of
    the modern era. `eras` are the server's that were known. `translates` says that a modern client
    calls a legacy server, `is_limited` that each call must be counted before.
    """

    name: str
    view: View
    target: Target
    principal: Principal
    project: ProjectEntry
    era: Era
    client: ClientFacts
    meta: Any
    session: ClientSession | None
    eras: frozenset[Era] | None
    place: Place
    way: Way
    account: Account
    translates: bool
    is_limited: bool


@dataclass(slots=True, eq=False)
class Head:
    """What one head says, and what was last found out about who sends it.

    `place` is the endpoint's; `version` what MCP-Protocol-Version says, which `is_modern` or not.
    The other fields hold while `table` is the routing table and `stamp` the state of all keys, for
    a second at most; `checked` is when that was found out, in seconds of `time.perf_counter`;
    `routes` are by the names of tools.
    """

    scope: Scope
    place: tuple[str, str | None]
    headers: dict[str, str]
    session_id: str | None
    version: str | None
    is_modern: bool = False
    key: bytes = b""
    table: RouteTable | None = None
    stamp: int = -1
    checked: float = 0.0
    principal: Principal | None = None
    project: ProjectEntry | None = None
    view: View | None = None
    routes: dict[str, Route] = field(default_factory=dict[str, Route])


class Heads:
    """The heads that are in use, at most `MAX_HEADS`.

    A head says which session it belongs to, and holds the table by which it was last looked up:
    those of clients that left must not keep either alive.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Head] = OrderedDict()

    def get(self, key: bytes) -> Head | None:
        """Return what is known of a head that `split` returned."""
        return self._known.get(key)

    def __len__(self) -> int:
        return len(self._known)

    def add(self, key: bytes, head: Head, now: float) -> None:
        """Remember a head that came now; those that have not come for long are forgotten."""
        head.key, head.checked = key, now
        self._known[key] = head
        oldest = next(iter(self._known.values()))
        while oldest.checked < now - UNUSED or len(self._known) > MAX_HEADS:
            del self._known[oldest.key]
            oldest = next(iter(self._known.values()))

    def check(self, head: Head, now: float) -> None:
        """Note that a head came again, and was looked up anew."""
        head.checked = now
        if head.key in self._known:
            self._known.move_to_end(head.key)


def read_head(scope: Scope, place: tuple[str, str | None]) -> Head | None:
    """Return what the head of a POST to an endpoint says; None where it is not a common one."""
    headers = headers_of(scope)
    lengths = sum(name == b"content-length" for name, _ in scope["headers"])
    if lengths != 1 or scope["http_version"] != "1.1" or scope["query_string"]:
        return None
    unusual = headers.keys() & _UNUSUAL
    if unusual - {"connection"} or headers.get("connection", "keep-alive").lower() != "keep-alive":
        return None
    if any(name.startswith("mcp-param-") for name in headers) or "last-event-id" in headers:
        return None
    version = headers.get("mcp-protocol-version")
    return Head(
        # A head outlives the connection that it came on.
        scope={name: value for name, value in scope.items() if name != HOLD},
        place=place,
        headers=headers,
        session_id=headers.get("mcp-session-id"),
        version=version,
        is_modern=version is not None and version not in LEGACY_VERSIONS,
    )
