"""All SQL of identity: workspaces, projects, people, login sessions and API keys."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Result, bindparam, delete, exists, or_, select, update
from sqlalchemy.exc import IntegrityError

from interlock.errors import Conflict, NotFound
from interlock.identity.entities import (
    Account,
    KeyInfo,
    Naming,
    Person,
    Project,
    StoredKey,
    StoredLogin,
    Workspace,
)
from interlock.identity.limits import Access, RateLimit
from interlock.identity.models import (
    APIKeyRow,
    LoginSessionRow,
    PersonRow,
    ProjectRow,
    WorkspaceRow,
)
from interlock.identity.principal import Role
from interlock.protocol.json import JSONObject
from interlock.storage.database import Database


class ProjectStore:
    """Reads and writes workspaces and projects."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_workspace(self, name: str) -> Workspace | None:
        """Return the workspace with this name."""
        async with self._database.reading() as session:
            row = await session.scalar(select(WorkspaceRow).where(WorkspaceRow.name == name))
        return Workspace(row.id, row.name, row.created_at) if row else None

    async def add_workspace(self, workspace: Workspace) -> bool:
        """Keep a new workspace; False where its name is taken."""
        row = WorkspaceRow(id=workspace.id, name=workspace.name, created_at=workspace.created_at)
        try:
            async with self._database.transaction() as session:
                session.add(row)
        except IntegrityError:
            return False
        return True

    async def all(self) -> list[Project]:
        """Return every project, ordered by name."""
        async with self._database.reading() as session:
            rows = await session.scalars(select(ProjectRow).order_by(ProjectRow.name))
        return [_project(row) for row in rows]

    async def find(self, name_or_id: str) -> Project | None:
        """Return the project with this name, or else with this id."""
        is_name = ProjectRow.name == name_or_id
        query = (
            select(ProjectRow)
            .where(or_(is_name, ProjectRow.id == name_or_id))
            .order_by(is_name.desc())
            .limit(1)
        )
        async with self._database.reading() as session:
            row = await session.scalar(query)
        return _project(row) if row else None

    async def add(self, project: Project) -> None:
        """Keep a new project. Raises Conflict where its name is taken."""
        row = ProjectRow(
            id=project.id,
            workspace_id=project.workspace_id,
            name=project.name,
            naming=project.naming,
            aliases=project.aliases,
            open=project.open,
            created_at=project.created_at,
            rate_limit=_document(project.rate_limit),
        )
        try:
            async with self._database.transaction() as session:
                session.add(row)
        except IntegrityError:
            raise Conflict(f"A project named {project.name!r} exists already.") from None

    async def update(self, project_id: str, changes: Mapping[str, Any]) -> Project:
        """Set these columns of a project and return it. Raises NotFound."""
        async with self._database.transaction() as session:
            row = await session.get(ProjectRow, project_id)
            if row is None:
                raise NotFound("There is no such project.")
            for column, value in changes.items():
                kept = isinstance(value, RateLimit)
                setattr(row, column, value.document() if kept else value)
            return _project(row)

    async def delete(self, project_id: str) -> bool:
        """Delete a project with all that belongs to it; False where it is gone already."""
        async with self._database.transaction() as session:
            result = await session.execute(delete(ProjectRow).where(ProjectRow.id == project_id))
        return _count(result) > 0


class PeopleStore:
    """Reads and writes people and their passwords' hashes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def has_administrator(self) -> bool:
        """Tell whether any person is an administrator."""
        async with self._database.reading() as session:
            return bool(await session.scalar(select(exists().where(PersonRow.is_admin))))

    async def find(self, email: str) -> Account | None:
        """Return the account with this e-mail, given in small letters."""
        async with self._database.reading() as session:
            row = await session.scalar(select(PersonRow).where(PersonRow.email == email))
        return Account(_person(row), row.password_hash) if row else None

    async def add(self, account: Account) -> None:
        """Keep a new account. Raises Conflict where its e-mail is taken."""
        person = account.person
        row = PersonRow(
            id=person.id,
            email=person.email,
            password_hash=account.password_hash,
            is_admin=person.is_admin,
            must_change_password=person.must_change_password,
            created_at=person.created_at,
        )
        try:
            async with self._database.transaction() as session:
                session.add(row)
        except IntegrityError:
            raise Conflict("A person with this e-mail exists already.") from None

    async def replace_hash(self, person_id: str, *, old: str, new: str) -> None:
        """Put a newer hash of the same password in place, unless the password just changed."""
        query = (
            update(PersonRow)
            .where(PersonRow.id == person_id, PersonRow.password_hash == old)
            .values(password_hash=new)
        )
        async with self._database.transaction() as session:
            await session.execute(query)

    async def set_password(self, person_id: str, password_hash: str, *, keep: bytes) -> None:
        """Set a chosen password and end all logins of the person but the one to `keep`."""
        async with self._database.transaction() as session:
            await session.execute(
                update(PersonRow)
                .where(PersonRow.id == person_id)
                .values(password_hash=password_hash, must_change_password=False)
            )
            await session.execute(
                delete(LoginSessionRow).where(
                    LoginSessionRow.person_id == person_id, LoginSessionRow.token_hash != keep
                )
            )


class LoginStore:
    """Reads and writes login sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, token_hash: bytes, person_id: str, *, now: datetime, expires_at: datetime
    ) -> None:
        """Keep a new login, and clear away those that have ended."""
        row = LoginSessionRow(
            token_hash=token_hash,
            person_id=person_id,
            created_at=now,
            expires_at=expires_at,
            last_seen=now,
        )
        async with self._database.transaction() as session:
            await session.execute(delete(LoginSessionRow).where(LoginSessionRow.expires_at <= now))
            session.add(row)

    async def find(self, token_hash: bytes) -> StoredLogin | None:
        """Return the login with this token hash, also when it has expired."""
        query = (
            select(LoginSessionRow, PersonRow)
            .join(PersonRow, PersonRow.id == LoginSessionRow.person_id)
            .where(LoginSessionRow.token_hash == token_hash)
        )
        async with self._database.reading() as session:
            found = (await session.execute(query)).one_or_none()
        if found is None:
            return None
        login, person = found
        return StoredLogin(_person(person), login.expires_at, login.last_seen)

    async def touch(self, token_hash: bytes, now: datetime) -> None:
        """Note that the login was used."""
        query = (
            update(LoginSessionRow)
            .where(LoginSessionRow.token_hash == token_hash)
            .values(last_seen=now)
        )
        async with self._database.transaction() as session:
            await session.execute(query)

    async def delete(self, token_hash: bytes) -> None:
        """End a login."""
        query = delete(LoginSessionRow).where(LoginSessionRow.token_hash == token_hash)
        async with self._database.transaction() as session:
            await session.execute(query)


class KeyStore:
    """Reads and writes API keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[StoredKey]:
        """Return every key of every project, the revoked and expired too, oldest first."""
        query = select(APIKeyRow).order_by(APIKeyRow.created_at, APIKeyRow.id)
        async with self._database.reading() as session:
            rows = await session.scalars(query)
        return [StoredKey(_key(row), row.digest) for row in rows]

    async def add(self, key: StoredKey) -> None:
        """Keep a new key. Raises NotFound without its project, Conflict for a secret in use."""
        info = key.info
        row = APIKeyRow(
            id=info.id,
            project_id=info.project_id,
            name=info.name,
            role=info.role.value,
            digest=key.digest,
            prefix=info.prefix,
            created_at=info.created_at,
            created_by=info.created_by,
            expires_at=info.expires_at,
            access=_document(info.access),
            rate_limit=_document(info.rate_limit),
        )
        try:
            async with self._database.transaction() as session:
                if await session.get(ProjectRow, info.project_id) is None:
                    raise NotFound("There is no such project.")
                session.add(row)
        except IntegrityError:
            raise Conflict("This secret belongs to a key already; choose another.") from None

    async def change(self, info: KeyInfo) -> None:
        """Keep a key's name and limits as they are now."""
        query = (
            update(APIKeyRow)
            .where(APIKeyRow.id == info.id)
            .values(
                name=info.name,
                access=_document(info.access),
                rate_limit=_document(info.rate_limit),
            )
        )
        async with self._database.transaction() as session:
            await session.execute(query)

    async def revoke(self, key_id: str, now: datetime) -> None:
        """Mark a key as revoked, unless it is already."""
        query = (
            update(APIKeyRow)
            .where(APIKeyRow.id == key_id, APIKeyRow.revoked_at.is_(None))
            .values(revoked_at=now)
        )
        async with self._database.transaction() as session:
            await session.execute(query)

    async def note_use(self, moments: Mapping[str, datetime]) -> None:
        """Write when each of these keys, by id, was last used; another process may know better."""
        table = APIKeyRow.__table__
        query = (
            update(APIKeyRow)
            .where(
                table.c.id == bindparam("key_id"),
                or_(table.c.last_used_at.is_(None), table.c.last_used_at < bindparam("moment")),
            )
            .values(last_used_at=bindparam("moment"))
        )
        rows = [{"key_id": key_id, "moment": moment} for key_id, moment in moments.items()]
        async with self._database.transaction() as session:
            connection = await session.connection()
            await connection.execute(query, rows)


def _project(row: ProjectRow) -> Project:
    return Project(
        id=row.id,
        workspace_id=row.workspace_id,
        name=row.name,
        naming=cast("Naming", row.naming),
        aliases=dict(row.aliases),
        open=row.open,
        created_at=row.created_at,
        rate_limit=_rate_limit(row.rate_limit),
    )


def _person(row: PersonRow) -> Person:
    return Person(row.id, row.email, row.is_admin, row.must_change_password, row.created_at)


def _key(row: APIKeyRow) -> KeyInfo:
    return KeyInfo(
        id=row.id,
        project_id=row.project_id,
        name=row.name,
        role=Role(row.role),
        prefix=row.prefix,
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        last_used_at=row.last_used_at,
        access=None if row.access is None else Access.of(row.access),
        rate_limit=_rate_limit(row.rate_limit),
    )


def _rate_limit(document: JSONObject | None) -> RateLimit | None:
    return None if document is None else RateLimit.kept(document)


def _document(limit: Access | RateLimit | None) -> JSONObject | None:
    return None if limit is None else limit.document()


def _count(result: Result[Any]) -> int:
    return cast("CursorResult[Any]", result).rowcount
