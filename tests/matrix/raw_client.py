"""MCP clients that show everything as it came: no type stands between a test and the JSON.

There are three, one for each way to come: Streamable HTTP in either era, and legacy SSE.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import httpx2

JSONObject = dict[str, Any]
Heard = Callable[[JSONObject], object]

SECONDS = 60.0
LEGACY, MODERN = "2025-11-25", "2026-07-28"
PREFIX = "io.modelcontextprotocol/"
BOTH = "application/json, text/event-stream"
INFO = {"name": "raw", "version": "1"}
NAMED = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    **dict.fromkeys(("tasks/get", "tasks/update", "tasks/cancel"), "taskId"),
}


class Refused(Exception):
    """A JSON-RPC error that was answered, whole."""

    def __init__(self, error: JSONObject) -> None:
        super().__init__(json.dumps(error))
        self.error = error


class NoAnswer(Exception):
    """A request ended without an answer, as a cancelled one does."""


# All is plain HTTP here, and loading the authorities that TLS needs takes longer than a call.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass(frozen=True, slots=True)
class Begun:
    """A request under way."""

    id: int
    task: "asyncio.Task[JSONObject]"


class RawClient:
    """What the three have in common: what was heard, and answers to what the server asks."""

    def __init__(self, http: httpx2.AsyncClient, url: str, capabilities: JSONObject) -> None:
        self.heard: list[JSONObject] = []
        self.answers: dict[str, Callable[[JSONObject], JSONObject]] = {}
        self.capabilities = capabilities
        self._http = http
        self._url = url
        self._ids = count(1)
        self._news = asyncio.Event()

    async def request(self, method: str, params: JSONObject | None = None) -> JSONObject:
        """Send a request and return its result. Raises Refused and NoAnswer."""
        return await self.begin(method, params).task

    def begin(self, method: str, params: JSONObject | None = None) -> Begun:
        """Send a request and do not wait for its answer."""
        number = next(self._ids)
        return Begun(number, asyncio.create_task(self._request(number, method, params or {})))

    async def call(self, name: str, arguments: JSONObject | None = None, **more: Any) -> JSONObject:
        """Call a tool; `more` are further params."""
        params = {"name": name, "arguments": arguments or {}, **more}
        return await self.request("tools/call", params)

    async def all_of(self, method: str, kind: str) -> list[JSONObject]:
        """Return all pages of a list."""
        items: list[JSONObject] = []
        params: JSONObject = {}
        while True:
            page = await self.request(method, params)
            items += page[kind]
            if "nextCursor" not in page:
                return items
            params = {"cursor": page["nextCursor"]}

    async def until(self, method: str, holds: Heard = bool) -> JSONObject:
        """Wait until a notification of `method` came whose params `holds`; take and return them."""
        async with asyncio.timeout(SECONDS):
            while True:
                self._news.clear()
                for message in self.heard:
                    params = message.get("params", {})
                    if message["method"] == method and (holds is bool or holds(params)):
                        self.heard.remove(message)
                        return params
                await self._news.wait()

    def _hear(self, message: JSONObject) -> None:
        self.heard.append(message)
        self._news.set()

    async def _request(self, number: int, method: str, params: JSONObject) -> JSONObject:
        raise NotImplementedError

    async def cancel(self, begun: Begun) -> None:
        """Give a request up, as clients of this kind do."""
        raise NotImplementedError

    async def notify(self, method: str, params: JSONObject | None = None) -> None:
        """Send a notification."""
        raise NotImplementedError


class LegacyClient(RawClient):
    """A session of the legacy era over Streamable HTTP."""

    def __init__(self, http: httpx2.AsyncClient, url: str, capabilities: JSONObject) -> None:
        super().__init__(http, url, capabilities)
        self.initialized: JSONObject = {}
        self._headers = {"accept": BOTH, "mcp-protocol-version": LEGACY}
        self._listening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Shake hands and open the session's own stream."""
        params = {
            "protocolVersion": LEGACY,
            "capabilities": self.capabilities,
            "clientInfo": INFO,
        }
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        answer = await self._http.post(self._url, json=message, headers=self._headers)
        self._headers["mcp-session-id"] = answer.headers["mcp-session-id"]
        self.initialized = _result(answer.json())
        await self.notify("notifications/initialized")
        opened = asyncio.Event()
        self._listening = asyncio.create_task(self._listen(opened))
        await opened.wait()

    async def close(self) -> None:
        """End the session."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self._http.delete(self._url, headers=self._headers)

    async def _listen(self, opened: asyncio.Event) -> None:
        async with self._http.stream("GET", self._url, headers=self._headers) as stream:
            opened.set()
            async for message in _messages(stream):
                await self._take(message)

    async def _take(self, message: JSONObject) -> None:
        if "id" not in message:
            self._hear(message)
            return
        answer: JSONObject = {"jsonrpc": "2.0", "id": message["id"]}
        if message["method"] in self.answers:
            answer["result"] = self.answers[message["method"]](message.get("params", {}))
        else:
            answer["error"] = {"code": -32601, "message": f"Nobody answers {message['method']}."}
        await self._post(answer)

    async def _request(self, number: int, method: str, params: JSONObject) -> JSONObject:
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        async with self.posted(message) as answer:
            async for each in _messages(answer):
                if "method" not in each:
                    return _result(each)
                await self._take(each)
        raise NoAnswer

    def posted(self, message: JSONObject) -> AbstractAsyncContextManager[httpx2.Response]:
        """Send a message and return the response, to be read as it comes."""
        return self._http.stream("POST", self._url, json=message, headers=self._headers)

    def resumed(self, after: str | None) -> AbstractAsyncContextManager[httpx2.Response]:
        """Take up the stream of an event again, or for None listen to the session's own."""
        more = {} if after is None else {"last-event-id": after}
        return self._http.stream("GET", self._url, headers={**self._headers, **more})

    async def cancel(self, begun: Begun) -> None:
        """Say that the request is given up."""
        await self.notify("notifications/cancelled", {"requestId": begun.id})

    async def notify(self, method: str, params: JSONObject | None = None) -> None:
        """Send a notification."""
        await self._post({"jsonrpc": "2.0", "method": method, "params": params or {}})

    async def _post(self, message: JSONObject) -> None:
        answer = await self._http.post(self._url, json=message, headers=self._headers)
        assert answer.status_code == 202, answer.text


class SSEClient(LegacyClient):
    """A session of the legacy era over HTTP+SSE."""

    def __init__(self, http: httpx2.AsyncClient, url: str, capabilities: JSONObject) -> None:
        super().__init__(http, url, capabilities)
        self._headers = {}
        self._waiting: dict[int, asyncio.Future[JSONObject]] = {}
        self._endpoint: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def open(self) -> None:
        """Open the stream and shake hands."""
        self._listening = asyncio.create_task(self._listen(asyncio.Event()))
        params = {
            "protocolVersion": LEGACY,
            "capabilities": self.capabilities,
            "clientInfo": INFO,
        }
        self.initialized = await self._request(0, "initialize", params)
        await self.notify("notifications/initialized")

    async def close(self) -> None:
        """Close the stream, which ends the session."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self, opened: asyncio.Event) -> None:
        async with self._http.stream("GET", self._url) as stream:
            async for event in events(stream):
                if event.kind == "endpoint":
                    self._endpoint.set_result(str(httpx2.URL(self._url).join(event.data)))
                    opened.set()
                    continue
                message = json.loads(event.data)
                if "method" in message:
                    await self._take(message)
                elif message["id"] in self._waiting:
                    self._waiting[message["id"]].set_result(message)

    async def _request(self, number: int, method: str, params: JSONObject) -> JSONObject:
        future: asyncio.Future[JSONObject] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            await self._post({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
            return _result(await future)
        finally:
            del self._waiting[number]

    async def cancel(self, begun: Begun) -> None:
        """Say that the request is given up, and wait for it no longer."""
        await super().cancel(begun)
        self._waiting[begun.id].set_exception(NoAnswer())

    async def _post(self, message: JSONObject) -> None:
        answer = await self._http.post(await self._endpoint, json=message)
        assert answer.status_code == 202, answer.text


class ModernClient(RawClient):
    """A client of the modern era; a question is answered by sending the request again."""

    def __init__(self, http: httpx2.AsyncClient, url: str, capabilities: JSONObject) -> None:
        super().__init__(http, url, capabilities)
        self.log_level: str | None = None

    @asynccontextmanager
    async def listening(self, **wanted: Any) -> AsyncIterator[JSONObject]:
        """Hear of changes for as long as the block runs; yields what the server agreed to."""
        begun = self.begin("subscriptions/listen", {"notifications": wanted})
        try:
            yield await self.until("notifications/subscriptions/acknowledged")
        finally:
            await self.cancel(begun)
            await asyncio.gather(begun.task, return_exceptions=True)

    async def _request(self, number: int, method: str, params: JSONObject) -> JSONObject:
        result = await self._once(number, method, params)
        while result.get("resultType") == "input_required":
            answers = {
                key: self.answers[asked["method"]](asked.get("params", {}))
                for key, asked in result["inputRequests"].items()
            }
            retry = {**params, "inputResponses": answers}
            if "requestState" in result:
                retry["requestState"] = result["requestState"]
            result = await self._once(next(self._ids), method, retry)
        return result

    async def _once(self, number: int, method: str, params: JSONObject) -> JSONObject:
        meta = {
            f"{PREFIX}protocolVersion": MODERN,
            f"{PREFIX}clientInfo": INFO,
            f"{PREFIX}clientCapabilities": self.capabilities,
            **params.get("_meta", {}),
        }
        if self.log_level is not None:
            meta[f"{PREFIX}logLevel"] = self.log_level
        body = {**params, "_meta": meta}
        headers = {"accept": BOTH, "mcp-protocol-version": MODERN, "mcp-method": method}
        if method in NAMED:
            headers["mcp-name"] = params[NAMED[method]]
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": body}
        async with self._http.stream("POST", self._url, json=message, headers=headers) as answer:
            async for each in _messages(answer):
                if "method" not in each:
                    return _result(each)
                self._hear(each)
        raise NoAnswer

    async def cancel(self, begun: Begun) -> None:
        """Close the connection of the request."""
        begun.task.cancel()
        await asyncio.gather(begun.task, return_exceptions=True)


@asynccontextmanager
async def raw_client(
    kind: str,
    address: str,
    key: str,
    capabilities: JSONObject | None = None,
    *,
    place: str = "default",
    transport: httpx2.AsyncBaseTransport | None = None,
) -> AsyncIterator[RawClient]:
    """Connect a client that comes the way that `kind` names, to `project` or `project/server`."""
    headers = {"authorization": f"Bearer {key}"}
    async with AsyncExitStack() as stack:
        http = httpx2.AsyncClient(
            headers=headers, timeout=SECONDS, verify=NO_TLS, transport=transport
        )
        await stack.enter_async_context(http)
        if kind == "modern-http":
            yield ModernClient(http, f"{address}/mcp/{place}", capabilities or {})
            return
        if kind == "legacy-sse":
            client = SSEClient(http, f"{address}/sse/{place}", capabilities or {})
        else:
            client = LegacyClient(http, f"{address}/mcp/{place}", capabilities or {})
        stack.push_async_callback(client.close)
        await client.open()
        yield client


def _result(message: JSONObject) -> JSONObject:
    if "error" in message:
        raise Refused(message["error"])
    return message["result"]


async def _messages(answer: httpx2.Response) -> AsyncIterator[JSONObject]:
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        async for event in events(answer):
            if event.data:
                yield json.loads(event.data)
    else:
        yield json.loads(await answer.aread())


@dataclass(slots=True)
class Event:
    """One event of a stream."""

    kind: str = "message"
    data: str = ""
    id: str | None = None


async def events(answer: httpx2.Response) -> AsyncGenerator[Event, None]:
    """Yield the events of a stream as they come; a comment is an event without anything."""
    event = Event()
    async for line in answer.aiter_lines():
        field, _, value = line.partition(":")
        if field == "event":
            event.kind = value.strip()
        elif field == "data":
            event.data += value.removeprefix(" ")
        elif field == "id":
            event.id = value.strip()
        elif not line:
            yield event
            event = Event()
