"""What a check finds, under a code that stays the same."""

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Finding:
    """One result, with what to do about it where it is not fine."""

    code: Code
    level: Level
    message: str
    cure: str = ""


def fine(code: Code, message: str) -> Finding:
    """Return a finding that needs nothing."""
    return Finding(code, Level.OK, message)


def warning(code: Code, message: str, cure: str) -> Finding:
    """Return a finding that may become a problem."""
    return Finding(code, Level.WARNING, message, cure)


def error(code: Code, message: str, cure: str) -> Finding:
    """Return a finding that keeps something from working."""
    return Finding(code, Level.ERROR, message, cure)
