"""The program's entry: the list of commands, each loaded when it is called, and how they end."""

import importlib
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from interlock.cli.failures import INTERRUPTED, WRONG_USAGE, Failure, explain
from interlock.cli.visible import visible
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
_DEBUG = "INTERLOCK_DEBUG"


class LateCommand(TyperCommand):
    """A command that is known by name and imported once it is called."""

    def __init__(self, name: str, module: str, line: str) -> None:
        super().__init__(name=name, help=line, callback=None)
        self._module = module

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Load the command and let it read its own arguments."""
        app: typer.Typer = importlib.import_module(self._module).app
        return get_command(app).make_context(info_name, args, parent, **extra)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the status that the program ends with.

    0 is success, 1 a failure, 2 wrong usage, 130 an interrupt.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        status = _root().main(arguments, prog_name="interlock", standalone_mode=False)
    except typer.TyperException as error:
        # An empty message means that the help was printed instead.
        message = error.format_message()
        return _end(_misused(error, message), arguments) if message else WRONG_USAGE
    except typer.Abort:
        return _end(Failure("aborted", "Nothing was done, as nobody said yes."), arguments)
    except (InterlockError, RPCError) as error:
        return _end(explain(error), arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - The last edge: users get a sentence, no traceback.
        return _end(_unforeseen(error), arguments)
    return status if isinstance(status, int) else 0


def _root() -> TyperGroup:
    commands = {name: LateCommand(name, module, line) for name, (module, line) in COMMANDS.items()}
    return TyperGroup(
        name="interlock",
        help="Build, host, connect and govern MCP servers from one place.",
        commands=dict(commands),
        no_args_is_help=True,
    )


def _misused(error: typer.TyperException, message: str) -> Failure:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "interlock"
    sentence = message if message.endswith((".", "?")) else f"{message}."
    return Failure("wrong_usage", f"{sentence} See `{command} --help`.", WRONG_USAGE)


def _unforeseen(error: Exception) -> Failure:
    if os.environ.get(_DEBUG):
        raise error
    return Failure(
        "internal",
        f"Something unforeseen happened ({type(error).__name__}), which is a fault of Interlock; "
        f"set {_DEBUG}=1 to see more, and report it.",
    )


def _end(failure: Failure, arguments: Sequence[str]) -> int:
    if _wants_json(arguments):
        sys.stdout.write(json.dumps(failure.document(), ensure_ascii=False, indent=2) + "\n")
    else:
        for line in visible(failure.message).splitlines():
            sys.stderr.write(f"error: {line}\n")
    return failure.status


def _wants_json(arguments: Sequence[str]) -> bool:
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in own
