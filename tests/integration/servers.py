"""The MCP servers that stand behind the program in these tests; most of them others wrote."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.conformance.suite import FIXTURE_SERVER
from tests.support.node import bin_command, node_environment
from tests.support.processes import free_port, running

TIME_SERVER = str(Path(sys.executable).with_name("mcp-server-time"))
EVERYTHING_TOOLS = (
    "echo",
    "get-annotated-message",
    "get-env",
    "get-resource-links",
    "get-resource-reference",
    "get-structured-content",
    "get-sum",
    "get-tiny-image",
    "gzip-file-as-resource",
    "toggle-simulated-logging",
    "toggle-subscriber-updates",
    "trigger-long-running-operation",
    "simulate-research-query",
)
"""What the everything server lists, in its order, to a client that can be asked nothing."""

SILENT = "import sys, time; sys.stdin.read(); time.sleep(600)"
BRIEF = "import sys; sys.exit('no such luck')"


def stdio(command: list[str], **more: Any) -> dict[str, Any]:
    """Define a server as a configuration file does."""
    return {"command": command[0], "args": command[1:], **more}


def everything() -> dict[str, Any]:
    """Define the reference server that offers a bit of everything."""
    return stdio([*bin_command("mcp-server-everything"), "stdio"])


def filesystem(folder: Path) -> dict[str, Any]:
    """Define the reference server of files, for one folder."""
    return stdio([*bin_command("mcp-server-filesystem"), str(folder)])


def clock() -> dict[str, Any]:
    """Define the reference server that tells the time."""
    return stdio([TIME_SERVER, "--local-timezone", "UTC"])


def fixture(era: str = "both") -> dict[str, Any]:
    """Define the fixture of the conformance suite."""
    return stdio([sys.executable, str(FIXTURE_SERVER), "--stdio", "--era", era])


def sample() -> dict[str, Any]:
    """Define the small server that Interlock brings along."""
    return stdio([sys.executable, "-m", "interlock.station.sample_server"])


def hung() -> dict[str, Any]:
    """Define a server that never says a word."""
    return stdio([sys.executable, "-c", SILENT])


def dead() -> dict[str, Any]:
    """Define a server that ends as soon as it is started."""
    return stdio([sys.executable, "-c", BRIEF])


@contextmanager
def everything_over(transport: str) -> Iterator[str]:
    """Run the everything server as `sse` or `streamableHttp`, and yield its address."""
    port = free_port()
    command = [*bin_command("mcp-server-everything"), transport]
    environment = {**node_environment(), "PORT": str(port)}
    with running(command, ready=rf"on port {port}\n", env=environment):
        path = "sse" if transport == "sse" else "mcp"
        yield f"http://127.0.0.1:{port}/{path}"


@contextmanager
def fixture_over_http(era: str = "both") -> Iterator[str]:
    """Run the fixture over Streamable HTTP, and yield its address."""
    command = [sys.executable, str(FIXTURE_SERVER), "--port", "0", "--era", era]
    with running(command, ready=r"listening on (\S+)") as server:
        assert server.ready is not None
        yield server.ready[1]
