"""Between the eras: how a call of either era is made at a server of either era.

Source: 2026-07-28, basic/patterns/mrtr and basic/versioning; 2025-11-25, client features.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from interlock.errors import RPCError
from interlock.gateway.attempts import attempted
from interlock.gateway.call import Call
from interlock.gateway.capabilities import signature
from interlock.gateway.clients import is_at_least
from interlock.gateway.deadline import PROGRESS_CAP, WatchedCaller, within_deadline
from interlock.gateway.parking import ParkedCall, Parking
from interlock.gateway.questions import Askable, check_questions, url_required
from interlock.gateway.table import ServerEntry, Target
from interlock.gateway.tasks import RELATED
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, as_object, dumps
from interlock.protocol.versions import (
    LEGACY_RESOURCE_NOT_FOUND,
    LEGACY_URL_REQUIRED,
    META_CAPABILITIES,
    META_CLIENT_INFO,
    META_LOG_LEVEL,
    META_SERVER_INFO,
    META_VERSION,
    Era,
)
from interlock.upstreams.conversation import token_of
from interlock.upstreams.legacy import LegacySession
from interlock.upstreams.modern import ModernSession, mirrored, request_meta
from interlock.upstreams.port import Caller, Headers, Nobody, ProtocolBroken
from interlock.upstreams.upstream import Owner

MAX_ROUNDS = 16
_MODERN_META = frozenset({META_VERSION, META_CLIENT_INFO, META_CAPABILITIES, META_LOG_LEVEL})
_RETRY = frozenset({"requestState", "inputResponses"})
_MODERN_RESULT = ("resultType", "ttlMs", "cacheScope")


class Bridge:
    """Sends calls to their servers in the era that client and server can best agree on."""

    def __init__(self, parking: Parking) -> None:
        self._parking = parking

    async def send(self, call: Call, target: Target, params: JSONObject) -> JSONObject:
        """Make a call whose `params` name things as the server does; return its result.

        The result is in the era of the client. Raises RPCError and UpstreamFailed.
        """
        upstream = target.server.upstream
        await _met(target)
        era = upstream.era_for(call.era)
        try:
            if call.era is era is Era.MODERN:
                return await self._stateless(call, target, params)
            if call.era is Era.LEGACY:
                if era is Era.LEGACY:
                    return await self._direct(call, target, params, ())
                return to_legacy(await self._rounds(call, target, params))
            return to_modern(await self._parked(call, target, params), call.method, target.server)
        except RPCError as error:
            if call.era is Era.LEGACY:
                raise
            return modern_error(call.method, call.client.capabilities, error)

    async def _direct(
        self, call: Call, target: Target, params: JSONObject, headers: Headers
    ) -> JSONObject:
        level = call.session.log_level if call.session is not None else None
        return await _request(call, target, params, call.caller, level, headers)

    async def _stateless(self, call: Call, target: Target, params: JSONObject) -> JSONObject:
        """Make a modern client's call at a modern server."""
        headers = [*mirrored(params, target.mirrored), *_unrecognized(call, target)]
        result = await self._direct(call, target, params, headers)
        if result.get("resultType") == "input_required":
            asked = as_object(result.get("inputRequests")) or {}
            check_questions(call.method, call.client.capabilities, asked)
        if "resultType" in result:
            return result
        return to_modern(result, call.method, target.server)

    async def _rounds(self, call: Call, target: Target, params: JSONObject) -> JSONObject:
        """Make a legacy client's call at a modern server: its questions become requests."""
        meta = {**(as_object(params.get("_meta")) or {}), **request_meta(call.client)}
        if call.session is not None and call.session.log_level is not None:
            meta[META_LOG_LEVEL] = call.session.log_level
        params = {**params, "_meta": meta}
        headers = mirrored(params, target.mirrored)
        retry = params
        for _ in range(MAX_ROUNDS):
            result = await self._direct(call, target, retry, headers)
            if result.get("resultType", "complete") == "complete":
                return result
            if result["resultType"] != "input_required":
                raise ProtocolBroken(
                    f"{target.server.name} answered with a resultType unknown here."
                )
            requests = as_object(result.get("inputRequests")) or {}
            answers = await asyncio.gather(
                *(_ask(call.caller, as_object(request) or {}) for request in requests.values())
            )
            retry = {**params, "inputResponses": dict(zip(requests, answers, strict=True))}
            if "requestState" in result:
                retry["requestState"] = result["requestState"]
        raise RPCError(
            jsonrpc.INTERNAL_ERROR,
            f"{target.server.name} asked for input {MAX_ROUNDS} times without an end.",
        )

    async def _parked(self, call: Call, target: Target, params: JSONObject) -> JSONObject:
        """Make a modern client's call at a legacy server: its questions become a result."""
        binding = _binding(call, target, params)
        state = params.get("requestState")
        if state is None:
            parked = ParkedCall(binding)
            self._parking.add(parked)
            parked.work = asyncio.create_task(self._work(parked, call, target, params))
            parked.work.add_done_callback(lambda _: self._parking.ended(parked))
        else:
            parked = self._parking.claim(state, binding)
            parked.deliver(as_object(params.get("inputResponses")) or {})
        is_over = True
        try:
            result = await parked.next_result(call.caller, token_of(params))
            if result is not None:
                return result
            is_over = False
            return parked.input_required(self._parking.seal(parked))
        finally:
            if is_over:
                self._parking.remove(parked)

    async def _work(
        self, parked: ParkedCall, call: Call, target: Target, params: JSONObject
    ) -> JSONObject:
        level = (as_object(params.get("_meta")) or {}).get(META_LOG_LEVEL)
        wanted = level if isinstance(level, str) else None
        old = without_modern(params)
        caller = Askable(parked, call.method, call.client.capabilities)
        work = _as_task if target.needs_task and call.method == "tools/call" else None
        return await _request(call, target, old, caller, wanted, work=work)


def _unrecognized(call: Call, target: Target) -> Headers:
    """Return the mirrored arguments that we know nothing of; their server may."""
    known = {param.header for param in target.mirrored}
    return [
        (name, value)
        for name, value in call.headers.items()
        if name.startswith("mcp-param-") and name not in known
    ]


async def _request(  # noqa: PLR0913 -- what a request is made of; what is rare is named
    call: Call,
    target: Target,
    params: JSONObject,
    caller: Caller,
    level: str | None,
    headers: Headers = (),
    *,
    work: "_Work | None" = None,
) -> JSONObject:
    """Make one request in the session that the call has at its server, within the deadline.

    `work` is how it is made, where one request is not enough.
    """
    server = target.server
    era = server.upstream.era_for(call.era)
    owner = _owner(call, server, wants_logs=level is not None)
    outward = call.trace.outward
    told = headers if outward is None else (*headers, *outward.headers)

    async def send(watched: WatchedCaller) -> JSONObject:
        async def run(session: LegacySession | ModernSession) -> JSONObject:
            await _set_level(session, level)
            if work is not None:
                return await work(session, params, watched)
            return await session.request(call.method, params, watched, told)

        async def attempt() -> JSONObject:
            return await server.upstream.within(era, owner, run)

        return await attempted(call, target, params, watched, attempt)

    # Nothing tells that the work goes on while a task's result is waited for.
    patience = PROGRESS_CAP if work is not None or call.method == "tasks/result" else 1
    return await within_deadline(server.name, target.deadline * patience, caller, send)


async def _met(target: Target) -> None:
    """Learn the eras of a server that was never reached before.

    A process takes its time to start; an address has to answer within the deadline of a call.
    """
    server = target.server
    if server.upstream.eras is not None:
        return
    if server.circuit is None:
        await server.upstream.start()
        return
    server.circuit.check()
    seconds = target.deadline
    await within_deadline(server.name, seconds, Nobody(), lambda _: server.upstream.start())


_Work: TypeAlias = Callable[
    [LegacySession | ModernSession, JSONObject, Caller], Awaitable[JSONObject]
]


async def _as_task(
    session: LegacySession | ModernSession, params: JSONObject, caller: Caller
) -> JSONObject:
    """Make a call as a task and wait for its result, for a client that knows no such tasks."""
    made = await session.request("tools/call", {**params, "task": {}}, caller)
    named: JSONObject = {"taskId": (as_object(made.get("task")) or {}).get("taskId")}
    try:
        result = await session.request("tasks/result", named, caller)
    except asyncio.CancelledError:
        await asyncio.shield(session.request("tasks/cancel", named, Nobody()))
        raise
    meta = dict(as_object(result.get("_meta")) or {})
    meta.pop(RELATED, None)
    return {**result, "_meta": meta}


async def _ask(caller: Caller, request: JSONObject) -> JSONObject:
    method, params = str(request.get("method")), as_object(request.get("params")) or {}
    if method == "elicitation/create" and params.get("mode") == "url":
        # 2025-11-25 requires an id that the modern era has dropped.
        params = {"elicitationId": secrets.token_urlsafe(12), **params}
    return await caller.ask(method, params)


async def _set_level(session: LegacySession | ModernSession, wanted: str | None) -> None:
    """Have a legacy server log at least what the client wants; clients are filtered for later."""
    if not isinstance(session, LegacySession) or wanted is None:
        return
    current = session.log_level
    if "logging" not in session.facts.capabilities:
        return
    if current is not None and (current == wanted or not is_at_least(current, wanted)):
        return
    session.log_level = wanted
    await session.request("logging/setLevel", {"level": wanted}, Nobody())


def _owner(call: Call, server: ServerEntry, *, wants_logs: bool) -> Owner | None:
    """Return whose session at a legacy server a call runs in; None is the shared one."""
    if call.own is not None:
        return call.own.owner(server)
    if not call.client.capabilities and not (wants_logs and server.upstream.mixes_logs):
        return None
    principal = call.principal
    mark = signature(call.client.capabilities)
    key = f"pool:{principal.kind}:{principal.id}:{mark}"
    return Owner(key, call.client, Nobody(), exclusive=True)


def modern_error(method: str, capabilities: JSONObject, error: RPCError) -> JSONObject:
    """Raise a server's error as the modern era has it, or return the result that it became."""
    if error.code == LEGACY_RESOURCE_NOT_FOUND:
        raise RPCError(jsonrpc.INVALID_PARAMS, error.message, error.data) from None
    if error.code == LEGACY_URL_REQUIRED:
        return url_required(method, capabilities, error)
    raise error


def _binding(call: Call, target: Target, params: JSONObject) -> bytes:
    """Return what a `requestState` is bound to: caller, place and arguments."""
    principal = call.principal
    salient = {name: value for name, value in params.items() if name not in {*_RETRY, "_meta"}}
    parts = [
        *(principal.kind, principal.id, call.view.project, target.server.id),
        *(call.method, salient),
    ]
    return hashlib.sha256(dumps(parts)).digest()


def without_modern(params: JSONObject) -> JSONObject:
    """Return a modern request's params without what only the modern era knows."""
    legacy = {name: value for name, value in params.items() if name not in _RETRY}
    meta = as_object(legacy.pop("_meta", None)) or {}
    kept = {name: value for name, value in meta.items() if name not in _MODERN_META}
    return {**legacy, "_meta": kept} if kept else legacy


def to_modern(result: JSONObject, method: str, server: ServerEntry) -> JSONObject:
    """Return a legacy server's result with what the modern era requires of every result."""
    if result.get("resultType") == "input_required":
        return result
    modern = {"resultType": "complete", **result}
    if method == "resources/read":
        modern.setdefault("ttlMs", 0)
        modern.setdefault("cacheScope", "private")
    if server.catalogue is not None and server.catalogue.facts.info:
        meta = as_object(result.get("_meta")) or {}
        modern["_meta"] = {META_SERVER_INFO: server.catalogue.facts.info, **meta}
    return modern


def to_legacy(result: JSONObject) -> JSONObject:
    """Return a modern server's result without what only the modern era knows."""
    legacy = {name: value for name, value in result.items() if name not in _MODERN_RESULT}
    meta = as_object(result.get("_meta"))
    if meta is not None and META_SERVER_INFO in meta:
        legacy["_meta"] = {name: value for name, value in meta.items() if name != META_SERVER_INFO}
        if not legacy["_meta"]:
            del legacy["_meta"]
    return legacy
