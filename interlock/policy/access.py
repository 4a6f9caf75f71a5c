"""Which servers and tools a caller sees; whoever has no limits sees all."""

from interlock.identity.limits import Access


def may_see(access: Access | None, server: str) -> bool:
    """Tell whether a server exists for a caller with these limits."""
    if access is None:
        return True
    return any(matches(pattern, server) for pattern, _ in access.grants)


def may_call(access: Access | None, server: str, tool: str) -> bool:
    """Tell whether a server's tool, by its own name, exists for a caller with these limits."""
    if access is None:
        return True
    return any(
        matches(pattern, tool)
        for name, tools in access.grants
        if matches(name, server)
        for pattern in tools
    )


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
