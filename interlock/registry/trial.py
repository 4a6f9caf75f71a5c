"""What a test of a connection found."""

from dataclasses import dataclass

from interlock.gateway.table import Catalogue


@dataclass(frozen=True, slots=True)
class Trial:
    """Whether a server could be reached and listed; `error` says why not."""

    ok: bool
    latency_ms: float
    catalogue: Catalogue | None = None
    error: str | None = None
