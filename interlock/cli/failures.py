"""How a failure ends a command: one sentence for people, one document for programs, one status."""

from dataclasses import dataclass

from interlock.errors import BadInput, InterlockError, RPCError, UpstreamFailed
from interlock.protocol.json import JSONObject

FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130


class Refused(InterlockError):
    """The gateway answered with an error; `code` is the reason that it gave."""

    reason = "refused"

    def __init__(self, message: str, code: str, request_id: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.request_id = request_id


class NotAGateway(UpstreamFailed):
    """Something answers at the address, but it does not speak our API."""

    reason = "not_a_gateway"


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, and the status that the program ends with."""

    reason: str
    message: str
    status: int = FAILED
    request_id: str | None = None

    def document(self) -> JSONObject:
        """Return the failure as programs read it."""
        error: JSONObject = {"reason": self.reason, "message": self.message}
        if self.request_id is not None:
            error["request_id"] = self.request_id
        return {"error": error}


def explain(error: InterlockError | RPCError) -> Failure:
    """Say how a command ends that raised `error`."""
    if isinstance(error, RPCError):
        return Failure("rpc_error", f"{error.message} (JSON-RPC error {error.code})")
    if isinstance(error, Refused):
        return Failure(error.code, error.message, request_id=error.request_id)
    status = WRONG_USAGE if isinstance(error, BadInput) else FAILED
    return Failure(error.reason, error.message, status)
