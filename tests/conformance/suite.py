"""Runs the official conformance suite against a server and reads its verdicts."""

import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.support.node import bin_command, node_environment, npm_packages
from tests.support.processes import finished

FIXTURE_SERVER = Path(__file__).with_name("fixture_server.py")
SUITE_SECONDS = 600.0

_RESULTS = re.compile(r"server-(?P<scenario>.+)-\d{4}-\d{2}-\d{2}T[\d-]+Z")
_SCORED = re.compile(r"^server:\n(?P<entries>(?:  - \S+\n)+)", re.MULTILINE)
_NOT_SCORED = re.compile(r"^  - scenario: (\S+)\n    leg: server$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario's verdict, with what the suite held against the server."""

    name: str
    scored: bool
    passed: bool
    failures: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """The verdicts on every scenario of one requirement set."""

    revision: str
    scenarios: tuple[Scenario, ...]

    @property
    def scored(self) -> list[Scenario]:
        """The scenarios that the revision requires."""
        return [each for each in self.scenarios if each.scored]

    @property
    def passed(self) -> list[Scenario]:
        """The required scenarios that the server passes."""
        return [each for each in self.scored if each.passed]

    def explain(self) -> str:
        """Say which required scenarios failed, and why."""
        failed = [each for each in self.scored if not each.passed]
        lines = [f"{len(self.passed)} of {len(self.scored)} pass for {self.revision}"]
        for scenario in failed:
            lines.append(scenario.name)
            lines.extend(f"  {failure}" for failure in scenario.failures)
        return "\n".join(lines)


def run_suite(url: str, revision: str, *, timeout: float = SUITE_SECONDS) -> Report:
    """Run a revision's requirement set against the server at `url`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [*bin_command("conformance"), "server", "--url", url]
        command += ["--requirements", revision, "-o", folder]
        run = finished(command, timeout=timeout, env=node_environment())
        results = {
            match["scenario"]: each / "checks.json"
            for each in Path(folder).iterdir()
            if (match := _RESULTS.fullmatch(each.name))
        }
        if not results:
            raise RuntimeError(f"The suite ended with status {run.status}:\n{run.output}")
        scored, not_scored = _requirements(revision)
        return Report(
            revision,
            (
                *(_verdict(name, results.get(name), scored=True) for name in scored),
                *(_verdict(name, results.get(name), scored=False) for name in not_scored),
            ),
        )


def _requirements(revision: str) -> tuple[list[str], list[str]]:
    """Name the scenarios that a revision requires of a server, and those that it only reports."""
    package = npm_packages() / "@modelcontextprotocol" / "conformance"
    text = (package / "requirements" / f"{revision}.yaml").read_text(encoding="utf-8")
    section = _SCORED.search(text)
    if section is None:
        raise ValueError(f"The requirement set for {revision} names no server scenarios")
    return re.findall(r"- (\S+)", section["entries"]), _NOT_SCORED.findall(text)


def _verdict(name: str, results: Path | None, *, scored: bool) -> Scenario:
    """Read a scenario's checks; one that checked nothing has not passed."""
    if results is None or not results.exists():
        return Scenario(name, scored, passed=False, failures=("The scenario did not run.",))
    checks = json.loads(results.read_text(encoding="utf-8"))
    told = {
        status: tuple(
            f"{check['id']}: {check.get('errorMessage') or check['description']}"
            for check in checks
            if check["status"] == status
        )
        for status in ("SUCCESS", "FAILURE", "WARNING")
    }
    passed = bool(told["SUCCESS"]) and not told["FAILURE"]
    return Scenario(name, scored, passed, told["FAILURE"], told["WARNING"])
