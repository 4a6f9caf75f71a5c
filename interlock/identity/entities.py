"""The plain shapes of what identity keeps: workspaces, projects, people and API keys."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

from interlock.identity.limits import Access, RateLimit
from interlock.identity.principal import NO_PROJECT, Principal, Role

Naming: TypeAlias = Literal["prefix", "plain"]


@dataclass(frozen=True, slots=True)
class Workspace:
    """A tenant: its people, its projects and its data keys."""

    id: str
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Project:
    """Some servers under one endpoint.

    `naming` tells whether tools carry their server's name (`server__tool`) or stand plain;
    `aliases` maps names of the project's own to `server__tool`. An `open` project lets callers
    in without a key, where the whole installation allows that. `rate_limit` is for all its callers.
    """

    id: str
    workspace_id: str
    name: str
    naming: Naming
    aliases: dict[str, str]
    open: bool
    created_at: datetime
    rate_limit: RateLimit | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who signs in with e-mail and password."""

    id: str
    email: str
    is_admin: bool
    must_change_password: bool
    created_at: datetime

    @property
    def principal(self) -> Principal:
        """The caller that this person is; without memberships, only administrators see projects."""
        if self.is_admin:
            return Principal("person", self.id, self.email, None, Role.OWNER, is_admin=True)
        return Principal("person", self.id, self.email, NO_PROJECT, Role.REPORTER)


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What may be shown of an API key; `prefix` is the part that tells keys apart by eye.

    `access` of None is all of the project, `rate_limit` of None the installation's default.
    """

    id: str
    project_id: str
    name: str
    role: Role
    prefix: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    access: Access | None = None
    rate_limit: RateLimit | None = None


@dataclass(frozen=True, slots=True)
class StoredKey:
    """An API key as it is kept: its digest, never its secret."""

    info: KeyInfo
    digest: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """A person with the hash of the password."""

    person: Person
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredLogin:
    """A login session as it is kept, with the person whose it is."""

    person: Person
    expires_at: datetime
    last_seen: datetime
