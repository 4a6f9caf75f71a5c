"""The control API of tools: list those of a server or of all, and switch single ones off and on."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from interlock.errors import NotFound
from interlock.gateway.aggregation import overlaid
from interlock.gateway.limited import limited
from interlock.gateway.naming import prefixed
from interlock.gateway.table import ProjectEntry, View
from interlock.identity.gate import Gate, ProjectAccess
from interlock.identity.principal import Role
from interlock.policy.access import Offering, may_call, switched_off_by
from interlock.protocol.json import JSONObject
from interlock.registry.api import find_seen, offers
from interlock.registry.editing import switched
from interlock.registry.entities import Server
from interlock.registry.registry import Registry

_TOOLS = "/projects/{project}/servers/{server}/tools"


class Tools(BaseModel):
    """Tools with their schemas; `exposed_name` is the name at the unified endpoint.

    `own_name` is the server's own name of a tool, and `enabled` tells whether the tool is on. One
    that is off exists for no client; `disabled_by` is the pattern that switches it off, or else its
    own name.
    """

    tools: list[dict[str, Any]]


class ToolSwitch(BaseModel):
    """Whether a tool is on."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool = Field(strict=True)


def routes(registry: Registry, gate: Gate) -> APIRouter:
    """Return the routes of tools."""
    router = APIRouter(prefix="/api/v1", tags=["servers"])
    _lists(router, registry, gate)

    @router.put(f"{_TOOLS}/{{tool:path}}")
    async def switch_tool(
        server: str,
        tool: str,
        body: ToolSwitch,
        access: ProjectAccess = Depends(gate.project(Role.OWNER)),
    ) -> ToolSwitch:
        """Switch a tool, given by the server's own name for it, off or on again for everybody.

        Calls under way go on. A tool that a pattern in `disabled_tools` switches off cannot be
        switched on by itself.
        """
        found = registry.find(access.project.id, server)
        if not _is_known(registry, found, tool):
            raise NotFound(
                f"The server {found.definition.name!r} offers no tool {tool!r}; give the server's "
                "own name for it, or write it into disabled_tools of the server beforehand."
            )
        await registry.change(found, switched(tool, enabled=body.enabled))
        return body

    return router


def _lists(router: APIRouter, registry: Registry, gate: Gate) -> None:
    with_disabled = Query(
        default=False,
        description="list tools that are switched off, too; never to a key with limits",
    )

    @router.get(_TOOLS)
    async def list_tools(
        server: str,
        access: ProjectAccess = Depends(gate.project(Role.REPORTER, limited=True)),
        *,
        include_disabled: bool = with_disabled,
    ) -> Tools:
        """List a server's tools with their JSON Schemas."""
        found = find_seen(registry, access, server)
        shows_all = include_disabled and access.principal.access is None
        return Tools(tools=list(_of_server(registry, access, found, shows_all=shows_all)))

    @router.get("/projects/{project}/tools")
    async def list_all_tools(
        access: ProjectAccess = Depends(gate.project(Role.REPORTER, limited=True)),
        *,
        include_disabled: bool = with_disabled,
    ) -> Tools:
        """List the tools of all servers, under the names that clients see."""
        project = registry.table.project(access.project.name)
        view = limited(project, project.unified, access.principal.access)
        if include_disabled and access.principal.access is None:
            return Tools(tools=list(_with_disabled(registry, project, view)))
        return Tools(tools=[_shown(view, tool, tool["name"]) for tool in view.lists["tools"]])


def _of_server(
    registry: Registry, access: ProjectAccess, server: Server, *, shows_all: bool
) -> Iterator[JSONObject]:
    limits, definition = access.principal.access, server.definition
    for tool in offers(registry, server, "tools"):
        name = str(tool.get("name"))
        is_on = may_call(limits, definition, name)
        if is_on or shows_all:
            exposed = prefixed(definition.name, name)
            shown = {**tool, "exposed_name": exposed, "server": definition.name, "own_name": name}
            yield {**shown, **_state(definition, name)}


def _with_disabled(registry: Registry, project: ProjectEntry, view: View) -> Iterator[JSONObject]:
    """Yield the tools of a project, those that are off under the names that they would have."""
    runners = (registry.runner(server) for server in registry.servers(project.id))
    servers = {each.entry.name: each.entry for each in runners if each is not None}
    every = tuple(replace(each, disabled_tools=()) for each in servers.values())
    whole = overlaid(project, replace(view, servers=every), {})
    listed = {tool["name"]: tool for tool in view.lists["tools"]}
    names = {_place(view, name): name for name in listed}
    for tool in whole.lists["tools"]:
        server, own_name = place = _place(whole, tool["name"])
        if place in names:
            yield _shown(view, listed[names[place]], names[place])
        elif not may_call(None, servers[server], own_name):
            # A plain name may be another tool's as long as this one does not claim it.
            name = prefixed(*place) if tool["name"] in listed else tool["name"]
            shown = _shown(whole, tool, tool["name"])
            state = _state(servers[server], own_name)
            yield {**shown, "name": name, "exposed_name": name, **state}


def _shown(view: View, tool: JSONObject, name: str) -> JSONObject:
    server, own_name = _place(view, name)
    return {**tool, "exposed_name": name, "server": server, "own_name": own_name, "enabled": True}


def _state(server: Offering, tool: str) -> JSONObject:
    if may_call(None, server, tool):
        return {"enabled": True}
    others = (each for each in server.disabled_tools if each != tool)
    return {"enabled": False, "disabled_by": switched_off_by(others, tool) or tool}


def _place(view: View, name: str) -> tuple[str, str]:
    target = view.tools[name]
    return target.server.name, target.name


def _is_known(registry: Registry, server: Server, tool: str) -> bool:
    offered = (each.get("name") for each in offers(registry, server, "tools"))
    return tool in server.definition.disabled_tools or tool in offered
