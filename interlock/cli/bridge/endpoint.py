"""The far side of the bridge: POST, GET and DELETE of one endpoint, bodies as bytes."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeAlias

import httpx2

from interlock.cli.http import CONNECT_TIMEOUT, BrokenConnection, client_options, named_failures
from interlock.errors import TooLarge
from interlock.protocol.sse import EventReader, ServerSentEvent

Headers: TypeAlias = Sequence[tuple[str, str]]

MAX_MESSAGE = 32 * 1024 * 1024  # bytes
MAX_CONNECTIONS = 300
SILENCE = 600.0  # seconds; a gateway sends comments far more often
GOODBYE_TIMEOUT = 2.0  # seconds to end a session
RETRY_DELAY = 1.0  # seconds, where the server names none


@dataclass(slots=True)
class Cursor:
    """Where a stream stands, so that it can be taken up again after a break."""

    last_event_id: str | None = None
    retry: float = RETRY_DELAY  # seconds

    def advance(self, event: ServerSentEvent) -> None:
        """Note what an event says about resuming."""
        if event.id is not None:
            self.last_event_id = event.id
        if event.retry is not None:
            self.retry = event.retry / 1000

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers of a GET that goes on from here."""
        resume = [("last-event-id", self.last_event_id)] if self.last_event_id else []
        return [("accept", "text/event-stream"), *resume]


class Reply:
    """One HTTP answer, read while it arrives."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.headers = response.headers
        self._response = response

    @property
    def is_stream(self) -> bool:
        """Whether the answer is a stream of events."""
        kind = self.headers.get("content-type", "").partition(";")[0]
        return kind.strip().lower() == "text/event-stream"

    async def body(self) -> bytes:
        """Return the whole body. Raises TooLarge."""
        parts: list[bytes] = []
        size = 0
        async for chunk in self._response.aiter_bytes():
            size += len(chunk)
            if size > MAX_MESSAGE:
                raise TooLarge(f"An answer is larger than {MAX_MESSAGE} bytes.")
            parts.append(chunk)
        return b"".join(parts)

    async def messages(self, cursor: Cursor) -> AsyncGenerator[bytes]:
        """Yield the messages of a stream as they come. Raises TooLarge."""
        reader = EventReader(MAX_MESSAGE)
        async for chunk in self._response.aiter_bytes():
            for event in reader.feed(chunk):
                cursor.advance(event)
                if event.data and event.event == "message":
                    yield event.data


class Endpoint:
    """Sends to one address with one key; a context that closes its connections."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url = url
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(SILENCE, connect=CONNECT_TIMEOUT, pool=CONNECT_TIMEOUT),
            limits=httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=20),
            **client_options(url, key),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.aclose()

    @asynccontextmanager
    async def post(self, message: bytes, headers: Headers) -> AsyncGenerator[Reply]:
        """Send one message; leaving the block closes the answer's stream."""
        own = [
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
        ]
        async with self._open("POST", [*own, *headers], message) as reply:
            yield reply

    @asynccontextmanager
    async def get(self, headers: Headers) -> AsyncGenerator[Reply]:
        """Open a stream of the server's own messages, or take up one that broke off."""
        async with self._open("GET", headers, None) as reply:
            yield reply

    async def delete(self, headers: Headers) -> None:
        """End a session, within a few seconds."""
        try:
            async with asyncio.timeout(GOODBYE_TIMEOUT), self._open("DELETE", headers, None):
                return
        except TimeoutError:
            raise BrokenConnection("The gateway did not end the session in time.") from None

    @asynccontextmanager
    async def _open(
        self, method: str, headers: Headers, content: bytes | None
    ) -> AsyncGenerator[Reply]:
        with named_failures(self.url):
            async with self._client.stream(
                method,
                self.url,
                # Compressed streams are held back by whoever compresses them.
                headers=[*headers, ("accept-encoding", "identity")],
                content=content,
            ) as response:
                yield Reply(response)
