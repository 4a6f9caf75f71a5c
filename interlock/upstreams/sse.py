"""The legacy HTTP+SSE transport, the client's side: one stream down, a POST for each message up.

Source: 2024-11-05, basic/transports, "HTTP with SSE".
"""

import asyncio
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from interlock.errors import InterlockError, UpstreamFailed, UpstreamUnavailable
from interlock.protocol.sse import EventReader
from interlock.upstreams.balancing import Endpoints, pause_of
from interlock.upstreams.channel import Closed, Receive
from interlock.upstreams.connections import HTTPClient
from interlock.upstreams.definition import HTTPTarget
from interlock.upstreams.duplex import DuplexLink
from interlock.upstreams.port import Ended, Headers, Hear, ProtocolBroken
from interlock.upstreams.response import ConnectionFailed, HTTPResponse

MAX_MESSAGE = 32 * 1024 * 1024  # bytes
OPEN_DEADLINE = 30.0  # seconds until the stream has named its endpoint


class SSEChannel:
    """A duplex channel made of an event stream and the endpoint that it names."""

    def __init__(
        self,
        client: HTTPClient,
        target: HTTPTarget,
        endpoints: Endpoints,
        name: str,
        receive: Receive,
        closed: Closed,
    ) -> None:
        self._endpoints = endpoints
        self._home = endpoints.choose()
        self._client = client
        self._target = target
        self._name = name
        self._receive = receive
        self._closed = closed
        self._endpoint: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._reader: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Open the stream and wait for its endpoint. Raises UpstreamFailed."""
        headers = (("accept", "text/event-stream"), *self._target.headers.items())
        response = await self._asked("GET", self._home.url, headers, b"")
        content_type = response.headers.get("content-type", "")
        if response.status != HTTPStatus.OK or not content_type.startswith("text/event-stream"):
            await response.close()
            self._check_busy(response)
            raise UpstreamUnavailable(
                f"{self._name} answered HTTP {response.status} and no event stream; check its url."
            )
        self._reader = asyncio.create_task(self._read(response))
        try:
            async with asyncio.timeout(OPEN_DEADLINE):
                await self._endpoint
        except TimeoutError:
            await self.close()
            raise ProtocolBroken(f"{self._name} named no endpoint on its stream.") from None

    async def _read(self, response: HTTPResponse) -> None:
        reason: InterlockError = UpstreamUnavailable(f"{self._name} ended its event stream.")
        reader = EventReader(MAX_MESSAGE)
        try:
            async for chunk in response.chunks():
                for event in reader.feed(chunk):
                    if event.event == "endpoint":
                        self._take_endpoint(event.data.decode("utf-8", "replace"))
                    elif event.event == "message" and event.data:
                        self._receive(event.data)
        except InterlockError as error:
            reason = error
        finally:
            await response.close()
            if not self._endpoint.done():
                self._endpoint.set_exception(reason)
            self._closed(reason)

    def _take_endpoint(self, path: str) -> None:
        if self._endpoint.done():
            return
        try:
            url = urljoin(self._home.url, path)
            is_ours = urlsplit(url)[:2] == urlsplit(self._home.url)[:2]
        except ValueError:
            raise ProtocolBroken(f"{self._name} named an endpoint that is no URL.") from None
        if not is_ours:
            # Another origin would be handed our headers, credentials included.
            raise ProtocolBroken(f"{self._name} named an endpoint at another origin.")
        self._endpoint.set_result(url)

    async def send(self, message: bytes) -> None:
        """POST one message to the endpoint."""
        self._endpoints.check(self._home)
        headers = (("content-type", "application/json"), *self._target.headers.items())
        response = await self._asked("POST", await self._endpoint, headers, message)
        try:
            self._check_busy(response)
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise UpstreamUnavailable(f"{self._name} answered HTTP {response.status}.")
            await response.read(MAX_MESSAGE)
        finally:
            await response.close()

    async def _asked(self, verb: str, url: str, headers: Headers, body: bytes) -> HTTPResponse:
        try:
            response = await self._client.request(
                verb, url, headers=headers, body=body, repeatable=verb == "GET"
            )
        except ConnectionFailed as failure:
            self._endpoints.failed(self._home, is_unreachable=not failure.sent)
            raise failure.at(self._name) from failure
        self._endpoints.answered(self._home, response.status, response.headers)
        return response

    def _check_busy(self, response: HTTPResponse) -> None:
        if pause_of(response.status, response.headers) is not None:
            raise self._endpoints.turned_away(self._home, is_home=True)

    def send_now(self, message: bytes) -> bool:
        """Send nothing: a POST has an answer that must be waited for."""
        return False

    async def close(self) -> None:
        """End the stream."""
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)


class SSEConnector:
    """Opens links to an address that speaks the legacy HTTP+SSE transport."""

    is_duplex = True

    def __init__(
        self,
        client: HTTPClient,
        target: HTTPTarget,
        name: str,
        endpoints: Endpoints | None = None,
    ) -> None:
        self._client = client
        self._target = target
        self._name = name
        self._endpoints = endpoints or Endpoints(name, target.urls)

    async def connect(self, hear: Hear, ended: Ended) -> DuplexLink:
        """Open the stream and return the link over it."""
        link = DuplexLink(self._name, hear, ended)
        channel = SSEChannel(
            *(self._client, self._target, self._endpoints, self._name),
            link.receive,
            link.closed,
        )
        try:
            await channel.open()
        except UpstreamFailed:
            await channel.close()
            raise
        link.attach(channel)
        return link
