"""`interlock import`: shows what a client's configuration would change, asks, and takes it over."""

import os
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from interlock.cli.options import YesOption
from interlock.cli.rest import LONG_TIMEOUT
from interlock.cli.screen import Screen
from interlock.cli.session import Session, gateway_command
from interlock.errors import BadInput, TooLarge
from interlock.protocol.json import JSONObject, as_list, as_object

MAX_FILE = 1024 * 1024  # bytes
_VARIABLE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)")
_HAPPENS = {"add": "is added", "replace": "replaces the one there", "unchanged": "stays as it is"}

app = typer.Typer()


@gateway_command(app, "import")
def import_servers(
    session: Session,
    *,
    file: Annotated[str, typer.Argument(help="The configuration file; - reads standard input.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would happen.")
    ] = False,
    yes: YesOption = False,
) -> int:
    """Take over the servers of a client's configuration (`mcpServers` of Claude, Cursor, …)."""
    screen = session.screen
    text = _read(file)
    body: JSONObject = {"text": text, "source": file, "variables": _variables(text)}
    if dry_run or not yes:
        preview = session.gateway.object("POST", "import", body={**body, "dry_run": True})
        if dry_run:
            screen.document(preview)
        _show(screen, preview)
        if dry_run or not _has_changes(preview):
            return _status(preview)
        screen.ask("Write these servers?")
    with screen.working("Importing and starting the servers …"):
        done = session.gateway.object(
            "POST", "import", body={**body, "dry_run": False}, timeout=LONG_TIMEOUT
        )
    screen.document(done)
    if yes:
        _show(screen, done)
    _conclude(screen, done)
    return _status(done)


def _read(file: str) -> str:
    try:
        if file == "-":
            content = sys.stdin.buffer.read(MAX_FILE + 1)
        else:
            with Path(file).open("rb") as opened:
                content = opened.read(MAX_FILE + 1)
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}; name another file.") from None
    if len(content) > MAX_FILE:
        raise TooLarge(f"{file} is larger than {MAX_FILE} bytes, which no configuration is.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{file} is not UTF-8 text; save it as UTF-8.") from None


def _variables(text: str) -> dict[str, str]:
    """Return what the file's `${NAME}` mean here, since the gateway has another environment."""
    named = set(_VARIABLE.findall(text))
    return {name: os.environ[name] for name in sorted(named) if name in os.environ}


def _show(screen: Screen, result: JSONObject) -> None:
    screen.note(f"The file is of the kind {result.get('dialect', 'unknown')}.")
    screen.table(
        ("SERVER", "TRANSPORT", "WHAT HAPPENS"),
        [
            (each.get("name"), each.get("transport"), each.get("error") or _happens(each))
            for each in _objects(result, "servers")
        ],
    )
    for kind, style in (("faults", "red"), ("warnings", "yellow")):
        for remark in _objects(result, kind):
            place = ", ".join(str(remark[key]) for key in ("server", "field") if remark.get(key))
            screen.say(f"{kind[:-1]}: {f'{place}: ' if place else ''}{remark['message']}", style)


def _happens(server: JSONObject) -> str:
    action = str(server.get("action"))
    return _HAPPENS.get(action, action)


def _conclude(screen: Screen, result: JSONObject) -> None:
    changed = [each for each in _objects(result, "servers") if _is_written(each)]
    screen.say(f"{len(changed)} of {len(_objects(result, 'servers'))} servers were written.")


def _is_written(server: JSONObject) -> bool:
    return server.get("action") != "unchanged" and not server.get("error")


def _has_changes(result: JSONObject) -> bool:
    return any(each.get("action") != "unchanged" for each in _objects(result, "servers"))


def _status(result: JSONObject) -> int:
    failed = any(each.get("error") for each in _objects(result, "servers"))
    return 1 if failed or _objects(result, "faults") else 0


def _objects(result: JSONObject, key: str) -> list[JSONObject]:
    items = as_list(result.get(key)) or []
    return [item for each in items if (item := as_object(each)) is not None]
