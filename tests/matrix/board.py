"""The table of the matrix: a mark for each cell, filled in as the cells run."""

from tests.matrix.cell import BACKS, CLIENTS
from tests.matrix.features import FEATURES

PASSED, FAILED, UNSAYABLE, NOT_RUN = "✓", "✗", "\N{EN DASH}", " "
_SHORT = {"legacy-http": "LH", "legacy-sse": "LS", "modern-http": "MH"}
_GAP = "   "

MARKS: dict[tuple[str, str, str], str] = {}
"""Marks by feature, client and back."""


def table() -> list[str]:
    """Return the lines of the table; none where no cell ran."""
    known = {feature for feature, _, _ in MARKS}
    features = [feature for feature in FEATURES if feature in known]
    if not features:
        return []
    width = max(map(len, features))
    cell = _GAP.join(_SHORT[client] for client in CLIENTS)
    backs = "  |  ".join(f"{back:<{len(cell)}}" for back in BACKS)
    clients = "  |  ".join(cell for _ in BACKS)
    lines = [
        "Clients: LH legacy over Streamable HTTP, LS legacy over SSE, MH modern over Streamable HTTP.",
        f"{'server':<{width}}  {backs}",
        f"{'client':<{width}}  {clients}",
    ]
    return [*lines, *(f"{feature:<{width}}  {_row(feature)}" for feature in features)]


def _row(feature: str) -> str:
    groups = (
        _GAP.join(f"{MARKS.get((feature, client, back), NOT_RUN):<2}" for client in CLIENTS)
        for back in BACKS
    )
    return "  |  ".join(groups)
