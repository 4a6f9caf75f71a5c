"""Checks of this machine: Python, the data directory and what lies in it, the disk."""

import os
import platform
import shutil
import stat
import sys
from pathlib import Path

from interlock.checks.finding import Code, Finding, Kind, error, fine, warning

OLDEST_PYTHON = (3, 11)
MASTER_KEY = "master.key"
CREDENTIALS = "cli.json"
LOW_DISK = 1024 * 1024 * 1024  # bytes
FULL_DISK = 100 * 1024 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def check_python(version: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Tell whether this Python is new enough."""
    if version < OLDEST_PYTHON:
        shown = f"{version[0]}.{version[1]}"
        return error(
            Code.PYTHON,
            f"Python {shown} is too old.",
            "Install Python 3.11 or newer, for instance with `uv python install 3.12`.",
            Kind.PYTHON_OLD,
            version=shown,
        )
    shown = platform.python_version()
    return fine(Code.PYTHON, f"Python {shown} runs.", Kind.PYTHON_NEW, version=shown)


def check_data_dir(folder: Path, *, in_use: bool = False) -> list[Finding]:
    """Tell whether the data directory can be written and is closed to others.

    A gateway that asks about its own has it `in_use`: then it must be there.
    """
    path = str(folder)
    try:
        if not folder.exists():
            return [_gone(path) if in_use else _check_missing(folder)]
    except OSError as fault:
        why = fault.strerror or "it does not say why"
        cure = "Give this user access to the folders above, or choose another with --data."
        message = f"{folder} cannot be looked at: {why}."
        return [error(Code.DATA_DIR, message, cure, Kind.FOLDER_HIDDEN, path=path, why=why)]
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return [
            error(
                Code.DATA_DIR,
                f"The data directory {folder} cannot be written.",
                "Give it to this user with `chown`, or choose another with --data.",
                Kind.FOLDER_LOCKED,
                path=path,
            )
        ]
    return [_check_mode(Code.DATA_DIR, folder, 0o700), *_check_files(folder), check_disk(folder)]


def check_disk(folder: Path) -> Finding:
    """Tell whether there is room for records and logs."""
    free = shutil.disk_usage(folder).free
    room = str(free // (1024 * 1024))
    message = f"{room} MiB are free where {folder} lies."
    cure = "Delete what is not needed, or move the data directory with --data."
    if free >= LOW_DISK:
        return fine(Code.DISK, message, Kind.DISK, free=room, path=str(folder))
    judge = error if free < FULL_DISK else warning
    return judge(Code.DISK, message, cure, Kind.DISK, free=room, path=str(folder))


def _gone(path: str) -> Finding:
    return error(
        Code.DATA_DIR,
        f"The data directory {path} is gone, and what lay in it.",
        "Restore it from a backup before the gateway is started again.",
        Kind.FOLDER_GONE,
        path=path,
    )


def _check_missing(folder: Path) -> Finding:
    parent = next((each for each in folder.absolute().parents if each.exists()), Path("/"))
    path = str(folder)
    if os.access(parent, os.W_OK | os.X_OK):
        message = f"The data directory {folder} is made at the first start."
        return fine(Code.DATA_DIR, message, Kind.FOLDER_TO_COME, path=path)
    return error(
        Code.DATA_DIR,
        f"The data directory {folder} cannot be made, as {parent} cannot be written.",
        "Choose another with --data or INTERLOCK_DATA_DIR.",
        Kind.FOLDER_IMPOSSIBLE,
        path=path,
    )


def _check_files(folder: Path) -> list[Finding]:
    files = ((Code.MASTER_KEY, MASTER_KEY), (Code.CREDENTIALS, CREDENTIALS))
    return [
        _check_mode(code, folder / name, 0o600) for code, name in files if (folder / name).exists()
    ]


def _check_mode(code: Code, path: Path, wanted: int) -> Finding:
    mode = stat.S_IMODE(path.stat().st_mode)
    if not mode & _OTHERS:
        message = f"{path} is closed to other users."
        return fine(code, message, Kind.CLOSED, path=str(path))
    # The gateway refuses to start on an open key, and commands refuse open credentials.
    judge = warning if code is Code.DATA_DIR else error
    command = f"chmod {wanted:o} {path}"
    return judge(
        code,
        f"{path} is open to other users (mode {mode:04o}).",
        f"Close it with: {command}",
        Kind.OPEN,
        path=str(path),
        mode=f"{mode:04o}",
        command=command,
    )
