"""The first administrator, and who an e-mail and password belong to."""

import asyncio
import threading
from typing import Any

from argon2 import PasswordHasher, extract_parameters
from sqlalchemy import text

from interlock.identity.passwords import Passwords
from interlock.identity.people import People
from tests.identity.conftest import EMAIL, Identity


async def test_the_first_start_makes_an_administrator_and_later_ones_do_not(
    identity: Identity,
) -> None:
    password = await identity.people.ensure_administrator(EMAIL)

    assert password is not None
    assert await identity.people.ensure_administrator(EMAIL) is None
    assert await identity.people.ensure_administrator("other@example.org") is None
    person = await identity.people.authenticate(EMAIL, password)
    assert person is not None
    assert (person.is_admin, person.must_change_password) == (True, True)


class _MeetingHasher(PasswordHasher):
    """Hashes only once a second caller wants to as well, so that both found no administrator."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self._meeting = threading.Barrier(2, timeout=30)

    def hash(self, *args: Any, **options: Any) -> str:
        self._meeting.wait()
        return super().hash(*args, **options)


async def test_of_two_first_starts_one_makes_the_administrator(identity: Identity) -> None:
    people = People(identity.database, Passwords(_MeetingHasher()))

    made = await asyncio.gather(
        people.ensure_administrator(EMAIL), people.ensure_administrator(EMAIL)
    )

    assert sum(password is not None for password in made) == 1


async def test_an_email_is_the_same_in_any_case(identity: Identity) -> None:
    password = await identity.people.ensure_administrator(" Admin@Example.ORG ")

    assert password is not None
    person = await identity.people.authenticate("ADMIN@example.org", password)
    assert person is not None
    assert person.email == "admin@example.org"


async def test_a_wrong_password_and_an_unknown_email_belong_to_nobody(identity: Identity) -> None:
    password = await identity.people.ensure_administrator(EMAIL)

    assert password is not None
    assert await identity.people.authenticate(EMAIL, password + "x") is None
    assert await identity.people.authenticate("nobody@localhost", password) is None


async def test_a_login_renews_an_outdated_hash(identity: Identity) -> None:
    password = await identity.people.ensure_administrator(EMAIL)
    assert password is not None
    stronger = Passwords(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    people = People(identity.database, stronger)

    assert await people.authenticate(EMAIL, password) is not None

    async with identity.database.reading() as session:
        kept = await session.scalar(text("SELECT password_hash FROM people"))
    assert extract_parameters(kept).time_cost == 2
    assert await people.authenticate(EMAIL, password) is not None


async def test_no_password_is_stored(identity: Identity) -> None:
    password = await identity.people.ensure_administrator(EMAIL)

    async with identity.database.reading() as session:
        stored = repr((await session.execute(text("SELECT * FROM people"))).all())
    assert EMAIL in stored
    assert str(password) not in stored
