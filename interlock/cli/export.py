"""`interlock export`: writes the configuration that connects a client to this gateway."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.session import Session, gateway_command
from interlock.errors import BadInput, Conflict
from interlock.protocol.json import JSONObject

app = typer.Typer()


@gateway_command(app, "export")
def export(
    session: Session,
    *,
    client: Annotated[str | None, typer.Argument(help="The client; --list names them.")] = None,
    per_server: Annotated[
        bool, typer.Option("--per-server", help="One entry for each server, not one for all.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write, which must be new.")
    ] = None,
    show_list: Annotated[bool, typer.Option("--list", help="List the clients.")] = False,
) -> None:
    """Write a client's configuration; a key given with --key stands in it, otherwise none does."""
    if show_list:
        _list(session)
        return
    if client is None:
        raise BadInput("Name the client, such as `interlock export cursor`; --list names them all.")
    body: JSONObject = {"unified": not per_server, "key": session.gateway.target.given_key}
    made = session.gateway.object("POST", "clients", client, body=body)
    text = str(made.get("text", ""))
    if output is not None:
        _write(output, text)
        session.screen.note(f"Wrote {output}.")
    elif not session.screen.as_json:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
    session.screen.document({**made, "output": str(output)} if output is not None else made)
    session.screen.note(f"{made.get('title')} reads it from {made.get('path_hint')}.")


def _list(session: Session) -> None:
    clients = session.gateway.list("clients")
    session.screen.document({"clients": clients})
    session.screen.table(
        ("CLIENT", "NAME", "WHERE IT GOES"),
        [(each.get("id"), each.get("title"), each.get("path_hint")) for each in clients],
    )


def _write(path: Path, text: str) -> None:
    try:
        # The text may hold a key, so that only its owner may read the file.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Conflict(
            f"{path} exists already and may hold other servers; "
            "choose another --output, and copy from there what is missing."
        ) from None
    except OSError as error:
        raise BadInput(
            f"{path} cannot be written: {error.strerror}; choose another --output."
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
