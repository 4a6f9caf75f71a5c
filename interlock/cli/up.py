"""`interlock up`: starts the gateway and tells where it is."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from interlock.app import FirstStart, Started, serve
from interlock.cli.options import JSONOption
from interlock.cli.visible import visible
from interlock.errors import BadInput
from interlock.protocol.json import JSONObject
from interlock.settings import load_settings

app = typer.Typer()


@app.command("up")
def up(  # noqa: PLR0913 -- each is an option of the command
    *,
    config: Annotated[
        Path | None, typer.Option("--config", help="A file of servers, as clients write it.")
    ] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="The address to listen on; 127.0.0.1 if not given.")
    ] = None,
    port: Annotated[
        int | None, typer.Option("--port", help="The port to listen on; 20100 if not given.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Where it keeps its data; .interlock if not given."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", help="How many processes serve the port; 1 if not given."),
    ] = None,
    log_level: Annotated[
        str | None, typer.Option("--log-level", help="debug, info, warning or error.")
    ] = None,
    as_json: JSONOption = False,
) -> int:
    """Start the gateway; it runs until it is interrupted."""
    flags: dict[str, Any] = {"host": host, "port": port, "data_dir": data, "workers": workers}
    flags["log_level"] = log_level.lower() if log_level else None
    settings = load_settings(flags)
    if config is not None and not config.is_file():
        raise BadInput(f"--config: there is no file {config}; name the file of your servers.")

    def announce(started: Started) -> None:
        text = json.dumps(document(started), ensure_ascii=False) if as_json else welcome(started)
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    return serve(settings, config=config, announce=announce)


def welcome(started: Started) -> str:
    """Return what people read once the gateway takes calls; each fact has its own line."""
    lines = [
        "",
        f"MCP endpoint: {started.endpoint}",
        f"Console:      {started.console}",
    ]
    if started.first is not None:
        lines += _first(started.first)
    lines += [f"WARNING: {visible(warning)}" for warning in started.warnings]
    lines += [f"FAULT: {visible(fault)}" for fault in started.faults]
    return "\n".join([*lines, "", "Press Ctrl+C to stop."])


def document(started: Started) -> JSONObject:
    """Return the same for programs."""
    first = started.first
    return {
        "address": started.address,
        "endpoint": started.endpoint,
        "console": started.console,
        "first": None
        if first is None
        else {
            "api_key": first.api_key,
            "admin_email": first.admin_email,
            "admin_password": first.admin_password,
            "client_config": first.client_config,
        },
        "warnings": list(started.warnings),
        "faults": list(started.faults),
    }


def _first(first: FirstStart) -> list[str]:
    lines = ["", "This is shown only once:", f"API key:      {first.api_key}"]
    lines.append(f"Admin e-mail: {first.admin_email}")
    if first.admin_password is not None:
        lines.append(f"One-time password: {first.admin_password}")
    return [
        *lines,
        "",
        "Paste this into your client's configuration:",
        first.client_config.rstrip(),
    ]
