"""Projects: their names and settings, made, changed and deleted."""

import re
from collections.abc import Mapping
from typing import Any, Final

from interlock.errors import BadInput, Conflict, NotFound, Unavailable
from interlock.identity.clock import Clock, utc_now
from interlock.identity.entities import Naming, Project, Workspace
from interlock.identity.ids import new_id
from interlock.identity.limits import RateLimit
from interlock.identity.store import ProjectStore
from interlock.storage.database import Database

DEFAULT_WORKSPACE: Final = "default"
# These words stand where a project's name would in the paths of older APIs.
RESERVED_NAMES: Final = frozenset({"request", "invoke", "dispatch"})
MAX_ALIASES: Final = 1000
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")


class Projects:
    """All projects of the installation."""

    def __init__(self, database: Database, *, now: Clock = utc_now) -> None:
        self._store = ProjectStore(database)
        self._now = now

    async def list(self) -> list[Project]:
        """Return every project, ordered by name."""
        return await self._store.all()

    async def find(self, name_or_id: str) -> Project | None:
        """Return the project with this name, or else with this id."""
        return await self._store.find(name_or_id)

    async def create(
        self,
        name: str,
        *,
        naming: Naming = "prefix",
        aliases: Mapping[str, str] | None = None,
        open: bool = False,  # noqa: A002 - the word of the configuration file and the table
    ) -> Project:
        """Make a project in the default workspace.

        Raises BadInput for a wrong name or alias, Conflict where the name is taken.
        """
        check_name(name)
        check_aliases(aliases or {})
        if await self._store.find(name):
            raise Conflict(f"The name {name!r} is taken; choose another for the project.")
        project = Project(
            id=new_id(),
            workspace_id=(await self._workspace()).id,
            name=name,
            naming=naming,
            aliases=dict(aliases or {}),
            open=open,
            created_at=self._now(),
        )
        await self._store.add(project)
        return project

    async def update(
        self,
        project_id: str,
        *,
        naming: Naming | None = None,
        aliases: Mapping[str, str] | None = None,
        open: bool | None = None,  # noqa: A002 - as in `create`
    ) -> Project:
        """Change what is not None and return the project. Raises BadInput and NotFound."""
        check_aliases(aliases or {})
        wanted: dict[str, Any] = {
            "naming": naming,
            "aliases": None if aliases is None else dict(aliases),
            "open": open,
        }
        changes = {column: value for column, value in wanted.items() if value is not None}
        return await self._store.update(project_id, changes)

    async def limit(self, project_id: str, rate_limit: RateLimit | None) -> Project:
        """Limit all calls of a project together, or leave it to the default. Raises NotFound."""
        return await self._store.update(project_id, {"rate_limit": rate_limit})

    async def ensure(
        self,
        name: str,
        *,
        naming: Naming | None = None,
        aliases: Mapping[str, str] | None = None,
        open: bool | None = None,  # noqa: A002 - as in `create`
    ) -> Project:
        """Return the project with this name, made or changed as a configuration file says."""
        project = await self._store.find(name)
        if project is None:
            try:
                return await self.create(
                    name, naming=naming or "prefix", aliases=aliases, open=open or False
                )
            except Conflict:
                # Another process of ours that starts at the same time was quicker.
                project = await self._store.find(name)
        if project is None or project.name != name:
            raise Conflict(f"The name {name!r} is taken; choose another for the project.")
        return await self.update(project.id, naming=naming, aliases=aliases, open=open)

    async def delete(self, project_id: str) -> None:
        """Delete a project with all that belongs to it. Raises NotFound."""
        if not await self._store.delete(project_id):
            raise NotFound("There is no such project.")

    async def _workspace(self) -> Workspace:
        workspace = await self._store.find_workspace(DEFAULT_WORKSPACE)
        if workspace is None:
            made = Workspace(new_id(), DEFAULT_WORKSPACE, self._now())
            if await self._store.add_workspace(made):
                return made
            # Another process of ours was quicker.
            workspace = await self._store.find_workspace(DEFAULT_WORKSPACE)
        if workspace is None:
            raise Unavailable("The default workspace vanished while it was made; try again.")
        return workspace


def check_name(name: str) -> None:
    """Raise BadInput unless `name` can name a project."""
    if not _NAME.fullmatch(name):
        raise BadInput(
            '"name" of a project is 1 to 63 small letters, digits and hyphens, '
            "and begins with a letter or digit."
        )
    if name in RESERVED_NAMES:
        raise BadInput(f'"name" may not be {name!r}, which is a path of the API; choose another.')


def check_aliases(aliases: Mapping[str, str]) -> None:
    """Raise BadInput unless every alias and the tool that it stands for can be tool names."""
    if len(aliases) > MAX_ALIASES:
        raise BadInput(f'"aliases" holds more than {MAX_ALIASES} entries; remove some.')
    for alias, tool in aliases.items():
        if not (_TOOL_NAME.fullmatch(alias) and _TOOL_NAME.fullmatch(tool)):
            raise BadInput(
                '"aliases" maps tool names to tool names: 1 to 128 letters, digits, '
                f"and any of _ . -; {alias[:128]!r} does not."
            )
