"""Heads of HTTP requests that were read before: what they say, found by their bytes alone.

A client writes the same head again and again; only the number in `Content-Length` differs. Parsing
is a function of the bytes, so what the parser once made of a head holds for every equal one.
"""

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from interlock.gateway.http import Scope, headers_of
from interlock.gateway.quiet import HOLD
from interlock.gateway.table import ProjectEntry, RouteTable, Target, View
from interlock.identity.principal import Principal

MAX_HEADS: Final = 4096
_LENGTH: Final = re.compile(rb"\r\ncontent-length: ?([0-9]{1,7})(?=\r\n)", re.IGNORECASE)
_UNUSUAL: Final = frozenset(
    {
        *("transfer-encoding", "content-encoding", "expect", "upgrade", "connection", "origin"),
        *("te", "traceparent", "tracestate"),
    }
)


def split(data: bytes) -> tuple[bytes, bytes] | None:
    """Return the head of a request, without its length, and its body; None unless `data` is both.

    The head still shows where its length stood, so that no two different heads look equal.
    """
    end = data.find(b"\r\n\r\n")
    length = _LENGTH.search(data, 0, end + 2) if end > 0 else None
    if length is None or end + 4 + int(length[1]) != len(data):
        return None
    return data[: length.start(1)] + data[length.end(1) : end], data[end + 4 :]


@dataclass(slots=True, eq=False)
class Head:
    """What one head says, and what was last found out about who sends it.

    `place` is the endpoint's; `version` what MCP-Protocol-Version says. The other fields hold while
    `table` is the routing table and `stamp` the state of all keys, for a second at most.
    """

    scope: Scope
    place: tuple[str, str | None]
    headers: dict[str, str]
    session_id: str | None
    version: str | None
    table: RouteTable | None = None
    stamp: int = -1
    checked: float = 0.0
    principal: Principal | None = None
    project: ProjectEntry | None = None
    view: View | None = None
    targets: dict[str, Target] = field(default_factory=dict[str, Target])


class Heads:
    """The heads that were read last, at most `MAX_HEADS`."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, Head] = OrderedDict()

    def get(self, key: bytes) -> Head | None:
        """Return what is known of a head that `split` returned."""
        return self._known.get(key)

    def add(self, key: bytes, head: Head) -> None:
        """Remember a head; the one that was added first goes where there are too many."""
        self._known[key] = head
        if len(self._known) > MAX_HEADS:
            self._known.popitem(last=False)


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
    return Head(
        # A head outlives the connection that it came on.
        scope={name: value for name, value in scope.items() if name != HOLD},
        place=place,
        headers=headers,
        session_id=headers.get("mcp-session-id"),
        version=headers.get("mcp-protocol-version"),
    )
