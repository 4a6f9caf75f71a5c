"""The program's entry: the list of commands, each loaded when it is called, and how they end."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

from interlock.errors import InterlockError, RPCError

# The module of each command, and its line in the help.
COMMANDS = {
    "up": ("interlock.cli.up", "Start the gateway."),
    "import": ("interlock.cli.importing", "Take over the servers of a client's configuration."),
    "servers": ("interlock.cli.servers", "List, add, test and watch servers."),
    "tools": ("interlock.cli.tools", "List tools and call them."),
    "keys": ("interlock.cli.keys", "Make, list and revoke API keys."),
    "export": ("interlock.cli.export", "Write the configuration that connects a client."),
    "connect": ("interlock.cli.connect", "Bridge a client that speaks stdio only to a gateway."),
    "doctor": ("interlock.cli.doctor", "Find what is wrong, and say what to do about it."),
    "version": ("interlock.cli.version", "Print the version."),
}


class LateCommand(TyperCommand):
    """A command that is known by name and imported once it is called."""

    def __init__(self, name: str, module: str, line: str) -> None:
        super().__init__(name=name, help=line, callback=None)
        self._module = module

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> Any:
        """Load the command and let it read its own arguments."""
        command = get_command(importlib.import_module(self._module).app)
        return command.make_context(info_name, args, *rest, **extra)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the status that the program ends with.

    0 is success, 1 a failure, 2 wrong usage, 130 an interrupt.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(arguments)
    except typer.TyperException as error:
        return _misused(error, arguments)
    except typer.Abort:
        return _end("aborted", "Nothing was done, as the question was not answered with yes.", 1)
    except (InterlockError, RPCError) as error:
        return _failed(error)
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # The last edge: a user gets a sentence, never a traceback.
        if os.environ.get("INTERLOCK_DEBUG"):
            raise
        return _unforeseen(error)
