"""The smallest real conversation with a hosted MCP server: handshake, calls, end."""

import asyncio
from itertools import count

from interlock.errors import InterlockError, UpstreamUnavailable
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, dumps, loads
from interlock.protocol.versions import LATEST_LEGACY
from interlock.station.process import HostedProcess
from interlock.station.station import Station
from interlock.upstreams.definition import StdioTarget

HANDSHAKE: JSONObject = {
    "protocolVersion": LATEST_LEGACY,
    "capabilities": {},
    "clientInfo": {"name": "tests", "version": "1"},
}


class Talk:
    """A conversation over one hosted process."""

    def __init__(self) -> None:
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._answers: dict[int, asyncio.Future[JSONObject]] = {}
        self._ids = count(1)
        self._process: HostedProcess | None = None

    @property
    def process(self) -> HostedProcess:
        assert self._process is not None
        return self._process

    @property
    def pid(self) -> int:
        return self.process.pid

    async def open(self, station: Station, target: StdioTarget, name: str) -> None:
        self._process = await station.start(
            name, target, receive=self._receive, closed=self._closed
        )
        try:
            await self.request("initialize", HANDSHAKE)
            await self.process.send(dumps(jsonrpc.notification("notifications/initialized")))
        except BaseException:
            await self.close()
            raise

    async def request(self, method: str, params: JSONObject) -> JSONObject:
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            await self.process.send(dumps(jsonrpc.request(number, method, params)))
            return jsonrpc.unwrap(await answer)
        finally:
            del self._answers[number]

    async def close(self) -> None:
        await self.process.close()

    def _receive(self, message: bytes) -> None:
        envelope = loads(message)
        answer = self._answers.get(envelope.get("id"))
        if answer is not None and not answer.done():
            answer.set_result(envelope)

    def _closed(self, reason: InterlockError) -> None:
        self.ended.set_result(reason.message)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(UpstreamUnavailable(reason.message))


class Talks:
    """Opens conversations, and remembers them for the tests."""

    def __init__(self, station: Station) -> None:
        self.opened: list[Talk] = []
        self._station = station

    async def connect(self, target: StdioTarget, name: str) -> Talk:
        talk = Talk()
        self.opened.append(talk)
        await talk.open(self._station, target, name)
        return talk
