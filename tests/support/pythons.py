"""Python programs that cannot live in our environment: one environment per lock file, made once."""

import fcntl
import functools
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

INSTALL_SECONDS = 600

_CACHE = Path(__file__).resolve().parents[2] / ".cache" / "python"


@functools.cache
def python_with(lock_file: Path) -> Path:
    """Name the Python that has what a lock file pins, installing it first if need be.

    The lock file is one of `uv pip compile --generate-hashes`.
    """
    digest = hashlib.sha256(lock_file.read_bytes())
    # What was built for one Python cannot be used by another.
    digest.update(f"{sys.implementation.cache_tag} {sys.base_prefix}".encode())
    installed = _CACHE / digest.hexdigest()[:16]
    if not installed.is_dir():
        _CACHE.mkdir(parents=True, exist_ok=True)
        with (_CACHE / f"{installed.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # Whoever held the lock before may have done the work.
            if not installed.is_dir():
                _install(lock_file, installed)
    return installed / "bin" / "python"


def python_environment() -> dict[str, str]:
    """Copy this process's environment without what would lead another Python to our packages."""
    ours = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    return {name: value for name, value in os.environ.items() if name not in ours}


def _install(lock_file: Path, target: Path) -> None:
    """Install aside and move into place, so that an interrupted install is never taken for one.

    Of an environment that was moved only its Python works, which is all that is asked of it.
    """
    with tempfile.TemporaryDirectory(dir=_CACHE, prefix="install-") as scratch:
        folder = Path(scratch) / "environment"
        _run([sys.executable, "-m", "venv", str(folder)])
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
        _run([*pip, "install", "--quiet", "--require-hashes", "--requirement", str(lock_file)])
        folder.rename(target)


def _run(command: list[str]) -> None:
    done = subprocess.run(
        command,
        env=python_environment(),
        capture_output=True,
        text=True,
        timeout=INSTALL_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command} failed with status {done.returncode}:\n{done.stderr}")
