"""All SQL of the registry; what can hold a secret is sealed here and nowhere else."""

from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

from interlock.errors import Conflict
from interlock.gateway.table import Catalogue
from interlock.protocol.json import dumps, loads
from interlock.protocol.versions import Era
from interlock.registry.entities import Server
from interlock.registry.models import CatalogueRow, ServerRow
from interlock.storage.database import Database
from interlock.upstreams.definition import (
    ConnectionLimits,
    HTTPTarget,
    ServerDefinition,
    StdioTarget,
)
from interlock.upstreams.port import ServerFacts
from interlock.vault.vault import Vault


class ServerStore:
    """Keeps servers and their catalogues."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def all(self, workspaces: dict[str, str]) -> list[Server]:
        """Return every server in order; `workspaces` maps project ids to workspace ids."""
        statement = select(ServerRow, CatalogueRow).outerjoin(
            CatalogueRow, CatalogueRow.server_id == ServerRow.id
        )
        async with self._database.reading() as session:
            rows = (await session.execute(statement.order_by(ServerRow.position))).all()
        return [
            await self._server(row, catalogue, workspaces[row.project_id])
            for row, catalogue in rows
            if row.project_id in workspaces
        ]

    async def add(self, server: Server) -> Server:
        """Keep a new server as the last of its project. Raises Conflict where its name is taken."""
        row = await self._values(server)
        try:
            async with self._database.transaction() as session:
                last = await session.scalar(select(func.max(ServerRow.position)))
                row["position"] = (last or 0) + 1
                session.add(ServerRow(**row))
        except IntegrityError:
            raise Conflict(
                f"The name {server.definition.name!r} is taken; choose another for the server."
            ) from None
        return replace(server, position=row["position"])

    async def update(self, server: Server) -> None:
        """Keep what changed of a server. Raises Conflict where its new name is taken."""
        values = await self._values(server)
        try:
            async with self._database.transaction() as session:
                row = await session.get_one(ServerRow, server.id)
                for name, value in values.items():
                    setattr(row, name, value)
        except IntegrityError:
            raise Conflict(
                f"The name {server.definition.name!r} is taken; choose another for the server."
            ) from None

    async def delete(self, server_id: str) -> None:
        """Forget a server and its catalogue."""
        async with self._database.transaction() as session:
            await session.execute(delete(CatalogueRow).where(CatalogueRow.server_id == server_id))
            await session.execute(delete(ServerRow).where(ServerRow.id == server_id))

    async def keep_catalogue(
        self, server_id: str, catalogue: Catalogue, eras: frozenset[Era], now: datetime
    ) -> None:
        """Keep what a server offers, in the place of what it offered before."""
        facts = asdict(catalogue.facts)
        values = {
            "eras": sorted(eras),
            "facts": {**facts, "versions": list(catalogue.facts.versions)},
            "items": {kind: list(items) for kind, items in catalogue.items.items()},
            "ttl_ms": catalogue.ttl_ms,
            "is_private": catalogue.is_private,
            "fetched_at": now,
        }
        try:
            async with self._database.transaction() as session:
                known = await session.scalar(select(ServerRow.id).where(ServerRow.id == server_id))
                if known is not None:
                    await session.merge(CatalogueRow(server_id=server_id, **values))
        except IntegrityError:
            # The server was deleted between the two statements: there is nothing to keep.
            return

    async def _values(self, server: Server) -> dict[str, Any]:
        definition = server.definition
        target = {"kind": _kind(definition), **asdict(definition.target)}
        sealed = await self._vault.seal(
            server.workspace_id, dumps(target), place=f"servers.target:{server.id}"
        )
        return {
            "id": server.id,
            "project_id": server.project_id,
            "name": definition.name,
            "position": server.position,
            "transport": definition.transport,
            "target": sealed,
            "timeout": definition.timeout,
            "auto_approve": list(definition.auto_approve),
            "disabled": definition.disabled,
            "description": definition.description,
            "limits": {
                "tool_timeouts": definition.tool_timeouts,
                "disabled_tools": list(definition.disabled_tools),
                "retries": definition.retries,
                "connections": asdict(definition.connections),
            },
            "created_at": server.created_at,
            "updated_at": server.updated_at,
        }

    async def _server(
        self, row: ServerRow, catalogue: CatalogueRow | None, workspace_id: str
    ) -> Server:
        sealed = await self._vault.open(workspace_id, row.target, place=f"servers.target:{row.id}")
        definition = ServerDefinition(
            name=row.name,
            target=_target(loads(sealed)),
            timeout=row.timeout,
            auto_approve=tuple(row.auto_approve),
            disabled=row.disabled,
            description=row.description,
            **_limits(row.limits),
        )
        return Server(
            id=row.id,
            project_id=row.project_id,
            workspace_id=workspace_id,
            position=row.position,
            definition=definition,
            created_at=row.created_at,
            updated_at=row.updated_at,
            eras=frozenset(Era(era) for era in catalogue.eras) if catalogue else None,
            catalogue=_catalogue(catalogue) if catalogue else None,
        )


def _kind(definition: ServerDefinition) -> str:
    return "stdio" if isinstance(definition.target, StdioTarget) else "http"


def _target(kept: dict[str, Any]) -> StdioTarget | HTTPTarget:
    if kept["kind"] == "stdio":
        return StdioTarget(kept["command"], tuple(kept["args"]), kept["env"], kept["cwd"])
    return HTTPTarget(
        kept["url"],
        kept["headers"],
        legacy_sse=kept["legacy_sse"],
        more_urls=tuple(kept.get("more_urls", ())),
    )


def _limits(kept: dict[str, Any] | None) -> dict[str, Any]:
    if kept is None:
        return {}
    return {
        **kept,
        "connections": ConnectionLimits(**kept["connections"]),
        "disabled_tools": tuple(kept.get("disabled_tools", ())),
    }


def _catalogue(row: CatalogueRow) -> Catalogue:
    kept: dict[str, Any] = row.facts
    facts = ServerFacts(
        era=Era(kept["era"]),
        version=kept["version"],
        info=kept["info"],
        capabilities=kept["capabilities"],
        instructions=kept["instructions"],
        versions=tuple(kept["versions"]),
    )
    items: Any = {kind: tuple(items) for kind, items in row.items.items()}
    return Catalogue(facts, items, ttl_ms=row.ttl_ms, is_private=row.is_private)
