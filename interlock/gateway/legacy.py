"""The legacy era as clients speak it: sessions, their requests, and what they answer us.

Source: 2025-11-25 and earlier. Transports call this; it knows none of them.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from interlock.errors import BadInput, InterlockError, RPCError
from interlock.gateway.call import Call, Trace
from interlock.gateway.changes import Changes, Listener, Subscriptions
from interlock.gateway.clients import LOG_LEVELS, ClientSession, ClientSessions, facts_of
from interlock.gateway.entry import Arrival
from interlock.gateway.own_sessions import OwnSessions
from interlock.gateway.pipeline import (
    Pipeline,
    ResourceNotFound,
    check_declared,
    find_target,
)
from interlock.gateway.streams import Stream
from interlock.gateway.table import RouteTable, View
from interlock.gateway.tasks import Tasks
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject
from interlock.protocol.versions import (
    LATEST_LEGACY,
    LEGACY_RESOURCE_NOT_FOUND,
    LEGACY_VERSIONS,
    Era,
)
from interlock.telemetry.logs import lines_belong_to

_MODERN_ONLY = frozenset({"server/discover", "subscriptions/listen"})


@dataclass(frozen=True, slots=True)
class StreamCaller:
    """A client that hears of its call on the stream of its answer, if it can read more there."""

    session: ClientSession
    stream: Stream

    def notify(self, method: str, params: JSONObject) -> None:
        """Tell it of what it wants to hear."""
        if method != "notifications/message" or self.session.wants_log(params):
            self._stream().send(jsonrpc.notification(method, params))

    async def ask(self, method: str, params: JSONObject) -> JSONObject:
        """Ask on the stream of the call."""
        return await self.session.ask(self._stream(), method, params)

    def _stream(self) -> Stream:
        is_deaf = self.stream.is_answer_only or self.stream.ended
        return self.session.best_stream() if is_deaf else self.stream


@dataclass(frozen=True, slots=True)
class _Open:
    """What belongs to an open session besides itself."""

    own: OwnSessions
    listener: Listener


class LegacyClients:
    """Serves all clients of the legacy era, over whichever transport they came."""

    def __init__(
        self,
        pipeline: Pipeline,
        sessions: ClientSessions,
        changes: Changes,
        subscriptions: Subscriptions,
        tasks: Tasks,
        table: Callable[[], RouteTable],
    ) -> None:
        self.sessions = sessions
        self._pipeline = pipeline
        self._changes = changes
        self._subscriptions = subscriptions
        self._tasks = tasks
        self._table = table
        self._open: dict[str, _Open] = {}

    def open(
        self, arrival: Arrival, params: JSONObject, only: Stream | None = None
    ) -> tuple[ClientSession, JSONObject]:
        """Open a session and return it with the result of `initialize`. Raises TooMany.

        `only` is the stream of a transport that sends everything on one.
        """
        wanted = params.get("protocolVersion")
        if not isinstance(wanted, str):
            raise BadInput('"params.protocolVersion" must be the version that the client speaks.')
        version = wanted if wanted in LEGACY_VERSIONS else LATEST_LEGACY
        place = arrival.place
        facts, mark = facts_of(params), self.sessions.mark
        session = ClientSession(arrival.principal, place, facts, version, only, mark=mark)
        self.sessions.add(session)
        own = OwnSessions(session, self._table, self._tasks)
        listener = Listener(*place, own.announce, own.mark)
        self._open[session.id] = _Open(own, listener)
        self._changes.add(listener)
        own.remember()
        return session, _initialized(arrival.view(session.client.capabilities), version)

    def view_of(self, session: ClientSession) -> View:
        """Return what the client of a session is shown now. Raises NotFound."""
        return self._open[session.id].own.view()

    async def close(self, session: ClientSession) -> None:
        """End a session, and its own sessions with servers."""
        self.sessions.remove(session)
        opened = self._open.pop(session.id, None)
        if opened is None:
            return
        self._changes.remove(opened.listener)
        # Where a server is gone, its subscriptions are gone with it.
        with contextlib.suppress(InterlockError, RPCError):
            await self._subscriptions.forget(session)
        await opened.own.close()

    async def end(self) -> None:
        """End every session, for the gateway stops."""
        for session in self.sessions:
            await self.close(session)

    async def expire(self, idle_for: float) -> None:
        """End the sessions that were silent for so many seconds."""
        for session in self.sessions.idle(idle_for):
            await self.close(session)

    def start(
        self,
        session: ClientSession,
        request: jsonrpc.Request,
        to: Stream,
        trace: Trace,
        *,
        ends: bool = True,
    ) -> "asyncio.Task[None]":
        """Begin to answer a request; the answer and all before it go to the stream `to`.

        The answer `ends` that stream, unless others come on it, too.

        Raises BadInput where a request with this id is still being answered.
        """
        if request.id in session.calls:
            raise BadInput('"id" is the id of a request that is still being answered.')
        task = asyncio.create_task(self._answer(session, request, to, trace, ends=ends))
        session.calls[request.id] = task

        def over(_: "asyncio.Task[None]") -> None:
            session.calls.pop(request.id, None)
            # What was cancelled before it began could not end its stream itself.
            if task.cancelled():
                trace.outcome = "cancelled"
            if ends and to is not session.standalone:
                to.end()

        task.add_done_callback(over)
        return task

    async def _answer(
        self,
        session: ClientSession,
        request: jsonrpc.Request,
        to: Stream,
        trace: Trace,
        *,
        ends: bool,
    ) -> None:
        trace.era, trace.client_name = Era.LEGACY, str(session.client.info.get("name", ""))
        lines_belong_to(trace)
        try:
            answer = await self._answered(session, request, to, trace)
            size = to.send(answer)
            if to is session.standalone or not ends:
                # Nobody else counts it: all answers are mixed on one stream.
                trace.response_bytes = size
        except asyncio.CancelledError:
            trace.outcome = "cancelled"
            raise
        finally:
            if ends and to is not session.standalone:
                to.end()
            session.touch()

    async def _answered(
        self, session: ClientSession, request: jsonrpc.Request, to: Stream, trace: Trace
    ) -> JSONObject:
        try:
            return jsonrpc.result(request.id, await self._result(session, request, to, trace))
        except ResourceNotFound as fault:
            trace.fail(fault)
            return jsonrpc.error(request.id, LEGACY_RESOURCE_NOT_FOUND, fault.message)
        except (InterlockError, RPCError) as fault:
            trace.fail(fault)
            return jsonrpc.failure(request.id, fault)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the client must get an answer
            return jsonrpc.failure(request.id, trace.unforeseen(error))

    async def _result(
        self, session: ClientSession, request: jsonrpc.Request, to: Stream, trace: Trace
    ) -> JSONObject:
        params = request.params
        if request.method == "ping":
            return {}
        if request.method == "logging/setLevel":
            return self._set_level(session, params)
        own = self._open[session.id].own
        call = Call(
            view=own.view(),
            principal=session.principal,
            era=Era.LEGACY,
            client=session.client,
            method=request.method,
            params=params,
            caller=StreamCaller(session, to),
            trace=trace,
            session=session,
            own=own,
        )
        if request.method in {"resources/subscribe", "resources/unsubscribe"}:
            return await self._subscribe(session, own, call)
        if request.method in _MODERN_ONLY:
            raise RPCError(jsonrpc.METHOD_NOT_FOUND, f"Method not found: {request.method}")
        return await self._pipeline.answer(call)

    def _set_level(self, session: ClientSession, params: JSONObject) -> JSONObject:
        level = params.get("level")
        if level not in LOG_LEVELS:
            raise BadInput(f'"params.level" must be one of {", ".join(LOG_LEVELS)}.')
        session.log_level = level
        return {}

    async def _subscribe(self, session: ClientSession, own: OwnSessions, call: Call) -> JSONObject:
        target, _ = find_target(call)
        call.trace.server = target.server.name
        check_declared(target.server, call.method)
        exposed, is_end = str(call.params.get("uri")), call.method == "resources/unsubscribe"
        if target.server.upstream.eras is None:
            await target.server.upstream.start()
        if own.holds_subscriptions(target.server):
            if is_end:
                await own.unsubscribe(target.server, target.name)
            else:
                await own.subscribe(target.server, target.name, exposed)
        elif is_end:
            await self._subscriptions.remove(target.server.id, target.name, session)
        else:
            await self._subscriptions.add(
                target.server, target.name, session, exposed, session.announce
            )
        return {}

    async def notified(self, session: ClientSession, message: jsonrpc.Notification) -> None:
        """Take a notification of the client: a cancellation, progress, or changed roots."""
        if message.method == "notifications/cancelled":
            named = message.params.get("requestId")
            task = session.calls.get(named) if isinstance(named, str | int) else None
            if task is not None:
                task.cancel()
        elif message.method != "notifications/initialized":
            await self._open[session.id].own.notify(message.method, message.params)


def _initialized(view: View, version: str) -> JSONObject:
    result: JSONObject = {
        "protocolVersion": version,
        "capabilities": view.facts.capabilities,
        "serverInfo": view.facts.info or {"name": view.name, "version": "0"},
    }
    if view.facts.instructions is not None:
        result["instructions"] = view.facts.instructions
    if view.list_meta is not None:
        result["_meta"] = dict(view.list_meta)
    return result
