"""`interlock connect`: the program that a client which speaks stdio only starts."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import Annotated

import typer

from interlock.cli.bridge.bridge import Bridge
from interlock.cli.bridge.endpoint import Endpoint
from interlock.cli.bridge.streams import Output, read_lines
from interlock.cli.options import DataOption, KeyOption, ProjectOption, URLOption
from interlock.cli.target import Target, find_target

app = typer.Typer()

_STDIN, _STDOUT, _STDERR = 0, 1, 2


@app.command("connect")
def connect(
    *,
    address: Annotated[
        str | None,
        typer.Argument(metavar="[URL]", help="The MCP endpoint; the project's if not given."),
    ] = None,
    url: URLOption = None,
    key: KeyOption = None,
    project: ProjectOption = None,
    data: DataOption = None,
) -> None:
    """Bridge standard input and output to an MCP endpoint, for clients that only start programs."""
    target = find_target(url=address or url, key=key, project=project, data=data)
    asyncio.run(_bridge(target.url if address else target.endpoint, target))


async def _bridge(url: str, target: Target) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    with suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGTERM, stop.set)
    output = await Output.open(_reserved_stdout())
    try:
        async with Endpoint(url, target.key) as endpoint:
            await Bridge(endpoint, output).run(read_lines(_STDIN), stop)
    finally:
        await output.close()


def _reserved_stdout() -> int:
    """Keep stdout for the protocol: whatever else is printed from here on goes to stderr."""
    sys.stdout.flush()
    reserved = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    return reserved
