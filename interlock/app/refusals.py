"""How errors read to callers of the control API, in every process of the gateway."""

import math
from http import HTTPStatus
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from interlock.app import rest_records
from interlock.errors import InterlockError, TooMany, Unavailable
from interlock.telemetry.logs import get_logger, log_failure

log = get_logger(__name__)


def error_response(scope: Scope, fault: InterlockError) -> Response:
    """Return how an error reads to a caller of the API; a failure of ours keeps its text."""
    request_id = rest_records.refused(scope, fault)
    log_failure(log, "api.failed", fault, request_id=request_id)
    is_ours = fault.status == HTTPStatus.INTERNAL_SERVER_ERROR
    message = "Something went wrong here; the log says more under this request id."
    error: dict[str, Any] = {
        "reason": fault.reason,
        "message": message if is_ours else fault.message,
        "request_id": request_id,
    }
    headers = {"x-request-id": request_id}
    if isinstance(fault, TooMany):
        headers["retry-after"] = str(max(1, math.ceil(fault.retry_after)))
        error.update(fault.data or {})
    if isinstance(fault, Unavailable):
        headers["retry-after"] = "5"
    if fault.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = 'Bearer realm="interlock"'
    return JSONResponse({"error": error}, fault.status, headers)
