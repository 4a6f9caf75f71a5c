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
from interlock.gateway.pipeline import Pipeline, ResourceNotFound, find_target
from interlock.gateway.streams import Stream
from interlock.gateway.table import View
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject
from interlock.protocol.versions import (
    LATEST_LEGACY,
    LEGACY_RESOURCE_NOT_FOUND,
    LEGACY_VERSIONS,
    Era,
)
from interlock.upstreams.upstream import Upstream

_MODERN_ONLY = frozenset({"server/discover", "subscriptions/listen"})


@dataclass(frozen=True, slots=True)
class _StreamCaller:
    """A client that hears of its call on the stream of its answer, if it can read more there."""

    session: ClientSession
    stream: Stream

    def notify(self, method: str, params: JSONObject) -> None:
        if method != "notifications/message" or self.session.wants_log(params):
            self._stream().send(jsonrpc.notification(method, params))

    async def ask(self, method: str, params: JSONObject) -> JSONObject:
        return await self.session.ask(self._stream(), method, params)

    def _stream(self) -> Stream:
        return self.session.best_stream() if self.stream.is_answer_only else self.stream


class LegacyClients:
    """Serves all clients of the legacy era, over whichever transport they came."""

    def __init__(
        self,
        pipeline: Pipeline,
        sessions: ClientSessions,
        changes: Changes,
        subscriptions: Subscriptions,
        upstreams: Callable[[str], Upstream | None],
    ) -> None:
        self.sessions = sessions
        self._pipeline = pipeline
        self._changes = changes
        self._subscriptions = subscriptions
        self._upstreams = upstreams
        self._listeners: dict[str, Listener] = {}

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
        session = ClientSession(arrival.principal, place, facts_of(params), version, only)
        self.sessions.add(session)
        listener = Listener(*place, session.announce)
        self._listeners[session.id] = listener
        self._changes.add(listener)
        return session, _initialized(arrival.view(session.client.capabilities), version)

    async def close(self, session: ClientSession) -> None:
        """End a session, and its own sessions with servers."""
        self.sessions.remove(session)
        listener = self._listeners.pop(session.id, None)
        if listener is not None:
            self._changes.remove(listener)
        # Where a server is gone, its subscriptions are gone with it.
        with contextlib.suppress(InterlockError, RPCError):
            await self._subscriptions.forget(session)
        for server_id in tuple(session.upstreams):
            upstream = self._upstreams(server_id)
            if upstream is not None:
                await upstream.release(session.owner_key)

    async def expire(self, idle_for: float) -> None:
        """End the sessions that were silent for so many seconds."""
        for session in self.sessions.idle(idle_for):
            await self.close(session)

    def start(
        self, session: ClientSession, view: View, request: jsonrpc.Request, to: Stream, trace: Trace
    ) -> "asyncio.Task[None]":
        """Begin to answer a request; the answer and all before it go to the stream `to`.

        Raises BadInput where a request with this id is still being answered.
        """
        if request.id in session.calls:
            raise BadInput('"id" is the id of a request that is still being answered.')
        task = asyncio.create_task(self._answer(session, view, request, to, trace))
        session.calls[request.id] = task
        task.add_done_callback(lambda _: session.calls.pop(request.id, None))
        return task

    async def _answer(
        self, session: ClientSession, view: View, request: jsonrpc.Request, to: Stream, trace: Trace
    ) -> None:
        trace.era, trace.client_name = Era.LEGACY, str(session.client.info.get("name", ""))
        try:
            answer = await self._answered(session, view, request, to, trace)
            size = to.send(answer)
            if to is session.standalone:
                # Nobody else counts it: this transport mixes all answers on one stream.
                trace.response_bytes = size
        except asyncio.CancelledError:
            trace.outcome = "cancelled"
            raise
        finally:
            if to is not session.standalone:
                to.end()
            session.touch()

    async def _answered(
        self, session: ClientSession, view: View, request: jsonrpc.Request, to: Stream, trace: Trace
    ) -> JSONObject:
        try:
            return jsonrpc.result(request.id, await self._result(session, view, request, to, trace))
        except ResourceNotFound as fault:
            trace.fail(fault)
            return jsonrpc.error(request.id, LEGACY_RESOURCE_NOT_FOUND, fault.message)
        except (InterlockError, RPCError) as fault:
            trace.fail(fault)
            return jsonrpc.failure(request.id, fault)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the client must get an answer
            return jsonrpc.failure(request.id, trace.unforeseen(error))

    async def _result(
        self, session: ClientSession, view: View, request: jsonrpc.Request, to: Stream, trace: Trace
    ) -> JSONObject:
        params = request.params
        if request.method == "ping":
            return {}
        if request.method == "logging/setLevel":
            return self._set_level(session, params)
        call = Call(
            view=view,
            principal=session.principal,
            era=Era.LEGACY,
            client=session.client,
            method=request.method,
            params=params,
            caller=_StreamCaller(session, to),
            trace=trace,
            session=session,
        )
        if request.method in {"resources/subscribe", "resources/unsubscribe"}:
            return await self._subscribe(session, call)
        if request.method in _MODERN_ONLY:
            raise RPCError(jsonrpc.METHOD_NOT_FOUND, f"Method not found: {request.method}")
        return await self._pipeline.answer(call)

    def _set_level(self, session: ClientSession, params: JSONObject) -> JSONObject:
        level = params.get("level")
        if level not in LOG_LEVELS:
            raise BadInput(f'"params.level" must be one of {", ".join(LOG_LEVELS)}.')
        session.log_level = level
        return {}

    async def _subscribe(self, session: ClientSession, call: Call) -> JSONObject:
        target, _ = find_target(call)
        call.trace.server = target.server.name
        exposed = str(call.params.get("uri"))
        if call.method == "resources/unsubscribe":
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
            for server_id in tuple(session.upstreams):
                upstream = self._upstreams(server_id)
                if upstream is not None:
                    await upstream.notify(session.owner_key, message.method, message.params)


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
