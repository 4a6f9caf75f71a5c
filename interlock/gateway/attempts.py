"""The attempts of one call at a remote server: through its circuit, and again where that is safe."""

import asyncio
from collections.abc import Awaitable, Callable

from interlock.errors import RPCError, UpstreamFailed
from interlock.gateway.call import Call
from interlock.gateway.deadline import WatchedCaller
from interlock.gateway.table import Target
from interlock.policy.breaker import Circuit, CircuitOpen, Verdict, verdict_of
from interlock.policy.retry import is_safe, pause_before
from interlock.protocol.json import JSONObject


async def attempted(
    call: Call,
    target: Target,
    params: JSONObject,
    watched: WatchedCaller,
    attempt: Callable[[], Awaitable[JSONObject]],
) -> JSONObject:
    """Make `attempt`, and make it again where it failed, that is safe, and the deadline allows it.

    A client that has heard of the call, or was asked something, would hear it twice: then it is
    not made again. Raises CircuitOpen without an attempt, and what the last attempt raised.
    """
    server, circuit, retries = target.server, target.server.circuit, target.server.retries
    if circuit is None or retries is None:
        return await attempt()
    safe = is_safe(call.method, is_repeatable=target.is_repeatable, params=params)
    number, earlier = call.trace.attempts, None
    if not number:
        retries.earn()
    while True:
        number += 1
        try:
            return await _through(circuit, watched, target, attempt)
        except CircuitOpen:
            if earlier is not None:
                # It is this failure that opened the circuit, and it says more.
                raise earlier from None
            raise
        except UpstreamFailed as failure:
            earlier = failure
            if number > retries.limit or watched.is_heard or server.upstream.blocked is not None:
                raise
            if not retries.take(failure, is_safe=safe):
                raise
        await asyncio.sleep(pause_before(number))


async def _through(
    circuit: Circuit,
    watched: WatchedCaller,
    target: Target,
    attempt: Callable[[], Awaitable[JSONObject]],
) -> JSONObject:
    was_trying = circuit.admit()
    verdict: Verdict = "unknown"
    try:
        result = await attempt()
        verdict = "well"
    except asyncio.CancelledError:
        if watched.is_late:
            # A server that has talked lives, however long it takes.
            verdict = "well" if watched.is_heard else "ill"
        raise
    except (RPCError, UpstreamFailed) as failure:
        # What is blocked was not tried.
        verdict = verdict_of(failure) if target.server.upstream.blocked is None else "unknown"
        raise
    finally:
        circuit.end(verdict, was_trying=was_trying)
    return result
