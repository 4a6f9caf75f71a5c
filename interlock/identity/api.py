"""The routes of identity under `/api/v1`: logins, projects and API keys."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from http import HTTPStatus
from typing import Self, TypeAlias

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field, SecretStr

from interlock.errors import Unauthenticated
from interlock.identity.api_keys import KeyRing
from interlock.identity.entities import Naming, Person, Project
from interlock.identity.gate import Gate, ProjectAccess
from interlock.identity.key_api import Body, RateLimitBody, RateLimitView, grants, key_routes
from interlock.identity.logins import LiveLogin, Logins
from interlock.identity.passwords import MAX_LENGTH
from interlock.identity.principal import Principal, PrincipalKind, Role
from interlock.identity.projects import Projects

# Awaited with the id of a project that was made, changed or deleted.
OnChange: TypeAlias = Callable[[str], Awaitable[None]]

_ONE_PROJECT = "/{project}"


def routes(
    gate: Gate, *, logins: Logins, projects: Projects, keys: KeyRing, on_change: OnChange
) -> APIRouter:
    """Make the routes; `on_change` is awaited after every change of a project."""
    router = APIRouter(prefix="/api/v1", dependencies=[Depends(_never_store)])
    router.include_router(_auth_routes(gate, logins))
    router.include_router(_project_routes(gate, projects, keys, on_change))
    router.include_router(key_routes(gate, keys))
    return router


class LoginBody(Body):
    """Who wants to sign in."""

    email: str = Field(max_length=254)
    password: SecretStr = Field(max_length=MAX_LENGTH)


class PasswordBody(Body):
    """The current password, and the one to be."""

    current_password: SecretStr = Field(max_length=MAX_LENGTH)
    new_password: SecretStr = Field(max_length=MAX_LENGTH)


class PersonView(BaseModel):
    """A person."""

    id: str
    email: str
    is_admin: bool

    @classmethod
    def of(cls, person: Person) -> Self:
        """Return what is shown of a person."""
        return cls(id=person.id, email=person.email, is_admin=person.is_admin)


class LoginView(BaseModel):
    """A login: send `csrf_token` as `X-CSRF-Token` with every change."""

    person: PersonView
    csrf_token: str
    must_change_password: bool

    @classmethod
    def of(cls, login: LiveLogin) -> Self:
        """Return what our own console may know of a login."""
        return cls(
            person=PersonView.of(login.person),
            csrf_token=login.csrf_token,
            must_change_password=login.person.must_change_password,
        )


class MeView(BaseModel):
    """The caller. `login` is there for a person; `project_id` of null means every project.

    `access` of null means all servers and tools.
    """

    kind: PrincipalKind
    id: str
    name: str
    project_id: str | None
    role: Role
    is_admin: bool
    access: dict[str, list[str]] | None
    login: LoginView | None

    @classmethod
    def of(cls, principal: Principal, login: LiveLogin | None) -> Self:
        """Return what a caller may know of itself."""
        return cls(
            kind=principal.kind,
            id=principal.id,
            name=principal.name,
            project_id=principal.project_id,
            role=principal.role,
            is_admin=principal.is_admin,
            access=grants(principal.access),
            login=LoginView.of(login) if login else None,
        )


class NewProject(Body):
    """A project to make."""

    name: str
    naming: Naming = "prefix"
    aliases: dict[str, str] = Field(default_factory=dict[str, str])


class ProjectChanges(Body):
    """What to change of a project; what is left out stays."""

    naming: Naming | None = None
    aliases: dict[str, str] | None = None
    rate_limit: RateLimitBody | None = Field(None, description="null: the default")


class ProjectView(BaseModel):
    """A project; only a configuration file can make it `open`.

    Keys that are limited to some tools are shown no aliases, which name others.
    """

    id: str
    name: str
    naming: Naming
    aliases: dict[str, str]
    open: bool
    created_at: datetime
    rate_limit: RateLimitView | None

    @classmethod
    def of(cls, project: Project, caller: Principal) -> Self:
        """Return what a caller is shown of a project."""
        return cls(
            id=project.id,
            name=project.name,
            naming=project.naming,
            aliases=project.aliases if caller.access is None else {},
            open=project.open,
            created_at=project.created_at,
            rate_limit=RateLimitView.of(project.rate_limit),
        )


def _auth_routes(gate: Gate, logins: Logins) -> APIRouter:
    router = APIRouter(prefix="/auth", tags=["auth"])

    async def live_login(request: Request) -> LiveLogin:
        login = await gate.login(request)
        if login is None:
            raise Unauthenticated("Nobody is signed in with this request; sign in first.")
        return login

    @router.post("/login")
    async def sign_in(body: LoginBody, request: Request, response: Response) -> LoginView:
        """Sign in: sets the session cookie."""
        password = body.password.get_secret_value()
        login = await logins.login(body.email, password, address=_address(request))
        gate.cookie.write(response, login.token)
        return LoginView.of(login)

    @router.post("/logout", status_code=HTTPStatus.NO_CONTENT)
    async def sign_out(response: Response, login: LiveLogin = Depends(live_login)) -> None:
        """Sign out: ends the session."""
        await logins.logout(login)
        gate.cookie.clear(response)

    @router.get("/me")
    async def me(request: Request) -> MeView:
        """Tell who calls; a person also learns the CSRF token."""
        login = await gate.login(request)
        if login is not None:
            return MeView.of(login.person.principal, login)
        return MeView.of(await gate.anyone()(request), None)

    @router.post("/password", status_code=HTTPStatus.NO_CONTENT)
    async def change_password(
        body: PasswordBody, request: Request, login: LiveLogin = Depends(live_login)
    ) -> None:
        """Choose another password: ends all other sessions of the person."""
        await logins.change_password(
            login,
            current=body.current_password.get_secret_value(),
            new=body.new_password.get_secret_value(),
            address=_address(request),
        )

    return router


def _project_routes(
    gate: Gate, projects: Projects, keys: KeyRing, on_change: OnChange
) -> APIRouter:
    router = APIRouter(prefix="/projects", tags=["projects"])

    @router.get("")
    async def list_projects(principal: Principal = Depends(gate.anyone())) -> list[ProjectView]:
        """List the projects that the caller sees."""
        found = await projects.list()
        return [ProjectView.of(each, principal) for each in found if principal.sees(each.id)]

    @router.post("", status_code=HTTPStatus.CREATED)
    async def create_project(
        body: NewProject, principal: Principal = Depends(gate.administrator())
    ) -> ProjectView:
        """Make a project."""
        project = await projects.create(body.name, naming=body.naming, aliases=body.aliases)
        await on_change(project.id)
        return ProjectView.of(project, principal)

    @router.get(_ONE_PROJECT)
    async def show_project(
        access: ProjectAccess = Depends(gate.project(Role.REPORTER, limited=True)),
    ) -> ProjectView:
        """Show a project, given by name or id."""
        return ProjectView.of(access.project, access.principal)

    @router.patch(_ONE_PROJECT)
    async def change_project(
        body: ProjectChanges, access: ProjectAccess = Depends(gate.project(Role.OWNER))
    ) -> ProjectView:
        """Change how a project names its tools, or how often they may be called."""
        limit = body.rate_limit.limit() if body.rate_limit else None
        project = await projects.update(access.project.id, naming=body.naming, aliases=body.aliases)
        if "rate_limit" in body.model_fields_set:
            project = await projects.limit(project.id, limit)
        await on_change(project.id)
        return ProjectView.of(project, access.principal)

    @router.delete(_ONE_PROJECT, status_code=HTTPStatus.NO_CONTENT)
    async def delete_project(access: ProjectAccess = Depends(gate.project(Role.OWNER))) -> None:
        """Delete a project with its servers and keys."""
        await projects.delete(access.project.id)
        await keys.forget_project(access.project.id)
        await on_change(access.project.id)

    return router


def _never_store(response: Response) -> None:
    response.headers["Cache-Control"] = "no-store"


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"
