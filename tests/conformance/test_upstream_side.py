"""The official suite for clients against the gateway's upstream side."""

import asyncio

import pytest

from tests.conformance.desk import open_desk
from tests.conformance.gaps import gaps_of
from tests.conformance.suite import run_client_suite
from tests.conformance.verdicts import requirements


@pytest.mark.parametrize(("revision", "count"), [("2025-11-25", 18), ("2026-07-28", 32)])
async def test_passes_in_front_of_the_suites_own_servers(revision: str, count: int) -> None:
    """Each of them sees a gateway in the place of a client, called by clients of both eras."""
    required, reported = requirements(revision, "client")
    async with open_desk() as desk, asyncio.TaskGroup() as tasks:
        suite = tasks.create_task(asyncio.to_thread(run_client_suite, desk.command, revision))
        await desk.serve(len(required) + len(reported))
    report = suite.result()

    known = gaps_of("client", revision).keys()
    assert report.failed == known, report.explain(known)
    assert len(report.scored) == count
    assert [each for each in report.scenarios if each.passed and each.warnings] == []
