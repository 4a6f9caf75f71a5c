"""The cells that the protocol itself cannot say, and why; docs/protocol.md lists the same."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """What cannot be said where client and server are so; `any` fits every one."""

    feature: str
    client: str
    server: str
    clause: str

    def holds(self, feature: str, client: str, back: str) -> bool:
        """Tell whether a cell is such a one."""
        return self.feature == feature and _fits(self.client, client) and _fits(self.server, back)


def _fits(pattern: str, place: str) -> bool:
    return pattern in {"any", place} or place.partition("-")[0] == pattern


_EXTENSIONS = "2026-07-28, changelog, minor change 1"
_NO_SESSIONS = "2026-07-28, changelog, major change 1"
_NO_TASKS_LIST = "2026-07-28, changelog, major change 6"
_NO_RESUME = "2026-07-28, changelog, major change 9"
_CREATION = "2025-11-25, basic/utilities/tasks, Creating Tasks"
_STATUS = "io.modelcontextprotocol/tasks, Task Status Notifications"

LIMITS = (
    Limit("ping", "modern", "any", "2026-07-28, changelog, major change 5"),
    Limit("roots changed", "modern", "any", "2026-07-28, changelog, major change 5"),
    Limit("roots changed", "legacy", "modern", "2026-07-28, changelog, major change 5"),
    Limit("elicitation complete", "modern", "any", "2026-07-28, changelog, minor change 11"),
    Limit("elicitation complete", "legacy", "modern", "2026-07-28, changelog, minor change 11"),
    Limit("mirrored headers", "any", "legacy", "2026-07-28, changelog, minor change 4"),
    Limit("mirrored headers", "any", "modern-stdio", "2026-07-28, basic/transports/stdio"),
    Limit("tasks", "legacy", "modern", _EXTENSIONS),
    Limit("task questions", "legacy", "modern", _EXTENSIONS),
    Limit("task cancellation", "legacy", "modern", _EXTENSIONS),
    Limit("task failure", "legacy", "modern", _EXTENSIONS),
    Limit("task status", "legacy", "modern", _EXTENSIONS),
    Limit("task status", "modern", "legacy", _CREATION),
    Limit("task progress", "legacy", "modern", _EXTENSIONS),
    Limit("task progress", "modern", "modern", _STATUS),
    Limit("task list", "legacy", "modern", _EXTENSIONS),
    Limit("task list", "modern", "any", _NO_TASKS_LIST),
    Limit("handles of others' tasks", "legacy", "modern", _EXTENSIONS),
    Limit("handles of others' tasks", "modern", "legacy", _CREATION),
    Limit("own session's changes", "modern", "any", _NO_SESSIONS),
    Limit("own session's changes", "legacy", "modern", _NO_SESSIONS),
    Limit("own session's updates", "modern", "any", _NO_SESSIONS),
    Limit("own session's updates", "legacy", "modern", _NO_SESSIONS),
    Limit("unknown notifications to clients", "modern", "legacy", _NO_SESSIONS),
    Limit("unknown notifications to servers", "modern", "any", _NO_SESSIONS),
    Limit("unknown notifications to servers", "legacy", "modern", _NO_SESSIONS),
    Limit("resume of an answer's stream", "legacy-sse", "any", "2024-11-05, basic/transports"),
    Limit("resume of an answer's stream", "modern", "any", _NO_RESUME),
    Limit("resume of a session's own stream", "legacy-sse", "any", "2024-11-05, basic/transports"),
    Limit("resume of a session's own stream", "modern", "any", _NO_RESUME),
)


def limit_of(feature: str, client: str, back: str) -> Limit | None:
    """Return why a cell cannot be said, or None for one that can."""
    return next((each for each in LIMITS if each.holds(feature, client, back)), None)
