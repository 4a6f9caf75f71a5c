"""The routing table: immutable, whole, built by the registry and swapped in one step."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, TypeAlias

from interlock.errors import NotFound
from interlock.identity.limits import Access, RateLimit
from interlock.policy.breaker import Circuit
from interlock.policy.retry import Retries
from interlock.policy.timeout import timeout_of
from interlock.protocol.headers import HeaderParam
from interlock.protocol.json import JSONObject
from interlock.upstreams.port import ServerFacts
from interlock.upstreams.upstream import Upstream

Kind: TypeAlias = Literal["tools", "resources", "resourceTemplates", "prompts"]
KINDS: tuple[Kind, ...] = ("tools", "resources", "resourceTemplates", "prompts")
Condition: TypeAlias = Literal["ok", "starting", "stale", "failed"]
Naming: TypeAlias = Literal["prefix", "plain"]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a server offers, as it said itself; `ttl_ms` and `is_private` from its modern lists."""

    facts: ServerFacts
    items: Mapping[Kind, tuple[JSONObject, ...]]
    ttl_ms: int = 0
    is_private: bool = False


@dataclass(frozen=True, slots=True)
class ServerEntry:
    """One enabled server of a project; `timeout` in seconds, `reason` says why it is not ok.

    `variants` holds what it offers to clients with certain capabilities, by their signature, where
    that is another catalogue than the one for clients that can be asked nothing. `process` is the
    number of the process of the gateway that alone can call it, where that is another one.
    `tool_timeouts` are the seconds of tools that have their own, `disabled_tools` the names and
    patterns of tools that are switched off, which no view shows. `circuit` and `retries`, of remote
    servers only, live as long as the server is kept and are shared by all tables.
    """

    id: str
    name: str
    upstream: Upstream
    timeout: float
    catalogue: Catalogue | None = None
    condition: Condition = "ok"
    reason: str | None = None
    mirrors_headers: bool = False
    variants: Mapping[str, Catalogue] = field(default_factory=dict[str, Catalogue])
    process: int | None = None
    tool_timeouts: Mapping[str, float] = field(default_factory=dict[str, float])
    disabled_tools: tuple[str, ...] = ()
    circuit: Circuit | None = None
    retries: Retries | None = None

    def tool(
        self,
        name: str,
        mirrored: tuple[HeaderParam, ...] = (),
        *,
        is_repeatable: bool = False,
        needs_task: bool = False,
    ) -> "Target":
        """Return the way to a tool of this server, with the deadline of its calls."""
        timeout = timeout_of(name, self.timeout, self.tool_timeouts)
        return Target(
            self, name, mirrored, timeout, is_repeatable=is_repeatable, needs_task=needs_task
        )


@dataclass(frozen=True, slots=True)
class Target:
    """Where a name leads: the server, its own name for the item, and what calls mirror.

    `timeout` is in seconds, None for that of the server; `is_repeatable` is what a tool says of
    itself: that a second call does no more than the first. `needs_task` says that the server makes
    the call as a task or not at all.
    """

    server: ServerEntry
    name: str
    mirrored: tuple[HeaderParam, ...] = ()
    timeout: float | None = None
    is_repeatable: bool = False
    needs_task: bool = False

    @property
    def deadline(self) -> float:
        """The seconds that a call may take without progress."""
        return self.server.timeout if self.timeout is None else self.timeout


@dataclass(frozen=True, slots=True)
class Template:
    """A resource template as its server wrote it, and what URIs it can make."""

    target: Target
    pattern: re.Pattern[str]


def _no_targets() -> Mapping[str, Target]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class View:
    """What one endpoint shows: merged lists, and where each name leads.

    `access` is what it is limited to; `limited` holds what was made of it for others' limits.
    """

    name: str
    project: str
    servers: tuple[ServerEntry, ...]
    lists: Mapping[Kind, tuple[JSONObject, ...]]
    facts: ServerFacts
    tools: Mapping[str, Target] = field(default_factory=_no_targets)
    prompts: Mapping[str, Target] = field(default_factory=_no_targets)
    resources: Mapping[str, Target] = field(default_factory=_no_targets)
    templates: tuple[Template, ...] = ()
    list_meta: JSONObject | None = None
    ttl_ms: int = 0
    is_private: bool = False
    is_single: bool = False
    access: Access | None = None
    limited: dict[Access, "View"] = field(
        default_factory=dict[Access, "View"], repr=False, compare=False
    )


@dataclass(frozen=True, slots=True)
class ProjectEntry:
    """One project: the view of all its servers, and one view per server.

    `variants` are the same for clients with certain capabilities, by their signature.
    """

    id: str
    name: str
    is_open: bool
    unified: View
    single: Mapping[str, View]
    naming: Naming = "prefix"
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    variants: Mapping[str, "ProjectEntry"] = field(default_factory=dict[str, "ProjectEntry"])
    rate_limit: RateLimit | None = None

    def view(self, server: str | None, signature: str = "") -> View:
        """Return the view of one server, or of all for None. Raises NotFound."""
        entry = self.variants.get(signature, self)
        if server is None:
            return entry.unified
        view = entry.single.get(server)
        if view is None:
            raise no_server(server)
        return view


def no_server(name: str) -> NotFound:
    """Return the refusal of a server that is missing, disabled, or hidden from the caller."""
    return NotFound(f"There is no server {name!r} here, or it is disabled.")


@dataclass(frozen=True, slots=True)
class RouteTable:
    """Every project by name."""

    projects: Mapping[str, ProjectEntry] = field(default_factory=dict[str, ProjectEntry])

    def find(self, name_or_id: str) -> ProjectEntry | None:
        """Return the project with this name, or else with this id."""
        project = self.projects.get(name_or_id)
        if project is not None:
            return project
        return next((each for each in self.projects.values() if each.id == name_or_id), None)

    def id_of(self, name: str) -> str:
        """Return the id of the project with a name; empty where there is none."""
        found = self.projects.get(name)
        return found.id if found is not None else ""

    def project(self, name_or_id: str) -> ProjectEntry:
        """Return a project. Raises NotFound."""
        project = self.find(name_or_id)
        if project is None:
            raise NotFound(f"There is no project {name_or_id!r} here.")
        return project
