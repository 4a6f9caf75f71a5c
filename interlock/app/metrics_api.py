"""The route `/metrics`: the numbers of the gateway, and who may read them."""

import ipaddress
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from interlock.app.metrics import GatewayMetrics
from interlock.errors import Forbidden, NotFound, Unauthenticated
from interlock.identity.gate import Gate
from interlock.identity.principal import Principal, Role
from interlock.settings import Settings
from interlock.telemetry.exposition import exposition
from interlock.telemetry.families import Family

# A proxy on this machine would make everyone look local.
_BY_A_PROXY: Final = ("forwarded", "x-forwarded-for", "x-real-ip", "via")


def routes(
    metrics: GatewayMetrics, gate: Gate, settings: Settings, name_of: Callable[[str], str]
) -> APIRouter:
    """Return the route `/metrics`; `name_of` is the name of the project with an id."""
    router = APIRouter(tags=["health"])

    @router.get("/metrics", response_class=Response)
    async def read_metrics(request: Request) -> Response:
        """Show all numbers for Prometheus, as text or as OpenMetrics.

        An owner's key shows the numbers of its own project.
        """
        access = settings.telemetry.metrics
        if access == "off":
            raise NotFound("INTERLOCK_TELEMETRY__METRICS turns the metrics off.")
        principal = await gate.principal(request)
        is_free = access == "loopback" and settings.public_url is None and _is_local(request)
        if is_free and principal.kind == "anonymous":
            return _shown(request, await metrics.families())
        # Whoever shows a key sees what the key may see, also from this machine.
        _check(principal)
        families = await metrics.families()
        if not principal.is_admin and principal.project_id is not None:
            own = name_of(principal.project_id)
            families = [each.only("project", own) for each in families]
        return _shown(request, families)

    return router


def _shown(request: Request, families: Iterable[Family]) -> Response:
    accept = request.headers.get("accept", "")
    body, content_type = exposition([each for each in families if each.points], accept)
    return Response(body, HTTPStatus.OK, media_type=content_type)


def _is_local(request: Request) -> bool:
    """Tell whether a request comes from this machine, and not through a proxy on it."""
    if request.client is None or any(name in request.headers for name in _BY_A_PROXY):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def _check(principal: Principal) -> None:
    """Refuse who may not read numbers. Raises Unauthenticated, and Forbidden for lesser roles."""
    if principal.kind == "anonymous":
        raise Unauthenticated(
            "Metrics need an administrator's or an owner's key: send Authorization: Bearer, a space "
            "and the key."
        )
    if not principal.may(principal.project_id or "", Role.OWNER):
        raise Forbidden("This needs an administrator's or an owner's key; ask an owner for one.")
