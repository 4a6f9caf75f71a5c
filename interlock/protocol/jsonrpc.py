"""JSON-RPC 2.0 envelopes: reading a body into a message, and writing messages."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from interlock.errors import BadMessage, InterlockError, RPCError
from interlock.protocol.json import JSONObject, as_list, as_object, dumps, loads_strict

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
MAX_BATCH = 100  # messages; each of them is a call of its own

RequestId: TypeAlias = str | int


@dataclass(frozen=True, slots=True)
class Request:
    """A call that wants an answer."""

    id: RequestId
    method: str
    params: JSONObject


@dataclass(frozen=True, slots=True)
class Notification:
    """A message that wants no answer."""

    method: str
    params: JSONObject


@dataclass(frozen=True, slots=True)
class Response:
    """An answer: `body` is the whole envelope, with either `result` or `error`."""

    id: RequestId
    body: JSONObject


Message: TypeAlias = Request | Notification | Response


def parse(body: bytes) -> Message:
    """Read one message that a caller sent.

    Raises HostileJSON where it is not safe JSON and BadMessage where it is not JSON-RPC.
    """
    return read(loads_strict(body))


def parse_any(body: bytes) -> Message | list[Message]:
    """Read one message, or a batch of them, which 2025-03-26 alone has. Raises as `parse` does."""
    value = loads_strict(body)
    messages = as_list(value)
    if messages is None:
        return read(value)
    if not 0 < len(messages) <= MAX_BATCH:
        raise BadMessage(f"A batch holds 1 to {MAX_BATCH} messages.")
    return [read(each) for each in messages]


def read(value: Any) -> Message:
    """Read one message from parsed JSON. Raises BadMessage."""
    if isinstance(value, list):
        raise BadMessage("Batches are not part of this version; send each message by itself.")
    message = as_object(value)
    if message is None or message.get("jsonrpc") != "2.0":
        raise BadMessage('A message is a JSON object with "jsonrpc": "2.0".')
    method = message.get("method")
    if method is None:
        return _response(message)
    if not isinstance(method, str):
        raise BadMessage('"method" must be a string.')
    params = as_object(message.get("params", {}))
    if params is None:
        raise BadMessage('"params" must be an object.')
    if "id" not in message:
        return Notification(method, params)
    return Request(_id(message["id"]), method, params)


def _response(message: JSONObject) -> Response:
    if ("result" in message) == ("error" in message):
        raise BadMessage('A message has a "method", or exactly one of "result" and "error".')
    return Response(_id(message.get("id")), message)


def _id(value: Any) -> RequestId:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise BadMessage('"id" must be a string or an integer.')
    return value


def request(request_id: RequestId, method: str, params: JSONObject | None) -> JSONObject:
    """Return a request envelope; `params` of None leaves the member out."""
    envelope: JSONObject = {"jsonrpc": "2.0", "id": request_id, "method": method}
    if params is not None:
        envelope["params"] = params
    return envelope


def request_template(method: str) -> bytes:
    """Return a template of the bytes of requests, to be filled in with their id and params."""
    quoted = dumps(method).replace(b"%", b"%%")
    return b'{"jsonrpc":"2.0","id":%%d,"method":%b,"params":%%b}' % quoted


def notification(method: str, params: JSONObject | None = None) -> JSONObject:
    """Return a notification envelope; `params` of None or {} leaves the member out."""
    envelope: JSONObject = {"jsonrpc": "2.0", "method": method}
    if params:
        envelope["params"] = params
    return envelope


def result(request_id: RequestId, value: JSONObject) -> JSONObject:
    """Return the envelope of a successful answer."""
    return {"jsonrpc": "2.0", "id": request_id, "result": value}


def error(request_id: RequestId | None, code: int, message: str, data: Any = None) -> JSONObject:
    """Return the envelope of a failed answer; an unreadable request has no id to repeat."""
    details: JSONObject = {"code": code, "message": message}
    if data is not None:
        details["data"] = data
    envelope: JSONObject = {"jsonrpc": "2.0", "error": details}
    if request_id is not None:
        envelope["id"] = request_id
    return envelope


def failure(request_id: RequestId | None, fault: InterlockError | RPCError) -> JSONObject:
    """Return the envelope that tells a caller of `fault`."""
    code = fault.code if isinstance(fault, RPCError) else fault.rpc_code
    return error(request_id, code, fault.message, fault.data)


def unwrap(response: JSONObject) -> JSONObject:
    """Return the result of an answer. Raises RPCError where it holds an error, or no object."""
    if "error" not in response:
        value = as_object(response.get("result"))
        if value is None:
            raise RPCError(INTERNAL_ERROR, "The answer holds no result that is an object.")
        return value
    fault = as_object(response["error"])
    if fault is None:
        raise RPCError(INTERNAL_ERROR, "The server answered with an error that is not an object.")
    code, message = fault.get("code"), fault.get("message")
    raise RPCError(
        code if isinstance(code, int) else INTERNAL_ERROR,
        message if isinstance(message, str) else "The server gave no message.",
        fault.get("data"),
    )
