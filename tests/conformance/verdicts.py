"""What the official conformance suite requires of a revision, and its verdicts as it wrote them."""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.support.node import npm_packages

Leg = Literal["server", "client"]

FINISHED = "finished"  # what a client writes last, once it has done all that it set out to do

_RESULTS = re.compile(r"(?:server-)?(?P<scenario>.+)-\d{4}-\d{2}-\d{2}T[\d-]+Z")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario's verdict, with what the suite held against the side that it tests."""

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
        """The required scenarios that pass."""
        return [each for each in self.scored if each.passed]

    @property
    def failed(self) -> set[str]:
        """The names of all that do not pass, required or not."""
        return {each.name for each in self.scenarios if not each.passed}

    def explain(self, known: Collection[str] = ()) -> str:
        """Say which scenarios failed, and why, save for those that are `known` to."""
        lines = [f"{len(self.passed)} of {len(self.scored)} pass for {self.revision}"]
        for scenario in self.scenarios:
            if not scenario.passed and scenario.name not in known:
                lines.append(scenario.name if scenario.scored else f"{scenario.name} (not scored)")
                lines.extend(f"  {failure}" for failure in scenario.failures)
        return "\n".join(lines)


def requirements(revision: str, leg: Leg) -> tuple[list[str], list[str]]:
    """Name the scenarios that a revision requires of a side, and those that it only reports."""
    package = npm_packages() / "@modelcontextprotocol" / "conformance"
    text = (package / "requirements" / f"{revision}.yaml").read_text(encoding="utf-8")
    section = re.search(rf"^{leg}:\n(?P<entries>(?:  - \S+\n)+)", text, re.MULTILINE)
    if section is None:
        raise ValueError(f"The requirement set for {revision} names no {leg} scenarios")
    not_scored = re.findall(rf"^  - scenario: (\S+)\n    leg: {leg}$", text, re.MULTILINE)
    return re.findall(r"- (\S+)", section["entries"]), not_scored


def read_report(revision: str, leg: Leg, folder: Path) -> Report | None:
    """Read what a run of the suite left in `folder`; None where it left nothing."""
    results = {
        match["scenario"]: checks.parent
        for checks in folder.rglob("checks.json")
        if (match := _RESULTS.fullmatch(checks.parent.relative_to(folder).as_posix()))
    }
    if not results:
        return None
    verdicts = tuple(
        _verdict(name, results.get(name), scored=scored)
        for names, scored in zip(requirements(revision, leg), (True, False), strict=True)
        for name in names
    )
    return Report(revision, verdicts)


def _verdict(name: str, results: Path | None, *, scored: bool) -> Scenario:
    """Read a scenario's checks; one that checked nothing has not passed."""
    if results is None:
        return Scenario(name, scored, passed=False, failures=("The scenario did not run.",))
    checks = json.loads((results / "checks.json").read_text(encoding="utf-8"))
    told = {
        status: tuple(
            f"{check['id']}: {check.get('errorMessage') or check['description']}"
            for check in checks
            if check["status"] == status
        )
        for status in ("SUCCESS", "FAILURE", "WARNING")
    }
    failures = (*told["FAILURE"], *_unfinished(results))
    passed = bool(told["SUCCESS"]) and not failures
    return Scenario(name, scored, passed, failures, told["WARNING"])


def _unfinished(results: Path) -> list[str]:
    """Say why the client gave up, if there was one: a set of requirements counts only checks."""
    said = results / "stdout.txt"
    if not said.exists() or said.read_text(encoding="utf-8").strip() == FINISHED:
        return []
    complaint = (results / "stderr.txt").read_text(encoding="utf-8").strip()
    return [f"The client gave up: {complaint}"]
