"""Which servers and tools exist for a caller: those that are on, and within the caller's limits."""

from collections.abc import Iterable
from typing import Protocol

from interlock.identity.limits import Access


class Offering(Protocol):
    """A server, as far as it says which of its tools exist for anybody."""

    @property
    def name(self) -> str:
        """The server's name in its project."""
        ...

    @property
    def disabled_tools(self) -> tuple[str, ...]:
        """The names and patterns of the tools that are switched off."""
        ...


def may_see(access: Access | None, server: str) -> bool:
    """Tell whether a server exists for a caller with these limits."""
    if access is None:
        return True
    return any(matches(pattern, server) for pattern, _ in access.grants)


def may_call(access: Access | None, server: Offering, tool: str) -> bool:
    """Tell whether a server's tool, by its own name, exists for a caller with these limits.

    A tool that is switched off exists for nobody.
    """
    if switched_off_by(server.disabled_tools, tool) is not None:
        return False
    if access is None:
        return True
    return any(
        matches(pattern, tool)
        for name, tools in access.grants
        if matches(name, server.name)
        for pattern in tools
    )


def switched_off_by(patterns: Iterable[str], tool: str) -> str | None:
    """Return the first of these names and patterns that means a tool; None where none does."""
    return next((pattern for pattern in patterns if matches(pattern, tool)), None)


def matches(pattern: str, name: str) -> bool:
    """Tell whether `name` is the pattern with any characters in the place of each `*`.

    Each part takes the first place where it stands and never tries another, so that no pattern
    makes this slow; the last one takes the end.
    """
    first, *others = pattern.split("*")
    if not others:
        return pattern == name
    *middle, last = others
    if not (name.startswith(first) and len(name) >= len(first) + len(last)):
        return False
    place, end = len(first), len(name) - len(last)
    for part in middle:
        place = name.find(part, place, end)
        if place < 0:
            return False
        place += len(part)
    return name.endswith(last)
