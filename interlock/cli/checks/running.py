"""Checks of a gateway that runs: is it reached, does it take the key, how are its servers."""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx2

from interlock.checks.finding import Code, Finding, error, fine, warning
from interlock.checks.servers import check_commands, check_readiness, check_server
from interlock.cli.failures import Refused
from interlock.cli.http import named_failures
from interlock.cli.rest import Gateway
from interlock.errors import InterlockError
from interlock.protocol.json import as_object

MAX_SKEW = 30.0  # seconds


def check_gateway(gateway: Gateway, *, expected: bool) -> Iterator[Finding]:
    """Check the gateway and, if it is reached, its key, clock and servers.

    Where no gateway is `expected`, because none was started yet, its absence is a warning.
    """
    try:
        with named_failures(gateway.target.url):
            ready = gateway.client.get(f"{gateway.target.url}/readyz")
    except InterlockError as fault:
        judge = error if expected else warning
        yield judge(Code.GATEWAY, f"No gateway is reached: {fault.message}", "Run `interlock up`.")
        return
    yield _readiness(ready, gateway.target.url)
    yield from _clock(ready)
    try:
        servers = gateway.list("servers")
    except InterlockError as fault:
        yield _refused_key(fault)
        return
    yield fine(Code.KEY, f"The key is accepted in project {gateway.target.project}.")
    for server in servers:
        yield check_server(server, gateway.target.project)
    if gateway.target.is_local:
        yield from check_commands(servers)


def _readiness(answer: httpx2.Response, url: str) -> Finding:
    if answer.status_code == HTTPStatus.OK:
        return check_readiness({}, url)
    if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        return check_readiness(_missing(answer), url)
    return error(
        Code.GATEWAY,
        f"What answers at {url} is no Interlock gateway (HTTP {answer.status_code}).",
        "Correct --url or INTERLOCK_URL.",
    )


def _missing(answer: httpx2.Response) -> dict[str, str]:
    try:
        missing = as_object((as_object(answer.json()) or {}).get("missing")) or {}
    except ValueError:
        missing = {}
    named = {name: str(why) for name, why in missing.items()}
    return named or {"something": "it does not say what"}


def _clock(answer: httpx2.Response) -> Iterator[Finding]:
    try:
        there = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return
    skew = there - time.time()
    if abs(skew) <= MAX_SKEW:
        yield fine(Code.CLOCK, "The clocks agree.")
        return
    yield warning(
        Code.CLOCK,
        f"The gateway's clock is {abs(skew):.0f} seconds {'ahead' if skew > 0 else 'behind'}.",
        "Let both machines keep time with NTP; keys and logins expire by the clock.",
    )


def _refused_key(fault: InterlockError) -> Finding:
    if isinstance(fault, Refused) and fault.code == "unauthenticated":
        cure = "Take a valid key, as `interlock keys create` makes them."
    else:
        cure = "Check --project and the role of the key."
    return error(Code.KEY, f"The gateway refuses: {fault.message}", cure)
