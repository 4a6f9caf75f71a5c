"""A start is quick: nothing is loaded that the first answer does not need, and the port comes first."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory

from interlock.storage.migrate import SCRIPTS, newest_version
from tests.support.processes import Running, free_port, running

COUNT = 20
SECONDS = 120
KEY = "ilk_quick_quick_quick_quick_quick"
# What only some starts, some databases or the control API need.
UNNEEDED = ("fastapi", "alembic", "asyncpg", "opentelemetry", "sqlalchemy.dialects.postgresql")
# Processor seconds from the start to the first answer, in those of loading the program's modules:
# all else is connecting to the database and reading what is kept there.
MOST = 2.0
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "quick", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
# A server that notes whether the port of the gateway was open when it was started, and then waits
# until it may answer.
SERVER = """
import json, pathlib, socket, sys, time
folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]
port = int((folder / "port").read_text())
with socket.socket() as trying:
    is_open = trying.connect_ex(("127.0.0.1", port)) == 0
(folder / f"{name}.noted").write_text("open" if is_open else "closed")
while not (folder / "go").exists():
    time.sleep(0.05)
for line in sys.stdin:
    asked = json.loads(line)
    if "id" not in asked:
        continue
    result = {}
    if asked["method"] == "initialize":
        result = {"protocolVersion": asked["params"]["protocolVersion"],
                  "capabilities": {"tools": {}}, "serverInfo": {"name": name, "version": "1"}}
    if asked["method"] == "tools/list":
        result = {"tools": [{"name": "t", "inputSchema": {"type": "object"}}]}
    print(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}), flush=True)
"""


def test_only_what_the_first_answer_needs_is_loaded() -> None:
    code = f"import interlock.cli.up, sys; print([n for n in {UNNEEDED} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_the_newest_version_is_the_one_that_the_migrations_lead_to() -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))

    assert newest_version() == ScriptDirectory.from_config(config).get_current_head()


def test_twenty_servers_are_started_after_the_port_and_listed_before_they_answer(
    tmp_path: Path,
) -> None:
    port = free_port()
    (tmp_path / "port").write_text(str(port))
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "go").touch()
    with _gateway(tmp_path, port) as first_start:
        first_start.wait_until(lambda: len(_tools(port)) == COUNT, SECONDS)
    for left in (tmp_path / "go", *tmp_path.glob("*.noted")):
        left.unlink()

    with _gateway(tmp_path, port) as gateway:
        spent = _processor_seconds(gateway.pid)
        listed = _tools(port)
        gateway.wait_until(lambda: len(list(tmp_path.glob("*.noted"))) == COUNT, SECONDS)

    assert len(listed) == COUNT
    assert {note.read_text() for note in tmp_path.glob("*.noted")} == {"open"}
    assert spent < MOST * _seconds_of_loading()


@contextmanager
def _gateway(folder: Path, port: int) -> Iterator[Running]:
    names = [f"s{number}" for number in range(COUNT)]
    program_of = [str(folder / "server.py"), str(folder)]
    servers = {n: {"command": sys.executable, "args": [*program_of, n]} for n in names}
    (folder / "mcp.json").write_text(json.dumps({"mcpServers": servers}))
    command = [
        *(sys.executable, "-m", "interlock", "up", "--port", str(port)),
        *("--config", str(folder / "mcp.json"), "--data", str(folder / "data")),
    ]
    environment = {**os.environ, "INTERLOCK_BOOTSTRAP_KEY": KEY}
    with running(command, ready=r"Ctrl\+C", timeout=SECONDS, env=environment) as gateway:
        yield gateway


def _tools(port: int) -> list[dict[str, Any]]:
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": META}}
    headers = {
        "authorization": f"Bearer {KEY}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/list",
    }
    address = f"http://127.0.0.1:{port}/mcp/default"
    request = urllib.request.Request(address, json.dumps(asked).encode(), headers)
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310 -- of loopback
        return json.load(answer)["result"]["tools"]


def _processor_seconds(pid: int) -> float:
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


def _seconds_of_loading() -> float:
    code = "import time, interlock.cli.up; print(time.process_time())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout)
