"""The official conformance suite through the gateway, in front of a server that passes it."""

import json
import sys
from pathlib import Path

import pytest

from tests.conformance.gaps import Back, gaps_of
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


def check(folder: Path, server: dict[str, object], back: Back = "any") -> None:
    """Run both requirement sets against a gateway in front of `server`.

    All must pass but what `back`, the only era of the server, does not let pass.
    """
    port = free_port()
    command = [INTERLOCK, "up", "--port", str(port), "--data", str(folder / "data")]
    command += ["--config", str(configuration(folder, server))]
    with running(command, ready=r"server\.up server=fixture", cwd=folder):
        for revision, required in REQUIRED.items():
            report = run_suite(f"http://localhost:{port}/mcp/default", revision)
            known = gaps_of("server", revision, back).keys()
            assert report.failed == known, report.explain(known)
            assert len(report.scored) == required


@pytest.mark.parametrize(
    ("era", "back"), [("both", "any"), ("modern", "any"), ("legacy", "legacy")]
)
def test_passes_in_front_of_streamable_http(era: str, back: Back, tmp_path: Path) -> None:
    """Whichever era the client speaks, also where the server speaks only one of them."""
    port = free_port()
    fixture = [sys.executable, str(FIXTURE_SERVER), "--port", str(port), "--era", era]
    with running(fixture, ready="listening on"):
        check(tmp_path, {"type": "http", "url": f"http://localhost:{port}/mcp"}, back)


def test_passes_in_front_of_stdio(tmp_path: Path) -> None:
    """A process that we host passes as one that is reached over HTTP."""
    command: dict[str, object] = {
        "command": sys.executable,
        "args": [str(FIXTURE_SERVER), "--stdio"],
    }
    check(tmp_path, command)
