"""Tasks of many servers behind one endpoint: handles that lead back, each for its own caller only.

Source: 2025-11-25, basic/utilities/tasks; the extension io.modelcontextprotocol/tasks, 2026-07-28.
"""

import base64
import binascii
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from interlock.errors import BadInput
from interlock.gateway.clients import ClientSession
from interlock.gateway.rewriting import expose_result
from interlock.gateway.table import ServerEntry, Target, View
from interlock.identity.principal import Principal
from interlock.protocol.json import JSONObject, as_list, as_object, dumps, loads
from interlock.upstreams.port import Caller

EXTENSION = "io.modelcontextprotocol/tasks"
RELATED = "io.modelcontextprotocol/related-task"
TASK_STATUS = "notifications/tasks/status"
OF_ONE_TASK = frozenset({"tasks/get", "tasks/result", "tasks/cancel", "tasks/update"})
MAX_REMEMBERED = 10_000
MAX_NAMESAKES = 100  # tasks of one id in different sessions of a server


class UnknownTask(BadInput):
    """A `taskId` is changed, is somebody else's, or its server is gone."""

    reason = "unknown_task"


@dataclass(frozen=True, slots=True)
class _Made:
    principal: tuple[str, str]
    session: "weakref.ReferenceType[ClientSession] | None"


class Tasks:
    """Seals tasks' ids into handles, and remembers whose tasks the gateway has seen made.

    A handle is the same each time, needs no memory, and outlives a restart. Only `tasks/list` and
    status notifications depend on what is remembered.

    A `scope` is the key of a client's own session with the server, empty for the shared one: where
    sessions are processes of their own, tasks of different sessions may have the same id.
    """

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(key)
        self._made: OrderedDict[tuple[str, str], dict[str, _Made]] = OrderedDict()

    def handle(self, principal: Principal, server_id: str, task_id: str) -> str:
        """Return the id by which this caller, and no other, reaches a task."""
        sealed = self._cipher.encrypt(dumps([server_id, task_id]), [_whose(principal)])
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def _opened(self, principal: Principal, handle: object) -> tuple[str, str] | None:
        try:
            text = str(handle)
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
            server_id, task_id = loads(self._cipher.decrypt(sealed, [_whose(principal)]))
        except (InvalidTag, binascii.Error, ValueError):
            return None
        # The decoder overlooks bits that no byte needs; a task has one handle and no other.
        is_ours = self.handle(principal, server_id, task_id) == handle
        return (server_id, task_id) if is_ours else None

    def find(
        self, principal: Principal, view: View, params: JSONObject
    ) -> tuple[Target, JSONObject]:
        """Return the server of the task that a request is about, and the params it understands.

        Raises UnknownTask.
        """
        opened = self._opened(principal, params.get("taskId"))
        server_id, task_id = opened or ("", "")
        for server in view.servers:
            if server.id == server_id:
                return Target(server, task_id), {**params, "taskId": task_id}
        raise _unknown()

    def check(self, principal: Principal, target: Target, scope: str) -> None:
        """Refuse a task that was made for somebody else in this scope. Raises UnknownTask.

        Its handle may be good, and be that of a task with the same id in another scope.
        """
        made = self._made.get((target.server.id, target.name), {}).get(scope)
        if made is not None and made.principal != (principal.kind, principal.id):
            raise _unknown()

    def shown(
        self, principal: Principal, view: View, target: Target, method: str, result: JSONObject
    ) -> JSONObject:
        """Return a result of `target` with handles in the place of its tasks' ids.

        What a task ended with is shown as the result of the call that it stands for.
        """
        if method == "tasks/result":
            result = expose_result(view, target, "tools/call", None, result)
        final = as_object(result.get("result")) if method == "tasks/get" else None
        if final is not None:
            result = {**result, "result": expose_result(view, target, "tools/call", None, final)}
        if method in OF_ONE_TASK or result.get("resultType") == "task":
            result = self._renamed(principal, target.server.id, result)
        made = as_object(result.get("task"))
        if made is not None:
            result = {**result, "task": self._renamed(principal, target.server.id, made)}
        return self._related(principal, target.server.id, result)

    def remember(
        self,
        principal: Principal,
        server_id: str,
        result: JSONObject,
        session: ClientSession | None,
        scope: str = "",
    ) -> None:
        """Take note of the task that a result says was made, if it does."""
        made = result if result.get("resultType") == "task" else as_object(result.get("task"))
        task_id = made.get("taskId") if made is not None else None
        if isinstance(task_id, str):
            whose = principal.kind, principal.id
            hearer = weakref.ref(session) if session is not None else None
            namesakes = self._made.setdefault((server_id, task_id), {})
            namesakes.pop(scope, None)
            namesakes[scope] = _Made(whose, hearer)
            self._made.move_to_end((server_id, task_id))
            if len(namesakes) > MAX_NAMESAKES:
                del namesakes[next(iter(namesakes))]
            if len(self._made) > MAX_REMEMBERED:
                self._made.popitem(last=False)

    def own(
        self, principal: Principal, server: ServerEntry, listed: Any, scope: str = ""
    ) -> list[JSONObject]:
        """Return those of the tasks that a server listed in a session which are this caller's."""
        found: list[JSONObject] = []
        for item in as_list(listed) or ():
            task = as_object(item) or {}
            if self._is_own(principal, server.id, str(task.get("taskId")), scope):
                found.append(self._renamed(principal, server.id, task))
        return found

    def _is_own(self, principal: Principal, server_id: str, task_id: str, scope: str) -> bool:
        namesakes = self._made.get((server_id, task_id), {})
        here = namesakes.get(scope)
        known = namesakes.values() if here is None else (here,)
        return any(each.principal == (principal.kind, principal.id) for each in known)

    def status(self, principal: Principal, server_id: str, params: JSONObject) -> JSONObject:
        """Return a status notification's params as this caller knows the task."""
        return self._related(principal, server_id, self._renamed(principal, server_id, params))

    def heard(self, server_id: str, params: JSONObject) -> None:
        """Pass on a task's status that a server told in the session that all share."""
        made = self._made.get((server_id, str(params.get("taskId"))), {}).get("")
        session = made.session() if made is not None and made.session is not None else None
        if session is not None:
            session.announce(TASK_STATUS, self.status(session.principal, server_id, params))

    def caller(self, principal: Principal, server: ServerEntry, caller: Caller) -> Caller:
        """Return a caller that hears of the server's tasks by their handles."""
        return _TaskCaller(self, principal, server.id, caller) if has_tasks(server) else caller

    def related(self, principal: Principal, server_id: str, message: JSONObject) -> JSONObject:
        """Return a server's params with the handle of the task that they are related to."""
        return self._related(principal, server_id, message)

    def unrelated(self, principal: Principal, answer: JSONObject) -> JSONObject:
        """Return a client's answer with the server's own id of the task that it is related to."""
        return _with_related(
            answer, lambda handle: (self._opened(principal, handle) or ("", ""))[1]
        )

    def _renamed(self, principal: Principal, server_id: str, task: JSONObject) -> JSONObject:
        task_id = task.get("taskId")
        if not isinstance(task_id, str):
            return task
        return {**task, "taskId": self.handle(principal, server_id, task_id)}

    def _related(self, principal: Principal, server_id: str, message: JSONObject) -> JSONObject:
        return _with_related(message, lambda name: self.handle(principal, server_id, name))


@dataclass(frozen=True, slots=True)
class _TaskCaller:
    tasks: Tasks
    principal: Principal
    server_id: str
    caller: Caller

    def notify(self, method: str, params: JSONObject) -> None:
        if method == TASK_STATUS:
            params = self.tasks.status(self.principal, self.server_id, params)
        self.caller.notify(method, self.tasks.related(self.principal, self.server_id, params))

    async def ask(self, method: str, params: JSONObject) -> JSONObject:
        if method.startswith("tasks/"):
            # These are about tasks of the client's own.
            return await self.caller.ask(method, params)
        params = self.tasks.related(self.principal, self.server_id, params)
        return self.tasks.unrelated(self.principal, await self.caller.ask(method, params))


def _unknown() -> UnknownTask:
    return UnknownTask('"params.taskId" is not the id of a task of yours at this endpoint.')


def has_tasks(server: ServerEntry) -> bool:
    """Tell whether a server makes tasks, in either era's way."""
    capabilities = server.catalogue.facts.capabilities if server.catalogue is not None else {}
    return "tasks" in capabilities or EXTENSION in (as_object(capabilities.get("extensions")) or {})


def lists_tasks(server: ServerEntry) -> bool:
    """Tell whether a server answers `tasks/list`."""
    capabilities = server.catalogue.facts.capabilities if server.catalogue is not None else {}
    return "list" in (as_object(capabilities.get("tasks")) or {})


def _whose(principal: Principal) -> bytes:
    return dumps([principal.kind, principal.id])


def _with_related(message: JSONObject, rename: Callable[[str], str]) -> JSONObject:
    meta = as_object(message.get("_meta"))
    related = as_object(meta.get(RELATED)) if meta is not None else None
    task_id = related.get("taskId") if related is not None else None
    if meta is None or related is None or not isinstance(task_id, str):
        return message
    changed = {**related, "taskId": rename(task_id) or task_id}
    return {**message, "_meta": {**meta, RELATED: changed}}
