"""An MCP server that offers one tool for each feature of the protocol, for the matrix of cells.

It speaks one era over one transport: `--stdio`, `--http PORT` or `--sse PORT` (0 takes a free port).
It is plain JSON throughout, so that no SDK can add, drop or mend what passes.
"""

import argparse
import asyncio
import importlib
import json
import os
import signal
import sys

from everything_legacy import LegacySession
from everything_modern import ModernServer
from everything_offer import JSONObject
from everything_world import World

LONGEST = 16 * 1024 * 1024  # bytes of a line


def _write(message: JSONObject) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def serve_stdio(world: World, era: str) -> None:
    """Serve the one client at the other end of stdin and stdout until it hangs up."""
    server = ModernServer(world)
    if era == "legacy":
        server = LegacySession(world, _write)
        server.end = _die
    reader = asyncio.StreamReader(limit=LONGEST)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    running: set[asyncio.Task[None]] = set()
    while line := await reader.readline():
        task = asyncio.create_task(server.receive(json.loads(line), _write))
        running.add(task)
        task.add_done_callback(running.discard)


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(description="An MCP server for tests.")
    transport = parser.add_mutually_exclusive_group(required=True)
    transport.add_argument("--stdio", action="store_true")
    transport.add_argument("--http", type=int, metavar="PORT")
    transport.add_argument("--sse", type=int, metavar="PORT")
    parser.add_argument("--era", choices=["legacy", "modern"], default="legacy")
    parser.add_argument("--name", default="everything")
    arguments = parser.parse_args()
    world = World(arguments.name)
    if arguments.stdio:
        asyncio.run(serve_stdio(world, arguments.era))
        return
    # Over stdio a session is a process, and none should have to load a web framework.
    http = importlib.import_module("everything_http")
    if arguments.sse is not None:
        asyncio.run(http.serve(http.sse_app(world), arguments.sse))
    else:
        app = http.legacy_app if arguments.era == "legacy" else http.modern_app
        asyncio.run(http.serve(app(world), arguments.http))


if __name__ == "__main__":
    main()
