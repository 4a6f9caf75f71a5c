"""The gate of the control API: turns a request's credential into a caller, and asks for roles."""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from starlette.requests import Request

from interlock.errors import Forbidden, NotFound, Unauthenticated
from interlock.identity.api_keys import KeyRing
from interlock.identity.credentials import SessionCookie, api_key_in
from interlock.identity.entities import Project
from interlock.identity.logins import LiveLogin, Logins
from interlock.identity.principal import Principal, Role, anonymous
from interlock.identity.projects import Projects

CSRF_HEADER: Final = "X-CSRF-Token"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

AskCaller: TypeAlias = Callable[[Request], Awaitable[Principal]]
AskProject: TypeAlias = Callable[[Request, str], Awaitable["ProjectAccess"]]


class CSRFRefused(Forbidden):
    """A change that came with the session cookie, but without its CSRF token."""

    reason = "csrf_refused"


class KeyLimited(Forbidden):
    """The key is limited to some servers and tools, and this would tell of others."""

    reason = "key_limited"


class PasswordChangeRequired(Forbidden):
    """The person signed in with a one-time password and must choose another first."""

    reason = "password_change_required"


@dataclass(frozen=True, slots=True)
class ProjectAccess:
    """A caller who may do what was asked for in a project."""

    principal: Principal
    project: Project


class Gate:
    """Identifies callers of the control API, and makes FastAPI dependencies that ask for roles.

    `secure` tells that clients come over HTTPS; `allow_open` that projects marked as open let
    anyone in, which is meant for an address that only this machine reaches.
    """

    def __init__(
        self,
        keys: KeyRing,
        logins: Logins,
        projects: Projects,
        *,
        secure: bool,
        allow_open: bool = False,
    ) -> None:
        self._keys = keys
        self._logins = logins
        self._projects = projects
        self._allow_open = allow_open
        self.cookie = SessionCookie(secure=secure, lifetime=logins.lifetime)

    async def principal(self, request: Request) -> Principal:
        """Return who calls; anonymous without a credential.

        The credential is `Authorization: Bearer`, `X-API-Key` or the session cookie, and with the
        cookie a change needs the header `X-CSRF-Token`. Raises Unauthenticated for a credential
        that does not hold or for two that disagree, CSRFRefused, and PasswordChangeRequired.
        """
        secret = self._key(request)
        if secret is not None:
            return self._keys.find(secret)
        login = await self.login(request)
        return _person(login) if login is not None else anonymous()

    async def proven(self, request: Request) -> Principal:
        """Return the person who is signed in, where the request has the proof of our own pages.

        Here reading needs the proof, too. Raises as `principal` does, and Unauthenticated where
        nobody is signed in.
        """
        token = self.cookie.read(request)
        if token is None:
            raise Unauthenticated("Nobody is signed in with this request; sign in first.")
        login = await self._logins.resume(token)
        _check_proof(request, login)
        return _person(login)

    async def login(self, request: Request) -> LiveLogin | None:
        """Return the login whose cookie the request carries, also before its password is changed.

        Raises as `principal` does.
        """
        token = self.cookie.read(request)
        if token is None or self._key(request) is not None:
            return None
        login = await self._logins.resume(token)
        if request.method not in _SAFE_METHODS:
            _check_proof(request, login)
        return login

    def anyone(self) -> AskCaller:
        """Make a dependency that asks for any caller who is known."""

        async def ask(request: Request) -> Principal:
            principal = await self.principal(request)
            if principal.kind == "anonymous":
                raise _nobody()
            return principal

        return ask

    def administrator(self) -> AskCaller:
        """Make a dependency that asks for an administrator."""
        anyone = self.anyone()

        async def ask(request: Request) -> Principal:
            principal = await anyone(request)
            if not principal.is_admin:
                raise Forbidden("Only an administrator may do this.")
            return principal

        return ask

    def project(self, role: Role, *, limited: bool = False) -> AskProject:
        """Make a dependency that asks for `role` in the project of the path's `{project}`.

        Unknown and hidden projects alike raise NotFound, a role that is too low Forbidden. Callers
        who see some servers and tools only are let in where the route is `limited` to these, and
        refused elsewhere.
        """

        async def ask(request: Request, project: str) -> ProjectAccess:
            principal = await self.principal(request)
            found = await self._projects.find(project)
            if principal.kind == "anonymous":
                principal = self._guest(found)
            if found is None or not principal.sees(found.id):
                raise NotFound("There is no such project.")
            if not principal.may(found.id, role):
                raise Forbidden(
                    f"This needs the role {role.value} in the project; ask one of its owners."
                )
            if principal.access is not None and not limited:
                raise KeyLimited(
                    "This key is limited to some servers and tools, and this is about all of them; "
                    "use a key without such limits."
                )
            return ProjectAccess(principal, found)

        return ask

    def _guest(self, project: Project | None) -> Principal:
        if project is None or not (project.open and self._allow_open):
            raise _nobody()
        return anonymous(project.id)

    def _key(self, request: Request) -> str | None:
        headers = request.headers
        secret = api_key_in(headers.getlist("authorization"), headers.getlist("x-api-key"))
        if secret is not None and self.cookie.read(request) is not None:
            raise Unauthenticated(
                "The request carries an API key and a session cookie; send only one of them."
            )
        return secret


def _person(login: LiveLogin) -> Principal:
    if login.person.must_change_password:
        raise PasswordChangeRequired(
            "Choose a password of your own first: POST /api/v1/auth/password."
        )
    return login.person.principal


def _check_proof(request: Request, login: LiveLogin) -> None:
    sent = request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(sent.encode(), login.csrf_token.encode()):
        raise CSRFRefused(
            f"A change with the session cookie needs the header {CSRF_HEADER}; "
            "GET /api/v1/auth/me tells its value."
        )


def _nobody() -> Unauthenticated:
    return Unauthenticated(
        "No credential was sent; add the header Authorization: Bearer with an API key, or sign in."
    )
