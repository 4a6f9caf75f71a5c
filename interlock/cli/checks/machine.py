"""Checks of this machine: Python, the port, the data directory and what lies in it."""

import os
import platform
import shutil
import socket
import stat
import sys
from pathlib import Path

import httpx2

from interlock.cli.checks.finding import Code, Finding, error, fine, warning
from interlock.cli.http import client_options
from interlock.cli.target import CREDENTIALS
from interlock.protocol.json import as_object, loads

OLDEST_PYTHON = (3, 11)
MASTER_KEY = "master.key"
LOW_DISK = 1024 * 1024 * 1024  # bytes
FULL_DISK = 100 * 1024 * 1024
ASK_TIMEOUT = 5.0  # seconds
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Tell whether this Python is new enough."""
    if version < OLDEST_PYTHON:
        return error(
            Code.PYTHON,
            f"Python {version[0]}.{version[1]} is too old.",
            "Install Python 3.11 or newer, for instance with `uv python install 3.12`.",
        )
    return fine(Code.PYTHON, f"Python {platform.python_version()} runs.")


def check_port(host: str, port: int) -> Finding:
    """Tell whether the port is free, or who answers on it."""
    where = f"{host}:{port}"
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as fault:
        if _is_ours(host, port):
            return fine(Code.PORT, f"An Interlock gateway listens on {where}.")
        return error(
            Code.PORT,
            f"{where} cannot be listened on: {fault.strerror}, and no Interlock answers there.",
            "Stop what holds the port, or choose another with --port or INTERLOCK_PORT.",
        )
    return fine(Code.PORT, f"{where} is free for `interlock up`.")


def check_data_dir(folder: Path) -> list[Finding]:
    """Tell whether the data directory can be written and is closed to others."""
    try:
        if not folder.exists():
            return [_check_missing(folder)]
    except OSError as fault:
        cure = "Give this user access to the folders above, or choose another with --data."
        return [error(Code.DATA_DIR, f"{folder} cannot be looked at: {fault.strerror}.", cure)]
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return [
            error(
                Code.DATA_DIR,
                f"The data directory {folder} cannot be written.",
                "Give it to this user with `chown`, or choose another with --data.",
            )
        ]
    return [_check_mode(Code.DATA_DIR, folder, 0o700), *_check_files(folder), check_disk(folder)]


def check_disk(folder: Path) -> Finding:
    """Tell whether there is room for records and logs."""
    free = shutil.disk_usage(folder).free
    message = f"{free // (1024 * 1024)} MiB are free where {folder} lies."
    cure = "Delete what is not needed, or move the data directory with --data."
    if free < FULL_DISK:
        return error(Code.DISK, message, cure)
    return warning(Code.DISK, message, cure) if free < LOW_DISK else fine(Code.DISK, message)


def _check_missing(folder: Path) -> Finding:
    parent = next((each for each in folder.absolute().parents if each.exists()), Path("/"))
    if os.access(parent, os.W_OK | os.X_OK):
        return fine(Code.DATA_DIR, f"The data directory {folder} is made at the first start.")
    return error(
        Code.DATA_DIR,
        f"The data directory {folder} cannot be made, as {parent} cannot be written.",
        "Choose another with --data or INTERLOCK_DATA_DIR.",
    )


def _check_files(folder: Path) -> list[Finding]:
    files = ((Code.MASTER_KEY, MASTER_KEY), (Code.CREDENTIALS, CREDENTIALS))
    return [
        _check_mode(code, folder / name, 0o600) for code, name in files if (folder / name).exists()
    ]


def _check_mode(code: Code, path: Path, wanted: int) -> Finding:
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & _OTHERS:
        return fine(code, f"{path} is closed to other users.")
    # The gateway refuses to start on an open key, and commands refuse open credentials.
    judge = warning if code is Code.DATA_DIR else error
    return judge(
        code,
        f"{path} is open to other users (mode {mode:04o}).",
        f"Close it with: chmod {wanted:o} {path}",
    )


def _is_ours(host: str, port: int) -> bool:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - It is compared.
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    try:
        with httpx2.Client(timeout=ASK_TIMEOUT, **client_options(url, None)) as client:
            answer = as_object(loads(client.get(f"{url}/healthz").content)) or {}
    except (httpx2.HTTPError, ValueError):
        return False
    return "version" in answer
