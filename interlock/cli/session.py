"""What every command that talks to a gateway has in common: its options, and what they open."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, TypeAlias

import typer

from interlock.cli.rest import Gateway
from interlock.cli.screen import Screen
from interlock.cli.target import find_target

_P = ParamSpec("_P")

URLOption: TypeAlias = Annotated[
    str | None, typer.Option("--url", help="The gateway's address (or INTERLOCK_URL).")
]
KeyOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--key", help="The API key (or INTERLOCK_KEY, which no process list shows)."),
]
ProjectOption: TypeAlias = Annotated[
    str | None, typer.Option("--project", help="The project (or INTERLOCK_PROJECT).")
]
DataOption: TypeAlias = Annotated[
    Path | None, typer.Option("--data", help="The data directory of the gateway on this machine.")
]
JSONOption: TypeAlias = Annotated[
    bool, typer.Option("--json", help="Print one JSON document, also for an error.")
]
YesOption: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

_COMMON: tuple[tuple[str, Any, Any], ...] = (
    ("url", URLOption, None),
    ("key", KeyOption, None),
    ("project", ProjectOption, None),
    ("data", DataOption, None),
    ("as_json", JSONOption, False),
)


@dataclass(frozen=True, slots=True)
class Session:
    """A command's gateway, and where it prints."""

    gateway: Gateway
    screen: Screen


Run: TypeAlias = Callable[Concatenate[Session, _P], int | None]


def gateway_command(app: typer.Typer, name: str) -> Callable[[Run[_P]], Run[_P]]:
    """Add a function to `app` as a command that is handed a session with the chosen gateway.

    The function's other parameters become options and arguments, beside the common ones.
    """

    def register(run: Run[_P]) -> Run[_P]:
        _, *own = inspect.signature(run).parameters.values()

        def command(**values: Any) -> int | None:
            common = {name: values.pop(name) for name, _, _ in _COMMON}
            screen = Screen(as_json=common.pop("as_json"))
            with Gateway(find_target(**common)) as gateway:
                return run(Session(gateway, screen), **values)

        parameters = [_keyword(each.name, each.annotation, each.default) for each in own]
        parameters += [_keyword(*each) for each in _COMMON]
        command.__doc__ = run.__doc__
        command.__annotations__ = {each.name: each.annotation for each in parameters}
        # typer reads the options from here.
        command.__dict__["__signature__"] = inspect.Signature(parameters)
        app.command(name)(command)
        return run

    return register


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default
    )
