"""The console's sources keep their rules: types, style, imports, and texts in the language files."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.console.building import CONSOLE, node_command, node_environment

DEADLINE = 300  # seconds


def run(program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a program of the console's packages beside its sources."""
    return subprocess.run(
        [*node_command(program), *arguments],
        cwd=CONSOLE,
        env={**node_environment(), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


@pytest.mark.parametrize(
    "command", [("tsc", "--noEmit"), ("biome", "check", "--error-on-warnings", ".")], ids=" ".join
)
def test_the_sources_pass_the_checks_of_their_language(command: tuple[str, ...]) -> None:
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_sources_keep_the_rules_of_the_console(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    done = run("vitest", "run", "--reporter=default", "--reporter=json", f"--outputFile={report}")
    assert done.returncode == 0, done.stdout + done.stderr
    counted = json.loads(report.read_text())
    assert counted["numFailedTests"] == counted["numPendingTests"] == 0
    assert counted["numPassedTests"] >= 10
