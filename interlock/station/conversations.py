"""An MCP conversation with a hosted process, for the REST sessions."""

import asyncio
from typing import Self

from interlock.errors import UpstreamFailed, UpstreamTimeout
from interlock.protocol.json import JSONObject, as_object
from interlock.protocol.versions import Era
from interlock.station.connector import StdioConnector
from interlock.station.station import Station
from interlock.upstreams.definition import DEFAULT_TIMEOUT, StdioTarget
from interlock.upstreams.hiding import Mask, secrets_of
from interlock.upstreams.legacy import LegacySession
from interlock.upstreams.modern import ModernSession, request_meta
from interlock.upstreams.port import ClientFacts, Nobody
from interlock.upstreams.probe import Probe


class HostedConversation:
    """A session with one process of its own, in whichever era the server speaks."""

    def __init__(self, name: str, connector: StdioConnector, client: ClientFacts) -> None:
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._name = name
        self._connector = connector
        self._client = client
        self._session: LegacySession | ModernSession | None = None

    @classmethod
    async def open(
        cls, station: Station, target: StdioTarget, name: str, client: ClientFacts
    ) -> Self:
        """Start the process and shake hands. Raises UpstreamFailed; then nothing is left."""
        conversation = cls(name, StdioConnector(station, target, name, station.new_log()), client)
        probe = Probe(
            name,
            client,
            Nobody(),
            conversation.end,
            deadline=DEFAULT_TIMEOUT,
            mask=Mask(secrets_of(target)),
        )
        conversation._session = (await probe.open(conversation._connector, None)).session
        return conversation

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._connector.pid or 0

    def end(self, reason: UpstreamFailed) -> None:
        """Take note that the process ended by itself."""
        if not self.ended.done():
            self.ended.set_result(reason.message)

    async def request(self, method: str, params: JSONObject) -> JSONObject:
        """Make one call. Raises RPCError and UpstreamFailed."""
        session = self._session
        if session is None:
            raise UpstreamFailed(f"{self._name} is not started.")
        if session.facts.era is Era.MODERN:
            meta = {**request_meta(self._client), **(as_object(params.get("_meta")) or {})}
            params = {**params, "_meta": meta}
        try:
            async with asyncio.timeout(DEFAULT_TIMEOUT):
                return await session.request(method, params, Nobody())
        except TimeoutError:
            raise UpstreamTimeout(
                f"{self._name} did not answer within {DEFAULT_TIMEOUT:g} s."
            ) from None

    async def close(self) -> None:
        """End the session and its process."""
        if self._session is not None:
            await self._session.close()
        if not self.ended.done():
            self.ended.set_result("The session was closed.")
