"""The document lists exactly the cells that the matrix leaves out, each with its clause."""

from pathlib import Path

from tests.matrix.features import FEATURES
from tests.matrix.kinds import BACKS, CLIENTS
from tests.matrix.limits import LIMITS, Limit, limit_of
from tests.matrix.test_matrix import MODULES

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.md"


def test_the_document_lists_what_cannot_be_said() -> None:
    _, _, rest = DOCUMENT.read_text(encoding="utf-8").partition("## Limits by cell\n")
    section = rest.partition("\n## ")[0]
    rows = [_cells(line) for line in section.splitlines() if line.startswith("|")][2:]

    assert list(LIMITS) == [
        Limit(feature, client, server, clause) for feature, client, server, _, clause in rows
    ]
    assert all(why for _, _, _, why, _ in rows)


def _cells(line: str) -> list[str]:
    return [each.strip() for each in line.strip("|").split("|")]


def test_each_limit_is_of_a_feature_and_leaves_out_some_cell() -> None:
    assert {each.__name__ for each in MODULES} == {each.__module__ for each in FEATURES.values()}
    fitting = {
        limit_of(feature, client, back)
        for feature in FEATURES
        for client in CLIENTS
        for back in BACKS
    }

    assert set(LIMITS) == fitting - {None}
