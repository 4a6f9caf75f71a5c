"""Runs the official conformance suite against a server, or against clients that it starts."""

import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.conformance.verdicts import Leg, Report, read_report
from tests.support.node import bin_command, node_environment
from tests.support.processes import finished

FIXTURE_SERVER = Path(__file__).with_name("fixture_server.py")
SUITE_SECONDS = 600.0


def run_suite(url: str, revision: str, *, timeout: float = SUITE_SECONDS) -> Report:
    """Run a revision's requirement set against the server at `url`."""
    return _run("server", revision, ["--url", url], timeout)


def run_client_suite(
    command: Sequence[str], revision: str, *, timeout: float = SUITE_SECONDS
) -> Report:
    """Run a revision's requirement set against a client, all scenarios at once.

    For each the suite starts a server, and `command` with that server's address after it. Name
    and revision of the scenario are in the environment of the command, which ends by writing
    `FINISHED`.
    """
    # The suite hands the command to a shell, and gives each scenario so many milliseconds.
    options = ["--command", shlex.join(command), "--timeout", f"{timeout * 1000:.0f}"]
    return _run("client", revision, options, timeout)


def _run(leg: Leg, revision: str, options: Sequence[str], timeout: float) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        command = [*bin_command("conformance"), leg, *options]
        command += ["--requirements", revision, "-o", folder]
        run = finished(command, timeout=timeout, env=node_environment())
        report = read_report(revision, leg, Path(folder))
        if report is None:
            raise RuntimeError(f"The suite ended with status {run.status}:\n{run.output}")
        return report
