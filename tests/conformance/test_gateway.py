"""The official conformance suite through the gateway, in front of a server that passes it."""

import json
import sys
from pathlib import Path

import pytest

from tests.conformance.suite import FIXTURE_SERVER, run_suite
from tests.support.processes import free_port, running

INTERLOCK = str(Path(sys.executable).with_name("interlock"))
REQUIRED = {"2025-11-25": 30, "2026-07-28": 37}


def configuration(folder: Path, server: dict[str, object]) -> Path:
    """Write a file that names one server, with plain names and without a key."""
    file = folder / "mcp.json"
    options = {"naming": "plain", "open": True}
    file.write_text(json.dumps({"mcpServers": {"fixture": server}, "interlock": options}))
    return file


def check(folder: Path, server: dict[str, object]) -> None:
    """Run both requirement sets against a gateway in front of `server`."""
    port = free_port()
    command = [INTERLOCK, "up", "--port", str(port), "--data", str(folder / "data")]
    command += ["--config", str(configuration(folder, server))]
    with running(command, ready=r"server\.up server=fixture", cwd=folder):
        for revision, required in REQUIRED.items():
            report = run_suite(f"http://localhost:{port}/mcp/default", revision)
            assert len(report.passed) == len(report.scored) == required, report.explain()


@pytest.mark.parametrize("era", ["both", "modern"])
def test_passes_in_front_of_streamable_http(era: str, tmp_path: Path) -> None:
    """Whichever era the client speaks, also where the server speaks only the modern one."""
    port = free_port()
    fixture = [sys.executable, str(FIXTURE_SERVER), "--port", str(port), "--era", era]
    with running(fixture, ready="listening on"):
        check(tmp_path, {"type": "http", "url": f"http://localhost:{port}/mcp"})


def test_passes_in_front_of_stdio(tmp_path: Path) -> None:
    """A process that we host passes as one that is reached over HTTP."""
    command: dict[str, object] = {
        "command": sys.executable,
        "args": [str(FIXTURE_SERVER), "--stdio"],
    }
    check(tmp_path, command)
