"""The routes of identity, as clients see them."""

from collections.abc import AsyncGenerator
from datetime import timedelta

import httpx2
import pytest

from interlock.identity.principal import Role
from tests.identity.apps import CHOSEN, client_of, control_api, refusal, signed_in
from tests.identity.conftest import EMAIL, Identity

AUTH = "/api/v1/auth"
PROJECTS = "/api/v1/projects"


@pytest.fixture
async def client(identity: Identity) -> AsyncGenerator[httpx2.AsyncClient]:
    async with client_of(control_api(identity)) as client:
        yield client


@pytest.fixture
async def admin(identity: Identity) -> AsyncGenerator[httpx2.AsyncClient]:
    async with client_of(control_api(identity)) as client:
        await signed_in(identity, client)
        yield client


async def test_the_first_login_tells_that_the_password_must_change(
    identity: Identity, client: httpx2.AsyncClient
) -> None:
    password = await identity.people.ensure_administrator(EMAIL)

    response = await client.post(f"{AUTH}/login", json={"email": EMAIL, "password": password})

    answer = response.json()
    assert response.status_code == 200
    assert (answer["person"]["email"], answer["person"]["is_admin"]) == (EMAIL, True)
    assert answer["must_change_password"] is True
    assert response.headers["cache-control"] == "no-store"
    assert (await client.get(f"{AUTH}/me")).json()["login"] == answer


async def test_a_wrong_password_is_refused_and_sets_no_cookie(
    identity: Identity, client: httpx2.AsyncClient
) -> None:
    await identity.people.ensure_administrator(EMAIL)

    response = await client.post(f"{AUTH}/login", json={"email": EMAIL, "password": "wrong"})

    assert refusal(response) == (401, "wrong_password")
    assert "set-cookie" not in response.headers


async def test_guessing_is_answered_with_429(client: httpx2.AsyncClient) -> None:
    body = {"email": EMAIL, "password": "wrong"}
    for _ in range(5):
        assert refusal(await client.post(f"{AUTH}/login", json=body)) == (401, "wrong_password")

    assert refusal(await client.post(f"{AUTH}/login", json=body)) == (429, "too_many")


@pytest.mark.parametrize(
    "body",
    [
        {"email": EMAIL},
        {"email": EMAIL, "password": ["hidden"]},
        {"email": EMAIL, "password": "hidden" * 1000},
        {"email": EMAIL, "password": "hidden", "unknown": 1},
    ],
)
async def test_a_malformed_login_is_refused_without_repeating_it(
    client: httpx2.AsyncClient, body: dict[str, object]
) -> None:
    response = await client.post(f"{AUTH}/login", json=body)

    assert refusal(response) == (400, "bad_input")
    assert "hidden" not in response.text


async def test_a_form_of_another_site_cannot_sign_anyone_in(
    identity: Identity, client: httpx2.AsyncClient
) -> None:
    password = await identity.people.ensure_administrator(EMAIL)
    body = f'{{"email": "{EMAIL}", "password": "{password}"}}'

    response = await client.post(
        f"{AUTH}/login", content=body, headers={"Content-Type": "text/plain"}
    )

    assert response.status_code == 400
    assert "set-cookie" not in response.headers


async def test_a_login_never_takes_over_a_token_that_the_browser_brought(
    identity: Identity, client: httpx2.AsyncClient
) -> None:
    password = await identity.people.ensure_administrator(EMAIL)
    client.cookies.set("interlock", "planted-by-an-attacker", domain="127.0.0.1")

    await client.post(f"{AUTH}/login", json={"email": EMAIL, "password": password})

    async with client_of(control_api(identity)) as attacker:
        headers = {"Cookie": "interlock=planted-by-an-attacker"}
        response = await attacker.get(f"{AUTH}/me", headers=headers)
    assert refusal(response) == (401, "login_ended")


async def test_a_key_learns_who_it_is(identity: Identity, client: httpx2.AsyncClient) -> None:
    project = await identity.projects.create("default")
    info, secret = await identity.keys.create(
        project.id, name="ci", role=Role.DEVELOPER, created_by="x"
    )

    response = await client.get(f"{AUTH}/me", headers={"X-API-Key": secret})

    assert response.json() == {
        "kind": "key",
        "id": info.id,
        "name": "ci",
        "project_id": project.id,
        "role": "developer",
        "is_admin": False,
        "access": None,
        "login": None,
    }


async def test_nobody_learns_nothing(client: httpx2.AsyncClient) -> None:
    assert refusal(await client.get(f"{AUTH}/me")) == (401, "unauthenticated")
    assert refusal(await client.post(f"{AUTH}/logout")) == (401, "unauthenticated")


async def test_a_logout_ends_the_session_and_takes_the_cookie(
    identity: Identity, admin: httpx2.AsyncClient
) -> None:
    token = admin.cookies["interlock"]

    response = await admin.post(f"{AUTH}/logout")

    assert response.status_code == 204
    assert "interlock" not in admin.cookies
    stolen = await admin.get(f"{AUTH}/me", headers={"Cookie": f"interlock={token}"})
    assert refusal(stolen) == (401, "login_ended")


async def test_a_logout_from_another_site_is_refused(admin: httpx2.AsyncClient) -> None:
    del admin.headers["X-CSRF-Token"]

    assert refusal(await admin.post(f"{AUTH}/logout")) == (403, "csrf_refused")
    assert (await admin.get(f"{AUTH}/me")).status_code == 200


async def test_a_new_password_is_in_force_at_once(
    identity: Identity, admin: httpx2.AsyncClient, client: httpx2.AsyncClient
) -> None:
    changes = {"current_password": CHOSEN, "new_password": "yet another password"}

    assert (await admin.post(f"{AUTH}/password", json=changes)).status_code == 204

    old = await client.post(f"{AUTH}/login", json={"email": EMAIL, "password": CHOSEN})
    assert refusal(old) == (401, "wrong_password")
    body = {"email": EMAIL, "password": "yet another password"}
    answer = (await client.post(f"{AUTH}/login", json=body)).json()
    assert answer["must_change_password"] is False


@pytest.mark.parametrize(
    ("current", "new", "expected"),
    [
        ("wrong", "long enough for all", (401, "wrong_password")),
        (CHOSEN, "short", (400, "bad_input")),
    ],
)
async def test_a_password_is_not_changed_by_wrong_input(
    admin: httpx2.AsyncClient, current: str, new: str, expected: tuple[int, str]
) -> None:
    changes = {"current_password": current, "new_password": new}

    assert refusal(await admin.post(f"{AUTH}/password", json=changes)) == expected


async def test_an_administrator_makes_changes_and_deletes_projects(
    identity: Identity, admin: httpx2.AsyncClient
) -> None:
    created = await admin.post(PROJECTS, json={"name": "shop", "aliases": {"buy": "till__buy"}})
    project = created.json()
    changed = await admin.patch(f"{PROJECTS}/shop", json={"naming": "plain"})
    deleted = await admin.delete(f"{PROJECTS}/{project['id']}")

    assert created.status_code == 201
    assert (project["name"], project["naming"], project["open"]) == ("shop", "prefix", False)
    assert changed.json() == project | {"naming": "plain"}
    assert deleted.status_code == 204
    assert refusal(await admin.get(f"{PROJECTS}/shop")) == (404, "not_found")
    assert identity.changed == [project["id"]] * 3


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"name": "taken"}, (409, "conflict")),
        ({"name": "dispatch"}, (400, "bad_input")),
        ({"name": "Shop"}, (400, "bad_input")),
        ({"name": "shop", "naming": "other"}, (400, "bad_input")),
        ({"name": "shop", "open": True}, (400, "bad_input")),
        ({"name": "shop", "aliases": {"a b": "c"}}, (400, "bad_input")),
        ({}, (400, "bad_input")),
    ],
)
async def test_a_wrong_project_is_refused_and_nothing_changes(
    identity: Identity,
    admin: httpx2.AsyncClient,
    body: dict[str, object],
    expected: tuple[int, str],
) -> None:
    await identity.projects.create("taken")

    assert refusal(await admin.post(PROJECTS, json=body)) == expected
    assert identity.changed == []
    assert [project.name for project in await identity.projects.list()] == ["taken"]


async def test_no_request_can_open_a_project(identity: Identity, admin: httpx2.AsyncClient) -> None:
    project = await identity.projects.create("shop")

    response = await admin.patch(f"{PROJECTS}/shop", json={"open": True})

    assert refusal(response) == (400, "bad_input")
    assert await identity.projects.find("shop") == project


async def test_everyone_lists_the_projects_that_they_see(
    identity: Identity, admin: httpx2.AsyncClient, client: httpx2.AsyncClient
) -> None:
    for name in ("b", "a"):
        await identity.projects.create(name)
    own = await identity.projects.create("own")
    _, secret = await identity.keys.create(own.id, name="k", role=Role.REPORTER, created_by="x")

    by_admin = (await admin.get(PROJECTS)).json()
    by_key = (await client.get(PROJECTS, headers={"X-API-Key": secret})).json()

    assert [project["name"] for project in by_admin] == ["a", "b", "own"]
    assert [project["name"] for project in by_key] == ["own"]
    assert refusal(await client.get(PROJECTS)) == (401, "unauthenticated")


async def test_a_key_is_made_used_listed_and_revoked(
    identity: Identity, admin: httpx2.AsyncClient, client: httpx2.AsyncClient
) -> None:
    await identity.projects.create("shop")
    path = f"{PROJECTS}/shop/keys"
    expires_at = (identity.clock.moment + timedelta(days=1)).isoformat()

    created = await admin.post(path, json={"name": "ci", "expires_at": expires_at})
    key, secret = created.json()["key"], created.json()["secret"]
    headers = {"X-API-Key": secret}
    assert (created.status_code, key["role"], key["created_by"]) == (201, "developer", EMAIL)
    assert created.headers["cache-control"] == "no-store"
    assert (await client.get(f"{PROJECTS}/shop", headers=headers)).status_code == 200

    listed = await admin.get(path)
    used = identity.clock.moment.isoformat().replace("+00:00", "Z")
    assert listed.json() == [key | {"last_used_at": used}]
    assert secret not in listed.text

    assert (await admin.delete(f"{path}/{key['id']}")).status_code == 204
    revoked = await client.get(f"{PROJECTS}/shop", headers=headers)
    assert refusal(revoked) == (401, "key_revoked")
    assert refusal(await admin.delete(f"{path}/unknown")) == (404, "not_found")


@pytest.mark.parametrize("role", [Role.REPORTER, Role.DEVELOPER])
async def test_only_owners_handle_keys(
    identity: Identity, client: httpx2.AsyncClient, role: Role
) -> None:
    project = await identity.projects.create("shop")
    info, secret = await identity.keys.create(project.id, name="k", role=role, created_by="x")
    client.headers["X-API-Key"] = secret
    path = f"{PROJECTS}/shop/keys"

    assert refusal(await client.get(path)) == (403, "forbidden")
    assert refusal(await client.post(path, json={"name": "ci"})) == (403, "forbidden")
    assert refusal(await client.patch(f"{path}/{info.id}", json={})) == (403, "forbidden")
    assert refusal(await client.delete(f"{path}/{info.id}")) == (403, "forbidden")
    assert refusal(await client.delete(f"{PROJECTS}/shop")) == (403, "forbidden")


async def test_an_owner_by_key_makes_keys_for_the_own_project_only(
    identity: Identity, client: httpx2.AsyncClient
) -> None:
    own = await identity.projects.create("own")
    await identity.projects.create("foreign")
    _, secret = await identity.keys.create(own.id, name="boss", role=Role.OWNER, created_by="x")
    client.headers["X-API-Key"] = secret

    created = await client.post(f"{PROJECTS}/own/keys", json={"name": "ci"})
    foreign = await client.post(f"{PROJECTS}/foreign/keys", json={"name": "ci"})

    assert (created.status_code, created.json()["key"]["created_by"]) == (201, "boss")
    assert refusal(foreign) == (404, "not_found")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": ""},
        {"name": "ci", "role": "god"},
        {"name": "ci", "expires_at": "2030-01-01T00:00:00"},
        {"name": "ci", "expires_at": "2020-01-01T00:00:00Z"},
        {"name": "ci", "secret": "chosen-by-the-caller-20"},
    ],
)
async def test_a_wrong_key_is_refused(
    identity: Identity, admin: httpx2.AsyncClient, body: dict[str, object]
) -> None:
    await identity.projects.create("shop")

    response = await admin.post(f"{PROJECTS}/shop/keys", json=body)

    assert refusal(response) == (400, "bad_input")


async def test_a_key_is_limited_when_it_is_made_and_later(
    identity: Identity, admin: httpx2.AsyncClient, client: httpx2.AsyncClient
) -> None:
    await identity.projects.create("shop")
    path = f"{PROJECTS}/shop/keys"
    access, rate = {"till": ["get_*"]}, {"calls": 60, "per": "minute", "burst": 60}

    body = {"name": "ci", "access": access, "rate_limit": {"calls": 60}}
    created = (await admin.post(path, json=body)).json()
    key = created["key"]
    own = f"{path}/{key['id']}"
    assert (key["access"], key["rate_limit"]) == (access, rate)
    me = await client.get(f"{AUTH}/me", headers={"X-API-Key": created["secret"]})
    assert me.json()["access"] == access
    used = {"last_used_at": identity.clock.moment.isoformat().replace("+00:00", "Z")}
    assert (await admin.get(path)).json() == [key | used]

    other = {"calls": 5, "per": "second", "burst": 2}
    changed = await admin.patch(own, json={"rate_limit": other, "name": "build"})
    assert changed.json() == key | used | {"rate_limit": other, "name": "build"}
    freed = await admin.patch(own, json={"access": None, "rate_limit": None})
    assert freed.json() == key | used | {"name": "build", "access": None, "rate_limit": None}
    assert (await admin.get(path)).json() == [freed.json()]
    assert refusal(await admin.patch(f"{path}/unknown", json={})) == (404, "not_found")


@pytest.mark.parametrize(
    "limits",
    [
        {"access": {"": ["*"]}},
        {"access": ["till"]},
        {"access": {"till": "get_*"}},
        {"rate_limit": {}},
        {"rate_limit": {"calls": 0}},
        {"rate_limit": {"calls": 1, "burst": 0}},
        {"rate_limit": {"calls": 1, "per": "hour"}},
        {"rate_limit": {"calls": 1, "unit": "second"}},
    ],
)
async def test_limits_that_cannot_be_are_refused(
    identity: Identity, admin: httpx2.AsyncClient, limits: dict[str, object]
) -> None:
    project = await identity.projects.create("shop")
    path = f"{PROJECTS}/shop/keys"
    info, _ = await identity.keys.create(project.id, name="k", role=Role.DEVELOPER, created_by="x")

    made = await admin.post(path, json={"name": "ci", **limits})
    changed = await admin.patch(f"{path}/{info.id}", json=limits)

    assert [refusal(made), refusal(changed)] == [(400, "bad_input")] * 2
    assert await identity.keys.list(project.id) == [info]


async def test_an_owner_cannot_be_limited_to_tools(
    identity: Identity, admin: httpx2.AsyncClient
) -> None:
    project = await identity.projects.create("shop")
    path = f"{PROJECTS}/shop/keys"
    info, _ = await identity.keys.create(project.id, name="k", role=Role.OWNER, created_by="x")

    made = await admin.post(path, json={"name": "ci", "role": "owner", "access": {}})
    changed = await admin.patch(f"{path}/{info.id}", json={"access": {}})

    assert [refusal(made), refusal(changed)] == [(400, "bad_input")] * 2
    assert "give the key the role developer or reporter" in made.json()["error"]["message"]


async def test_the_name_of_a_key_cannot_be_taken_away(
    identity: Identity, admin: httpx2.AsyncClient
) -> None:
    project = await identity.projects.create("shop")
    info, _ = await identity.keys.create(project.id, name="k", role=Role.OWNER, created_by="x")

    changed = await admin.patch(f"{PROJECTS}/shop/keys/{info.id}", json={"name": None})

    assert refusal(changed) == (400, "bad_input")


async def test_a_project_is_limited_and_freed_again(
    identity: Identity, admin: httpx2.AsyncClient
) -> None:
    project = await identity.projects.create("shop")
    path, limit = f"{PROJECTS}/shop", {"calls": 9, "per": "second", "burst": 3}

    limited = await admin.patch(path, json={"rate_limit": limit})
    kept = await admin.patch(path, json={"naming": "plain"})
    freed = await admin.patch(path, json={"rate_limit": None})
    wrong = await admin.patch(path, json={"naming": "prefix", "rate_limit": {"calls": -1}})

    shown = [each.json()["rate_limit"] for each in (limited, kept, freed)]
    assert shown == [limit, limit, None]
    assert refusal(wrong) == (400, "bad_input")
    assert (await admin.get(path)).json() == freed.json()
    assert identity.changed == [project.id] * 3


async def test_the_keys_of_a_deleted_project_stop_at_once(
    identity: Identity, admin: httpx2.AsyncClient, client: httpx2.AsyncClient
) -> None:
    project = await identity.projects.create("shop")
    _, secret = await identity.keys.create(project.id, name="k", role=Role.OWNER, created_by="x")

    await admin.delete(f"{PROJECTS}/shop")

    response = await client.get(PROJECTS, headers={"X-API-Key": secret})
    assert refusal(response) == (401, "key_unknown")


async def test_the_openapi_document_names_the_project_parameter(
    client: httpx2.AsyncClient,
) -> None:
    document = (await client.get("/openapi.json")).json()

    parameters = document["paths"][f"{PROJECTS}/{{project}}/keys"]["get"]["parameters"]
    assert [parameter["name"] for parameter in parameters] == ["project"]
