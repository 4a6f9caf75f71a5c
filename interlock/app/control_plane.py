"""The control API with all its routes, guards and records, built from the parts that it governs."""

from dataclasses import dataclass

from fastapi import APIRouter, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from interlock.app import doctor_api, landing, live_api, metrics_api, rest_records
from interlock.app.bulletin import Announced, Bulletin
from interlock.app.console import open_console
from interlock.app.control import control_app
from interlock.app.data_plane import DataPlane
from interlock.app.ground import Ground
from interlock.app.live import News
from interlock.app.metrics import GatewayMetrics
from interlock.app.readiness import Readiness
from interlock.app.signed_in import SignedIn
from interlock.app.strict_body import StrictBody, admission
from interlock.audit import api as audit_api
from interlock.audit import statistics_api
from interlock.exports import api as exports_api
from interlock.exports import source_api
from interlock.gateway.entry import client_of
from interlock.identity import api as identity_api
from interlock.identity.entities import Project
from interlock.identity.gate import Gate
from interlock.identity.principal import Role
from interlock.registry import api as registry_api
from interlock.registry import tool_api
from interlock.registry.views import ServerView
from interlock.settings import Settings
from interlock.station import api as station_api
from interlock.station.sessions import ProcessSessions


@dataclass(frozen=True, slots=True)
class Parts:
    """What the control API governs and asks; `project` is the one that its aliases stand for."""

    ground: Ground
    plane: DataPlane
    sessions: ProcessSessions
    readiness: Readiness
    metrics: GatewayMetrics
    project: Project
    news: News


def control_plane(settings: Settings, parts: Parts, bulletin: Bulletin | None) -> ASGIApp:
    """Return the application; with a `bulletin`, workers know of changes before their answers."""
    plane, registry = parts.plane, parts.plane.registry
    gate, logins = parts.ground.gate(settings, allow_open=registry.allow_open)
    routers = [
        identity_api.routes(
            gate,
            logins=logins,
            projects=parts.ground.projects,
            keys=parts.ground.keys,
            on_change=registry.projects_changed,
        ),
        registry_api.routes(registry, gate),
        tool_api.routes(registry, gate),
        audit_api.routes(parts.ground.records, parts.ground.writer, gate.project(Role.REPORTER)),
        statistics_api.routes(
            parts.ground.records, parts.ground.writer, gate.project(Role.REPORTER)
        ),
        *_own_routers(settings, parts, gate),
    ]
    control: ASGIApp = control_app(routers, parts.readiness.missing)
    if bulletin is not None:
        control = Announced(control, bulletin)
    control = StrictBody(control, settings.gateway.max_body, admission(gate))
    recorded = rest_records.RESTRecords(control, plane.ledger, parts.project.name)
    console = open_console()
    signed_in = SignedIn(plane.endpoints, gate)

    async def rest(scope: Scope, receive: Receive, send: Send) -> None:
        if console is not None and console.serves(scope):
            await console(scope, receive, send)
            return
        if scope["type"] == "http" and plane.endpoints.is_ours(scope["path"]):
            # The front lets calls of logins through to here.
            await signed_in(scope, receive, send)
            return
        is_recorded = scope["type"] == "http" and rest_records.is_recorded(scope)
        await (recorded if is_recorded else control)(scope, receive, send)

    return rest


def _checkup(settings: Settings, parts: Parts) -> doctor_api.Checkup:
    registry = parts.plane.registry

    async def servers() -> list[doctor_api.Registered]:
        projects = await parts.ground.projects.list()
        return [
            doctor_api.Registered(project.name, ServerView.of(each, registry.runner(each)))
            for project in projects
            for each in registry.servers(project.id)
        ]

    return doctor_api.Checkup(settings.data_dir, settings.address, parts.readiness.missing, servers)


def _own_routers(settings: Settings, parts: Parts, gate: Gate) -> list[APIRouter]:
    plane, registry, project = parts.plane, parts.plane.registry, parts.project

    async def default_owner(request: Request) -> str:
        rest_records.arrived(request, await gate.principal(request))
        access = await gate.project(Role.OWNER)(request, project.name)
        entry = registry.table.project(project.name)
        plane.limits.take(access.principal, entry, client_of(request.scope))
        return access.project.workspace_id

    def address() -> str:
        return settings.address

    return [
        exports_api.routes(registry, gate, address),
        station_api.routes(parts.sessions, default_owner, rest_records.called),
        source_api.project_routes(registry, gate, address),
        source_api.gateway_routes(registry, gate, lambda: project),
        live_api.routes(parts.news, gate),
        doctor_api.routes(_checkup(settings, parts), gate),
        landing.routes(settings.address),
        metrics_api.routes(parts.metrics, gate, settings, registry.project_name),
    ]
