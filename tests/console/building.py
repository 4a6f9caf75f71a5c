"""The console as these tests use it: built, with the tools that its packages bring."""

import functools
import importlib
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
CONSOLE = ROOT / "console"


@functools.cache
def load(name: str) -> ModuleType:
    """Load one of the scripts beside the console's sources."""
    if str(CONSOLE) not in sys.path:
        sys.path.append(str(CONSOLE))
    return importlib.import_module(name)


def builder() -> ModuleType:
    """Load the program that builds the console."""
    return load("build")


@functools.cache
def built() -> Path:
    """Return the folder of the built console, built first if need be."""
    builder().build()
    return CONSOLE / "dist"


def node_command(program: str) -> list[str]:
    """Return the command that runs a program of the console's packages."""
    builder().install()
    node = builder().node_folder() / "bin" / "node"
    return [str(node), str(CONSOLE / "node_modules" / ".bin" / program)]


def node_environment() -> dict[str, str]:
    """Return this process's environment with the Node of that command ahead of any other."""
    return builder().environment()
