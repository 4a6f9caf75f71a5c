"""The tree of everything that Interlock refuses or fails, and how each reads in HTTP and JSON-RPC.

InterlockError
├── BadInput                 400  the caller's data is wrong; the message names the field and the cure
│   └── BadMessage           400  not a JSON-RPC message
├── Unauthenticated          401  no credential, or one that is unknown, expired or revoked
├── Forbidden                403  known, but not allowed
├── NotFound                 404  missing, or hidden from this caller: both look alike
├── Conflict                 409  the name is taken, or the thing is in a state that forbids this
├── TooLarge                 413  over a size limit
├── TooMany                  429  over a rate or count limit
├── Unavailable              503  Interlock itself cannot do this now
└── UpstreamFailed           502  a server behind the gateway failed
    ├── UpstreamUnavailable  503  it is not running or cannot be reached
    └── UpstreamTimeout      504  it did not answer in time

A JSON-RPC error that a server answered is no failure of ours: it is an `RPCError` and passes
through as it came.
"""

import math
from http import HTTPStatus
from typing import Any, ClassVar


class InterlockError(Exception):
    """A refusal or failure with one short reason, the same in answer, log, metric and record.

    `status` is the HTTP status, `rpc_code` the JSON-RPC error code (outside the range that
    JSON-RPC and MCP reserve, except where MCP assigns one), `reason` a stable snake_case word.
    """

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    rpc_code: ClassVar[int] = -32603
    reason: ClassVar[str] = "internal"

    def __init__(self, message: str, *, data: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class BadInput(InterlockError):
    """The caller's data is wrong; the message names the field and the cure."""

    status = HTTPStatus.BAD_REQUEST
    rpc_code = -32602
    reason = "bad_input"


class BadMessage(BadInput):
    """The body is not a JSON-RPC message."""

    rpc_code = -32600
    reason = "bad_message"


class Unauthenticated(InterlockError):
    """No credential, or one that is unknown, expired or revoked."""

    status = HTTPStatus.UNAUTHORIZED
    rpc_code = -31401
    reason = "unauthenticated"


class Forbidden(InterlockError):
    """The caller is known but not allowed to do this."""

    status = HTTPStatus.FORBIDDEN
    rpc_code = -31403
    reason = "forbidden"


class NotFound(InterlockError):
    """The thing is missing, or hidden from this caller."""

    status = HTTPStatus.NOT_FOUND
    rpc_code = -32602
    reason = "not_found"


class Conflict(InterlockError):
    """The name is taken, or the thing is in a state that forbids this."""

    status = HTTPStatus.CONFLICT
    rpc_code = -31409
    reason = "conflict"


class TooLarge(InterlockError):
    """A body, line or answer is over its size limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    rpc_code = -31413
    reason = "too_large"


class TooMany(InterlockError):
    """Over a rate or count limit; `retry_after` says in seconds when to come back."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    rpc_code = -31429
    reason = "too_many"

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message, data={"retry_after_ms": math.ceil(retry_after * 1000)})
        self.retry_after = retry_after


class Unavailable(InterlockError):
    """Interlock itself cannot do this now."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    rpc_code = -31503
    reason = "unavailable"


class UpstreamFailed(InterlockError):
    """A server behind the gateway failed; the message names it."""

    status = HTTPStatus.BAD_GATEWAY
    rpc_code = -31502
    reason = "upstream_failed"


class UpstreamUnavailable(UpstreamFailed):
    """The server is not running or cannot be reached."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    rpc_code = -31503
    reason = "upstream_unavailable"


class UpstreamTimeout(UpstreamFailed):
    """The server did not answer in time."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    rpc_code = -31504
    reason = "upstream_timeout"


class RPCError(Exception):
    """A JSON-RPC error object as a peer answered it; it is passed on as it came."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.data = data
