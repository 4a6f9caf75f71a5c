"""The control API of servers: register, change, test, watch, read what they offer."""

from dataclasses import replace
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from interlock.errors import BadInput
from interlock.identity.gate import Gate, ProjectAccess
from interlock.identity.principal import Role
from interlock.policy.access import may_call, may_see
from interlock.protocol.json import JSONObject, as_object, loads_strict
from interlock.registry.editing import Edit, amended, changes_in, read_definition, replaced
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

_SERVERS = "/projects/{project}/servers"
_SERVER = "/projects/{project}/servers/{server}"
_MAX_LINES = 1000


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
        return _shown(registry, access, find_seen(registry, access, server))

    @router.patch(_SERVER)
    async def change_server(
        server: str, request: Request, access: ProjectAccess = Depends(gate.project(Role.OWNER))
    ) -> ServerView:
        """Change some fields of a server; a secret given as `***` stays as it is."""
        found = registry.find(access.project.id, server)
        return await _changed(registry, found, amended(changes_in(await json_body(request))))

    @router.put(_SERVER)
    async def replace_server(
        server: str, request: Request, access: ProjectAccess = Depends(gate.project(Role.OWNER))
    ) -> ServerView:
        """Give a server another definition."""
        found = registry.find(access.project.id, server)
        return await _changed(registry, found, replaced(await json_body(request)))

    @router.delete(_SERVER, status_code=HTTPStatus.NO_CONTENT)
    async def remove_server(
        server: str, access: ProjectAccess = Depends(gate.project(Role.OWNER))
    ) -> None:
        """Stop a server and forget it."""
        await registry.remove(registry.find(access.project.id, server))


def _actions(router: APIRouter, registry: Registry, gate: Gate) -> None:
    async def switch(access: ProjectAccess, name: str, *, disabled: bool) -> ServerView:
        found = registry.find(access.project.id, name)
        return await _changed(registry, found, amended({"disabled": disabled}))

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
        return offers(registry, find_seen(registry, access, name), kind)

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


def find_seen(registry: Registry, access: ProjectAccess, name_or_id: str) -> Server:
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
    tools = offers(registry, server, "tools")

    def sees(tool: str) -> bool:
        return may_call(limits, server.definition, tool)

    return view.model_copy(
        update={
            "tool_count": sum(sees(str(tool.get("name"))) for tool in tools),
            "auto_approve": [tool for tool in view.auto_approve if sees(tool)],
            "tool_timeouts": {
                name: each for name, each in view.tool_timeouts.items() if sees(name)
            },
            "disabled_tools": [],
        }
    )


def offers(registry: Registry, server: Server, kind: Any) -> list[JSONObject]:
    """Return what a server offers of one kind, as last seen."""
    runner = registry.runner(server)
    catalogue = runner.catalogue if runner is not None else server.catalogue
    return list(catalogue.items.get(kind, ())) if catalogue is not None else []


async def json_body(request: Request) -> JSONObject:
    """Return the body of a request as an object. Raises BadInput."""
    body = as_object(loads_strict(await request.body()))
    if body is None:
        raise BadInput("The body must be a JSON object.")
    return body


async def _changed(registry: Registry, found: Server, edit: Edit) -> ServerView:
    changed = await registry.change(found, edit)
    return ServerView.of(changed, registry.runner(changed))
