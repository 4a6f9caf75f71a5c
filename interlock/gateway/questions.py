"""What servers may ask of clients: what each question needs, and how each era puts it.

Source: 2026-07-28, basic/patterns/mrtr; 2025-11-25, client/elicitation and client/sampling.
"""

from dataclasses import dataclass

from interlock.errors import RPCError
from interlock.protocol.json import JSONObject, as_list, as_object
from interlock.protocol.jsonrpc import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND
from interlock.protocol.versions import MISSING_CAPABILITY
from interlock.upstreams.port import Caller

_NEEDS = {
    "sampling/createMessage": "sampling",
    "elicitation/create": "elicitation",
    "roots/list": "roots",
}
_MAY_ASK = frozenset({"tools/call", "prompts/get", "resources/read"})


def lacking(capabilities: JSONObject, method: str, params: JSONObject) -> JSONObject | None:
    """Return the capability that a client would need, but did not declare, to answer a request.

    None where it lacks nothing; all that is no question needs nothing.
    """
    needed = _NEEDS.get(method)
    if needed is None:
        return None
    declared = {*(as_object(capabilities.get(needed)) or {})}
    part = None
    if needed == "elicitation":
        # Before there were modes, and without one, a question is a form.
        part = str(params.get("mode", "form"))
        declared |= set() if {"form", "url"} & declared else {"form"}
    elif needed == "sampling" and {"tools", "toolChoice"} & params.keys():
        part = "tools"
    if needed in capabilities and (part is None or part in declared):
        return None
    return {needed: {} if part is None else {part: {}}}


def check_askable(capabilities: JSONObject, method: str, params: JSONObject) -> None:
    """Refuse a request to a client that did not declare to answer it. Raises RPCError."""
    missing = lacking(capabilities, method, params)
    if missing is None:
        return
    ((name, part),) = missing.items()
    if name not in capabilities:
        raise RPCError(METHOD_NOT_FOUND, f"The client does not answer {method}.")
    raise RPCError(INVALID_PARAMS, f"The client does not declare {name}.{next(iter(part))}.")


def check_questions(asking: str, capabilities: JSONObject, questions: JSONObject) -> None:
    """Check the `inputRequests` in a result of the method `asking`. Raises RPCError."""
    if asking not in _MAY_ASK:
        raise RPCError(INTERNAL_ERROR, f"The server asked for input, which {asking} forbids.")
    missing: JSONObject = {}
    for question in questions.values():
        asked = as_object(question) or {}
        method, params = str(asked.get("method")), as_object(asked.get("params")) or {}
        if method not in _NEEDS:
            raise RPCError(INTERNAL_ERROR, "The server asked what no client can be asked.")
        for name, part in (lacking(capabilities, method, params) or {}).items():
            missing[name] = {**missing.get(name, {}), **part}
    if missing:
        raise RPCError(
            MISSING_CAPABILITY,
            f"The server needs what the client does not declare: {', '.join(missing)}.",
            {"requiredCapabilities": missing},
        )


def url_required(asking: str, capabilities: JSONObject, error: RPCError) -> JSONObject:
    """Return the error of 2025-11-25 that asks for a visit to some addresses as a modern result.

    Raises RPCError where it names no address, or where the client cannot be sent to one.
    """
    told = map(as_object, as_list((as_object(error.data) or {}).get("elicitations")) or ())
    questions: JSONObject = {
        f"elicitation-{number}": {"method": "elicitation/create", "params": {**each, "mode": "url"}}
        for number, each in enumerate(filter(None, told), 1)
    }
    if not questions:
        raise RPCError(INTERNAL_ERROR, error.message)
    check_questions(asking, capabilities, questions)
    return {"resultType": "input_required", "inputRequests": questions}


@dataclass(frozen=True, slots=True)
class Askable:
    """The client of a parked call, who is asked only what it can answer by a retry."""

    parked: Caller
    asking: str
    capabilities: JSONObject

    def notify(self, method: str, params: JSONObject) -> None:
        """Pass a notification on."""
        self.parked.notify(method, params)

    async def ask(self, method: str, params: JSONObject) -> JSONObject:
        """Put a question that the client declared to answer. Raises RPCError for all others."""
        if method not in _NEEDS or self.asking not in _MAY_ASK:
            raise RPCError(METHOD_NOT_FOUND, f"The client cannot be asked {method} here.")
        check_askable(self.capabilities, method, params)
        return await self.parked.ask(method, params)
