"""Client configurations over the API: one for all servers, or one entry for each."""

from collections.abc import Callable
from urllib.parse import quote

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from interlock.exports.clients import CLIENTS, Endpoint, Language, render
from interlock.gateway.limited import limited
from interlock.identity.entities import Project
from interlock.identity.gate import Gate, ProjectAccess
from interlock.identity.limits import Access
from interlock.identity.principal import Role
from interlock.policy.access import may_call, may_see
from interlock.registry.registry import Registry


class ClientView(BaseModel):
    """A client that configurations can be written for."""

    id: str
    title: str
    path_hint: str
    language: str


class ConfigurationBody(BaseModel):
    """What to write: `unified` for one entry that has all servers; `key` goes into the text."""

    model_config = ConfigDict(extra="forbid")

    unified: bool = True
    key: str | None = Field(default=None, repr=False)


class ConfigurationView(BaseModel):
    """A configuration ready to paste, and where it belongs."""

    client: str
    title: str
    path_hint: str
    language: Language
    text: str


def endpoints(
    registry: Registry,
    project: Project,
    address: str,
    *,
    unified: bool,
    limits: Access | None = None,
) -> list[Endpoint]:
    """Return the addresses that a client of a project is to know; `limits` are those of its key."""
    servers = [
        each for each in registry.servers(project.id) if may_see(limits, each.definition.name)
    ]
    if unified:
        return [
            Endpoint(
                name="interlock" if project.name == "default" else f"interlock-{project.name}",
                url=f"{address}/mcp/{project.name}",
                sse_url=f"{address}/sse/{project.name}",
                timeout=max((each.definition.longest_timeout for each in servers), default=60),
                auto_approve=_approved(registry, project, limits),
            )
        ]
    return [
        Endpoint(
            name=server.definition.name,
            url=f"{address}/mcp/{project.name}/{quote(server.definition.name)}",
            sse_url=f"{address}/sse/{project.name}/{quote(server.definition.name)}",
            timeout=server.definition.longest_timeout,
            auto_approve=tuple(
                tool
                for tool in server.definition.auto_approve
                if may_call(limits, server.definition, tool)
            ),
        )
        for server in servers
        if not server.definition.disabled
    ]


def _approved(registry: Registry, project: Project, limits: Access | None) -> tuple[str, ...]:
    """Return the tools that need no question to the user, under the names that clients see."""
    approved = {
        (each.definition.name, tool)
        for each in registry.servers(project.id)
        for tool in each.definition.auto_approve
    }
    entry = registry.table.project(project.name)
    view = limited(entry, entry.unified, limits)
    listed = ((tool["name"], view.tools[tool["name"]]) for tool in view.lists["tools"])
    return tuple(name for name, target in listed if (target.server.name, target.name) in approved)


def routes(registry: Registry, gate: Gate, address: Callable[[], str]) -> APIRouter:
    """Return the routes of configurations; `address` is what clients call us by."""
    router = APIRouter(prefix="/api/v1/projects/{project}/clients", tags=["clients"])

    @router.get("", dependencies=[Depends(gate.project(Role.REPORTER, limited=True))])
    async def list_clients() -> list[ClientView]:
        """List the clients that configurations can be written for."""
        return [
            ClientView(
                id=each.id, title=each.title, path_hint=each.file_hint, language=each.language
            )
            for each in CLIENTS.values()
        ]

    def written(access: ProjectAccess, client: str, body: ConfigurationBody) -> ConfigurationView:
        limits = access.principal.access
        places = endpoints(registry, access.project, address(), unified=body.unified, limits=limits)
        made = render(client, places, body.key)
        return ConfigurationView(
            client=made.client,
            title=made.title,
            path_hint=made.path_hint,
            language=made.language,
            text=made.text,
        )

    @router.get("/{client}")
    async def show_configuration(
        client: str,
        access: ProjectAccess = Depends(gate.project(Role.REPORTER, limited=True)),
        *,
        unified: bool = True,
    ) -> ConfigurationView:
        """Write the configuration of a client without a key."""
        return written(access, client, ConfigurationBody(unified=unified))

    @router.post("/{client}")
    async def write_configuration(
        client: str,
        body: ConfigurationBody,
        access: ProjectAccess = Depends(gate.project(Role.REPORTER, limited=True)),
    ) -> ConfigurationView:
        """Write the configuration of a client, with the key that the caller gives."""
        return written(access, client, body)

    return router
