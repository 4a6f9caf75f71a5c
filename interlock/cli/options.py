"""The options that several commands have, each described once."""

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

URLOption: TypeAlias = Annotated[
    str | None, typer.Option("--url", "--gateway", help="The gateway's address (or INTERLOCK_URL).")
]
GatewayOption: TypeAlias = Annotated[
    str | None, typer.Option("--gateway", help="The gateway's address (or INTERLOCK_URL).")
]
KeyOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--key", help="The API key (or INTERLOCK_KEY, which no process list shows)."),
]
ProjectOption: TypeAlias = Annotated[
    str | None, typer.Option("--project", help="The project (or INTERLOCK_PROJECT).")
]
DataOption: TypeAlias = Annotated[
    Path | None, typer.Option("--data", help="The data directory of the gateway on this machine.")
]
JSONOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON document, also for an error.")
]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
