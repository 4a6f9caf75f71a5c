"""Signing in and out."""

import base64

import pytest
from sqlalchemy import text

from interlock.errors import BadInput, TooMany
from interlock.identity.logins import LiveLogin, LoginEnded, Logins, WrongPassword
from interlock.storage.outage import DatabaseUnavailable
from tests.identity.conftest import EMAIL, Identity

HOME = "192.0.2.1"
CHOSEN = "a password of my own"


@pytest.fixture
async def password(identity: Identity) -> str:
    made = await identity.people.ensure_administrator(EMAIL)
    assert made is not None
    return made


async def sign_in(identity: Identity, password: str) -> LiveLogin:
    return await identity.logins.login(EMAIL, password, address=HOME)


async def test_a_login_is_resumed_by_its_token(identity: Identity, password: str) -> None:
    login = await sign_in(identity, password)

    assert await identity.logins.resume(login.token) == login


async def test_a_login_outlives_a_restart(identity: Identity, password: str) -> None:
    login = await sign_in(identity, password)

    restarted = Logins(identity.database, identity.people, identity.vault, now=identity.clock)

    assert await restarted.resume(login.token) == login


async def test_each_login_has_a_new_token_of_256_bits(identity: Identity, password: str) -> None:
    first, second = [await sign_in(identity, password) for _ in range(2)]

    assert first.token != second.token
    assert first.csrf_token != second.csrf_token
    assert len(base64.urlsafe_b64decode(first.token + "=")) == 32


async def test_no_token_is_stored_or_shown(identity: Identity, password: str) -> None:
    login = await sign_in(identity, password)

    async with identity.database.reading() as session:
        stored = repr((await session.execute(text("SELECT * FROM login_sessions"))).all())
    for secret in (login.token, login.csrf_token):
        assert secret not in stored
        assert secret not in repr(login)


@pytest.mark.parametrize("token", ["", "unknown", "x" * 100_000, "é\udcff"])
async def test_an_unknown_token_is_refused(identity: Identity, password: str, token: str) -> None:
    await sign_in(identity, password)

    with pytest.raises(LoginEnded):
        await identity.logins.resume(token)


async def test_a_login_ends_after_its_hours(identity: Identity, password: str) -> None:
    login = await sign_in(identity, password)

    identity.clock.pass_by(12 * 3600 - 1)
    assert await identity.logins.resume(login.token) == login

    identity.clock.pass_by(1)
    with pytest.raises(LoginEnded):
        await identity.logins.resume(login.token)


async def test_ended_logins_are_cleared_away_by_the_next(identity: Identity, password: str) -> None:
    await sign_in(identity, password)
    identity.clock.pass_by(12 * 3600)

    await sign_in(identity, password)

    async with identity.database.reading() as session:
        assert await session.scalar(text("SELECT count(*) FROM login_sessions")) == 1


async def test_the_last_use_is_noted_once_a_minute(identity: Identity, password: str) -> None:
    login = await sign_in(identity, password)
    started = await last_seen(identity)

    identity.clock.pass_by(59)
    await identity.logins.resume(login.token)
    assert await last_seen(identity) == started

    identity.clock.pass_by(1)
    await identity.logins.resume(login.token)
    assert await last_seen(identity) != started


async def test_a_logout_ends_that_login_only(identity: Identity, password: str) -> None:
    ended, other = [await sign_in(identity, password) for _ in range(2)]

    await identity.logins.logout(ended)

    with pytest.raises(LoginEnded):
        await identity.logins.resume(ended.token)
    assert await identity.logins.resume(other.token) == other


async def test_a_wrong_password_reads_like_an_unknown_email(
    identity: Identity, password: str
) -> None:
    messages: set[str] = set()
    for email in (EMAIL, "nobody@localhost"):
        with pytest.raises(WrongPassword) as caught:
            await identity.logins.login(email, "not the password", address=HOME)
        messages.add(caught.value.message)

    assert len(messages) == 1


async def test_guessing_is_slowed_down_even_for_the_right_password(
    identity: Identity, password: str
) -> None:
    for _ in range(5):
        with pytest.raises(WrongPassword):
            await identity.logins.login(EMAIL.upper(), "not the password", address=HOME)

    with pytest.raises(TooMany) as caught:
        await sign_in(identity, password)
    assert caught.value.retry_after == 5

    identity.clock.pass_by(5)
    assert (await sign_in(identity, password)).person.email == EMAIL


async def test_attempts_while_the_database_is_away_do_not_count(
    identity: Identity, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away:
        away.setattr(identity.database.engine.sync_engine.pool, "connect", out_of_reach)
        for _ in range(10):
            with pytest.raises(DatabaseUnavailable):
                await sign_in(identity, password)

    assert (await sign_in(identity, password)).person.email == EMAIL


def out_of_reach() -> None:
    raise ConnectionRefusedError


async def test_changing_the_password_ends_all_other_logins(
    identity: Identity, password: str
) -> None:
    own, other = [await sign_in(identity, password) for _ in range(2)]

    await identity.logins.change_password(own, current=password, new=CHOSEN, address=HOME)

    with pytest.raises(LoginEnded):
        await identity.logins.resume(other.token)
    assert (await identity.logins.resume(own.token)).person.must_change_password is False
    with pytest.raises(WrongPassword):
        await sign_in(identity, password)
    assert (await sign_in(identity, CHOSEN)).person.must_change_password is False


async def test_changing_the_password_needs_the_current_one(
    identity: Identity, password: str
) -> None:
    login = await sign_in(identity, password)

    with pytest.raises(WrongPassword):
        await identity.logins.change_password(login, current="wrong", new=CHOSEN, address=HOME)

    assert await sign_in(identity, password)


async def test_a_short_new_password_is_refused_and_nothing_changes(
    identity: Identity, password: str
) -> None:
    login, other = [await sign_in(identity, password) for _ in range(2)]

    with pytest.raises(BadInput, match="12 to 1024"):
        await identity.logins.change_password(login, current=password, new="short", address=HOME)

    assert await identity.logins.resume(other.token) == other
    assert await sign_in(identity, password)


async def last_seen(identity: Identity) -> str:
    async with identity.database.reading() as session:
        return str(await session.scalar(text("SELECT last_seen FROM login_sessions")))
