"""One request on its way across: sent as it came, its answer and all before it passed back."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from interlock.cli.bridge.endpoint import Cursor, Endpoint, Reply
from interlock.cli.bridge.mirrors import Mirrors
from interlock.cli.bridge.streams import Output
from interlock.cli.http import BrokenConnection
from interlock.errors import (
    Forbidden,
    InterlockError,
    NotFound,
    TooLarge,
    TooMany,
    Unauthenticated,
    Unavailable,
)
from interlock.protocol import jsonrpc
from interlock.protocol.json import JSONObject, as_object, dumps, loads
from interlock.protocol.versions import HEADER_MISMATCH

MAX_RESUMES = 20
MAX_PAGES = 100
_LIST_ID = "interlock-connect-tools"


class SessionEnded(NotFound):
    """The gateway has forgotten the session, as after its restart."""

    rpc_code = -31404
    reason = "session_ended"


class HTTPRefused(Unavailable):
    """The address answered with an HTTP error and no JSON-RPC message."""

    reason = "http_refused"


@dataclass(slots=True)
class Session:
    """What the handshake of the legacy era agreed on."""

    id: str | None = None
    version: str | None = None

    def headers(self) -> list[tuple[str, str]]:
        """Return the headers of whatever belongs to the session."""
        named = [("mcp-session-id", self.id), ("mcp-protocol-version", self.version)]
        return [(name, value) for name, value in named if value is not None]


@dataclass(slots=True)
class Call:
    """A request of the client: its bytes, and whether the client still waits for it."""

    request: jsonrpc.Request
    body: bytes
    is_modern: bool
    is_cancelled: bool = False


class Exchange:
    """Takes requests across, and learns from the answers what later ones need."""

    def __init__(self, endpoint: Endpoint, output: Output, mirrors: Mirrors) -> None:
        self.session = Session()
        self._endpoint = endpoint
        self._output = output
        self._mirrors = mirrors

    async def carry(self, call: Call) -> None:
        """Send a request and pass on what comes back. Raises InterlockError without an answer."""
        cursor = Cursor()
        headers = self._headers(call)
        try:
            async with self._endpoint.post(call.body, headers) as reply:
                if not reply.is_stream:
                    await self._settle(call, reply, headers)
                    return
                if await self._relay(call, reply, cursor):
                    return
        except BrokenConnection:
            if cursor.last_event_id is None:
                raise
        await self._resume(call, cursor)

    def _headers(self, call: Call) -> list[tuple[str, str]]:
        if call.is_modern:
            return self._mirrors.headers(call.request.method, call.request.params)
        return [] if call.request.method == "initialize" else self.session.headers()

    async def _relay(self, call: Call, reply: Reply, cursor: Cursor) -> bool:
        """Pass on the messages of a stream; True once the answer was among them."""
        async with aclosing(reply.messages(cursor)) as messages:
            async for message in messages:
                parsed = _parsed(message)
                is_answer = "method" not in parsed and parsed.get("id") == call.request.id
                if is_answer:
                    self._note(call, parsed, reply)
                await self._output.write(message)
                if is_answer:
                    return True
        return False

    async def _resume(self, call: Call, cursor: Cursor) -> None:
        for _ in range(MAX_RESUMES):
            if call.is_modern or call.is_cancelled or cursor.last_event_id is None:
                break
            await asyncio.sleep(cursor.retry)
            async with self._endpoint.get([*cursor.headers(), *self.session.headers()]) as reply:
                if not reply.is_stream:
                    break
                if await self._relay(call, reply, cursor):
                    return
        raise BrokenConnection("The gateway ended its stream before the answer; retry the call.")

    async def _settle(self, call: Call, reply: Reply, headers: list[tuple[str, str]]) -> None:
        """Pass on an answer that came by itself, or say why there is none."""
        if reply.status == HTTPStatus.NOT_FOUND and self._is_of_session(call):
            raise SessionEnded(
                "The gateway no longer knows this session, as after its restart; "
                "let the client initialize again, or restart it."
            )
        body = await reply.body()
        parsed = _parsed(body)
        error = as_object(parsed.get("error"))
        if error is not None and await self._is_mended(call, error, headers):
            await self.carry(call)
        elif parsed.get("id") == call.request.id and ("result" in parsed or error is not None):
            self._note(call, parsed, reply)
            await self._output.write(body)
        elif error is not None:
            # A refusal before the body was read does not repeat the request's id.
            named: dict[str, Any] = {"jsonrpc": "2.0", "id": call.request.id, "error": error}
            await self._output.write(dumps(named))
        else:
            raise refusal(reply.status, self._endpoint.url)

    def _is_of_session(self, call: Call) -> bool:
        is_first = call.request.method == "initialize"
        return self.session.id is not None and not call.is_modern and not is_first

    def _note(self, call: Call, answer: JSONObject, reply: Reply) -> None:
        method = call.request.method
        if method == "tools/list" and call.is_modern:
            self._mirrors.learn(answer)
        elif method == "initialize" and not call.is_modern and "result" in answer:
            version = (as_object(answer["result"]) or {}).get("protocolVersion")
            self.session.id = reply.headers.get("mcp-session-id")
            self.session.version = version if isinstance(version, str) else None

    async def _is_mended(
        self, call: Call, error: JSONObject, headers: list[tuple[str, str]]
    ) -> bool:
        """Read the list of tools anew where it may explain a refusal; True if headers differ now.

        Source: 2026-07-28, streamable-http, "Client Behavior".
        """
        is_call = call.is_modern and call.request.method == "tools/call"
        if not is_call or error.get("code") != HEADER_MISMATCH:
            return False
        meta = as_object(call.request.params.get("_meta")) or {}
        own = {key: value for key, value in meta.items() if key != "progressToken"}
        params: JSONObject = {"_meta": own}
        for _ in range(MAX_PAGES):
            answer = await self._list(params)
            self._mirrors.learn(answer)
            cursor = (as_object(answer.get("result")) or {}).get("nextCursor")
            if not isinstance(cursor, str):
                break
            params = {"_meta": own, "cursor": cursor}
        return self._headers(call) != headers

    async def _list(self, params: JSONObject) -> JSONObject:
        body = dumps(jsonrpc.request(_LIST_ID, "tools/list", params))
        headers = self._mirrors.headers("tools/list", params)
        async with self._endpoint.post(body, headers) as reply:
            if not reply.is_stream:
                return _parsed(await reply.body())
            async with aclosing(reply.messages(Cursor())) as messages:
                async for message in messages:
                    parsed = _parsed(message)
                    if parsed.get("id") == _LIST_ID:
                        return parsed
        return {}


def refusal(status: int, url: str) -> InterlockError:
    """Return the error that an HTTP status without a JSON-RPC answer stands for."""
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return Unauthenticated("The gateway refused the key; set INTERLOCK_KEY or --key.")
        case HTTPStatus.FORBIDDEN:
            return Forbidden(f"The key may not use {url}; take a key of that project.")
        case HTTPStatus.NOT_FOUND | HTTPStatus.METHOD_NOT_ALLOWED:
            return NotFound(f"There is no MCP endpoint at {url}; correct the address.")
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return TooLarge("The request is larger than the gateway takes; send less at once.")
        case HTTPStatus.TOO_MANY_REQUESTS:
            return TooMany("The gateway takes no more requests now; retry later.")
        case _:
            return HTTPRefused(f"{url} answered HTTP {status} and no MCP message; see its log.")


def _parsed(message: bytes) -> JSONObject:
    try:
        return as_object(loads(message)) or {}
    except ValueError:
        return {}
