"""Streamable HTTP, the client's side: every message a POST, answers as JSON or as a stream.

Source: 2025-11-25 and 2026-07-28, basic/transports.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from itertools import count

from interlock.errors import InterlockError, UpstreamFailed, UpstreamUnavailable
from interlock.protocol.json import JSONObject, dumps
from interlock.protocol.sse import EventReader
from interlock.upstreams.balancing import Endpoint, Endpoints, pause_of
from interlock.upstreams.begun import (
    MAX_MESSAGE,
    RECONNECT_DELAY,
    Cursor,
    HTTPWay,
    answer_in,
    answer_of,
    messages_in,
)
from interlock.upstreams.connection import Connection
from interlock.upstreams.connections import HTTPClient
from interlock.upstreams.definition import HTTPTarget
from interlock.upstreams.envelope import EDGE, is_answer
from interlock.upstreams.large import LARGE, PASSED_ON, read_in_turns
from interlock.upstreams.port import (
    Ended,
    Headers,
    Hear,
    ProtocolBroken,
    SessionExpired,
    Way,
)
from interlock.upstreams.response import ConnectionFailed, HTTPResponse, headers_from

MAX_RETRY = 60.0  # seconds between attempts, where no server asks for more
MAX_RESUMES = 20
GOODBYE = 2.0  # seconds in which a session is ended politely

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


class HTTPLink:
    """A link to one address; with `mcp-session-id` in `headers` it is one legacy session."""

    is_duplex = False

    def __init__(
        self,
        client: HTTPClient,
        target: HTTPTarget,
        name: str,
        hear: Hear,
        ended: Ended,
        endpoints: Endpoints,
    ) -> None:
        self.headers: dict[str, str] = {}
        self.ids: Iterator[int] = count(1)
        self._client = client
        self._target = target
        self._name = name
        self._hear = hear
        self._ended = ended
        self._endpoints = endpoints
        # A legacy session is known to the endpoint that opened it, and to no other.
        self._home: Endpoint | None = None
        self._closed = False
        self.now = endpoints.now

    async def exchange(self, message: JSONObject, hear: Hear, headers: Headers = ()) -> JSONObject:
        """POST a request and return its answer, from the body or from the stream."""
        endpoint = self._endpoint(message.get("method"))
        cursor, wanted = Cursor(is_passed_on=message["method"] in PASSED_ON), message["id"]
        async with self._posted(endpoint, message, headers) as response:
            if _content_type(response) != "text/event-stream":
                return await self._from_body(response, endpoint, cursor)
            answer = await _answer_in(response, wanted, hear, cursor)
        return answer or await self.resumed(endpoint, cursor, wanted, hear)

    async def resumed(
        self, endpoint: Endpoint, cursor: Cursor, wanted: object, hear: Hear
    ) -> JSONObject:
        """Take a stream that broke off up again, where that can be; return the answer in it."""
        for _ in range(MAX_RESUMES):
            if cursor.last_event_id is None:
                break
            await asyncio.sleep(cursor.retry)
            async with self._got(endpoint, cursor) as response:
                answer = await _answer_in(response, wanted, hear, cursor)
            if answer is not None:
                return answer
        self._endpoints.failed(endpoint)
        raise UpstreamUnavailable(f"{self._name} ended its stream before the answer.")

    def way(self, method: str, headers: Headers = ()) -> Way:
        """Return the way of requests with this method and these headers."""
        sent = (*_POST_HEADERS, *self._own_headers(), *headers)
        return HTTPWay(self, method, lambda endpoint: self._client.head(endpoint.url, sent))

    def free(self) -> tuple[Endpoint, Connection] | None:
        """Return a connection that takes a call at once, and where it leads, if there is one."""
        endpoint = self._home
        if endpoint is None or endpoint.ejected_until or endpoint.busy_until:
            try:
                endpoint = self._endpoint(None)
            except UpstreamFailed:
                return None
        connection = self._client.idle(endpoint.url)
        return (endpoint, connection) if connection is not None else None

    def was_answered(
        self, endpoint: Endpoint, status: int, fields: Sequence[tuple[bytes, bytes]]
    ) -> None:
        """Take note of the head of an answer."""
        headers = headers_from(fields) if status >= HTTPStatus.BAD_REQUEST else {}
        self._endpoints.answered(endpoint, status, headers)

    def was_given_up(self, endpoint: Endpoint, since: float) -> None:
        """Take note that nobody waits for the head of an answer any more."""
        self._endpoints.gave_up(endpoint, since)

    def broke(self, endpoint: Endpoint, error: InterlockError) -> InterlockError:
        """Take note of a connection that failed; return what failed."""
        if not isinstance(error, ConnectionFailed):
            return error
        self._endpoints.failed(endpoint, is_unreachable=not error.sent)
        return error.at(self._name)

    async def post(self, message: JSONObject, headers: Headers = ()) -> None:
        """POST a message that wants no answer."""
        endpoint = self._endpoint(message.get("method"))
        async with self._posted(endpoint, message, headers) as response:
            if response.status >= HTTPStatus.BAD_REQUEST:
                raise self._refused(response.status, response.headers, endpoint)
            await response.read(MAX_MESSAGE)

    def _endpoint(self, method: object) -> Endpoint:
        """Return where a message goes. Raises UpstreamBusy, and SessionExpired to move a session."""
        home = self._home
        if home is None:
            chosen = self._endpoints.choose()
            if method == "initialize":
                self._home = chosen
            return chosen
        if self._endpoints.has_better(home):
            raise SessionExpired(f"{self._name} does not answer where our session is.")
        self._endpoints.check(home)
        return home

    @asynccontextmanager
    async def _posted(
        self, endpoint: Endpoint, message: JSONObject, headers: Headers
    ) -> AsyncGenerator[HTTPResponse]:
        # Streams of changes last and are no load.
        load = message.get("method") != "subscriptions/listen"
        sent = (*_POST_HEADERS, *self._own_headers(), *headers)
        endpoint.pending += load
        try:
            async with self._asked("POST", endpoint, sent, dumps(message)) as response:
                session = response.headers.get("mcp-session-id")
                if session is not None and message.get("method") == "initialize":
                    self.headers["mcp-session-id"] = session
                if self.is_expiry(response.status):
                    raise self.expired()
                yield response
        except ConnectionFailed as failure:
            if failure.sent or self._home is None or not self._endpoints.has_better(endpoint):
                raise
            # Nothing was done, so that a session at another endpoint may do it.
            raise SessionExpired(failure.message) from failure
        finally:
            endpoint.pending -= load

    @asynccontextmanager
    async def _asked(
        self, verb: str, endpoint: Endpoint, headers: Headers, body: bytes = b""
    ) -> AsyncGenerator[HTTPResponse]:
        """Send a request and yield its answer; how it went is noted of the endpoint."""
        began, response = self._endpoints.now(), None
        try:
            response = await self._client.request(
                verb, endpoint.url, headers=headers, body=body, repeatable=verb == "GET"
            )
            self._endpoints.answered(endpoint, response.status, response.headers)
            yield response
        except ConnectionFailed as failure:
            self._endpoints.failed(endpoint, is_unreachable=not failure.sent)
            raise failure.at(self._name) from failure
        except asyncio.CancelledError:
            if response is None:
                self._endpoints.gave_up(endpoint, began)
            raise
        finally:
            if response is not None:
                await response.close()

    def is_expiry(self, status: int) -> bool:
        """Tell whether the HTTP status of an answer says that our session is gone."""
        return status == HTTPStatus.NOT_FOUND and "mcp-session-id" in self.headers

    def expired(self) -> SessionExpired:
        """Return what is raised where our session is gone."""
        return SessionExpired(f"{self._name} ended our session.")

    def _own_headers(self) -> tuple[tuple[str, str], ...]:
        return (*self._target.headers.items(), *self.headers.items())

    async def _from_body(
        self, response: HTTPResponse, endpoint: Endpoint, cursor: Cursor
    ) -> JSONObject:
        if response.status in _NOT_ALLOWED:
            raise self._refused(response.status, response.headers, endpoint)
        body = await response.read(MAX_MESSAGE)
        if len(body) > LARGE and cursor.is_passed_on and response.status == HTTPStatus.OK:
            reading = self.read_large(body)
            del body
            return await reading
        return self.read_answer(endpoint, response.status, response.fields, body)

    def read_answer(
        self,
        endpoint: Endpoint,
        status: int,
        fields: Sequence[tuple[bytes, bytes]],
        body: bytes,
    ) -> JSONObject:
        """Return the answer in the body of a response. Raises UpstreamFailed where there is none."""
        if status in _NOT_ALLOWED:
            raise self._refused(status, headers_from(fields), endpoint)
        answer = answer_in(body)
        if answer is not None:
            return answer
        if status >= HTTPStatus.BAD_REQUEST:
            raise self._refused(status, headers_from(fields), endpoint)
        raise self._no_answer()

    async def read_large(self, text: bytes) -> JSONObject:
        """Return the large answer in a text, read in turns with other work. Raises UpstreamFailed."""
        reading = read_in_turns(text)
        del text
        answer = answer_of(await reading)
        if answer is None:
            raise self._no_answer()
        return answer

    def _no_answer(self) -> ProtocolBroken:
        return ProtocolBroken(f"{self._name} answered with something that is not JSON-RPC.")

    async def listen(self) -> None:
        """Hear the session's own stream until the link closes; a server may offer none."""
        cursor = Cursor()
        while not self._closed:
            try:
                await self._hear_stream(cursor)
            except HTTPRefused as refusal:
                if refusal.code == HTTPStatus.NOT_FOUND and cursor.was_open and not self._closed:
                    # There was a stream: the server has forgotten the session, not the method.
                    self._ended(self.expired())
                raise
            except UpstreamFailed:
                # A server that is restarted comes back; one without a stream has refused.
                doubled = max(cursor.retry, RECONNECT_DELAY) * 2
                cursor.retry = max(cursor.retry, min(doubled, MAX_RETRY))
            await asyncio.sleep(cursor.retry)

    async def _hear_stream(self, cursor: Cursor) -> None:
        async with self._got(self._endpoint(None), cursor) as response:
            cursor.was_open = True
            async for message in _messages(response, cursor):
                if isinstance(message.get("method"), str):
                    self._hear(message)

    @asynccontextmanager
    async def _got(self, endpoint: Endpoint, cursor: Cursor) -> AsyncGenerator[HTTPResponse]:
        self._endpoints.check(endpoint)
        resume = (("last-event-id", cursor.last_event_id),) if cursor.last_event_id else ()
        headers = (("accept", "text/event-stream"), *self._own_headers(), *resume)
        async with self._asked("GET", endpoint, headers) as response:
            if response.status != HTTPStatus.OK or _content_type(response) != "text/event-stream":
                raise self._refused(response.status, response.headers, endpoint)
            yield response

    def _refused(
        self, status: int, headers: Mapping[str, str], endpoint: Endpoint
    ) -> UpstreamFailed:
        if pause_of(status, headers) is not None:
            return self._endpoints.turned_away(endpoint, is_home=self._home is not None)
        cure = ""
        if status in _NOT_ALLOWED:
            cure = " Check the credentials in its headers."
        elif status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
            cure = " Check its url."
        elif status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._endpoints.failed(endpoint)
        return HTTPRefused(f"{self._name} answered HTTP {status}.{cure}", status)

    async def close(self) -> None:
        """End a legacy session politely; the connections belong to the client's pool."""
        if self._closed:
            return
        self._closed = True
        if "mcp-session-id" not in self.headers or self._home is None:
            return
        try:
            self._endpoints.check(self._home)
            async with (
                asyncio.timeout(GOODBYE),
                self._asked("DELETE", self._home, self._own_headers()),
            ):
                return
        except (UpstreamFailed, TimeoutError):
            return


async def _answer_in(
    response: HTTPResponse, wanted: object, hear: Hear, cursor: Cursor
) -> JSONObject | None:
    """Return the wanted answer from a stream; None where the stream ended and may be taken up."""
    try:
        async for message in _messages(response, cursor):
            if isinstance(message.get("method"), str):
                hear(message)
            elif "method" not in message and message.get("id") in (wanted, None):
                response.leave()
                return message
    except ConnectionFailed:
        if cursor.last_event_id is None:
            raise
    return None


async def _messages(response: HTTPResponse, cursor: Cursor) -> AsyncGenerator[JSONObject]:
    reader = EventReader(MAX_MESSAGE)
    async for chunk in response.chunks():
        for text in cursor.texts(reader.feed(chunk)):
            if len(text) > LARGE and cursor.is_passed_on and is_answer(text[:EDGE]):
                message = await read_in_turns(text)
                if message is not None:
                    yield message
                continue
            for message in messages_in(text):
                yield message


def _content_type(response: HTTPResponse) -> str:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


class HTTPConnector:
    """Opens links to an address that speaks Streamable HTTP."""

    is_duplex = False

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

    async def connect(self, hear: Hear, ended: Ended) -> HTTPLink:
        """Return a link; nothing is sent yet, so nothing can fail."""
        return HTTPLink(self._client, self._target, self._name, hear, ended, self._endpoints)
