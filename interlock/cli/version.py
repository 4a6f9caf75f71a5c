"""`interlock version`."""

import json
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec

import typer

from interlock import __version__
from interlock.cli.options import JSONOption

app = typer.Typer()


@app.command("version")
def version(*, as_json: JSONOption = False) -> None:
    """Print the version, and whether the modules on the path of a call are compiled."""
    is_compiled = _is_compiled()
    if as_json:
        text = json.dumps({"version": __version__, "compiled": is_compiled})
    else:
        text = f"interlock {__version__}{' (compiled)' if is_compiled else ''}"
    sys.stdout.write(f"{text}\n")


def _is_compiled() -> bool:
    found = find_spec("interlock.protocol.json")
    origin = found.origin if found is not None else None
    return origin is not None and origin.endswith(tuple(EXTENSION_SUFFIXES))
