"""Hashing and verifying passwords."""

import asyncio

import pytest
from argon2 import PasswordHasher, extract_parameters

from interlock.errors import BadInput
from interlock.identity.passwords import Passwords, one_time_password
from tests.identity.conftest import cheap_passwords

PASSWORD = "correct horse battery"


async def test_the_right_password_fits_and_another_does_not() -> None:
    passwords = cheap_passwords()
    kept = await passwords.hash(PASSWORD)

    assert await passwords.verify(kept, PASSWORD) is True
    assert await passwords.verify(kept, PASSWORD + "!") is False
    assert await passwords.verify(kept, "") is False


async def test_without_a_hash_nothing_fits() -> None:
    assert await cheap_passwords().verify(None, PASSWORD) is False


async def test_an_unknown_person_costs_as_much_work_as_a_known_one() -> None:
    passwords = cheap_passwords()
    known = extract_parameters(await passwords.hash(PASSWORD))
    unknown = extract_parameters(passwords._nobody)

    assert unknown == known


async def test_hashes_are_argon2id_with_the_recommended_memory() -> None:
    parameters = extract_parameters(await Passwords().hash(PASSWORD))

    assert parameters.type.name == "ID"
    assert parameters.memory_cost >= 64 * 1024


@pytest.mark.parametrize("password", ["", "x" * 11, "x" * 1025])
async def test_too_short_and_too_long_passwords_are_refused(password: str) -> None:
    with pytest.raises(BadInput, match="12 to 1024 characters"):
        await cheap_passwords().hash(password)


async def test_an_endless_password_is_not_even_hashed() -> None:
    passwords = cheap_passwords()

    assert await passwords.verify(await passwords.hash(PASSWORD), "x" * 1025) is False


@pytest.mark.parametrize("kept", ["", "plain text", "$argon2id$broken"])
async def test_a_damaged_hash_fits_nothing(kept: str) -> None:
    assert await cheap_passwords().verify(kept, PASSWORD) is False


async def test_a_hash_of_weaker_parameters_is_outdated() -> None:
    stronger = Passwords(PasswordHasher(time_cost=2, memory_cost=8, parallelism=1))
    old = await cheap_passwords().hash(PASSWORD)

    assert stronger.is_outdated(old) is True
    assert stronger.is_outdated(await stronger.hash(PASSWORD)) is False


async def test_many_may_be_verified_at_once() -> None:
    passwords = cheap_passwords()
    kept = await passwords.hash(PASSWORD)

    found = await asyncio.gather(*(passwords.verify(kept, PASSWORD) for _ in range(20)))

    assert found == [True] * 20


def test_one_time_passwords_are_long_and_never_repeat() -> None:
    made = {one_time_password() for _ in range(100)}

    assert len(made) == 100
    assert {len(password) for password in made} == {27}
