"""A gateway as it is after the first start, with servers to be added, for what tests the console."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.console.chromium import chromium
from tests.support.node import npm_packages
from tests.support.processes import free_port, running

INTERLOCK = str(Path(sys.executable).with_name("interlock"))
EVERYTHING = str(Path(__file__).parents[1] / "matrix" / "everything_server.py")
SHOW_SERVER = Path(__file__).with_name("show_server.py")
NOT_OURS = ("INTERLOCK_", "CONSOLE_")


@contextmanager
def first_start(folder: Path) -> Iterator[dict[str, Any]]:
    """Start a gateway as a person does for the first time; yield what the tests need of it."""
    browser, port = chromium(), free_port()
    command = [INTERLOCK, "up", "--port", str(port), "--data", str(folder / "data"), "--json"]
    env = {name: value for name, value in os.environ.items() if not name.startswith(NOT_OURS)}
    with running(command, ready=r'(\{"address".*\})\n', env=env, cwd=folder) as gateway:
        assert gateway.ready is not None
        told = json.loads(gateway.ready[1])
        yield {
            "address": told["address"],
            "email": told["first"]["admin_email"],
            "password": told["first"]["admin_password"],
            "key": told["first"]["api_key"],
            "chromium": browser.path,
            "libraries": browser.libraries,
            "python": sys.executable,
            "packages": str(npm_packages().parent),
            "servers": {
                "trips": {"command": sys.executable, "args": [str(SHOW_SERVER)]},
                **{era: everything(era) for era in ("modern", "legacy")},
            },
            "data": str(folder / "data"),
            "images": os.environ.get("CONSOLE_IMAGES", ""),
        }


def everything(era: str) -> dict[str, Any]:
    """Define a server that asks, logs, hangs and dies, in one era."""
    return {"command": sys.executable, "args": [EVERYTHING, "--stdio", "--era", era]}
