"""How soon a gateway with many stdio servers answers, and what it needs for an idle session."""

import json
import statistics
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contenders import KEY, ROOT, gateway_command
from bench.running import process, resident, spent, until, up

PORT = 20_190
SERVERS = 20
STARTS = 3
SESSIONS = 1000
VERSION = "2025-06-18"


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the start of the process to the first list of all tools, and to all servers."""

    answered: float
    processor: float  # of the gateway itself, until it answered
    all_up: float


def measure(folder: Path) -> tuple[Start, list[Start], float]:
    """Return a first start, later ones, and the bytes per idle session of a client."""
    server = {"command": sys.executable, "args": ["-m", "bench.upstream"], "cwd": ROOT}
    config = folder / "many.json"
    config.write_text(json.dumps({"mcpServers": {f"s{n}": server for n in range(SERVERS)}}))
    command = gateway_command(config, folder / "data-many", PORT)
    first, _ = _start(command, 0)
    later: list[Start] = []
    size = 0.0
    for number in range(STARTS):
        measured, size = _start(command, SESSIONS if number == STARTS - 1 else 0)
        later.append(measured)
    return first, later, size


def _start(command: list[str], sessions: int) -> tuple[Start, float]:
    settings = {"INTERLOCK_BOOTSTRAP_KEY": KEY, "INTERLOCK_GATEWAY__SESSION_RATE": "0"}
    begun = time.monotonic()
    # On both cores, as a user has it: what is measured is the competition with the servers.
    with process(command, "0,1", **settings) as pid:
        while _listed() < SERVERS:
            time.sleep(0.01)
        answered, processor = time.monotonic() - begun, spent([pid])
        until(lambda: len(up(PORT, KEY)) == SERVERS)
        all_up = time.monotonic() - begun
        return Start(answered, processor, all_up), _per_session(pid, sessions)


def _per_session(pid: int, count: int) -> float:
    for _ in range(count // 10):
        _open_session()
    before = resident(pid)
    for _ in range(count):
        _open_session()
    return (resident(pid) - before) / count if count else 0.0


def _open_session() -> None:
    client = {"name": "idle", "version": "1"}
    params = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": client}
    _post({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})


def _listed() -> int:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list"}
    try:
        return len(_post(asked, **headers)["result"]["tools"])
    except OSError:
        return 0


def _post(message: dict[str, Any], **headers: str) -> dict[str, Any]:
    fields = {
        "authorization": f"Bearer {KEY}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        **headers,
    }
    address = f"http://127.0.0.1:{PORT}/mcp/default"
    request = urllib.request.Request(address, json.dumps(message).encode(), fields)
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 -- of loopback
        return json.load(answer)


def show(first: Start, later: list[Start], per_session: float) -> None:
    """Print what was measured."""
    answered = [each.answered for each in later]
    print(f"\nStart with {SERVERS} stdio servers, seconds until …")
    print(f"{'':<24}{'first list':>12}{'its CPU':>10}{'all servers up':>16}")
    rows = {"first start": first, "later starts, median": _median(later)}
    for name, each in rows.items():
        print(f"{name:<24}{each.answered:>12.2f}{each.processor:>10.2f}{each.all_up:>16.2f}")
    print(f"later starts, spread of the first list: {min(answered):.2f} to {max(answered):.2f}")
    print(f"An idle session of a client takes {per_session / 1024:.1f} KiB of memory.")


def _median(starts: list[Start]) -> Start:
    return Start(
        statistics.median(each.answered for each in starts),
        statistics.median(each.processor for each in starts),
        statistics.median(each.all_up for each in starts),
    )
