"""Reading everything that a server offers: all lists, all pages."""

from collections.abc import Mapping
from dataclasses import dataclass

from interlock import __version__
from interlock.errors import RPCError
from interlock.gateway.table import Catalogue, Kind
from interlock.protocol.json import JSONObject, as_list, as_object
from interlock.protocol.jsonrpc import METHOD_NOT_FOUND
from interlock.protocol.versions import Era
from interlock.telemetry.logs import get_logger
from interlock.upstreams.legacy import LegacySession
from interlock.upstreams.modern import ModernSession, request_meta
from interlock.upstreams.port import ClientFacts, Nobody, ProtocolBroken

log = get_logger(__name__)

MAX_PAGES = 200
GATEWAY: ClientFacts = ClientFacts(
    {"name": "interlock", "title": "Interlock", "version": __version__}
)
_METHODS: Mapping[Kind, tuple[str, str]] = {
    "tools": ("tools/list", "tools"),
    "resources": ("resources/list", "resources"),
    "resourceTemplates": ("resources/templates/list", "resources"),
    "prompts": ("prompts/list", "prompts"),
}


@dataclass(slots=True)
class _Hints:
    ttl_ms: int | None = None
    is_private: bool = False

    def take(self, page: JSONObject) -> None:
        ttl = page.get("ttlMs")
        if isinstance(ttl, int):
            self.ttl_ms = ttl if self.ttl_ms is None else min(self.ttl_ms, ttl)
        self.is_private = self.is_private or page.get("cacheScope") == "private"


async def read_catalogue(
    session: LegacySession | ModernSession,
    name: str,
    known: Catalogue | None = None,
    client: ClientFacts = GATEWAY,
) -> Catalogue:
    """Return what the server offers to `client` now. Raises UpstreamFailed.

    A list that the server refuses is taken from what was `known` before, so that one broken list
    does not take the others away.
    """
    facts = session.facts
    items: dict[Kind, tuple[JSONObject, ...]] = {}
    hints = _Hints()
    for kind, (method, capability) in _METHODS.items():
        if capability not in facts.capabilities:
            continue
        try:
            items[kind] = await _Reading(session, name, client).list(kind, method, hints)
        except RPCError as error:
            # Templates are part of the resources capability, but many servers have no such list.
            if error.code != METHOD_NOT_FOUND:
                log.warning("server.list_refused", server=name, list=kind, reason=error.message)
            items[kind] = known.items.get(kind, ()) if known is not None else ()
    return Catalogue(facts, items, ttl_ms=max(0, hints.ttl_ms or 0), is_private=hints.is_private)


@dataclass(frozen=True, slots=True)
class _Reading:
    session: LegacySession | ModernSession
    name: str
    client: ClientFacts

    async def list(self, kind: Kind, method: str, hints: _Hints) -> tuple[JSONObject, ...]:
        found: list[JSONObject] = []
        params: JSONObject = {}
        if self.session.facts.era is Era.MODERN:
            params["_meta"] = request_meta(self.client)
        for _ in range(MAX_PAGES):
            page = await self.session.request(method, params, Nobody())
            hints.take(page)
            found += [item for each in as_list(page.get(kind)) or () if (item := as_object(each))]
            cursor = page.get("nextCursor")
            if cursor is None:
                return tuple(found)
            params = {**params, "cursor": cursor}
        raise ProtocolBroken(f"{self.name} has more than {MAX_PAGES} pages of {kind}.")
