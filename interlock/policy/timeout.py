"""How long a call may take: one deadline per server, and others for tools that are named."""

from collections.abc import Mapping
from fnmatch import fnmatchcase


def timeout_of(tool: str, default: float, by_tool: Mapping[str, float]) -> float:
    """Return the seconds that a call of `tool` may take without progress.

    `by_tool` maps names and patterns (`*`, `?`, `[…]`) of a server's own tool names to seconds. A
    name goes before a pattern, a longer pattern before a shorter one; `default` is for the rest.
    """
    exact = by_tool.get(tool)
    if exact is not None:
        return exact
    fitting = [pattern for pattern in by_tool if fnmatchcase(tool, pattern)]
    return by_tool[max(fitting, key=len)] if fitting else default
