"""The document lists exactly the scenarios that do not pass, each with its clause."""

from pathlib import Path

from tests.conformance.gaps import BACKS, GAPS, REVISIONS, gaps_of
from tests.conformance.verdicts import Leg

DOCUMENT = Path(__file__).parents[2] / "docs" / "protocol.md"
LEGS: tuple[Leg, ...] = ("server", "client")


def test_the_document_lists_what_does_not_pass() -> None:
    _, _, rest = DOCUMENT.read_text(encoding="utf-8").partition("## Conformance\n")
    section = rest.partition("\n## ")[0]
    rows = [_cells(line) for line in section.splitlines() if line.startswith("|")][2:]

    assert [[f"`{gap.scenario}`", gap.leg, gap.revision, gap.back, gap.clause] for gap in GAPS] == [
        [scenario, leg, revision, back, clause] for scenario, leg, revision, back, _, clause in rows
    ]
    assert all(why for *_, why, _ in rows)


def _cells(line: str) -> list[str]:
    return [each.strip() for each in line.strip("|").split("|")]


def test_each_gap_is_of_a_scenario_of_the_suite() -> None:
    found = {
        gap
        for leg in LEGS
        for revision in REVISIONS
        for back in BACKS
        for gap in gaps_of(leg, revision, back).values()
    }

    assert set(GAPS) == found
