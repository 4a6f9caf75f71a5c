"""The console in a headless browser, before a real gateway with real servers behind it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.console.building import CONSOLE, built, node_command, node_environment
from tests.console.chromium import chromium
from tests.support.node import npm_packages
from tests.support.processes import free_port, running

DEADLINE = 600  # seconds; the machine may be slow
INTERLOCK = str(Path(sys.executable).with_name("interlock"))
EVERYTHING = str(Path(__file__).parents[1] / "matrix" / "everything_server.py")
SHOW_SERVER = Path(__file__).with_name("show_server.py")
NOT_OURS = ("INTERLOCK_", "CONSOLE_")


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


@contextmanager
def first_start(folder: Path) -> Iterator[dict[str, Any]]:
    """Start a gateway as a person does for the first time; yield what the tests need of it."""
    browser, port = chromium(), free_port()
    command = [INTERLOCK, "up", "--port", str(port), "--data", str(folder / "data"), "--json"]
    env = {name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)}
    with running(command, ready=r'(\{"address".*\})\n', env=env, cwd=folder) as gateway:
        assert gateway.ready is not None
        told = json.loads(gateway.ready[1])
        yield {
            "address": told["address"],
            "email": told["first"]["admin_email"],
            "password": told["first"]["admin_password"],
            "key": told["first"]["api_key"],
            "chromium": browser.path,
            "libraries": browser.libraries,
            "python": sys.executable,
            "packages": str(npm_packages().parent),
            "servers": {
                "trips": {"command": sys.executable, "args": [str(SHOW_SERVER)]},
                **{era: everything(era) for era in ("modern", "legacy")},
            },
            "data": str(folder / "data"),
            "images": os.environ.get("CONSOLE_IMAGES", ""),
        }


def everything(era: str) -> dict[str, Any]:
    """Define a server that asks, logs, hangs and dies, in one era."""
    return {"command": sys.executable, "args": [EVERYTHING, "--stdio", "--era", era]}
