"""`interlock version`."""

import json
import sys

import typer

from interlock import __version__
from interlock.cli.options import JSONOption

app = typer.Typer()


@app.command("version")
def version(*, as_json: JSONOption = False) -> None:
    """Print the version."""
    text = json.dumps({"version": __version__}) if as_json else f"interlock {__version__}"
    sys.stdout.write(f"{text}\n")
