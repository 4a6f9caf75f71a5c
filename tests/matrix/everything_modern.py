"""The everything server as servers of the modern era are: stateless, asking by its results."""

import asyncio
import base64
import json
from collections.abc import Mapping
from typing import Any

from everything_answers import LISTS, METHOD_NOT_FOUND
from everything_call import LEVELS, Call
from everything_offer import INSTRUCTIONS, JSONObject, capabilities
from everything_tasks import answer_modern, declares_tasks, detailed, needs_extension
from everything_work import Task
from everything_world import INVALID_PARAMS, Fault, Send, World

VERSION = "2026-07-28"
PREFIX = "io.modelcontextprotocol/"
UNSUPPORTED_VERSION = -32022
CACHED = {*LISTS, "resources/read", "server/discover"}
LISTENED = {kind: f"{kind}ListChanged" for kind in ("tools", "prompts", "resources")}


class InputRequired(Exception):
    """The client has to answer questions before the call can go on."""

    def __init__(self, result: JSONObject) -> None:
        super().__init__("input required")
        self.result = result


class ModernServer:
    """Serves requests that carry everything with them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._running: dict[Any, asyncio.Task[None] | None] = {}

    async def receive(
        self, message: JSONObject, send: Send, headers: Mapping[str, str] | None = None
    ) -> None:
        """Serve a message of the client; everything goes to `send`."""
        if "id" not in message:
            if message["method"] == "notifications/cancelled":
                task = self._running.get(message["params"]["requestId"])
                if task is not None:
                    task.cancel()
            return
        request_id = message["id"]
        self._running[request_id] = asyncio.current_task()
        envelope: JSONObject = {"jsonrpc": "2.0", "id": request_id}
        try:
            result = await self._result(message, send, headers or {})
            envelope["result"] = self._complete(message["method"], result)
        except InputRequired as needed:
            envelope["result"] = needed.result
        except Fault as fault:
            envelope["error"] = fault.error
        except asyncio.CancelledError:
            # A cancelled request has no answer.
            return
        finally:
            del self._running[request_id]
        send(envelope)

    def _complete(self, method: str, result: JSONObject) -> JSONObject:
        hints = {"ttlMs": 60_000, "cacheScope": "public"} if method in CACHED else {}
        meta = {f"{PREFIX}serverInfo": self._info, **result.get("_meta", {})}
        return {"resultType": "complete", **hints, **result, "_meta": meta}

    @property
    def _info(self) -> JSONObject:
        return {"name": self.world.name, "version": "1", "title": "Everything"}

    async def _result(
        self, message: JSONObject, send: Send, headers: Mapping[str, str]
    ) -> JSONObject:
        meta = (message.get("params") or {}).get("_meta") or {}
        version = meta.get(f"{PREFIX}protocolVersion")
        declared = meta.get(f"{PREFIX}clientCapabilities")
        if message["method"] == "initialize" or version not in {None, VERSION}:
            known = {"supported": [VERSION], "requested": version}
            raise Fault(UNSUPPORTED_VERSION, "Unsupported protocol version", known)
        if version is None or declared is None:
            raise Fault(INVALID_PARAMS, "The request says neither version nor capabilities.")
        call = _ModernCall(self.world, message, send, declared, headers)
        match message["method"]:
            case "server/discover":
                return {
                    "supportedVersions": [VERSION],
                    "capabilities": capabilities("modern", self.world.name),
                    "instructions": INSTRUCTIONS,
                }
            case "subscriptions/listen":
                return await self._listen(call, message["id"], send)
            case "ping" | "logging/setLevel" | "resources/subscribe":
                raise Fault(METHOD_NOT_FOUND, f"Method not found: {message['method']}")
            case _:
                return await answer_modern(call)

    async def _listen(self, call: Call, request_id: Any, send: Send) -> JSONObject:
        wanted = dict(call.params["notifications"])
        if "taskIds" in wanted:
            if not declares_tasks(call.capabilities):
                raise needs_extension()
            wanted["taskIds"] = [each for each in wanted["taskIds"] if each in self.world.tasks]
        listener = _Listener(request_id, wanted, send)
        self.world.hearers.add(listener)
        try:
            listener.acknowledge()
            await asyncio.Event().wait()
        finally:
            self.world.hearers.discard(listener)
        return {}


class _Listener:
    def __init__(self, request_id: Any, wanted: JSONObject, send: Send) -> None:
        self._tag = {f"{PREFIX}subscriptionId": request_id}
        self._wanted = wanted
        self._send = send

    def acknowledge(self) -> None:
        self._say("subscriptions/acknowledged", notifications=self._wanted)

    def changed(self, kind: str) -> None:
        if self._wanted.get(LISTENED[kind]):
            self._say(f"{kind}/list_changed")

    def updated(self, uri: str) -> None:
        if uri in self._wanted.get("resourceSubscriptions", ()):
            self._say("resources/updated", uri=uri, **{"x-unknown": True})

    def task_changed(self, task: Task) -> None:
        if task.id in self._wanted.get("taskIds", ()):
            self._say("tasks", **detailed(task))

    def _say(self, what: str, **params: Any) -> None:
        params["_meta"] = self._tag
        self._send({"jsonrpc": "2.0", "method": f"notifications/{what}", "params": params})


class _ModernCall(Call):
    """A call that starts anew with each answer, from what its state remembers."""

    def __init__(
        self,
        world: World,
        message: JSONObject,
        send: Send,
        capabilities: JSONObject,
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(world, message, send, capabilities, headers)
        self._answers = self._remembered()
        self._asked = 0

    def _remembered(self) -> list[JSONObject]:
        state = self.params.get("requestState")
        if state is None:
            return []
        try:
            owner, answers = json.loads(base64.b64decode(state, validate=True))
        except ValueError:
            raise Fault(INVALID_PARAMS, "The requestState is no state of mine.") from None
        if owner != self.server:
            raise Fault(INVALID_PARAMS, f"The requestState is {owner}'s.")
        new = (self.params.get("inputResponses") or {}).get(f"q{len(answers) + 1}")
        return answers if new is None else [*answers, new]

    @property
    def is_live(self) -> bool:
        return self._asked >= len(self._answers)

    def log_level(self) -> str | None:
        level = self.meta.get(f"{PREFIX}logLevel")
        if level is not None and level not in LEVELS:
            raise Fault(INVALID_PARAMS, f"{level!r} is no level.")
        return level

    async def _ask(self, method: str, params: JSONObject) -> JSONObject:
        self._asked += 1
        if self._asked <= len(self._answers):
            return self._answers[self._asked - 1]
        state = json.dumps([self.server, self._answers])
        raise InputRequired(
            {
                "resultType": "input_required",
                "inputRequests": {f"q{self._asked}": {"method": method, "params": params}},
                "requestState": base64.b64encode(state.encode()).decode(),
            }
        )
