"""The table of the matrix: a mark for each cell, told by the test that ran it, in any process."""

import pytest

from tests.matrix.kinds import BACKS, CLIENTS
from tests.matrix.limits import limit_of

PASSED, FAILED, UNSAYABLE, NOT_RUN = "✓", "✗", "\N{EN DASH}", " "
_SHORT = {"legacy-http": "LH", "legacy-sse": "LS", "modern-http": "MH"}
_GAP = "   "

_CELL = "cell of the matrix"

_marks: dict[tuple[str, str, str], str] = {}
_numbers: dict[str, int] = {}


def property_of(number: int, feature: str, client: str, back: str) -> tuple[str, object]:
    """Return what a test records to say of which cell it is; `number` is its feature's line."""
    return _CELL, [number, feature, client, back]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Mark a cell as its test ended."""
    told = dict(report.user_properties).get(_CELL)
    if isinstance(told, list) and report.when == "call":
        number, feature, client, back = told
        _numbers[feature] = number
        _marks[feature, client, back] = PASSED if report.passed else FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, if any of its cells ran."""
    lines = table()
    if lines:
        terminalreporter.section("features by cell")
        for line in lines:
            terminalreporter.write_line(line)


def table() -> list[str]:
    """Return the lines of the table; none where no cell ran."""
    features = sorted(_numbers, key=_numbers.__getitem__)
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
        _GAP.join(f"{_mark(feature, client, back):<2}" for client in CLIENTS) for back in BACKS
    )
    return "  |  ".join(groups)


def _mark(feature: str, client: str, back: str) -> str:
    if limit_of(feature, client, back) is not None:
        return UNSAYABLE
    return _marks.get((feature, client, back), NOT_RUN)
