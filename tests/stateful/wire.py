"""Clients that a model can follow: every message with the stream and the event that brought it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx2

JSONObject = dict[str, Any]

LEGACY, MODERN = "2025-11-25", "2026-07-28"
PREFIX = "io.modelcontextprotocol/"
BOTH = "application/json, text/event-stream"
NAMED = {"tools/call": "name", "resources/read": "uri"}


@dataclass(frozen=True, slots=True)
class Seen:
    """One message as it arrived: on which stream, and under which event id if it has one."""

    stream: str
    event_id: str | None
    message: JSONObject


@dataclass(slots=True)
class Exchange:
    """One HTTP request under way; `label` names the stream of its answer."""

    label: str
    status: int | None = None
    headers: httpx2.Headers = field(default_factory=httpx2.Headers)
    last_event: str | None = None
    is_over: bool = False
    task: "asyncio.Task[None] | None" = None

    async def leave(self) -> None:
        """Close the connection, whatever is under way."""
        assert self.task is not None
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


class Wire:
    """One client's way to the gateway: posts, streams, and all that came of them."""

    def __init__(self, http: httpx2.AsyncClient, url: str, news: Callable[[], None]) -> None:
        self.seen: list[Seen] = []
        self.exchanges: list[Exchange] = []
        self.faults: list[str] = []
        self._http = http
        self._url = url
        self._news = news
        self._endpoint: str | None = None

    def send(
        self,
        method: str,
        label: str,
        *,
        headers: dict[str, str],
        message: JSONObject | None = None,
    ) -> Exchange:
        """Begin a request; what it brings goes to `seen`."""
        exchange = Exchange(label)
        self.exchanges.append(exchange)
        exchange.task = asyncio.create_task(
            self._run(exchange, method, self._endpoint or self._url, headers, message)
        )
        return exchange

    async def _run(
        self,
        exchange: Exchange,
        method: str,
        url: str,
        headers: dict[str, str],
        message: JSONObject | None,
    ) -> None:
        try:
            async with self._http.stream(method, url, headers=headers, json=message) as answer:
                exchange.status, exchange.headers = answer.status_code, answer.headers
                self._news()
                if answer.headers.get("content-type", "").startswith("text/event-stream"):
                    async for event, event_id, data in _events(answer):
                        self._take(exchange, event, event_id, data)
                else:
                    text = (await answer.aread()).decode()
                    if answer.status_code >= 500:
                        self.faults.append(f"HTTP {answer.status_code} on {exchange.label}: {text}")
                        return
                    self._take(exchange, "message", None, text)
        except httpx2.HTTPError as error:
            self.faults.append(f"{exchange.label} broke: {error!r}")
        finally:
            exchange.is_over = True
            self._news()

    def _take(self, exchange: Exchange, event: str, event_id: str | None, data: str) -> None:
        exchange.last_event = event_id or exchange.last_event
        if event == "endpoint":
            self._endpoint = str(httpx2.URL(self._url).join(data))
        elif data:
            self.seen.append(Seen(exchange.label, event_id, json.loads(data)))
        self._news()

    @property
    def has_endpoint(self) -> bool:
        """Whether the stream of the old transport has said where to post."""
        return self._endpoint is not None

    async def close(self) -> None:
        """Break off all that is under way."""
        for exchange in self.exchanges:
            await exchange.leave()


async def _events(answer: httpx2.Response) -> AsyncIterator[tuple[str, str | None, str]]:
    event, event_id, data = "message", None, ""
    async for line in answer.aiter_lines():
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            event = value
        elif name == "id":
            event_id = value
        elif name == "data":
            data += value
        elif not line:
            yield event, event_id, data
            event, event_id, data = "message", None, ""
