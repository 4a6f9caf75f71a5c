"""Checks of a gateway that runs: is it reached, does it take the key, how are its servers."""

import shutil
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import PurePath

import httpx2

from interlock.cli.checks.finding import Code, Finding, error, fine, warning
from interlock.cli.failures import Refused
from interlock.cli.http import named_failures
from interlock.cli.rest import Gateway
from interlock.errors import InterlockError
from interlock.protocol.json import JSONObject, as_object

MAX_SKEW = 30.0  # seconds
_CURES = {
    "npx": "Install Node.js from https://nodejs.org, which brings npx.",
    "npm": "Install Node.js from https://nodejs.org, which brings npm.",
    "node": "Install Node.js from https://nodejs.org.",
    "uvx": "Install uv, which brings uvx: https://docs.astral.sh/uv/.",
    "uv": "Install uv: https://docs.astral.sh/uv/.",
    "docker": "Install Docker, or a program of that name that does the same.",
}


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
        yield _server(server)
    if gateway.target.is_local:
        yield from check_commands(servers)


def check_commands(servers: list[JSONObject]) -> Iterator[Finding]:
    """Tell which programs are missing that hosted servers are started with."""
    needed: dict[str, list[str]] = {}
    for server in servers:
        command = server.get("command")
        if isinstance(command, str) and not server.get("disabled"):
            needed.setdefault(command, []).append(str(server.get("name")))
    for command, names in needed.items():
        if shutil.which(command) is not None:
            yield fine(Code.COMMAND, f"{command} is installed.")
            continue
        yield error(
            Code.COMMAND,
            f"{command} is not found here, and {', '.join(names)} is started with it.",
            _CURES.get(PurePath(command).name, f"Install {command}, or correct the command."),
        )


def _readiness(answer: httpx2.Response, url: str) -> Finding:
    if answer.status_code == HTTPStatus.OK:
        return fine(Code.GATEWAY, f"The gateway at {url} takes calls.")
    if answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        return error(
            Code.GATEWAY,
            f"The gateway at {url} is not ready: {_missing(answer)}.",
            "Wait if it just started; otherwise its log says what is wrong.",
        )
    return error(
        Code.GATEWAY,
        f"What answers at {url} is no Interlock gateway (HTTP {answer.status_code}).",
        "Correct --url or INTERLOCK_URL.",
    )


def _missing(answer: httpx2.Response) -> str:
    try:
        missing = as_object((as_object(answer.json()) or {}).get("missing")) or {}
    except ValueError:
        missing = {}
    return ", ".join(f"{name}: {why}" for name, why in missing.items()) or "it does not say why"


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


def _server(server: JSONObject) -> Finding:
    name, status = server.get("name"), server.get("status")
    why = server.get("reason") or server.get("last_error")
    message = f"Server {name} is {status}{f': {why}' if why else ''}".rstrip(".") + "."
    cure = f"See `interlock servers logs {name}` and `interlock servers test {name}`."
    match status:
        case "failed":
            return error(Code.SERVER, message, cure)
        case "stale":
            return warning(Code.SERVER, message, cure)
        case _:
            return fine(Code.SERVER, message)
