"""Who gets through the gate, by which credential, and with which role."""

from collections.abc import AsyncGenerator

import httpx2
import pytest
from starlette.requests import Request

from interlock.identity.entities import Project
from interlock.identity.gate import Gate, KeyLimited
from interlock.identity.limits import Access
from interlock.identity.principal import Role
from tests.identity.apps import client_of, control_api, refusal, signed_in
from tests.identity.conftest import EMAIL, Identity

PROJECTS = "/api/v1/projects"


@pytest.fixture
async def project(identity: Identity) -> Project:
    return await identity.projects.create("default")


@pytest.fixture
async def client(identity: Identity) -> AsyncGenerator[httpx2.AsyncClient]:
    async with client_of(control_api(identity)) as client:
        yield client


async def secret_of(identity: Identity, project: Project, role: Role) -> str:
    _, secret = await identity.keys.create(project.id, name="ci", role=role, created_by="x")
    return secret


@pytest.mark.parametrize(("name", "scheme"), [("Authorization", "Bearer "), ("X-API-Key", "")])
async def test_a_key_opens_its_project_by_either_header(
    identity: Identity, project: Project, client: httpx2.AsyncClient, name: str, scheme: str
) -> None:
    headers = {name: scheme + await secret_of(identity, project, Role.REPORTER)}

    for path in (f"{PROJECTS}/default", f"{PROJECTS}/{project.id}"):
        response = await client.get(path, headers=headers)
        assert (response.status_code, response.json()["name"]) == (200, "default")


async def test_without_a_credential_no_project_shows_whether_it_exists(
    project: Project, client: httpx2.AsyncClient
) -> None:
    known = await client.get(f"{PROJECTS}/default")
    unknown = await client.get(f"{PROJECTS}/unknown")

    assert refusal(known) == (401, "unauthenticated")
    assert known.json() == unknown.json()


async def test_a_foreign_project_looks_like_an_unknown_one(
    identity: Identity, project: Project, client: httpx2.AsyncClient
) -> None:
    headers = bearer(await secret_of(identity, project, Role.OWNER))
    await identity.projects.create("foreign")

    foreign = await client.get(f"{PROJECTS}/foreign", headers=headers)
    unknown = await client.get(f"{PROJECTS}/unknown", headers=headers)

    assert refusal(foreign) == (404, "not_found")
    assert foreign.json() == unknown.json()


@pytest.mark.parametrize("role", [Role.REPORTER, Role.DEVELOPER])
async def test_too_low_a_role_is_forbidden(
    identity: Identity, project: Project, client: httpx2.AsyncClient, role: Role
) -> None:
    headers = bearer(await secret_of(identity, project, role))

    response = await client.patch(f"{PROJECTS}/default", json={}, headers=headers)

    assert refusal(response) == (403, "forbidden")
    assert "owner" in response.json()["error"]["message"]


async def test_a_key_that_is_limited_to_tools_is_let_in_only_where_limits_are_heeded(
    identity: Identity, project: Project
) -> None:
    gate = Gate(identity.keys, identity.logins, identity.projects, secure=False)
    _, secret = await identity.keys.create(
        project.id, name="k", role=Role.REPORTER, access=Access.of({}), created_by="x"
    )
    headers = [(b"x-api-key", secret.encode())]
    request = Request({"type": "http", "method": "GET", "path": "/", "headers": headers})

    let_in = await gate.project(Role.REPORTER, limited=True)(request, project.name)

    assert (let_in.project, let_in.principal.access) == (project, Access.of({}))
    with pytest.raises(KeyLimited, match="limited to some servers and tools"):
        await gate.project(Role.REPORTER)(request, project.name)


async def test_a_key_even_of_an_owner_is_no_administrator(
    identity: Identity, project: Project, client: httpx2.AsyncClient
) -> None:
    headers = bearer(await secret_of(identity, project, Role.OWNER))

    response = await client.post(PROJECTS, json={"name": "new"}, headers=headers)

    assert refusal(response) == (403, "forbidden")


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"Authorization": "Bearer hunter2"}, "not_a_key"),
        ({"Authorization": "Bearer ilk_cut"}, "key_mistyped"),
        ({"Authorization": "Basic aHVudGVyMg=="}, "unauthenticated"),
        ({"Authorization": "Bearer one", "X-API-Key": "two"}, "unauthenticated"),
        ({"Cookie": "interlock=unknown"}, "login_ended"),
    ],
)
async def test_a_wrong_credential_is_refused_with_its_reason(
    project: Project, client: httpx2.AsyncClient, headers: dict[str, str], reason: str
) -> None:
    response = await client.get(f"{PROJECTS}/default", headers=headers)

    assert refusal(response) == (401, reason)


async def test_a_key_and_a_cookie_together_are_refused(
    identity: Identity, project: Project, client: httpx2.AsyncClient
) -> None:
    await signed_in(identity, client)
    secret = await secret_of(identity, project, Role.OWNER)

    for path in (PROJECTS, f"{PROJECTS}/default", "/api/v1/auth/me"):
        response = await client.get(path, headers=bearer(secret))
        assert refusal(response) == (401, "unauthenticated")
        assert "only one" in response.json()["error"]["message"]


async def test_a_change_by_cookie_needs_the_csrf_token_of_its_own_session(
    identity: Identity, project: Project, client: httpx2.AsyncClient
) -> None:
    await signed_in(identity, client)
    own = client.headers["X-CSRF-Token"]
    await signed_in(identity, client)
    current = client.headers.pop("X-CSRF-Token")

    for wrong in (None, b"", "é".encode("latin-1"), own.encode()):
        headers = [] if wrong is None else [(b"X-CSRF-Token", wrong)]
        response = await client.patch(f"{PROJECTS}/default", json={}, headers=headers)
        assert refusal(response) == (403, "csrf_refused")

    right = {"X-CSRF-Token": current}
    response = await client.patch(f"{PROJECTS}/default", json={}, headers=right)
    assert response.status_code == 200


async def test_reading_by_cookie_needs_no_csrf_token(
    identity: Identity, project: Project, client: httpx2.AsyncClient
) -> None:
    await signed_in(identity, client)
    del client.headers["X-CSRF-Token"]

    assert (await client.get(f"{PROJECTS}/default")).status_code == 200


async def test_a_change_by_key_needs_no_csrf_token(
    identity: Identity, project: Project, client: httpx2.AsyncClient
) -> None:
    headers = bearer(await secret_of(identity, project, Role.OWNER))

    response = await client.patch(f"{PROJECTS}/default", json={}, headers=headers)

    assert response.status_code == 200


async def test_a_one_time_password_opens_nothing_until_it_is_changed(
    identity: Identity, project: Project, client: httpx2.AsyncClient
) -> None:
    password = await identity.people.ensure_administrator(EMAIL)
    await client.post("/api/v1/auth/login", json={"email": EMAIL, "password": password})

    for path in (PROJECTS, f"{PROJECTS}/default"):
        assert refusal(await client.get(path)) == (403, "password_change_required")


async def test_over_plain_http_the_cookie_is_kept_from_scripts_and_other_sites(
    identity: Identity, client: httpx2.AsyncClient
) -> None:
    cookie = await cookie_of(identity, client)

    assert cookie.startswith("interlock=")
    assert {"httponly", "samesite=strict", "path=/", "max-age=43200"} <= attributes(cookie)
    assert "secure" not in attributes(cookie)


async def test_over_https_the_cookie_is_bound_to_the_host(identity: Identity) -> None:
    app = control_api(identity, secure=True)
    async with client_of(app, base_url="https://interlock.example") as client:
        cookie = await cookie_of(identity, client)
        assert (await client.get("/api/v1/auth/me")).status_code == 200

    assert cookie.startswith("__Host-interlock=")
    assert {"httponly", "samesite=strict", "path=/", "secure"} <= attributes(cookie)
    assert not any(attribute.startswith("domain") for attribute in attributes(cookie))


async def test_over_https_a_cookie_without_the_host_prefix_is_ignored(identity: Identity) -> None:
    app = control_api(identity, secure=True)
    async with client_of(app, base_url="https://interlock.example") as client:
        cookie = await cookie_of(identity, client)
        token = cookie.partition("=")[2].partition(";")[0]
        client.cookies.clear()
        response = await client.get("/api/v1/auth/me", headers={"Cookie": f"interlock={token}"})

    assert refusal(response) == (401, "unauthenticated")


async def test_an_open_project_lets_anyone_use_it_but_not_change_it(identity: Identity) -> None:
    await identity.projects.create("default", open=True)
    await identity.projects.create("closed")
    async with client_of(control_api(identity, allow_open=True)) as client:
        assert (await client.get(f"{PROJECTS}/default")).status_code == 200
        changed = await client.patch(f"{PROJECTS}/default", json={})
        closed = await client.get(f"{PROJECTS}/closed")
        created = await client.post(PROJECTS, json={"name": "new"})

    assert refusal(changed) == (403, "forbidden")
    assert refusal(closed) == (401, "unauthenticated")
    assert refusal(created) == (401, "unauthenticated")


async def test_open_projects_are_closed_where_the_installation_does_not_allow_them(
    identity: Identity, client: httpx2.AsyncClient
) -> None:
    await identity.projects.create("default", open=True)

    assert refusal(await client.get(f"{PROJECTS}/default")) == (401, "unauthenticated")


async def test_a_wrong_key_is_refused_even_by_an_open_project(identity: Identity) -> None:
    await identity.projects.create("default", open=True)
    async with client_of(control_api(identity, allow_open=True)) as client:
        response = await client.get(f"{PROJECTS}/default", headers=bearer("hunter2"))

    assert refusal(response) == (401, "not_a_key")


async def cookie_of(identity: Identity, client: httpx2.AsyncClient) -> str:
    password = await identity.people.ensure_administrator(EMAIL)
    body = {"email": EMAIL, "password": password}
    return (await client.post("/api/v1/auth/login", json=body)).headers["set-cookie"]


def attributes(cookie: str) -> set[str]:
    return {part.strip().lower() for part in cookie.split(";")[1:]}


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}
