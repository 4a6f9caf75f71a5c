"""The everything server as servers of the legacy era are: a session, and requests to its client."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any

from everything_answers import METHOD_NOT_FOUND
from everything_call import Call
from everything_offer import INSTRUCTIONS, JSONObject, capabilities
from everything_tasks import answer_legacy
from everything_work import Task
from everything_world import Fault, Send, World

VERSION = "2025-11-25"
VERSIONS = (VERSION, "2025-06-18", "2025-03-26", "2024-11-05")


class LegacySession:
    """One client from `initialize` on; `send` writes to the stream that belongs to no call.

    `more` is what this client alone is offered; `end` is what a transport does to end a session.
    """

    def __init__(self, world: World, send: Send) -> None:
        self.world = world
        self.send = send
        self.level = "debug"
        self.more: defaultdict[str, list[JSONObject]] = defaultdict(list)
        self.end: Callable[[], None] = lambda: None
        self._capabilities: JSONObject | None = None
        self._watched: set[str] = set()
        self._running: dict[Any, asyncio.Task[None] | None] = {}
        self._asks: dict[str, asyncio.Future[JSONObject]] = {}
        self._ask_ids = count(1)

    def close(self) -> None:
        """Tell this client of nothing any more."""
        self.world.hearers.discard(self)

    async def receive(
        self, message: JSONObject, send: Send, headers: Mapping[str, str] | None = None
    ) -> None:
        """Serve a message of the client; what belongs to a request goes to `send`."""
        if "method" not in message:
            self._asks.pop(str(message["id"])).set_result(message)
        elif "id" not in message:
            self._notified(message["method"], message.get("params") or {})
        else:
            await self._request(message, send, headers or {})

    def _notified(self, method: str, params: JSONObject) -> None:
        if method == "notifications/cancelled":
            task = self._running.get(params["requestId"])
            if task is not None:
                task.cancel()
        elif method == "notifications/roots/list_changed":
            self.world.roots_changed.set()
        elif method != "notifications/initialized":
            self.world.noted[method].put_nowait(params)

    async def _request(self, message: JSONObject, send: Send, headers: Mapping[str, str]) -> None:
        request_id = message["id"]
        self._running[request_id] = asyncio.current_task()
        envelope: JSONObject = {"jsonrpc": "2.0", "id": request_id}
        try:
            envelope["result"] = await self._result(message, send, headers)
        except Fault as fault:
            envelope["error"] = fault.error
        except asyncio.CancelledError:
            # A cancelled request has no answer.
            return
        finally:
            del self._running[request_id]
        send(envelope)

    async def _result(
        self, message: JSONObject, send: Send, headers: Mapping[str, str]
    ) -> JSONObject:
        params = message.get("params") or {}
        if message["method"] == "initialize":
            return self._initialize(params)
        if self._capabilities is None:
            raise Fault(METHOD_NOT_FOUND, "Send initialize first.")
        match message["method"]:
            case "ping":
                return {}
            case "logging/setLevel":
                self.level = params["level"]
                return {}
            case "resources/subscribe":
                self.world.read(params["uri"], self.more["resources"])
                self._watched.add(params["uri"])
                return {}
            case "resources/unsubscribe":
                self._watched.discard(params["uri"])
                return {}
            case _:
                call = _LegacyCall(self, message, send, self._capabilities, headers)
                return await answer_legacy(call, self.send)

    def _initialize(self, params: JSONObject) -> JSONObject:
        self._capabilities = params["capabilities"]
        self.world.hearers.add(self)
        wanted = params["protocolVersion"]
        return {
            "protocolVersion": wanted if wanted in VERSIONS else VERSION,
            "capabilities": capabilities("legacy", self.world.name),
            "serverInfo": {"name": self.world.name, "version": "1", "title": "Everything"},
            "instructions": INSTRUCTIONS,
        }

    async def ask(self, method: str, params: JSONObject, send: Send) -> JSONObject:
        """Send the client a request and return its result. Raises Fault."""
        ask_id = f"ask-{next(self._ask_ids)}"
        future: asyncio.Future[JSONObject] = asyncio.get_running_loop().create_future()
        self._asks[ask_id] = future
        send({"jsonrpc": "2.0", "id": ask_id, "method": method, "params": params})
        response = await future
        if "error" in response:
            raise Fault(-32603, f"The client refused {method}.", response["error"])
        return response["result"]

    def changed(self, kind: str) -> None:
        """Say that a list changed."""
        self.send({"jsonrpc": "2.0", "method": f"notifications/{kind}/list_changed"})

    def updated(self, uri: str) -> None:
        """Say that a resource was updated, if this client subscribed to it."""
        if uri in self._watched:
            params = {"uri": uri, "x-unknown": self.world.name}
            method = "notifications/resources/updated"
            self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def task_changed(self, task: Task) -> None:
        """Say nothing: only who made a task hears of it."""


class _LegacyCall(Call):
    def __init__(
        self,
        session: LegacySession,
        message: JSONObject,
        send: Send,
        capabilities: JSONObject,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(session.world, message, send, capabilities, headers, session.more)
        self._session = session

    def log_level(self) -> str | None:
        return self._session.level

    async def _ask(self, method: str, params: JSONObject) -> JSONObject:
        if params.get("mode") == "url":
            params = {**params, "elicitationId": f"e-{self.server}"}
        return await self._session.ask(method, params, self._send)

    def tell_all(self, method: str, **params: Any) -> None:
        self._session.send({"jsonrpc": "2.0", "method": method, "params": params})

    def tell(self, method: str, **params: Any) -> None:
        self.tell_all(method, **params)

    def switch_on(self, kind: str, item: JSONObject) -> None:
        self._session.more[kind].append(item)
        self._session.changed(kind)

    def end_session(self) -> None:
        self._session.end()
