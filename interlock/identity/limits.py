"""What a key or a project may be limited to: some servers and tools, and so many calls in a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Self, TypeAlias

from interlock.errors import BadInput
from interlock.protocol.json import JSONObject

Per: TypeAlias = Literal["second", "minute"]

MAX_SERVER_PATTERNS: Final = 100
MAX_TOOL_PATTERNS: Final = 1000  # of all servers together
MAX_PATTERN: Final = 128  # characters
MAX_CALLS: Final = 1_000_000
_NANOSECONDS: Final[Mapping[str, int]] = {"second": 10**9, "minute": 60 * 10**9}


@dataclass(frozen=True, slots=True)
class Access:
    """The servers that a key sees, each with its tools that the key sees, by their own names.

    Both are patterns, in which `*` stands for any characters. Of a server that is seen all prompts
    and resources are. Equal limits are equal values, in whatever order they were given.
    """

    grants: tuple[tuple[str, tuple[str, ...]], ...]

    @classmethod
    def of(cls, grants: Mapping[str, Sequence[str]]) -> Self:
        """Return the limits that map patterns of servers to patterns of tools. Raises BadInput."""
        if len(grants) > MAX_SERVER_PATTERNS:
            raise BadInput(f'"access" names more than {MAX_SERVER_PATTERNS} servers; use "*".')
        if sum(map(len, grants.values())) > MAX_TOOL_PATTERNS:
            raise BadInput(f'"access" names more than {MAX_TOOL_PATTERNS} tools; use "*".')
        for pattern in (*grants, *(tool for tools in grants.values() for tool in tools)):
            if not (0 < len(pattern) <= MAX_PATTERN and pattern.isprintable()):
                raise BadInput(
                    f'"access" maps names of servers to lists of names of tools, 1 to {MAX_PATTERN} '
                    "printable characters each, in which * stands for any."
                )
        return cls(tuple(sorted((each, tuple(sorted(set(grants[each])))) for each in grants)))

    def document(self) -> dict[str, list[str]]:
        """Return the limits as they are written, kept and shown."""
        return {server: list(tools) for server, tools in self.grants}


@dataclass(frozen=True, slots=True)
class RateLimit:
    """So many `calls` per second or minute, of which `burst` may come at once."""

    calls: int
    per: Per
    burst: int

    @classmethod
    def of(cls, calls: int, per: Per = "minute", burst: int | None = None) -> Self:
        """Return a limit; the burst is as many calls as the time allows, or given. Raises BadInput."""
        burst = calls if burst is None else burst
        if not (0 < calls <= MAX_CALLS and 0 < burst <= MAX_CALLS):
            raise BadInput(f'"calls" and "burst" of a rate limit are from 1 to {MAX_CALLS}.')
        return cls(calls, per, burst)

    @property
    def interval(self) -> int:
        """The nanoseconds after which one further call may come."""
        return _NANOSECONDS[self.per] // self.calls

    def document(self) -> JSONObject:
        """Return the limit as it is kept."""
        return {"calls": self.calls, "per": self.per, "burst": self.burst}

    @classmethod
    def kept(cls, document: JSONObject) -> Self:
        """Return the limit that was kept as a document."""
        return cls(document["calls"], document["per"], document["burst"])
