"""`interlock servers …`: the servers of a project."""

from typing import Annotated, Any

import typer

from interlock.cli.options import YesOption
from interlock.cli.rest import LONG_TIMEOUT
from interlock.cli.session import Session, gateway_command
from interlock.errors import BadInput
from interlock.protocol.json import JSONObject, as_list, as_object

app = typer.Typer(no_args_is_help=True, help="The servers of a project.")

Name = Annotated[str, typer.Argument(help="The server's name.")]
Pairs = list[str] | None


@gateway_command(app, "list")
def list_servers(session: Session) -> None:
    """List the servers with their state."""
    servers = session.gateway.list("servers")
    session.screen.document({"servers": servers})
    session.screen.table(
        ("SERVER", "TRANSPORT", "STATE", "TOOLS", "MS", "WHY"),
        [
            (
                each.get("name"),
                each.get("transport"),
                each.get("status"),
                each.get("tool_count"),
                _rounded(each.get("response_ms")),
                each.get("reason") or each.get("last_error"),
            )
            for each in servers
        ],
    )
    if not servers:
        session.screen.note("There are no servers; add one with `interlock servers add`.")


@gateway_command(app, "add", has_own_url=True)
def add_server(  # noqa: PLR0913 - Each option of a command line is a parameter.
    session: Session,
    *,
    name: Name,
    command: Annotated[
        list[str] | None,
        typer.Argument(help="The command that starts it, after --.", show_default=False),
    ] = None,
    url: Annotated[
        str | None, typer.Option("--url", help="The address of a server that runs elsewhere.")
    ] = None,
    env: Annotated[Pairs, typer.Option("--env", help="NAME=VALUE for its environment.")] = None,
    header: Annotated[Pairs, typer.Option("--header", help="NAME=VALUE sent to it.")] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", help="Seconds that a call may take.")
    ] = None,
    cwd: Annotated[str | None, typer.Option("--cwd", help="The folder it is started in.")] = None,
    kind: Annotated[
        str | None, typer.Option("--type", help="stdio, streamable-http or sse.")
    ] = None,
) -> None:
    """Add a server: `add NAME -- COMMAND ARGS…` to host one, or `add NAME --url URL`."""
    if bool(command) == (url is not None):
        raise BadInput(
            "Say how the server is reached: either `-- COMMAND ARGS…` or --url, and not both."
        )
    body: JSONObject = {"name": name, "type": kind, "url": url, "cwd": cwd, "timeout": timeout}
    if command:
        body |= {"command": command[0], "args": command[1:]}
    body["env"] = _pairs(env, "--env")
    body["headers"] = _pairs(header, "--header")
    body = {key: value for key, value in body.items() if value is not None}
    with session.screen.working(f"Adding {name} …"):
        added = session.gateway.object("POST", "servers", body=body, timeout=LONG_TIMEOUT)
    session.screen.document(added)
    session.screen.say(f"Added {name}, which is {added.get('status')}.")
    session.screen.note(f"See whether it answers with `interlock servers test {name}`.")


@gateway_command(app, "remove")
def remove_server(session: Session, *, name: Name, yes: YesOption = False) -> None:
    """Remove a server."""
    server = session.gateway.object("GET", "servers", name)
    if not yes:
        session.screen.ask(f"{_destroys(server)} Remove it?")
    session.gateway.call("DELETE", "servers", name)
    session.screen.document({"removed": name})
    session.screen.say(f"Removed {name}.")


@gateway_command(app, "test")
def test_server(session: Session, *, name: Name) -> int:
    """Connect to a server and read its tools."""
    with session.screen.working(f"Testing {name} …"):
        found = session.gateway.object("POST", "servers", name, "test", timeout=LONG_TIMEOUT)
    session.screen.document(found)
    if not found.get("ok"):
        session.screen.say(f"{name} failed: {found.get('error')}", "red")
        return 1
    info = as_object(found.get("server_info")) or {}
    about = " ".join(str(info[key]) for key in ("name", "version") if info.get(key))
    session.screen.say(
        f"{name} answers in {_rounded(found.get('latency_ms'))} ms: {about or 'unnamed'}, "
        f"protocol {found.get('protocol_version')}, {found.get('tool_count')} tools."
    )
    return 0


@gateway_command(app, "logs")
def show_logs(
    session: Session,
    *,
    name: Name,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=1, max=1000, help="How many, newest last.")
    ] = 200,
) -> None:
    """Show what a hosted server wrote to stderr."""
    answer = session.gateway.object("GET", "servers", name, "logs", params={"lines": lines})
    session.screen.document(answer)
    for each in as_list(answer.get("lines")) or []:
        line = as_object(each) or {}
        session.screen.say(f"{line.get('time')}  {line.get('text')}")


@gateway_command(app, "log-level")
def log_level(
    session: Session,
    *,
    name: Name,
    level: Annotated[
        str | None,
        typer.Argument(help="debug, info, warning, error, or default.", show_default=False),
    ] = None,
) -> None:
    """Show or change from which level up the gateway logs what is about a server."""
    if level is None:
        found = session.gateway.object("GET", "servers", name, "log-level")
    else:
        body: JSONObject = {"level": None if level == "default" else level}
        found = session.gateway.object("PUT", "servers", name, "log-level", body=body)
    session.screen.document(found)
    shown = found.get("level") or "the general level"
    session.screen.say(f"What is about {name} is logged from {shown} up.")


@gateway_command(app, "enable")
def enable_server(session: Session, *, name: Name) -> None:
    """Start a disabled server again."""
    _act(session, name, "enable")


@gateway_command(app, "disable")
def disable_server(session: Session, *, name: Name) -> None:
    """Stop a server and keep its definition."""
    _act(session, name, "disable")


@gateway_command(app, "restart")
def restart_server(session: Session, *, name: Name) -> None:
    """Start a server anew."""
    _act(session, name, "restart")


def _act(session: Session, name: str, action: str) -> None:
    with session.screen.working(f"{action.capitalize()} {name} …"):
        server = session.gateway.object("POST", "servers", name, action, timeout=LONG_TIMEOUT)
    session.screen.document(server)
    session.screen.say(f"{name} is {server.get('status')}.")


def _destroys(server: JSONObject) -> str:
    secrets = [*_names(server, "env_names"), *_names(server, "header_names")]
    kept = f", with the stored values of {', '.join(secrets)}" if secrets else ""
    return (
        f"This destroys the definition of {server.get('name')} ({server.get('transport')}, "
        f"{server.get('tool_count')} tools){kept}; its clients lose these tools at once."
    )


def _names(server: JSONObject, key: str) -> list[str]:
    return [str(name) for name in as_list(server.get(key)) or []]


def _pairs(given: Pairs, option: str) -> dict[str, str] | None:
    if not given:
        return None
    pairs: dict[str, str] = {}
    for pair in given:
        name, is_pair, value = pair.partition("=")
        if not name or not is_pair:
            # The value may be a secret, so that it is not repeated here.
            raise BadInput(f"{option} takes NAME=VALUE; one of them has no name or no `=`.")
        pairs[name] = value
    return pairs


def _rounded(milliseconds: Any) -> int | None:
    return round(milliseconds) if isinstance(milliseconds, int | float) else None
