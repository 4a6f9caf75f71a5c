"""The plain shapes of what the registry keeps: servers and what they were last seen to offer."""

from dataclasses import dataclass
from datetime import datetime

from interlock.gateway.table import Catalogue
from interlock.protocol.versions import Era
from interlock.upstreams.definition import ServerDefinition


@dataclass(frozen=True, slots=True)
class Server:
    """A registered server. `position` orders the servers of a project by when they came."""

    id: str
    project_id: str
    workspace_id: str
    position: int
    definition: ServerDefinition
    created_at: datetime
    updated_at: datetime
    eras: frozenset[Era] | None = None
    catalogue: Catalogue | None = None
