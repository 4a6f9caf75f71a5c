"""Which Host and Origin may reach us: the guard against DNS rebinding, on every route."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from interlock.errors import Forbidden
from interlock.gateway.http import send_failure
from interlock.telemetry.request_ids import new_request_id

_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]*)?")
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class HostRefused(Forbidden):
    """The request names a host that we are not known by."""

    status = HTTPStatus.MISDIRECTED_REQUEST
    reason = "host_refused"


class OriginRefused(Forbidden):
    """The request comes from a page of another site."""

    reason = "origin_refused"


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def allowed_hosts(bound: str, public_url: str | None, more: Iterable[str]) -> frozenset[str]:
    """Return the host names that requests may name, without ports."""
    hosts = {bound.lower(), *(host.lower() for host in more)}
    if is_loopback(bound) or bound in {"0.0.0.0", "::"}:  # noqa: S104 -- compared, not bound
        hosts |= LOOPBACK
    if public_url is not None:
        hosts.add((urlsplit(public_url).hostname or "").lower())
    return frozenset(hosts - {"0.0.0.0", "::", ""})  # noqa: S104 -- compared, not bound


class Perimeter:
    """Refuses requests whose Host or Origin is not one of `hosts`, before anything else sees them."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            fault = refusal(scope, self._hosts)
            if fault is not None:
                await send_failure(send, fault, None, new_request_id())
                return
        await self._app(scope, receive, send)


def refusal(scope: Scope, hosts: frozenset[str]) -> Forbidden | None:
    """Return why a request from outside `hosts` is refused, or None."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    named = [value for name, value in headers if name == b"host"]
    if len(named) != 1 or _name(named[0].decode("latin-1")) not in hosts:
        return HostRefused(
            "This Host is not one of ours; set INTERLOCK_ALLOWED_HOSTS to the names "
            "under which clients reach this address."
        )
    origins = (value.decode("latin-1") for name, value in headers if name == b"origin")
    if any(_name(origin.partition("://")[2]) not in hosts for origin in origins):
        return OriginRefused(
            "Pages of this Origin may not call us; "
            "add its host to INTERLOCK_ALLOWED_HOSTS to allow them."
        )
    return None


def _name(host: str) -> str:
    found = _HOST.fullmatch(host)
    return (found[1] or found[2]).lower() if found is not None else ""
