"""What a check finds, under a code that stays the same."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is; only an error fails the doctor."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


class Code(StrEnum):
    """One code for each check, for scripts and for searching."""

    PYTHON = "ILK001"
    SETTINGS = "ILK002"
    PORT = "ILK003"
    DATA_DIR = "ILK004"
    MASTER_KEY = "ILK005"
    CREDENTIALS = "ILK006"
    DISK = "ILK007"
    GATEWAY = "ILK008"
    KEY = "ILK009"
    CLOCK = "ILK010"
    SERVER = "ILK011"
    COMMAND = "ILK012"


class Kind(StrEnum):
    """What exactly was found, for programs that say it in words of their own."""

    PYTHON_NEW = "python_new"
    PYTHON_OLD = "python_old"
    FOLDER_HIDDEN = "folder_hidden"
    FOLDER_TO_COME = "folder_to_come"
    FOLDER_IMPOSSIBLE = "folder_impossible"
    FOLDER_GONE = "folder_gone"
    FOLDER_LOCKED = "folder_locked"
    CLOSED = "closed"
    OPEN = "open"
    DISK = "disk"
    READY = "ready"
    NOT_READY = "not_ready"
    SERVER = "server"
    COMMAND_FOUND = "command_found"
    COMMAND_MISSING = "command_missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result, with what to do about it where it is not fine.

    `kind` and `facts`, the values that the message names, are there where the gateway itself can
    find it too; `kind` is None for what only a look from outside finds.
    """

    code: Code
    level: Level
    message: str
    cure: str = ""
    kind: Kind | None = None
    facts: Mapping[str, str] = field(default_factory=dict[str, str])


def fine(code: Code, message: str, kind: Kind | None = None, **facts: str) -> Finding:
    """Return a finding that needs nothing."""
    return Finding(code, Level.OK, message, kind=kind, facts=facts)


def warning(code: Code, message: str, cure: str, kind: Kind | None = None, **facts: str) -> Finding:
    """Return a finding that may become a problem."""
    return Finding(code, Level.WARNING, message, cure, kind, facts)


def error(code: Code, message: str, cure: str, kind: Kind | None = None, **facts: str) -> Finding:
    """Return a finding that keeps something from working."""
    return Finding(code, Level.ERROR, message, cure, kind, facts)
