"""Identity as a whole on a real database, with a clock that tests set and cheap password hashes."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from interlock.identity.api_keys import KeyRing
from interlock.identity.logins import Logins
from interlock.identity.passwords import Passwords
from interlock.identity.people import People
from interlock.identity.projects import Projects
from interlock.identity.throttle import LoginThrottle
from interlock.storage.database import Database
from interlock.vault.vault import Vault
from tests.storage.databases import migrated_database

EMAIL = "admin@localhost"


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 8, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def seconds(self) -> float:
        return self.moment.timestamp()

    def pass_by(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


@dataclass
class Identity:
    """Everything that identity is made of; `changed` lists the projects told to `on_change`."""

    database: Database
    vault: Vault
    clock: Clock
    keys: KeyRing
    projects: Projects
    people: People
    logins: Logins
    changed: list[str] = field(default_factory=list)

    async def on_change(self, project_id: str) -> None:
        self.changed.append(project_id)


def cheap_passwords() -> Passwords:
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    async with migrated_database(tmp_path) as database:
        yield database


@pytest.fixture
async def identity(database: Database, clock: Clock) -> Identity:
    vault = Vault(database, bytes(range(32)))
    people = People(database, cheap_passwords(), now=clock)
    throttle = LoginThrottle(clock=clock.seconds)
    return Identity(
        database=database,
        vault=vault,
        clock=clock,
        keys=KeyRing(database, vault, now=clock),
        projects=Projects(database, now=clock),
        people=people,
        logins=Logins(database, people, vault, hours=12, throttle=throttle, now=clock),
    )
