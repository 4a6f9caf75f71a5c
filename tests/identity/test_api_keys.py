"""Making, finding, listing and revoking API keys."""

import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import text

from interlock.errors import BadInput, Conflict, NotFound, Unauthenticated
from interlock.identity import key_format
from interlock.identity.api_keys import (
    KeyExpired,
    KeyMistyped,
    KeyRevoked,
    KeyRing,
    KeyUnknown,
    NotAKey,
)
from interlock.identity.entities import KeyInfo, Project
from interlock.identity.limits import Access, RateLimit
from interlock.identity.principal import Principal, Role
from tests.identity.conftest import Identity

GIVEN = "a-secret-of-20-chars"


@pytest.fixture
async def project(identity: Identity) -> Project:
    return await identity.projects.create("default")


async def make(identity: Identity, project: Project, name: str = "ci") -> tuple[KeyInfo, str]:
    return await identity.keys.create(
        project.id, name=name, role=Role.DEVELOPER, created_by="admin@localhost"
    )


def restarted(identity: Identity) -> KeyRing:
    return KeyRing(identity.database, identity.vault, now=identity.clock)


async def test_a_new_key_is_found_at_once_and_after_a_restart(
    identity: Identity, project: Project
) -> None:
    info, secret = await make(identity, project)
    expected = Principal("key", info.id, "ci", project.id, Role.DEVELOPER)

    keys = restarted(identity)
    await keys.load()

    assert identity.keys.find(secret) == expected
    assert keys.find(secret) == expected


async def test_the_shown_prefix_begins_the_secret(identity: Identity, project: Project) -> None:
    info, secret = await make(identity, project)

    assert info.prefix == f"ilk_{info.id}"
    assert secret.startswith(info.prefix + "_")


@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        ("", NotAKey),
        ("hunter2", NotAKey),
        ("sk-" + "a" * 40, NotAKey),
        ("x" * 100_000, NotAKey),
        ("é\udcff", NotAKey),
        ("ilk_", KeyMistyped),
        pytest.param(key_format.new_secret("abcdefgh")[:-1], KeyMistyped, id="cut short"),
        ("ilk_" + "a" * 100_000, KeyMistyped),
        pytest.param(key_format.new_secret("abcdefgh"), KeyUnknown, id="unknown"),
    ],
)
async def test_each_wrong_credential_has_its_own_reason(
    identity: Identity, project: Project, secret: str, expected: type[Unauthenticated]
) -> None:
    await make(identity, project)

    with pytest.raises(Unauthenticated) as caught:
        identity.keys.find(secret)

    assert type(caught.value) is expected
    assert len(secret) < 5 or secret not in caught.value.message


async def test_the_reasons_are_five_different_words() -> None:
    kinds = (NotAKey, KeyMistyped, KeyUnknown, KeyRevoked, KeyExpired)

    assert len({kind.reason for kind in kinds}) == 5


async def test_a_revoked_key_is_refused_at_once_and_after_a_restart(
    identity: Identity, project: Project
) -> None:
    info, secret = await make(identity, project)

    await identity.keys.revoke(project.id, info.id)

    keys = restarted(identity)
    await keys.load()
    for ring in (identity.keys, keys):
        with pytest.raises(KeyRevoked):
            ring.find(secret)


async def test_revoking_twice_keeps_the_first_moment(identity: Identity, project: Project) -> None:
    info, _ = await make(identity, project)
    first = identity.clock.moment
    await identity.keys.revoke(project.id, info.id)
    identity.clock.pass_by(60)

    await identity.keys.revoke(project.id, info.id)

    assert [key.revoked_at for key in await identity.keys.list(project.id)] == [first]


async def test_limits_hold_from_the_next_call_on_and_after_a_restart(
    identity: Identity, project: Project
) -> None:
    info, secret = await make(identity, project)
    access, rate = Access.of({"till": ["*"]}), RateLimit.of(5, "second", 2)
    told: list[None] = []
    identity.keys.on_change = lambda: told.append(None)
    stamp = identity.keys.stamp

    await identity.keys.change(
        project.id, info.id, to=lambda now: replace(now, access=access, rate_limit=rate)
    )
    # Whoever remembers a caller asks anew.
    assert identity.keys.stamp != stamp
    keys = restarted(identity)
    await keys.load()

    for found in (identity.keys.find(secret), keys.find(secret)):
        assert (found.access, found.rate_limit) == (access, rate)
    assert len(told) == 1


async def test_a_key_of_another_project_cannot_be_changed(
    identity: Identity, project: Project
) -> None:
    info, secret = await make(identity, project)
    other = await identity.projects.create("other")

    with pytest.raises(NotFound):
        await identity.keys.change(other.id, info.id, to=lambda now: replace(now, name="x"))

    assert identity.keys.find(secret).name == "ci"


async def test_a_key_of_another_project_cannot_be_revoked(
    identity: Identity, project: Project
) -> None:
    info, secret = await make(identity, project)
    other = await identity.projects.create("other")

    with pytest.raises(NotFound):
        await identity.keys.revoke(other.id, info.id)

    assert identity.keys.find(secret).id == info.id


async def test_another_process_sees_keys_after_it_loads_again(
    identity: Identity, project: Project
) -> None:
    other = restarted(identity)
    await other.load()
    info, secret = await make(identity, project)
    with pytest.raises(KeyUnknown):
        other.find(secret)

    await other.load()
    assert other.find(secret).id == info.id

    await identity.keys.revoke(project.id, info.id)
    await other.load()
    with pytest.raises(KeyRevoked):
        other.find(secret)


async def test_a_key_expires_at_its_moment(identity: Identity, project: Project) -> None:
    _, secret = await identity.keys.create(
        project.id,
        name="brief",
        role=Role.REPORTER,
        expires_at=identity.clock.moment + timedelta(seconds=10),
        created_by="x",
    )

    identity.clock.pass_by(9.9)
    assert identity.keys.find(secret).name == "brief"

    identity.clock.pass_by(0.1)
    with pytest.raises(KeyExpired):
        identity.keys.find(secret)


@pytest.mark.parametrize(
    ("name", "expires_at", "field"),
    [
        ("", None, "name"),
        ("x" * 101, None, "name"),
        ("a\nb", None, "name"),
        ("ci", datetime(2030, 1, 1), "expires_at"),  # noqa: DTZ001 - it is what gets refused
        ("ci", datetime.fromisoformat("2020-01-01T00:00:00Z"), "expires_at"),
    ],
)
async def test_wrong_fields_are_refused_by_name(
    identity: Identity, project: Project, name: str, expires_at: datetime | None, field: str
) -> None:
    with pytest.raises(BadInput, match=f'"{field}"'):
        await identity.keys.create(
            project.id, name=name, role=Role.OWNER, expires_at=expires_at, created_by="x"
        )


async def test_a_given_secret_becomes_a_key(identity: Identity, project: Project) -> None:
    info, secret = await identity.keys.create(
        project.id, name="bootstrap", role=Role.OWNER, created_by="environment", secret=GIVEN
    )

    assert secret == GIVEN
    assert identity.keys.find(GIVEN) == Principal(
        "key", info.id, "bootstrap", project.id, Role.OWNER
    )
    assert GIVEN not in repr(info)


@pytest.mark.parametrize("secret", ["x" * 19, "x" * 257, "has a space in it, though", "é" * 20, ""])
async def test_a_given_secret_must_be_long_and_visible(
    identity: Identity, project: Project, secret: str
) -> None:
    with pytest.raises(BadInput, match="openssl rand") as caught:
        await identity.keys.create(
            project.id, name="bootstrap", role=Role.OWNER, created_by="x", secret=secret
        )

    assert not secret or secret not in caught.value.message


async def test_one_secret_belongs_to_one_key(identity: Identity, project: Project) -> None:
    for expected in (None, Conflict):
        create = identity.keys.create(
            project.id, name="bootstrap", role=Role.OWNER, created_by="x", secret=GIVEN
        )
        if expected is None:
            await create
        else:
            with pytest.raises(expected):
                await create


async def test_a_key_needs_its_project(identity: Identity) -> None:
    with pytest.raises(NotFound):
        await identity.keys.create("nowhere", name="ci", role=Role.OWNER, created_by="x")


async def test_a_project_holds_a_bounded_number_of_keys(
    identity: Identity, project: Project
) -> None:
    keys = KeyRing(identity.database, identity.vault, max_per_project=2)
    small = replace(identity, keys=keys)
    first, _ = await make(small, project)
    await make(small, project)
    with pytest.raises(Conflict, match="revoke some first"):
        await make(small, project)

    await keys.revoke(project.id, first.id)

    assert (await make(small, project))[0].revoked_at is None


async def test_a_project_lists_its_own_keys_oldest_first(
    identity: Identity, project: Project
) -> None:
    other = await identity.projects.create("other")
    await make(identity, other, "elsewhere")
    for name in ("one", "two", "three"):
        await make(identity, project, name)
        identity.clock.pass_by(1)

    listed = await identity.keys.list(project.id)

    assert [info.name for info in listed] == ["one", "two", "three"]


async def test_the_last_use_is_listed_at_once_and_kept_by_a_flush(
    identity: Identity, project: Project
) -> None:
    info, secret = await make(identity, project)
    identity.clock.pass_by(60)
    identity.keys.find(secret)
    expected = [replace(info, last_used_at=identity.clock.moment)]

    assert await identity.keys.list(project.id) == expected
    keys = restarted(identity)
    await keys.load()
    assert await keys.list(project.id) == [info]

    await identity.keys.flush_last_used()
    await keys.load()
    assert await keys.list(project.id) == expected


async def test_a_flush_that_fails_is_made_up_for_by_the_next(
    identity: Identity, project: Project
) -> None:
    _, secret = await make(identity, project)
    identity.keys.find(secret)
    await run(identity, "ALTER TABLE api_keys RENAME TO elsewhere")
    with pytest.raises(Exception, match="api_keys"):
        await identity.keys.flush_last_used()
    await run(identity, "ALTER TABLE elsewhere RENAME TO api_keys")

    await identity.keys.flush_last_used()

    keys = restarted(identity)
    await keys.load()
    used = [info.last_used_at for info in await keys.list(project.id)]
    assert used == [identity.clock.moment]


async def test_a_flush_ignores_keys_that_are_gone(identity: Identity, project: Project) -> None:
    _, secret = await make(identity, project)
    identity.keys.find(secret)
    await identity.projects.delete(project.id)

    await identity.keys.flush_last_used()
    await identity.keys.load()

    assert await identity.keys.list(project.id) == []


async def test_no_secret_is_stored_or_shown(identity: Identity, project: Project) -> None:
    info, secret = await make(identity, project)
    hidden = secret.removeprefix(info.prefix)

    async with identity.database.reading() as session:
        stored = repr((await session.execute(text("SELECT * FROM api_keys"))).all())

    shown = repr(identity.keys) + repr(vars(identity.keys)) + repr(info)
    assert info.id in stored
    assert hidden not in stored
    assert hidden not in shown
    assert not re.search(r"digest", shown)


async def run(identity: Identity, statement: str) -> None:
    async with identity.database.transaction() as session:
        await session.execute(text(statement))
