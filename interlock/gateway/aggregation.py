"""Merging what many servers offer into the lists and routes of one endpoint."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from interlock import __version__
from interlock.gateway.naming import is_legal, marked_uri, prefixed, slug, split_mark
from interlock.gateway.table import (
    KINDS,
    Catalogue,
    Kind,
    Naming,
    ProjectEntry,
    ServerEntry,
    Target,
    Template,
    View,
)
from interlock.identity.limits import Access, RateLimit
from interlock.policy.access import may_call
from interlock.policy.retry import is_repeatable_tool
from interlock.protocol.headers import HeaderParam, InvalidAnnotation, header_params
from interlock.protocol.json import JSONObject, as_object
from interlock.protocol.versions import LATEST_MODERN, Era
from interlock.upstreams.port import ServerFacts

STATUS_META = "dev.interlock/servers"
_EXPRESSION = re.compile(r"\{([+#./;?&]?)[^{}]*\}")


def gateway_info(project: str) -> JSONObject:
    """Return what the gateway says of itself where it stands for many servers."""
    return {"name": "interlock", "title": f"Interlock: {project}", "version": __version__}


@dataclass(frozen=True, slots=True)
class Project:
    """What aggregation needs to know of a project besides its servers."""

    id: str
    name: str
    naming: Naming = "prefix"
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    is_open: bool = False
    rate_limit: RateLimit | None = None


def project_entry(project: Project, servers: Sequence[ServerEntry]) -> ProjectEntry:
    """Build the views of a project, for clients that can be asked nothing and for all others."""
    signatures = {signature for server in servers for signature in server.variants}
    variants = {
        signature: _entry(project, [_as_seen(server, signature) for server in servers], {})
        for signature in sorted(signatures)
    }
    return _entry(project, servers, variants)


def _as_seen(server: ServerEntry, signature: str) -> ServerEntry:
    catalogue = server.variants.get(signature)
    if catalogue is None:
        return server
    # What is kept for some clients must not come to others out of a shared cache.
    return replace(server, catalogue=replace(catalogue, is_private=True))


def _entry(
    project: Project, servers: Sequence[ServerEntry], variants: Mapping[str, ProjectEntry]
) -> ProjectEntry:
    return ProjectEntry(
        id=project.id,
        name=project.name,
        is_open=project.is_open,
        naming=project.naming,
        aliases=project.aliases,
        unified=_Merge(project, servers, is_single=False).view(),
        single={each.name: _Merge(project, [each], is_single=True).view() for each in servers},
        variants=variants,
        rate_limit=project.rate_limit,
    )


def overlaid(entry: ProjectEntry, view: View, own: Mapping[str, Catalogue]) -> View:
    """Return a view of the project with other catalogues of some servers, by their ids.

    It shows what the view's `access` lets be seen.
    """
    project = Project(entry.id, entry.name, entry.naming, entry.aliases, entry.is_open)
    servers = [
        replace(each, catalogue=own[each.id]) if each.id in own else each for each in view.servers
    ]
    return _Merge(project, servers, is_single=view.is_single, access=view.access).view()


class _Merge:
    """One view in the making."""

    def __init__(
        self,
        project: Project,
        servers: Sequence[ServerEntry],
        *,
        is_single: bool,
        access: Access | None = None,
    ) -> None:
        self._project = project
        self._access = access
        self._servers = tuple(_as_offered(each, access) for each in servers)
        self._slugs = frozenset(slug(each.name) for each in self._servers)
        self._is_single = is_single
        self._is_plain = is_single or project.naming == "plain"
        self._aliases: dict[str, str] = {}
        if not is_single:
            self._aliases = {name: alias for alias, name in project.aliases.items()}
        self._alias_names = frozenset(self._aliases.values())
        self._full_names: dict[Kind, frozenset[str]] = {
            "tools": self._all_full_names("tools"),
            "prompts": self._all_full_names("prompts"),
        }
        self._lists: dict[Kind, list[JSONObject]] = {kind: [] for kind in KINDS}
        self._tools: dict[str, Target] = {}
        self._prompts: dict[str, Target] = {}
        self._resources: dict[str, Target] = {}
        self._templates: list[Template] = []
        self._claimed: set[str] = set()

    def view(self) -> View:
        known = [each for each in self._servers if each.catalogue is not None]
        for server in known:
            self._add_named(server, "tools", self._tools)
            self._add_named(server, "prompts", self._prompts)
        for server in known:
            self._add_resources(server)
            self._add_templates(server)
        self._point_to_uis()
        catalogues = [each.catalogue for each in known if each.catalogue is not None]
        troubled = [each for each in self._servers if each.condition != "ok"]
        return View(
            name=self._servers[0].name if self._is_single else self._project.name,
            project=self._project.name,
            servers=self._servers,
            lists={kind: tuple(items) for kind, items in self._lists.items()},
            facts=self._facts(),
            tools=self._tools,
            prompts=self._prompts,
            resources=self._resources,
            templates=tuple(self._templates),
            list_meta=_status_meta(troubled),
            ttl_ms=0 if troubled else min((each.ttl_ms for each in catalogues), default=0),
            is_private=any(each.is_private for each in catalogues),
            is_single=self._is_single,
            access=self._access,
        )

    def _add_named(self, server: ServerEntry, kind: Kind, targets: dict[str, Target]) -> None:
        hidden: dict[str, Target] = {}
        for item in _items(server, kind):
            name = item.get("name")
            mirrors = _mirrors(server, item) if kind == "tools" else ()
            if not isinstance(name, str) or mirrors is None:
                continue
            full = prefixed(server.name, name)
            if full in hidden:
                continue
            target = Target(server, name)
            if kind == "tools":
                task = (as_object(item.get("execution")) or {}).get("taskSupport")
                target = server.tool(
                    name,
                    mirrors,
                    is_repeatable=is_repeatable_tool(item),
                    needs_task=task == "required",
                )
            exposed = self._exposed(full, name, targets, kind)
            targets[exposed] = target
            hidden[full] = target
            self._lists[kind].append(item if exposed == name else {**item, "name": exposed})
        for full, target in hidden.items():
            # The full name always leads there too, so that naming can change under a client.
            targets.setdefault(full, target)

    def _exposed(self, full: str, name: str, taken: Mapping[str, Target], kind: Kind) -> str:
        if self._is_single:
            return name
        full_names = self._full_names[kind]
        alias = self._aliases.get(full) if kind == "tools" else None
        if alias is not None and alias not in taken and alias not in full_names:
            return alias
        if not self._is_plain or name in taken or name in full_names:
            return full
        if kind == "tools" and (name in self._alias_names or not is_legal(name)):
            return full
        return name

    def _all_full_names(self, kind: Kind) -> frozenset[str]:
        # Another item's plain name or alias must never take the name that these always answer to.
        return frozenset(
            prefixed(server.name, name)
            for server in self._servers
            for item in _items(server, kind)
            if isinstance(name := item.get("name"), str)
        )

    def _add_resources(self, server: ServerEntry) -> None:
        for item in _items(server, "resources"):
            uri = item.get("uri")
            if isinstance(uri, str):
                exposed = self._claim(server, uri)
                self._resources.setdefault(exposed, Target(server, uri))
                self._lists["resources"].append({**item, "uri": exposed})

    def _add_templates(self, server: ServerEntry) -> None:
        for item in _items(server, "resourceTemplates"):
            template = item.get("uriTemplate")
            if isinstance(template, str):
                exposed = self._claim(server, template)
                self._templates.append(Template(Target(server, template), _pattern(exposed)))
                self._lists["resourceTemplates"].append({**item, "uriTemplate": exposed})

    def _claim(self, server: ServerEntry, uri: str) -> str:
        if self._is_single:
            return uri
        if split_mark(uri)[1] in self._slugs:
            # Only its own server may be reached by a mark, whoever lists such a URI.
            uri = marked_uri(server.name, uri)
        while uri in self._claimed:
            uri = marked_uri(server.name, uri)
        self._claimed.add(uri)
        return uri

    def _point_to_uis(self) -> None:
        """Let each tool's MCP App resource name the URI under which clients can read it."""
        if self._is_single:
            return
        for index, tool in enumerate(self._lists["tools"]):
            target = self._tools[tool["name"]]
            meta = as_object(tool.get("_meta"))
            if meta is not None:
                changed = self._with_ui(meta, target.server)
                self._lists["tools"][index] = {**tool, "_meta": changed}

    def _with_ui(self, meta: JSONObject, server: ServerEntry) -> JSONObject:
        changed = dict(meta)
        flat, ui = meta.get("ui/resourceUri"), as_object(meta.get("ui"))
        if isinstance(flat, str):
            changed["ui/resourceUri"] = self._exposed_uri(server, flat)
        if ui is not None and isinstance(ui.get("resourceUri"), str):
            changed["ui"] = {**ui, "resourceUri": self._exposed_uri(server, ui["resourceUri"])}
        return changed

    def _exposed_uri(self, server: ServerEntry, uri: str) -> str:
        return exposed_uri(self._resources, self._templates, server, uri)

    def _facts(self) -> ServerFacts:
        facts = [each.catalogue.facts for each in self._servers if each.catalogue is not None]
        if self._is_single and facts:
            only = facts[0]
            capabilities = merge_capabilities([only.capabilities])
            return ServerFacts(
                Era.MODERN, LATEST_MODERN, only.info, capabilities, only.instructions
            )
        return ServerFacts(
            Era.MODERN,
            LATEST_MODERN,
            gateway_info(self._project.name),
            merge_capabilities([each.capabilities for each in facts]),
            _instructions(self._servers),
        )


def _as_offered(server: ServerEntry, access: Access | None) -> ServerEntry:
    """Return a server with those of its tools that exist for callers with these limits."""
    if server.catalogue is None or (access is None and not server.disabled_tools):
        return server
    items = server.catalogue.items
    tools = tuple(
        tool for tool in items.get("tools", ()) if may_call(access, server, str(tool.get("name")))
    )
    return replace(server, catalogue=replace(server.catalogue, items={**items, "tools": tools}))


def _items(server: ServerEntry, kind: Kind) -> tuple[JSONObject, ...]:
    return server.catalogue.items.get(kind, ()) if server.catalogue is not None else ()


def _mirrors(server: ServerEntry, tool: JSONObject) -> tuple[HeaderParam, ...] | None:
    """Return what calls of a tool mirror into headers; None where the tool must not be offered."""
    try:
        return header_params(tool.get("inputSchema"))
    except InvalidAnnotation:
        return None if server.mirrors_headers else ()


def _pattern(template: str) -> re.Pattern[str]:
    """Return what URIs a template can make.

    Templates come from servers, so each expression takes the first place where the text after it
    stands and never tries another: matching stays linear. Where an expression may hold slashes,
    those after it may, too; no match is lost by that.
    """
    literals, operators = _EXPRESSION.split(template)[::2], _EXPRESSION.split(template)[1::2]
    parts = [re.escape(literals[0])]
    held = "[^/]+"
    for number, (operator, literal) in enumerate(zip(operators, literals[1:], strict=True), 1):
        if operator:
            held = ".*"
        if number == len(operators):
            parts.append(held + re.escape(literal))
        elif literal:
            parts.append(f"(?>{held}?{re.escape(literal)})")
    return re.compile("".join(parts), re.DOTALL)


def _status_meta(troubled: Iterable[ServerEntry]) -> JSONObject | None:
    status: JSONObject = {}
    for server in troubled:
        status[server.name] = {"status": server.condition}
        if server.reason is not None:
            status[server.name]["reason"] = server.reason
    return {STATUS_META: status} if status else None


def merge_capabilities(all_of: Sequence[JSONObject]) -> JSONObject:
    """Return what an endpoint can do: what at least one server behind it can.

    Lists announce changes even where their server does not, because servers come and go.
    """
    merged: JSONObject = {"tools": {"listChanged": True}}
    for capabilities in all_of:
        for name, value in capabilities.items():
            ours = as_object(merged.setdefault(name, {})) or {}
            merged[name] = {**ours, **(as_object(value) or {})}
    for name in ("tools", "prompts", "resources"):
        if name in merged:
            merged[name]["listChanged"] = True
    return merged


def _instructions(servers: Sequence[ServerEntry]) -> str | None:
    parts = [
        f"## {each.name}\n{each.catalogue.facts.instructions}"
        for each in servers
        if each.catalogue is not None and each.catalogue.facts.instructions
    ]
    return "\n\n".join(parts) or None


def find_resource(view: View, uri: str) -> Target | None:
    """Return where a resource's URI leads: listed, marked, made by a template, or the only choice."""
    target = view.resources.get(uri)
    if target is not None:
        return target
    plain, mark = split_mark(uri)
    for server in view.servers:
        if mark is not None and slug(server.name) == mark:
            return Target(server, plain)
    for template in view.templates:
        if template.pattern.fullmatch(uri):
            return Target(template.target.server, uri)
    offering = [each for each in view.servers if _has_resources(each)]
    return Target(offering[0], uri) if len(offering) == 1 else None


def _has_resources(server: ServerEntry) -> bool:
    return server.catalogue is None or "resources" in server.catalogue.facts.capabilities


def exposed_uri(
    resources: Mapping[str, Target], templates: Sequence[Template], server: ServerEntry, uri: str
) -> str:
    """Return the URI by which a client of the view reaches what `server` calls `uri`."""
    target = resources.get(uri)
    is_same = target is not None and target.name == uri
    if target is None and split_mark(uri)[1] is None:
        target = next((each.target for each in templates if each.pattern.fullmatch(uri)), None)
        is_same = target is not None
    if target is not None and target.server is server and is_same:
        return uri
    return marked_uri(server.name, uri)
