"""The fixture server meets both requirement sets of the official suite by itself."""

import sys
from collections.abc import Iterator

import pytest

from tests.conformance.suite import FIXTURE_SERVER, run_suite
from tests.support.processes import running

OPTIONAL_EXTENSIONS = ("tasks-",)


@pytest.fixture(scope="module")
def fixture_url() -> Iterator[str]:
    command = [sys.executable, str(FIXTURE_SERVER), "--port", "0"]
    with running(command, ready=r"listening on http://127\.0\.0\.1:(\d+)/mcp") as server:
        assert server.ready is not None
        # The suite checks the protection against DNS rebinding by the name that it connects to.
        yield f"http://localhost:{server.ready[1]}/mcp"


@pytest.mark.parametrize(("revision", "required"), [("2025-11-25", 30), ("2026-07-28", 37)])
def test_fixture_meets_the_requirement_set(fixture_url: str, revision: str, required: int) -> None:
    report = run_suite(fixture_url, revision)

    assert len(report.passed) == len(report.scored) == required, report.explain()
    assert [
        scenario
        for scenario in report.scenarios
        if (scenario.warnings or not scenario.passed)
        and not scenario.name.startswith(OPTIONAL_EXTENSIONS)
    ] == []
