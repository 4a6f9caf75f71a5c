"""The control API of servers: register, change, test, watch, read what they offer."""

from dataclasses import asdict, replace
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from interlock.errors import BadInput
from interlock.gateway.limited import limited
from interlock.gateway.naming import prefixed
from interlock.identity.gate import Gate, ProjectAccess
from interlock.identity.principal import Role
from interlock.policy.access import may_call, may_see
from interlock.protocol.json import JSONObject, as_object, loads_strict
from interlock.registry.config import definition_from_fields
from interlock.registry.entities import Server
from interlock.registry.importing import Importer, ImportResult, environment
from interlock.registry.registry import Registry, no_server
from interlock.registry.views import (
    HealthView,
    LogLineView,
    ServerView,
    TrialView,
    merged_target,
)
from interlock.settings import LogLevel
from interlock.upstreams.definition import ServerDefinition, StdioTarget

_SERVERS = "/projects/{project}/servers"
_SERVER = "/projects/{project}/servers/{server}"
_MAX_LINES = 1000
_REMOTE = ("url", "urls", "headers", "retries", "connections")


class ImportBody(BaseModel):
    """A configuration as some client writes it.

    `variables` stand for what the file names as `${…}` and go before our own environment.
    """

    model_config = ConfigDict(extra="forbid")

    text: str = Field(max_length=1024 * 1024)
    source: str = ""
    dry_run: bool = False
    variables: dict[str, str] = Field(default_factory=dict, repr=False)


class Items(BaseModel):
    """What a server offers, each item as the server describes it."""

    items: list[dict[str, Any]]


class Tools(BaseModel):
    """A server's tools with their schemas; `exposed_name` is the name at the unified endpoint."""

    tools: list[dict[str, Any]]


class Health(BaseModel):
    """How every server of a project is."""

    servers: list[HealthView]


class LogLevelOf(BaseModel):
    """From which level up is logged what is about a server; null: from the general level up."""

    model_config = ConfigDict(extra="forbid")

    level: LogLevel | None


class Logs(BaseModel):
    """The newest lines of a server's stderr, oldest first."""

    lines: list[LogLineView]


def routes(registry: Registry, gate: Gate) -> APIRouter:
    """Return the routes of servers."""
    router = APIRouter(prefix="/api/v1", tags=["servers"])
    _collection(router, registry, gate)
    _item(router, registry, gate)
    _actions(router, registry, gate)
    _offers(router, registry, gate)
    return router


def _collection(router: APIRouter, registry: Registry, gate: Gate) -> None:
    importer = Importer(registry)

    @router.get(_SERVERS)
    async def list_servers(
        access: ProjectAccess = Depends(gate.project(Role.REPORTER, limited=True)),
    ) -> list[ServerView]:
        """List the servers of a project in the order in which they were registered."""
        return [_shown(registry, access, each) for each in _seen(registry, access)]

    @router.post(_SERVERS, status_code=HTTPStatus.CREATED)
    async def add_server(
        request: Request, access: ProjectAccess = Depends(gate.project(Role.OWNER))
    ) -> ServerView:
        """Register a server and start it. Owners only, for it may name a command."""
        definition = read_definition(await json_body(request))
        server = await registry.add(access.project.id, definition)
        return ServerView.of(server, registry.runner(server))

    @router.post(f"{_SERVERS}/test")
    async def test_definition(
        request: Request,
        like: str | None = Query(None, description="the server whose secrets `***` stands for"),
        access: ProjectAccess = Depends(gate.project(Role.OWNER)),
    ) -> TrialView:
        """Try a server without registering it."""
        body = await json_body(request)
        definition = read_definition({"name": "the server", **body})
        if like is not None:
            found = registry.find(access.project.id, like)
            target = merged_target(found.definition.target, definition.target)
            definition = replace(definition, target=target)
        return TrialView.of(await registry.test(definition))

    @router.post("/projects/{project}/import")
    async def import_servers(
        body: ImportBody, access: ProjectAccess = Depends(gate.project(Role.OWNER))
    ) -> ImportResult:
        """Register the servers of a client's configuration; with `dry_run` only say what would."""
        environ = {**environment(), **body.variables}
        return await importer.run(
            access.project, body.text, environ, source=body.source, dry_run=body.dry_run
        )


def _item(router: APIRouter, registry: Registry, gate: Gate) -> None:
    @router.get(_SERVER)
    async def show_server(
        server: str, access: ProjectAccess = Depends(gate.project(Role.REPORTER, limited=True))
    ) -> ServerView:
        """Show a server, given by name or id."""
        return _shown(registry, access, _find(registry, access, server))

    @router.patch(_SERVER)
    async def change_server(
        server: str, request: Request, access: ProjectAccess = Depends(gate.project(Role.OWNER))
    ) -> ServerView:
        """Change some fields of a server; a secret given as `***` stays as it is."""
        found = registry.find(access.project.id, server)
        fields = {**fields_of(found.definition), **_snake(await json_body(request))}
        return await _changed(registry, found, fields)

    @router.put(_SERVER)
    async def replace_server(
        server: str, request: Request, access: ProjectAccess = Depends(gate.project(Role.OWNER))
    ) -> ServerView:
        """Give a server another definition."""
        found = registry.find(access.project.id, server)
        body = await json_body(request)
        return await _changed(registry, found, {"name": found.definition.name, **body})

    @router.delete(_SERVER, status_code=HTTPStatus.NO_CONTENT)
    async def remove_server(
        server: str, access: ProjectAccess = Depends(gate.project(Role.OWNER))
    ) -> None:
        """Stop a server and forget it."""
        await registry.remove(registry.find(access.project.id, server))


def _actions(router: APIRouter, registry: Registry, gate: Gate) -> None:
    async def switch(access: ProjectAccess, name: str, *, disabled: bool) -> ServerView:
        found = registry.find(access.project.id, name)
        return await _changed(
            registry, found, {**fields_of(found.definition), "disabled": disabled}
        )

    @router.post(f"{_SERVER}/enable")
    async def enable_server(
        server: str, access: ProjectAccess = Depends(gate.project(Role.OWNER))
    ) -> ServerView:
        """Enable a server and start it."""
        return await switch(access, server, disabled=False)

    @router.post(f"{_SERVER}/disable")
    async def disable_server(
        server: str, access: ProjectAccess = Depends(gate.project(Role.OWNER))
    ) -> ServerView:
        """Disable a server and stop it; calls under way are let finish."""
        return await switch(access, server, disabled=True)

    @router.post(f"{_SERVER}/restart")
    async def restart_server(
        server: str, access: ProjectAccess = Depends(gate.project(Role.OWNER))
    ) -> ServerView:
        """Start a server anew."""
        found = registry.find(access.project.id, server)
        await registry.restart(found)
        return ServerView.of(found, registry.runner(found))

    @router.post(f"{_SERVER}/test")
    async def test_server(
        server: str, access: ProjectAccess = Depends(gate.project(Role.DEVELOPER))
    ) -> TrialView:
        """Open a second connection to a server, read what it offers, and close it."""
        found = registry.find(access.project.id, server)
        return TrialView.of(await registry.test(found.definition))

    @router.get(f"{_SERVER}/logs")
    async def read_logs(
        server: str,
        lines: int = Query(200, ge=1, le=_MAX_LINES),
        access: ProjectAccess = Depends(gate.project(Role.DEVELOPER)),
    ) -> Logs:
        """Read the newest lines that a server wrote to stderr."""
        found = registry.find(access.project.id, server)
        newest = registry.log_of(found).lines(lines)
        return Logs(lines=[LogLineView.of(line) for line in newest])

    _levels(router, registry, gate)


def _levels(router: APIRouter, registry: Registry, gate: Gate) -> None:
    @router.get(f"{_SERVER}/log-level")
    async def show_log_level(
        server: str, access: ProjectAccess = Depends(gate.project(Role.REPORTER))
    ) -> LogLevelOf:
        """Show from which level up is logged what is about a server."""
        found = registry.find(access.project.id, server)
        return LogLevelOf(level=registry.log_levels.get(found.id))

    @router.put(f"{_SERVER}/log-level")
    async def set_log_level(
        server: str,
        body: LogLevelOf,
        access: ProjectAccess = Depends(gate.project(Role.OWNER)),
    ) -> LogLevelOf:
        """Change that, at once and until the gateway ends."""
        found = registry.find(access.project.id, server)
        registry.set_log_level(found, body.level)
        return body


def _offers(router: APIRouter, registry: Registry, gate: Gate) -> None:
    def offered(access: ProjectAccess, name: str, kind: Any) -> list[JSONObject]:
        return offers(registry, _find(registry, access, name), kind)

    @router.get(f"{_SERVER}/tools")
    async def list_tools(
        server: str, access: ProjectAccess = Depends(gate.project(Role.REPORTER, limited=True))
    ) -> Tools:
        """List a server's tools with their JSON Schemas."""
        found = _find(registry, access, server)
        name, limits = found.definition.name, access.principal.access
        tools = [
            tool
            for tool in offers(registry, found, "tools")
            if may_call(limits, name, str(tool.get("name")))
        ]
        return Tools(
            tools=[{**tool, "exposed_name": prefixed(name, str(tool["name"]))} for tool in tools]
        )

    @router.get(f"{_SERVER}/resources")
    async def list_resources(
        server: str, access: ProjectAccess = Depends(gate.project(Role.REPORTER, limited=True))
    ) -> Items:
        """List a server's resources."""
        return Items(items=offered(access, server, "resources"))

    @router.get(f"{_SERVER}/resource-templates")
    async def list_templates(
        server: str, access: ProjectAccess = Depends(gate.project(Role.REPORTER, limited=True))
    ) -> Items:
        """List a server's resource templates."""
        return Items(items=offered(access, server, "resourceTemplates"))

    @router.get(f"{_SERVER}/prompts")
    async def list_prompts(
        server: str, access: ProjectAccess = Depends(gate.project(Role.REPORTER, limited=True))
    ) -> Items:
        """List a server's prompts."""
        return Items(items=offered(access, server, "prompts"))

    @router.get("/projects/{project}/tools")
    async def list_all_tools(
        access: ProjectAccess = Depends(gate.project(Role.REPORTER, limited=True)),
    ) -> Tools:
        """List the tools of all servers, under the names that clients see."""
        project = registry.table.project(access.project.name)
        view = limited(project, project.unified, access.principal.access)
        return Tools(
            tools=[
                {
                    **tool,
                    "exposed_name": tool["name"],
                    "server": view.tools[tool["name"]].server.name,
                }
                for tool in view.lists["tools"]
            ]
        )

    @router.get("/projects/{project}/health")
    async def show_health(
        access: ProjectAccess = Depends(gate.project(Role.REPORTER, limited=True)),
    ) -> Health:
        """Show how every server is, with its last error and response time."""
        found = _seen(registry, access)
        return Health(servers=[HealthView.of(each, registry.runner(each)) for each in found])


def _seen(registry: Registry, access: ProjectAccess) -> list[Server]:
    """Return the servers of a project that exist for the caller."""
    limits = access.principal.access
    found = registry.servers(access.project.id)
    return [each for each in found if may_see(limits, each.definition.name)]


def _find(registry: Registry, access: ProjectAccess, name_or_id: str) -> Server:
    """Return one server that exists for the caller. Raises NotFound."""
    found = registry.find(access.project.id, name_or_id)
    if not may_see(access.principal.access, found.definition.name):
        raise no_server(name_or_id)
    return found


def _shown(registry: Registry, access: ProjectAccess, server: Server) -> ServerView:
    """Return what the caller is shown of a server; nothing of tools that it does not see."""
    view, limits = ServerView.of(server, registry.runner(server)), access.principal.access
    if limits is None:
        return view
    name, tools = server.definition.name, offers(registry, server, "tools")
    seen = sum(may_call(limits, name, str(tool.get("name"))) for tool in tools)
    approved = [tool for tool in view.auto_approve if may_call(limits, name, tool)]
    return view.model_copy(update={"tool_count": seen, "auto_approve": approved})


def offers(registry: Registry, server: Server, kind: Any) -> list[JSONObject]:
    """Return what a server offers of one kind, as last seen."""
    runner = registry.runner(server)
    catalogue = runner.catalogue if runner is not None else server.catalogue
    return list(catalogue.items.get(kind, ())) if catalogue is not None else []


def read_definition(body: JSONObject) -> ServerDefinition:
    """Read a server from an API body. Raises BadInput naming the field."""
    fields = dict(body)
    name = fields.pop("name", None)
    if not isinstance(name, str):
        raise BadInput('"name" is missing; it must be the name of the server.')
    return definition_from_fields(name, fields)


async def json_body(request: Request) -> JSONObject:
    """Return the body of a request as an object. Raises BadInput."""
    body = as_object(loads_strict(await request.body()))
    if body is None:
        raise BadInput("The body must be a JSON object.")
    return body


def fields_of(definition: ServerDefinition) -> JSONObject:
    """Return a definition as the fields that it could be read from again."""
    target = definition.target
    fields: JSONObject = {
        "name": definition.name,
        "type": definition.transport,
        "timeout": definition.timeout,
        "tool_timeouts": dict(definition.tool_timeouts),
        "auto_approve": list(definition.auto_approve),
        "disabled": definition.disabled,
        "description": definition.description,
    }
    if isinstance(target, StdioTarget):
        values = {"command": target.command, "args": list(target.args), "env": dict(target.env)}
        return {**fields, **values, "cwd": target.cwd}
    return {
        **fields,
        "url": target.url,
        "urls": list(target.urls),
        "headers": dict(target.headers),
        "retries": definition.retries,
        "connections": asdict(definition.connections),
    }


def _snake(body: JSONObject) -> JSONObject:
    changed = dict(body)
    for written, name in (("autoApprove", "auto_approve"), ("toolTimeouts", "tool_timeouts")):
        if written in changed:
            changed[name] = changed.pop(written)
    has_address = "url" in changed or "urls" in changed
    if "command" in changed or has_address:
        # Another way to reach the server is another transport, unless the caller says which.
        changed.setdefault("type", None)
        for name in ("command", "args", "env", "cwd", "url", "urls") if has_address else _REMOTE:
            changed.setdefault(name, None)
    return changed


async def _changed(registry: Registry, found: Server, fields: JSONObject) -> ServerView:
    definition = read_definition(fields)
    target = merged_target(found.definition.target, definition.target)
    changed = await registry.change(
        found,
        replace(definition, target=target),
    )
    return ServerView.of(changed, registry.runner(changed))
