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


LIMITS = (
    Limit("ping", "modern", "any", "2026-07-28, changelog, major change 5"),
    Limit("roots changed", "modern", "any", "2026-07-28, changelog, major change 5"),
    Limit("roots changed", "legacy", "modern", "2026-07-28, changelog, major change 5"),
    Limit("elicitation complete", "modern", "any", "2026-07-28, changelog, minor change 11"),
    Limit("elicitation complete", "legacy", "modern", "2026-07-28, changelog, minor change 11"),
    Limit("mirrored headers", "any", "legacy", "2026-07-28, changelog, minor change 4"),
    Limit("mirrored headers", "any", "modern-stdio", "2026-07-28, basic/transports/stdio"),
)


def limit_of(feature: str, client: str, back: str) -> Limit | None:
    """Return why a cell cannot be said, or None for one that can."""
    return next((each for each in LIMITS if each.holds(feature, client, back)), None)
