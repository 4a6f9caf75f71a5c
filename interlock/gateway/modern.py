"""The modern era as clients speak it: stateless requests, discovery, streams of changes.

Source: 2026-07-28, basic/index, server/discover, basic/patterns/subscriptions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from interlock.errors import BadInput, InterlockError, RPCError
from interlock.gateway.call import Call, Trace
from interlock.gateway.changes import OF_CHANGES
from interlock.gateway.clients import LOG_LEVELS, info_of, is_at_least
from interlock.gateway.entry import Arrival
from interlock.gateway.listening import Listen, Listening
from interlock.gateway.pipeline import Pipeline, cacheable
from interlock.gateway.streams import Stream
from interlock.gateway.table import View
from interlock.protocol import jsonrpc
from interlock.protocol.headers import check_headers
from interlock.protocol.json import JSONObject, as_object
from interlock.protocol.versions import (
    LEGACY_VERSIONS,
    META_CAPABILITIES,
    META_CLIENT_INFO,
    META_LOG_LEVEL,
    META_VERSION,
    MODERN_ERRORS,
    MODERN_VERSIONS,
    UNSUPPORTED_VERSION,
    Era,
)
from interlock.upstreams.conversation import token_of
from interlock.upstreams.port import ClientFacts

_LEGACY_ONLY = frozenset(
    {"initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"}
)


class UnsupportedVersion(BadInput):
    """The request is of a protocol version that we do not speak."""

    rpc_code = UNSUPPORTED_VERSION
    reason = "unsupported_version"


def is_modern(headers: Mapping[str, str], params: JSONObject, method: str) -> bool:
    """Tell whether a request is of the modern era: it says its version in itself."""
    meta = as_object(params.get("_meta")) or {}
    if META_VERSION in meta or method in {"server/discover", "subscriptions/listen"}:
        return True
    version = headers.get("mcp-protocol-version")
    return version is not None and version not in LEGACY_VERSIONS


def http_status(fault: InterlockError | RPCError) -> int:
    """Return the HTTP status that the modern transport wants with a JSON-RPC error."""
    code = fault.code if isinstance(fault, RPCError) else fault.rpc_code
    if code == jsonrpc.METHOD_NOT_FOUND:
        return HTTPStatus.NOT_FOUND
    if code in MODERN_ERRORS or code == jsonrpc.INVALID_PARAMS:
        return HTTPStatus.BAD_REQUEST
    return HTTPStatus.OK


@dataclass(frozen=True, slots=True)
class RequestCaller:
    """A client that hears, during its own request, what it asked to hear."""

    stream: Stream
    has_token: bool
    level: str | None

    def notify(self, method: str, params: JSONObject) -> None:
        """Tell it of what it wants to hear."""
        if method in OF_CHANGES or (method == "notifications/progress" and not self.has_token):
            # Changes are told on the streams that ask for them, and on no call's own.
            return
        if method == "notifications/message" and not (
            self.level is not None and is_at_least(params.get("level"), self.level)
        ):
            return
        self.stream.send(jsonrpc.notification(method, params))

    async def ask(self, method: str, params: JSONObject) -> JSONObject:
        """Refuse: nothing is asked of a client of this era."""
        raise RPCError(jsonrpc.METHOD_NOT_FOUND, f"{method} is not a request of this era.")


@dataclass(frozen=True, slots=True)
class ModernRequest:
    """One request, and how it arrived."""

    arrival: Arrival
    message: jsonrpc.Request


class ModernClients:
    """Serves all clients of the modern era."""

    def __init__(self, pipeline: Pipeline, listening: Listening) -> None:
        self._pipeline = pipeline
        self._listening = listening

    @property
    def stream_count(self) -> int:
        """How many streams of changes are open."""
        return self._listening.count

    def close(self) -> None:
        """End every stream of changes with the result that says it ended well."""
        self._listening.close()

    async def end(self) -> None:
        """Wait until all that streams of changes have left behind is taken back."""
        await self._listening.end()

    def listen(self, request: ModernRequest, to: Stream, trace: Trace) -> Listen | int:
        """Open a stream of changes on `to`; `leave` it once it is over.

        Where it is refused, why is on `to`, and the HTTP status for that is returned.
        """
        place, tag = request.arrival.place, request.message.id
        try:
            return self._listening.open(self._call(request, to, trace), place, tag, to)
        except Exception as fault:  # noqa: BLE001 -- whatever it is, the client must get an answer
            return _refused(fault, request, to, trace)

    def leave(self, listen: Listen) -> None:
        """Tell a client no more."""
        self._listening.leave(listen)

    async def answer(self, request: ModernRequest, to: Stream, trace: Trace) -> int:
        """Answer a request on the stream `to`; return the HTTP status for a lone answer."""
        try:
            call = self._call(request, to, trace)
            if call.method == "server/discover":
                result = _discovered(call.view)
            else:
                result = await self._pipeline.answer(call)
        except Exception as fault:  # noqa: BLE001 -- whatever it is, the client must get an answer
            return _refused(fault, request, to, trace)
        if result.get("resultType") == "input_required":
            trace.outcome = "input_required"
        to.send(jsonrpc.result(request.message.id, result))
        return HTTPStatus.OK

    def _call(self, request: ModernRequest, to: Stream, trace: Trace) -> Call:
        """Return what a request asks for. Raises InterlockError and RPCError."""
        trace.era = Era.MODERN
        message, arrival = request.message, request.arrival
        client = self._check(request)
        trace.client_name = str(client.info.get("name", ""))
        view = arrival.view(client.capabilities)
        if message.method in _LEGACY_ONLY:
            raise RPCError(jsonrpc.METHOD_NOT_FOUND, f"Method not found: {message.method}")
        level = (as_object(message.params.get("_meta")) or {}).get(META_LOG_LEVEL)
        return Call(
            view=view,
            principal=arrival.principal,
            era=Era.MODERN,
            client=client,
            method=message.method,
            params=message.params,
            caller=RequestCaller(to, token_of(message.params) is not None, level),
            trace=trace,
            headers=arrival.headers,
        )

    def _check(self, request: ModernRequest) -> ClientFacts:
        message = request.message
        meta = as_object(message.params.get("_meta")) or {}
        version, capabilities = meta.get(META_VERSION), as_object(meta.get(META_CAPABILITIES))
        if not isinstance(version, str) or capabilities is None:
            missing = META_VERSION if not isinstance(version, str) else META_CAPABILITIES
            raise BadInput(f'"params._meta" needs "{missing}" in every request.')
        check_headers(request.arrival.headers, message.method, message.params)
        if version not in MODERN_VERSIONS:
            supported = [*MODERN_VERSIONS, *LEGACY_VERSIONS]
            raise UnsupportedVersion(
                "Unsupported protocol version",
                data={"supported": supported, "requested": version},
            )
        level = meta.get(META_LOG_LEVEL)
        if level is not None and level not in LOG_LEVELS:
            raise BadInput(f'"{META_LOG_LEVEL}" must be one of {", ".join(LOG_LEVELS)}.')
        info = info_of(meta.get(META_CLIENT_INFO))
        return ClientFacts(info, capabilities)


def _refused(fault: Exception, request: ModernRequest, to: Stream, trace: Trace) -> int:
    """Say on `to` why there is no result, and return the HTTP status for that."""
    if isinstance(fault, InterlockError | RPCError):
        trace.fail(fault)
        to.send(jsonrpc.failure(request.message.id, fault))
        return http_status(fault)
    to.send(jsonrpc.failure(request.message.id, trace.unforeseen(fault)))
    return HTTPStatus.INTERNAL_SERVER_ERROR


def _discovered(view: View) -> JSONObject:
    result: JSONObject = {
        "supportedVersions": [*MODERN_VERSIONS, *LEGACY_VERSIONS],
        "capabilities": view.facts.capabilities,
    }
    if view.facts.instructions is not None:
        result["instructions"] = view.facts.instructions
    if view.list_meta is not None:
        result["_meta"] = dict(view.list_meta)
    return cacheable(view, result)
