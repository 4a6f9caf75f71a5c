"""Who calls, and what that caller may do in a project."""

from dataclasses import dataclass
from enum import Enum
from functools import total_ordering
from typing import Final, Literal, TypeAlias

from interlock.identity.limits import Access, RateLimit

PrincipalKind: TypeAlias = Literal["key", "person", "anonymous"]

# No project has this id: whoever belongs here may do nothing anywhere.
NO_PROJECT: Final = ""


@total_ordering
class Role(Enum):
    """What someone may do in a project; each role may do all that the lesser ones may.

    A reporter reads, a developer also uses the project's tools, an owner also changes it.
    """

    REPORTER = "reporter"
    DEVELOPER = "developer"
    OWNER = "owner"

    def __lt__(self, other: "Role") -> bool:
        return _RANKS[self] < _RANKS[other]


_RANKS = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True)
class Principal:
    """One caller. `project_id` of None means every project; administrators may do everything.

    `access` says which servers and tools exist for the caller, None that all do; `rate_limit` is
    the caller's own.
    """

    kind: PrincipalKind
    id: str
    name: str
    project_id: str | None
    role: Role
    is_admin: bool = False
    access: Access | None = None
    rate_limit: RateLimit | None = None

    @property
    def may_call(self) -> bool:
        """Whether the caller may use what it sees, and not only read of it."""
        return self.is_admin or self.role >= Role.DEVELOPER

    def may(self, project_id: str, role: Role) -> bool:
        """Tell whether the caller holds at least `role` in a project."""
        return self.is_admin or (self.sees(project_id) and self.role >= role)

    def sees(self, project_id: str) -> bool:
        """Tell whether a project exists at all for the caller; a hidden one reads as missing."""
        return self.is_admin or self.project_id is None or self.project_id == project_id


def anonymous(project_id: str = NO_PROJECT) -> Principal:
    """Return the caller without a credential, who may use the tools of that open project only."""
    return Principal("anonymous", "anonymous", "anonymous", project_id, Role.DEVELOPER)
