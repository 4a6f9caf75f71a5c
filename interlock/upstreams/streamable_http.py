"""Streamable HTTP, the client's side: every message a POST, answers as JSON or as a stream.

Source: 2025-11-25 and 2026-07-28, basic/transports.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count

from interlock.errors import UpstreamFailed, UpstreamUnavailable
from interlock.protocol.json import JSONObject, as_list, as_object, dumps, loads
from interlock.protocol.sse import EventReader, ServerSentEvent
from interlock.upstreams.connections import ConnectionFailed, HTTPClient, HTTPResponse
from interlock.upstreams.definition import HTTPTarget
from interlock.upstreams.port import Ended, Headers, Hear, ProtocolBroken, SessionExpired

MAX_MESSAGE = 32 * 1024 * 1024  # bytes
RECONNECT_DELAY = 1.0  # seconds, where the server names none
MIN_RETRY = 0.1  # seconds, however soon a server wants us back
MAX_RETRY = 60.0  # seconds between attempts, where no server asks for more
MAX_RESUMES = 20

_NOT_ALLOWED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_POST_HEADERS = (
    ("content-type", "application/json"),
    ("accept", "application/json, text/event-stream"),
)


class HTTPRefused(UpstreamFailed):
    """A server answered with an HTTP error that holds no JSON-RPC answer; `code` is its status."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class _Cursor:
    """Where a stream stands, so that it can be taken up again after a break."""

    last_event_id: str | None = None
    retry: float = RECONNECT_DELAY  # seconds
    was_open: bool = False

    def advance(self, event: ServerSentEvent) -> None:
        if event.id is not None:
            self.last_event_id = event.id
        if event.retry is not None:
            # A server that names a time must not be asked before it; calls have their own deadline.
            self.retry = max(event.retry / 1000, MIN_RETRY)


class HTTPLink:
    """A link to one address; with `mcp-session-id` in `headers` it is one legacy session."""

    is_duplex = False

    def __init__(
        self, client: HTTPClient, target: HTTPTarget, name: str, hear: Hear, ended: Ended
    ) -> None:
        self.headers: dict[str, str] = {}
        self.ids: Iterator[int] = count(1)
        self._client = client
        self._target = target
        self._name = name
        self._hear = hear
        self._ended = ended
        self._closed = False

    async def exchange(self, message: JSONObject, hear: Hear, headers: Headers = ()) -> JSONObject:
        """POST a request and return its answer, from the body or from the stream."""
        response = await self._post(message, headers)
        try:
            if _content_type(response) == "text/event-stream":
                return await self._from_stream(response, message["id"], hear)
            return await self._from_body(response)
        finally:
            await response.close()

    async def post(self, message: JSONObject, headers: Headers = ()) -> None:
        """POST a message that wants no answer."""
        response = await self._post(message, headers)
        try:
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise self._refused(response.status)
            await response.read(MAX_MESSAGE)
        finally:
            await response.close()

    async def _post(self, message: JSONObject, headers: Headers) -> HTTPResponse:
        response = await self._client.request(
            "POST",
            self._target.url,
            headers=(*_POST_HEADERS, *self._own_headers(), *headers),
            body=dumps(message),
        )
        session = response.headers.get("mcp-session-id")
        if session is not None and message.get("method") == "initialize":
            self.headers["mcp-session-id"] = session
        if response.status == HTTPStatus.NOT_FOUND and "mcp-session-id" in self.headers:
            await response.close()
            raise self._expired()
        return response

    def _expired(self) -> SessionExpired:
        return SessionExpired(f"{self._name} ended our session.")

    def _own_headers(self) -> tuple[tuple[str, str], ...]:
        return (*self._target.headers.items(), *self.headers.items())

    async def _from_body(self, response: HTTPResponse) -> JSONObject:
        if response.status in _NOT_ALLOWED:
            raise self._refused(response.status)
        body = await response.read(MAX_MESSAGE)
        try:
            message = as_object(loads(body)) or {}
        except ValueError:
            message = {}
        # A web framework's own error may be an object with a member `error`, too.
        if "result" in message or as_object(message.get("error")) is not None:
            return message
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise self._refused(response.status)
        raise ProtocolBroken(f"{self._name} answered with something that is not JSON-RPC.")

    async def _from_stream(self, response: HTTPResponse, wanted: object, hear: Hear) -> JSONObject:
        cursor = _Cursor()
        for _ in range(MAX_RESUMES):
            try:
                async for message in _messages(response, cursor):
                    if isinstance(message.get("method"), str):
                        hear(message)
                    elif "method" not in message and message.get("id") in (wanted, None):
                        return message
            except ConnectionFailed:
                if cursor.last_event_id is None:
                    raise
            finally:
                await response.close()
            if cursor.last_event_id is None:
                break
            await asyncio.sleep(cursor.retry)
            response = await self._get(cursor)
        await response.close()
        raise UpstreamUnavailable(f"{self._name} ended its stream before the answer.")

    async def listen(self) -> None:
        """Hear the session's own stream until the link closes; a server may offer none."""
        cursor = _Cursor()
        while not self._closed:
            try:
                await self._hear_stream(cursor)
            except HTTPRefused as refusal:
                if refusal.code == HTTPStatus.NOT_FOUND and cursor.was_open and not self._closed:
                    # There was a stream: the server has forgotten the session, not the method.
                    self._ended(self._expired())
                raise
            except UpstreamFailed:
                # A server that is restarted comes back; one without a stream has refused.
                doubled = max(cursor.retry, RECONNECT_DELAY) * 2
                cursor.retry = max(cursor.retry, min(doubled, MAX_RETRY))
            await asyncio.sleep(cursor.retry)

    async def _hear_stream(self, cursor: _Cursor) -> None:
        response = await self._get(cursor)
        cursor.was_open = True
        try:
            async for message in _messages(response, cursor):
                if isinstance(message.get("method"), str):
                    self._hear(message)
        finally:
            await response.close()

    async def _get(self, cursor: _Cursor) -> HTTPResponse:
        resume = (("last-event-id", cursor.last_event_id),) if cursor.last_event_id else ()
        response = await self._client.request(
            "GET",
            self._target.url,
            headers=(("accept", "text/event-stream"), *self._own_headers(), *resume),
            repeatable=True,
        )
        if response.status != HTTPStatus.OK or _content_type(response) != "text/event-stream":
            await response.close()
            raise self._refused(response.status)
        return response

    def _refused(self, status: int) -> UpstreamFailed:
        cure = ""
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            cure = " Check the credentials in its headers."
        elif status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
            cure = " Check its url."
        return HTTPRefused(f"{self._name} answered HTTP {status}.{cure}", status)

    async def close(self) -> None:
        """End a legacy session politely; the connections belong to the client's pool."""
        if self._closed:
            return
        self._closed = True
        if "mcp-session-id" not in self.headers:
            return
        try:
            async with asyncio.timeout(2):
                response = await self._client.request(
                    "DELETE", self._target.url, headers=self._own_headers()
                )
                await response.close()
        except (UpstreamFailed, TimeoutError):
            return


async def _messages(response: HTTPResponse, cursor: _Cursor) -> AsyncGenerator[JSONObject]:
    reader = EventReader(MAX_MESSAGE)
    async for chunk in response.chunks():
        for event in reader.feed(chunk):
            cursor.advance(event)
            if not event.data or event.event != "message":
                continue
            try:
                value = loads(event.data)
            except ValueError:
                continue
            # Servers of 2025-03-26 may send several messages together.
            for each in as_list(value) or (value,):
                message = as_object(each)
                if message is not None:
                    yield message


def _content_type(response: HTTPResponse) -> str:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


class HTTPConnector:
    """Opens links to an address that speaks Streamable HTTP."""

    is_duplex = False

    def __init__(self, client: HTTPClient, target: HTTPTarget, name: str) -> None:
        self._client = client
        self._target = target
        self._name = name

    async def connect(self, hear: Hear, ended: Ended) -> HTTPLink:
        """Return a link; nothing is sent yet, so nothing can fail."""
        return HTTPLink(self._client, self._target, self._name, hear, ended)
