"""What servers offer, built in a line each: entries of the routing table with real upstreams."""

from collections.abc import Sequence
from typing import Any

from interlock.gateway.aggregation import Project, project_entry
from interlock.gateway.call import Call, Trace
from interlock.gateway.table import Catalogue, ServerEntry, View
from interlock.identity.principal import Principal, Role
from interlock.protocol.json import JSONObject
from interlock.protocol.versions import LATEST_MODERN, Era
from interlock.upstreams.port import ClientFacts, Nobody, ServerFacts
from interlock.upstreams.upstream import Owner, Upstream

PROJECT = Project("p1", "shop")
CLIENT = ClientFacts({"name": "tester", "version": "1"})
ALL_CAPABILITIES: JSONObject = {"tools": {}, "prompts": {}, "resources": {}}


def upstream(name: str) -> Upstream:
    """Return an upstream that no transport leads to."""
    owner = Owner("shared", CLIENT, Nobody())
    return Upstream(name, (), owner, down=lambda _: None, eras=frozenset(Era))


def facts(capabilities: JSONObject | None = None, instructions: str | None = None) -> ServerFacts:
    declared = ALL_CAPABILITIES if capabilities is None else capabilities
    info = {"name": "own", "version": "7"}
    return ServerFacts(Era.MODERN, LATEST_MODERN, info, declared, instructions)


def catalogue(
    *,
    tools: Sequence[str | JSONObject] = (),
    prompts: Sequence[str] = (),
    resources: Sequence[str] = (),
    templates: Sequence[str] = (),
    said: ServerFacts | None = None,
    **more: Any,
) -> Catalogue:
    """Return what a server offers; a tool is given by its name, or whole."""
    return Catalogue(
        said or facts(),
        {
            "tools": tuple({"name": tool} if isinstance(tool, str) else tool for tool in tools),
            "prompts": tuple({"name": name} for name in prompts),
            "resources": tuple({"uri": uri} for uri in resources),
            "resourceTemplates": tuple({"uriTemplate": template} for template in templates),
        },
        **more,
    )


def server(name: str, offered: Catalogue | None = None, **more: Any) -> ServerEntry:
    return ServerEntry(f"id-{name}", name, upstream(name), 60.0, offered, **more)


def tools_of(name: str, *tools: str | JSONObject) -> ServerEntry:
    return server(name, catalogue(tools=tools))


def unified(*servers: ServerEntry, project: Project = PROJECT) -> View:
    return project_entry(project, servers).unified


def single(entry: ServerEntry) -> View:
    return project_entry(PROJECT, [entry]).single[entry.name]


def names(view: View) -> list[str]:
    return [tool["name"] for tool in view.lists["tools"]]


def leads(view: View, name: str) -> tuple[str, str]:
    """Return the server and the server's own name behind a tool's name."""
    target = view.tools[name]
    return target.server.name, target.name


def principal(role: Role = Role.DEVELOPER, **more: Any) -> Principal:
    return Principal("key", more.pop("id", "k1"), "A key", "p1", role, **more)


def call(view: View, method: str, params: JSONObject, who: Principal | None = None) -> Call:
    """Return a legacy client's call, which carries nothing but its params."""
    return Call(
        view=view,
        principal=who or principal(),
        era=Era.LEGACY,
        client=CLIENT,
        method=method,
        params=params,
        caller=Nobody(),
        trace=Trace(request_id="r1", transport="streamable-http"),
    )
