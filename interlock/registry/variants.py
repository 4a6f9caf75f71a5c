"""What one server offers to clients that can be asked things, where that differs from the rest."""

import asyncio
from collections.abc import Callable, Mapping

from interlock.errors import InterlockError
from interlock.gateway.catalogue import GATEWAY, read_catalogue
from interlock.gateway.table import Catalogue
from interlock.protocol.json import JSONObject
from interlock.upstreams.legacy import LegacySession
from interlock.upstreams.modern import ModernSession
from interlock.upstreams.port import ClientFacts, Nobody
from interlock.upstreams.upstream import Owner, Upstream


class Variants:
    """The catalogues of one server by the signature of who is shown them.

    `kinds` are the kinds of clients to read for (capabilities by signature). `looking` bounds how
    many servers are started at once only to be looked at; `timeout` is that of one reading, in
    seconds; `changed` is called whenever a catalogue came or went.
    """

    def __init__(
        self, looking: asyncio.Semaphore, timeout: float, changed: Callable[[], None]
    ) -> None:
        self.kinds: Mapping[str, JSONObject] = {}
        self.catalogues: dict[str, Catalogue] = {}
        self._looking = looking
        self.timeout = timeout
        self._changed = changed
        self._seen: set[str] = set()

    @property
    def is_complete(self) -> bool:
        """Whether all kinds of clients were read for."""
        return self._seen == set(self.kinds)

    def outdate(self) -> None:
        """Have all read again, for the server offers something else by now."""
        self._seen.clear()

    async def read(self, upstream: Upstream, common: Catalogue | None) -> None:
        """Read what was not read yet; `common` is what the server offers to all others."""
        for mark, capabilities in tuple(self.kinds.items()):
            if mark in self._seen:
                continue
            self._seen.add(mark)
            variant = await self._read_one(upstream, common, mark, capabilities)
            known = self.catalogues.get(mark)
            if variant is None or common is None or variant.items == common.items:
                self.catalogues.pop(mark, None)
            else:
                self.catalogues[mark] = variant
            if self.catalogues.get(mark) != known:
                self._changed()

    async def _read_one(
        self, upstream: Upstream, common: Catalogue | None, mark: str, capabilities: JSONObject
    ) -> Catalogue | None:
        client = ClientFacts(GATEWAY.info, capabilities)
        owner = Owner(f"look:{mark}", client, Nobody())
        read: list[Catalogue] = []

        async def look(session: LegacySession | ModernSession) -> JSONObject:
            read.append(await read_catalogue(session, upstream.name, common, client))
            return {}

        try:
            async with self._looking, asyncio.timeout(self.timeout):
                await upstream.within(upstream.preferred_era, owner, look)
        except (InterlockError, TimeoutError):
            # Clients of this kind are shown what all are offered.
            return None
        finally:
            await upstream.release(owner.key)
        return read[0]
