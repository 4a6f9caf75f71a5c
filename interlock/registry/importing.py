"""Taking over the servers of a configuration: what would happen, and doing it."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from pydantic import BaseModel

from interlock.errors import InterlockError
from interlock.identity.entities import Project
from interlock.registry.config import ImportedConfig, read_config
from interlock.registry.entities import Server
from interlock.registry.registry import Registry
from interlock.settings import PREFIX
from interlock.upstreams.definition import ServerDefinition

Action = Literal["add", "replace", "unchanged"]


class ImportedServer(BaseModel):
    """What becomes of one server of the file; `error` says why it could not be done."""

    name: str
    transport: str
    action: Action
    disabled: bool = False
    error: str | None = None


class Remark(BaseModel):
    """A fault or a warning, at a server and a field where it belongs to one."""

    server: str | None
    field: str | None
    message: str


class ImportResult(BaseModel):
    """What an import did, or would do."""

    dialect: str
    servers: list[ImportedServer]
    faults: list[Remark]
    warnings: list[Remark]


class Importer:
    """Brings the servers of a configuration into a project; faulty ones are reported, not taken."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def run(
        self,
        project: Project,
        text: str,
        environ: Mapping[str, str],
        *,
        source: str = "",
        dry_run: bool = False,
    ) -> ImportResult:
        """Read a configuration and register its servers. Raises BadInput where it is unreadable."""
        config = read_config(text, environ=environ, source=source)
        servers = [await self._take(project, each, dry_run=dry_run) for each in config.servers]
        return _result(config, servers)

    async def take_all(self, project: Project, config: ImportedConfig) -> list[ImportedServer]:
        """Register the servers of a configuration that was read already."""
        return [await self._take(project, each, dry_run=False) for each in config.servers]

    async def _take(
        self, project: Project, definition: ServerDefinition, *, dry_run: bool
    ) -> ImportedServer:
        known = {each.definition.name: each for each in self._registry.servers(project.id)}
        old = known.get(definition.name)
        if old is not None:
            definition = _keeping_switches(old.definition, definition)
        action = _action(old, definition)
        error = None
        if not dry_run and action != "unchanged":
            try:
                if old is None:
                    await self._registry.add(project.id, definition)
                else:
                    await self._registry.change(old, lambda now: _keeping_switches(now, definition))
            except InterlockError as fault:
                error = fault.message
        return ImportedServer(
            name=definition.name,
            transport=definition.transport,
            action=action,
            disabled=definition.disabled,
            error=error,
        )


def environment() -> dict[str, str]:
    """Return the environment that a configuration may name; our own settings stay out of it."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}


def _keeping_switches(old: ServerDefinition, new: ServerDefinition) -> ServerDefinition:
    """Return a definition that leaves tools switched off, where its file says nothing of tools.

    Else a start with the same file would switch on what was switched off over the API.
    """
    if new.disabled_tools:
        return new
    return replace(new, disabled_tools=old.disabled_tools)


def _action(old: Server | None, new: ServerDefinition) -> Action:
    if old is None:
        return "add"
    return "unchanged" if old.definition == new else "replace"


def _result(config: ImportedConfig, servers: list[ImportedServer]) -> ImportResult:
    return ImportResult(
        dialect=config.dialect,
        servers=servers,
        faults=[
            Remark(server=each.server, field=each.field, message=each.message)
            for each in config.faults
        ],
        warnings=[
            Remark(server=each.server, field=each.field, message=each.message)
            for each in config.warnings
        ],
    )
