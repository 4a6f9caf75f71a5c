"""The console in a headless browser, before a real gateway with real servers behind it."""

import json
import subprocess
from pathlib import Path

from tests.console.building import CONSOLE, built, node_command, node_environment
from tests.console.stage import first_start

DEADLINE = 1200  # seconds; the machine may be slow


def test_the_console_leads_from_the_first_start_to_the_first_records(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    built()
    with first_start(tmp_path) as stage:
        done = subprocess.run(
            [
                *node_command("vitest"),
                "run",
                "--config",
                "e2e/vitest.config.ts",
                "--reporter=default",
                "--reporter=json",
                f"--outputFile={report}",
            ],
            cwd=CONSOLE,
            env={**node_environment(), "CONSOLE_STAGE": json.dumps(stage), "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    counted = json.loads(report.read_text())
    assert counted["numFailedTests"] == counted["numPendingTests"] == 0
    assert counted["numPassedTests"] >= 3
