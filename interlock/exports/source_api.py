"""The source documents' own paths, as thin aliases of the API: what their clients already call."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, Request

from interlock.errors import BadInput
from interlock.exports.api import endpoints
from interlock.exports.clients.format import bearer
from interlock.identity.entities import Project
from interlock.identity.gate import Gate, ProjectAccess
from interlock.identity.principal import Role
from interlock.policy.access import may_call
from interlock.protocol.json import JSONObject, as_object
from interlock.registry.api import json_body, offers
from interlock.registry.editing import amended, read_definition
from interlock.registry.entities import Server
from interlock.registry.registry import Registry
from interlock.registry.views import TrialView
from interlock.upstreams.definition import HTTPTarget
from interlock.upstreams.hiding import hidden_url

_ACTIVE = {"ok": "active", "starting": "starting", "stale": "error", "failed": "error"}


def project_routes(registry: Registry, gate: Gate, address: Callable[[], str]) -> APIRouter:
    """Return `/projects/{project}/servers` and `/projects/{project}/cline-config`."""
    router = APIRouter(prefix="/projects/{project}", tags=["source documents"])

    @router.get("/servers")
    async def list_servers(
        access: ProjectAccess = Depends(gate.project(Role.REPORTER)),
    ) -> list[dict[str, Any]]:
        """List the servers of a project."""
        return [_project_server(registry, each) for each in registry.servers(access.project.id)]

    @router.post("/servers", status_code=HTTPStatus.CREATED)
    async def add_server(
        request: Request, access: ProjectAccess = Depends(gate.project(Role.OWNER))
    ) -> dict[str, Any]:
        """Register a server."""
        definition = read_definition(await json_body(request))
        return _project_server(registry, await registry.add(access.project.id, definition))

    @router.get("/cline-config")
    async def cline_config(
        access: ProjectAccess = Depends(gate.project(Role.DEVELOPER)), *, unified: bool = True
    ) -> dict[str, Any]:
        """Write Cline's configuration over the legacy SSE endpoints."""
        project = access.project
        found = endpoints(registry, project, address(), unified=unified)
        prefix = f"mcp-orch-unified-{project.name}" if unified else f"project-{project.name}"
        servers = {
            prefix if unified else f"{prefix}-{each.name}": {
                "type": "sse",
                "url": f"{address()}/projects/{project.name}/unified/sse"
                if unified
                else each.sse_url,
                "timeout": each.timeout,
                "headers": bearer(None),
                "autoApprove": list(each.auto_approve),
                "disabled": False,
            }
            for each in found
        }
        return {"mcpServers": servers}

    return router


def _project_server(registry: Registry, server: Server) -> dict[str, Any]:
    target = server.definition.target
    headers = target.headers if isinstance(target, HTTPTarget) else {}
    return {
        "id": server.id,
        "name": server.definition.name,
        "transport_type": server.definition.transport,
        "url": hidden_url(target.url) if isinstance(target, HTTPTarget) else None,
        "timeout": server.definition.timeout,
        "headers_count": len(headers),
        "has_custom_headers": bool(headers),
        "disabled": server.definition.disabled,
        "status": _status(registry, server),
    }


def _status(registry: Registry, server: Server) -> str:
    runner = registry.runner(server)
    return "disabled" if runner is None else _ACTIVE[runner.entry.condition]


def gateway_routes(registry: Registry, gate: Gate, default: Callable[[], Project]) -> APIRouter:
    """Return `/api/mcp/servers…`: the servers of the project `default`."""
    router = APIRouter(prefix="/api/mcp/servers", tags=["source documents"])

    async def reader(request: Request) -> ProjectAccess:
        return await gate.project(Role.REPORTER)(request, default().name)

    async def owner(request: Request) -> ProjectAccess:
        return await gate.project(Role.OWNER)(request, default().name)

    @router.get("")
    async def list_servers(access: ProjectAccess = Depends(reader)) -> list[dict[str, Any]]:
        """List the servers."""
        return [_gateway_server(each) for each in registry.servers(access.project.id)]

    @router.post("", status_code=HTTPStatus.CREATED)
    async def add_server(
        request: Request, access: ProjectAccess = Depends(owner)
    ) -> dict[str, Any]:
        """Register a server."""
        definition = read_definition(_fields(await json_body(request)))
        return _gateway_server(await registry.add(access.project.id, definition))

    @router.get("/{server}")
    async def show_server(server: str, access: ProjectAccess = Depends(reader)) -> dict[str, Any]:
        """Show a server."""
        return _gateway_server(registry.find(access.project.id, server))

    @router.put("/{server}")
    async def change_server(
        server: str, request: Request, access: ProjectAccess = Depends(owner)
    ) -> dict[str, Any]:
        """Change a server."""
        found = registry.find(access.project.id, server)
        changes = _fields(await json_body(request))
        return _gateway_server(await registry.change(found, amended(changes)))

    @router.delete("/{server}", status_code=HTTPStatus.NO_CONTENT)
    async def remove_server(server: str, access: ProjectAccess = Depends(owner)) -> None:
        """Remove a server."""
        await registry.remove(registry.find(access.project.id, server))

    @router.post("/{server}/test")
    async def test_server(server: str, access: ProjectAccess = Depends(owner)) -> TrialView:
        """Test the connection to a server."""
        return TrialView.of(
            await registry.test(registry.find(access.project.id, server).definition)
        )

    @router.get("/{server}/tools")
    async def list_tools(
        server: str, access: ProjectAccess = Depends(reader)
    ) -> list[dict[str, Any]]:
        """List a server's tools."""
        found = registry.find(access.project.id, server)
        return [
            {
                "tool_name": tool.get("name"),
                "tool_description": tool.get("description"),
                "input_schema": tool.get("inputSchema"),
            }
            for tool in offers(registry, found, "tools")
            if may_call(access.principal.access, found.definition, str(tool.get("name")))
        ]

    return router


def _fields(body: JSONObject) -> JSONObject:
    """Return the source document's fields as ours; its authentication becomes headers."""
    fields = dict(body)
    if "endpoint_url" in fields:
        fields["url"], fields["urls"] = fields.pop("endpoint_url"), None
    if "transport_type" in fields:
        fields["type"] = fields.pop("transport_type")
    if "enabled" in fields:
        fields["disabled"] = not fields.pop("enabled")
    kind, config = fields.pop("auth_type", None), as_object(fields.pop("auth_config", None)) or {}
    headers = _auth_headers(kind, config)
    if headers is not None:
        fields["headers"] = {**(as_object(fields.get("headers")) or {}), **headers}
    return fields


def _auth_headers(kind: Any, config: JSONObject) -> dict[str, str] | None:
    if kind is None:
        return None
    if kind == "none":
        return {}
    if kind == "bearer" and isinstance(config.get("token"), str):
        return {"Authorization": f"Bearer {config['token']}"}
    key = config.get("api_key", config.get("key"))
    if kind == "api_key" and isinstance(key, str):
        return {str(config.get("header", config.get("header_name", "X-API-Key"))): key}
    raise BadInput(
        '"auth_type" is none, api_key (with auth_config.api_key) or bearer (with auth_config.token).'
    )


def _gateway_server(server: Server) -> dict[str, Any]:
    target = server.definition.target
    headers = {name.lower(): value for name, value in _headers(target).items()}
    bearer_used = headers.get("authorization", "").lower().startswith("bearer ")
    return {
        "id": server.id,
        "name": server.definition.name,
        "description": server.definition.description,
        "endpoint_url": hidden_url(target.url) if isinstance(target, HTTPTarget) else None,
        "transport_type": server.definition.transport.replace("-", "_"),
        "auth_type": "bearer" if bearer_used else "api_key" if headers else "none",
        "enabled": not server.definition.disabled,
        "created_at": server.created_at,
        "updated_at": server.updated_at,
    }


def _headers(target: Any) -> dict[str, str]:
    return target.headers if isinstance(target, HTTPTarget) else {}
