"""What every command that talks to a gateway has in common: its options, and what they open."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeAlias

import typer

from interlock.cli.options import (
    DataOption,
    GatewayOption,
    JSONOption,
    KeyOption,
    ProjectOption,
    URLOption,
)
from interlock.cli.rest import Gateway
from interlock.cli.screen import Screen
from interlock.cli.target import find_target

_P = ParamSpec("_P")

_COMMON: tuple[tuple[str, Any, Any], ...] = (
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


def gateway_command(
    app: typer.Typer, name: str, *, has_own_url: bool = False
) -> Callable[[Run[_P]], Run[_P]]:
    """Add a function to `app` as a command that is handed a session with the chosen gateway.

    The function's other parameters become options and arguments, beside the common ones. With
    `has_own_url` its `--url` is another address, and the gateway's is `--gateway` alone.
    """
    where = ("gateway_url", GatewayOption if has_own_url else URLOption, None)
    shared = (where, *_COMMON)

    def register(run: Run[_P]) -> Run[_P]:
        _, *own = inspect.signature(run).parameters.values()
        call: Callable[..., int | None] = run

        def command(**values: Any) -> int | None:
            common = {name: values.pop(name) for name, _, _ in shared}
            screen = Screen(as_json=common.pop("as_json"))
            url = common.pop("gateway_url")
            with Gateway(find_target(url=url, **common)) as gateway:
                return call(Session(gateway, screen), **values)

        parameters = [_keyword(each.name, each.annotation, each.default) for each in own]
        parameters += [_keyword(*each) for each in shared]
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
