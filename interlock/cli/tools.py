"""`interlock tools …`: what the servers offer, calling it, and switching it off and on."""

import json
from typing import Annotated
from urllib.parse import quote

import typer

from interlock.cli.arguments import read_arguments
from interlock.cli.asking import answers_to
from interlock.cli.calls import Hear, ToolCall, ToolEndpoint
from interlock.cli.screen import Screen, Tell
from interlock.cli.session import Session, gateway_command
from interlock.errors import NotFound
from interlock.protocol.headers import HeaderParam, InvalidAnnotation, header_params
from interlock.protocol.json import JSONObject, as_list, as_object

app = typer.Typer(no_args_is_help=True, help="List tools, call them, switch them off and on.")

Name = Annotated[str, typer.Argument(help="The tool, as `tools list --all` names it.")]
ServerOption = Annotated[
    str | None, typer.Option("--server", help="Only this server, under its tools' own names.")
]


@gateway_command(app, "list")
def list_tools(
    session: Session,
    *,
    server: ServerOption = None,
    every: Annotated[
        bool, typer.Option("--all", help="List those that are switched off, too.")
    ] = False,
) -> None:
    """List the tools that clients see."""
    if every:
        _list_all(session, server)
        return
    with session.screen.working("Listing tools …"):
        tools = _endpoint(session, server).list_tools()
    session.screen.document({"tools": tools})
    session.screen.table(
        ("TOOL", "WHAT IT DOES"), [(each.get("name"), _first_line(each)) for each in tools]
    )
    if not tools:
        session.screen.note("There are no tools; see how the servers are: `interlock servers list`")


@gateway_command(app, "call")
def call_tool(
    session: Session,
    *,
    name: Annotated[str, typer.Argument(help="The tool, as `tools list` names it.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="key=value …, one JSON object, or - for stdin.")
    ] = None,
    server: ServerOption = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="Seconds until the call is given up.")
    ] = 300.0,
) -> int:
    """Call a tool and print what it answers; the status is 1 where the tool reports an error."""
    endpoint, screen = _endpoint(session, server), session.screen
    schema = _schema(endpoint, name)
    call = ToolCall(name, read_arguments(arguments or [], schema), _mirrored(schema), timeout)
    with screen.working(f"Calling {name} …") as tell:

        def answer(questions: JSONObject) -> JSONObject:
            with tell.paused():
                return answers_to(questions, screen, name)

        result = endpoint.call(call, _watch(screen, tell, name), answer)
    screen.document(result)
    return _show(screen, result)


@gateway_command(app, "enable")
def enable_tool(session: Session, *, name: Name, server: ServerOption = None) -> None:
    """Switch a tool on again."""
    _switch(session, name, server, enabled=True)


@gateway_command(app, "disable")
def disable_tool(session: Session, *, name: Name, server: ServerOption = None) -> None:
    """Switch a tool off: no client sees it or can call it."""
    _switch(session, name, server, enabled=False)


def _switch(session: Session, name: str, server: str | None, *, enabled: bool) -> None:
    place = (server, name) if server is not None else _place_of(session, name)
    body: JSONObject = {"enabled": enabled}
    state = session.gateway.object("PUT", "servers", place[0], "tools", place[1], body=body)
    session.screen.document({"server": place[0], "tool": place[1], **state})
    session.screen.say(f"{name} is switched {'on' if enabled else 'off'}.")


def _place_of(session: Session, name: str) -> tuple[str, str]:
    for tool in _every(session, None):
        if tool.get("exposed_name") == name:
            return str(tool.get("server")), str(tool.get("own_name"))
    raise NotFound(
        f"There is no tool {name!r}; `interlock tools list --all` names all that there are."
    )


def _list_all(session: Session, server: str | None) -> None:
    with session.screen.working("Listing tools …"):
        tools = _every(session, server)
    session.screen.document({"tools": tools})
    called = "exposed_name" if server is None else "own_name"
    session.screen.table(
        ("TOOL", "STATE", "WHAT IT DOES"),
        [
            (each.get(called), "on" if each.get("enabled") else "off", _first_line(each))
            for each in tools
        ],
    )


def _every(session: Session, server: str | None) -> list[JSONObject]:
    place = ("tools",) if server is None else ("servers", server, "tools")
    answer = session.gateway.object("GET", *place, params={"include_disabled": "true"})
    return [tool for each in as_list(answer.get("tools")) or [] if (tool := as_object(each))]


def _endpoint(session: Session, server: str | None) -> ToolEndpoint:
    target = session.gateway.target
    steps = [target.project, *([server] if server is not None else [])]
    path = "/".join(quote(step, safe="") for step in steps)
    return ToolEndpoint(session.gateway.client, f"{target.url}/mcp/{path}")


def _schema(endpoint: ToolEndpoint, name: str) -> JSONObject:
    """Return the input schema of a tool, or an empty one where it is not listed."""
    for tool in endpoint.list_tools():
        if tool.get("name") == name:
            return as_object(tool.get("inputSchema")) or {}
    return {}


def _mirrored(schema: JSONObject) -> tuple[HeaderParam, ...]:
    try:
        return header_params(schema)
    except InvalidAnnotation:
        # The gateway knows best whether it takes such a tool, and says so.
        return ()


def _watch(screen: Screen, tell: Tell, name: str) -> Hear:
    def hear(method: str, params: JSONObject) -> None:
        if method == "notifications/progress":
            total = f" of {params['total']:g}" if "total" in params else ""
            message = f": {params['message']}" if params.get("message") else ""
            tell(f"Calling {name} … {params.get('progress', 0):g}{total}{message}")
        elif method == "notifications/message":
            screen.note(f"{params.get('level', 'log')}: {params.get('data')}")

    return hear


def _show(screen: Screen, result: JSONObject) -> int:
    texts: list[str] = []
    for block in as_list(result.get("content")) or []:
        texts.append(_rendered(as_object(block) or {}))
        screen.say(texts[-1])
    structured = result.get("structuredContent")
    if structured is not None and not _is_repeated(structured, texts):
        screen.say(json.dumps(structured, ensure_ascii=False, indent=2))
    if result.get("isError"):
        screen.note("The tool reports that it failed.", "red")
        return 1
    return 0


def _rendered(block: JSONObject) -> str:
    match block.get("type"):
        case "text":
            return str(block.get("text", ""))
        case "image" | "audio" as kind:
            size = len(str(block.get("data", ""))) * 3 // 4
            return f"[{kind}, {block.get('mimeType')}, {size} bytes; --json prints it]"
        case "resource":
            resource = as_object(block.get("resource")) or {}
            return str(resource.get("text") or f"[resource {resource.get('uri')}]")
        case "resource_link":
            return f"[resource {block.get('uri')}]"
        case kind:
            return f"[content of the kind {kind}; --json prints it]"


def _is_repeated(structured: object, texts: list[str]) -> bool:
    """Tell whether a text is the structured content once more, as the protocol advises."""
    for text in texts:
        try:
            if json.loads(text) == structured:
                return True
        except ValueError:
            continue
    return False


def _first_line(tool: JSONObject) -> str:
    text = str(tool.get("description") or tool.get("title") or "")
    return text.strip().partition("\n")[0]
