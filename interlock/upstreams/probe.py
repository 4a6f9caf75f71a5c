"""Finding out which protocol era a server speaks: asked once, then remembered.

Source: 2026-07-28, basic/versioning and the transports' "Backward Compatibility".
"""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus

from interlock.errors import RPCError, UpstreamFailed, UpstreamTimeout
from interlock.protocol.json import JSONObject, as_list, as_object
from interlock.protocol.versions import (
    LEGACY_VERSIONS,
    MODERN_ERRORS,
    MODERN_VERSIONS,
    UNSUPPORTED_VERSION,
    Era,
)
from interlock.upstreams.hiding import Mask
from interlock.upstreams.legacy import LegacySession
from interlock.upstreams.modern import ModernSession, NothingDiscovered
from interlock.upstreams.port import ClientFacts, Connector, Ended, Link, Peer, ProtocolBroken
from interlock.upstreams.streamable_http import HTTPRefused

DISCOVER_PATIENCE = 10.0  # seconds until a silent server is also offered the old handshake
_LEGACY_ONLY = frozenset({Era.LEGACY})
# Refusals that say nothing of whether a server knows the modern era.
_NOT_OF_THE_ERA = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
)


@dataclass(frozen=True, slots=True)
class Opened:
    """A first session, and the eras that its server speaks."""

    session: LegacySession | ModernSession
    eras: frozenset[Era]


class Probe:
    """Opens a server's first session in whichever era it speaks, the modern one preferred.

    `mask` hides what the server may not have told of it in the words of its refusal; `is_shared`
    says that many clients will use the session.
    """

    def __init__(  # noqa: PLR0913 -- what a session is opened with
        self,
        name: str,
        client: ClientFacts,
        peer: Peer,
        ended: Ended,
        *,
        deadline: float,
        mask: Mask | None = None,
        is_shared: bool = False,
    ) -> None:
        self._is_shared = is_shared
        self._name = name
        self._client = client
        self._peer = peer
        self._ended = ended
        self._deadline = deadline
        self._mask = mask or Mask(())
        self._legacy: LegacySession | None = None

    async def open(self, connector: Connector, known: frozenset[Era] | None) -> Opened:
        """Open a session; `known` eras are believed until they fail. Raises UpstreamFailed."""
        try:
            async with asyncio.timeout(self._deadline):
                return await self._open(connector, known)
        except TimeoutError:
            raise UpstreamTimeout(
                f"{self._name} did not complete the MCP handshake within {self._deadline:g} s."
            ) from None
        except RPCError as refusal:
            said = self._mask.apply(refusal.message)
            raise ProtocolBroken(f"{self._name} refused the handshake: {said}") from None

    async def _open(self, connector: Connector, known: frozenset[Era] | None) -> Opened:
        link = await self._connect(connector)
        try:
            if known == _LEGACY_ONLY:
                return Opened(await self._handshake(link), _LEGACY_ONLY)
            return await self._ask(link)
        except _Silent:
            await link.close()
        except BaseException:
            await link.close()
            raise
        link = await self._connect(connector)
        try:
            return Opened(await self._handshake(link), _LEGACY_ONLY)
        except BaseException:
            await link.close()
            raise

    async def _connect(self, connector: Connector) -> Link:
        self._legacy = None
        return await connector.connect(self._hear, self._ended)

    def _hear(self, message: JSONObject) -> None:
        if self._legacy is not None:
            self._legacy.hear(message)

    async def _handshake(self, link: Link) -> LegacySession:
        session = LegacySession(
            link, self._name, self._client, self._peer, is_shared=self._is_shared
        )
        self._legacy = session
        await session.open()
        return session

    async def _ask(self, link: Link) -> Opened:
        modern = ModernSession(link, self._name)
        asking = asyncio.create_task(modern.discover(self._client))
        try:
            await asyncio.wait({asking}, timeout=DISCOVER_PATIENCE)
            if asking.done():
                return await self._told(link, modern, asking)
            session = await self._handshake(link)
            late = asking.done() and asking.exception() is None
            eras = {Era.LEGACY, Era.MODERN} if late else {Era.LEGACY}
            return Opened(session, frozenset(eras))
        finally:
            if not asking.done():
                asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)

    async def _told(self, link: Link, modern: ModernSession, asked: "asyncio.Task[None]") -> Opened:
        try:
            asked.result()
        except RPCError as error:
            if _offers(error, MODERN_VERSIONS):
                await modern.discover(self._client)
                return _opened(modern)
            if error.code in MODERN_ERRORS and not _offers(error, LEGACY_VERSIONS):
                said = self._mask.apply(error.message)
                raise ProtocolBroken(f"{self._name} is too new: {said}") from None
        except HTTPRefused as refusal:
            is_refused = HTTPStatus.BAD_REQUEST <= refusal.code < HTTPStatus.INTERNAL_SERVER_ERROR
            if not is_refused or refusal.code in _NOT_OF_THE_ERA:
                raise
        except NothingDiscovered:
            pass
        except UpstreamFailed as failure:
            if link.is_duplex and not isinstance(failure, ProtocolBroken):
                # A process that dies of a question it does not know is asked the old way.
                raise _Silent from failure
            raise
        else:
            return _opened(modern)
        return Opened(await self._handshake(link), _LEGACY_ONLY)


class _Silent(Exception):
    """The link broke during discovery."""


def _opened(modern: ModernSession) -> Opened:
    legacy = any(version in LEGACY_VERSIONS for version in modern.facts.versions)
    eras = {Era.MODERN, Era.LEGACY} if legacy else {Era.MODERN}
    return Opened(modern, frozenset(eras))


def _offers(error: RPCError, versions: tuple[str, ...]) -> bool:
    """Tell whether a server that refuses a version names one of these instead."""
    if error.code != UNSUPPORTED_VERSION:
        return False
    supported = as_list((as_object(error.data) or {}).get("supported")) or ()
    return any(version in versions for version in supported)
