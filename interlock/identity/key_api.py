"""The routes of API keys, and how limits are written in bodies of the API."""

from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from typing import Any, Self

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict

from interlock.errors import BadInput
from interlock.identity.api_keys import KeyRing
from interlock.identity.entities import KeyInfo
from interlock.identity.gate import Gate, ProjectAccess
from interlock.identity.limits import Access, Per, RateLimit
from interlock.identity.principal import Role


class Body(BaseModel):
    """A body of the API: unknown fields are refused, and what was sent is never repeated."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class RateLimitBody(Body):
    """So many calls per second or minute; without `burst` all of them may come at once."""

    calls: int
    per: Per = "minute"
    burst: int | None = None

    def limit(self) -> RateLimit:
        """Return the limit. Raises BadInput."""
        return RateLimit.of(self.calls, self.per, self.burst)


class RateLimitView(BaseModel):
    """So many calls per second or minute, of which `burst` may come at once."""

    calls: int
    per: Per
    burst: int

    @classmethod
    def of(cls, limit: RateLimit | None) -> Self | None:
        """Return what is shown of a limit."""
        return None if limit is None else cls(calls=limit.calls, per=limit.per, burst=limit.burst)


class NewKey(Body):
    """An API key to make; `access` maps servers to the tools that it may see, by their own names.

    In both `*` stands for any characters. Without `access` the key sees all of its project.
    """

    name: str
    role: Role = Role.DEVELOPER
    expires_at: AwareDatetime | None = None
    access: dict[str, list[str]] | None = None
    rate_limit: RateLimitBody | None = None


class KeyChanges(Body):
    """What to change of an API key; what is left out stays, null takes a limit away."""

    name: str | None = None
    access: dict[str, list[str]] | None = None
    rate_limit: RateLimitBody | None = None

    def applied(self, info: KeyInfo) -> KeyInfo:
        """Return a key with these changes. Raises BadInput."""
        changes: dict[str, Any] = {}
        if "name" in self.model_fields_set:
            if self.name is None:
                raise BadInput('"name" of a key cannot be null; leave it out to keep it.')
            changes["name"] = self.name
        if "access" in self.model_fields_set:
            changes["access"] = _access(self.access)
        if "rate_limit" in self.model_fields_set:
            changes["rate_limit"] = self.rate_limit.limit() if self.rate_limit else None
        return replace(info, **changes)


class KeyView(BaseModel):
    """An API key, without its secret."""

    id: str
    name: str
    role: Role
    prefix: str
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    access: dict[str, list[str]] | None
    rate_limit: RateLimitView | None

    @classmethod
    def of(cls, info: KeyInfo) -> Self:
        """Return what is shown of a key."""
        return cls(
            id=info.id,
            name=info.name,
            role=info.role,
            prefix=info.prefix,
            created_at=info.created_at,
            created_by=info.created_by,
            expires_at=info.expires_at,
            revoked_at=info.revoked_at,
            last_used_at=info.last_used_at,
            access=grants(info.access),
            rate_limit=RateLimitView.of(info.rate_limit),
        )


class CreatedKey(BaseModel):
    """A new API key with its secret, which is shown only now."""

    key: KeyView
    secret: str


def key_routes(gate: Gate, keys: KeyRing) -> APIRouter:
    """Make the routes of API keys, below `/projects/{project}/keys`."""
    router = APIRouter(prefix="/projects/{project}/keys", tags=["keys"])

    @router.get("")
    async def list_keys(access: ProjectAccess = Depends(gate.project(Role.OWNER))) -> list[KeyView]:
        """List the project's API keys, the revoked and expired too."""
        return [KeyView.of(info) for info in await keys.list(access.project.id)]

    @router.post("", status_code=HTTPStatus.CREATED)
    async def create_key(
        body: NewKey, access: ProjectAccess = Depends(gate.project(Role.OWNER))
    ) -> CreatedKey:
        """Make an API key; its secret is shown only in this answer."""
        info, secret = await keys.create(
            access.project.id,
            name=body.name,
            role=body.role,
            expires_at=body.expires_at,
            access=_access(body.access),
            rate_limit=body.rate_limit.limit() if body.rate_limit else None,
            created_by=access.principal.name,
        )
        return CreatedKey(key=KeyView.of(info), secret=secret)

    @router.patch("/{key_id}")
    async def change_key(
        key_id: str, body: KeyChanges, access: ProjectAccess = Depends(gate.project(Role.OWNER))
    ) -> KeyView:
        """Change an API key's name or limits, which hold from its next call on."""
        return KeyView.of(await keys.change(access.project.id, key_id, to=body.applied))

    @router.delete("/{key_id}", status_code=HTTPStatus.NO_CONTENT)
    async def revoke_key(
        key_id: str, access: ProjectAccess = Depends(gate.project(Role.OWNER))
    ) -> None:
        """Revoke an API key at once."""
        await keys.revoke(access.project.id, key_id)

    return router


def grants(access: Access | None) -> dict[str, list[str]] | None:
    """Return what is shown of the servers and tools that a key is limited to."""
    return None if access is None else access.document()


def _access(grants: dict[str, list[str]] | None) -> Access | None:
    return None if grants is None else Access.of(grants)
