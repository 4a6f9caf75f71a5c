"""Bringing databases to the present shape."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, inspect, text

import interlock.audit.models
import interlock.identity.models
import interlock.vault.models
from interlock.identity.store import KeyStore, ProjectStore
from interlock.storage.database import Base, Database
from interlock.storage.migrate import SCRIPTS, DatabaseTooNew, migrate
from tests.storage.databases import empty_database

OURS = (interlock.audit.models, interlock.identity.models, interlock.vault.models)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    async with empty_database(tmp_path) as database:
        yield database


async def test_a_new_database_gets_the_tables_that_the_models_describe(database: Database) -> None:
    await migrate(database)

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_difference_between_models_and_tables_would_be_found(database: Database) -> None:
    await migrate(database)
    async with database.engine.begin() as connection:
        await connection.execute(text("ALTER TABLE people ADD COLUMN nickname VARCHAR"))
        found = await connection.run_sync(differences)

    assert [difference[0] for difference in found] == ["remove_column"]


async def test_migrating_twice_changes_nothing(database: Database) -> None:
    await migrate(database)
    async with database.engine.begin() as connection:
        await connection.execute(
            text("INSERT INTO workspaces VALUES ('w', 'kept', '2026-01-01 00:00:00+00:00')")
        )

    await migrate(database)

    async with database.engine.connect() as connection:
        kept = (await connection.execute(text("SELECT name FROM workspaces"))).scalars().all()
    assert kept == ["kept"]


async def test_the_database_ends_at_the_only_head(database: Database) -> None:
    await migrate(database)

    async with database.engine.connect() as connection:
        version = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    assert [version] == ScriptDirectory.from_config(config).get_heads()


async def test_several_processes_may_migrate_at_once(database: Database) -> None:
    others = [Database(database.url) for _ in range(3)]
    try:
        await asyncio.gather(*(migrate(one) for one in (database, *others)))
    finally:
        for other in others:
            await other.close()

    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(database: Database) -> None:
    await migrate(database)
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(DatabaseTooNew, match="newer version"):
        await migrate(database)

    async with database.engine.connect() as connection:
        version = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    assert version == "9999"


async def test_keys_and_projects_from_before_limits_have_none(database: Database) -> None:
    await migrate_to(database, "0003")
    moment = "'2026-01-01 00:00:00+00:00'"
    async with database.engine.begin() as connection:
        for row in (
            f"workspaces VALUES ('w', 'default', {moment})",
            f"projects VALUES ('p', 'w', 'shop', 'prefix', '{{}}', false, {moment})",
            (
                "api_keys (id, project_id, name, role, digest, prefix, created_at, created_by) "
                f"VALUES ('k', 'p', 'ci', 'owner', 'digest', 'ilk_k', {moment}, 'x')"
            ),
        ):
            await connection.execute(text(f"INSERT INTO {row}"))

    await migrate(database)

    (key,) = await KeyStore(database).all()
    (project,) = await ProjectStore(database).all()
    assert (key.info.name, key.info.access, key.info.rate_limit) == ("ci", None, None)
    assert (project.name, project.rate_limit) == ("shop", None)


async def test_the_step_to_limits_can_be_taken_back(database: Database) -> None:
    await migrate_to(database, "0003")
    async with database.engine.connect() as connection:
        before = await connection.run_sync(columns)
    await migrate(database)

    await migrate_to(database, "0003")

    async with database.engine.connect() as connection:
        assert await connection.run_sync(columns) == before


async def migrate_to(database: Database, revision: str) -> None:
    """Bring a database up or down to an older shape."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))

    def move(connection: Connection) -> None:
        config.attributes["connection"] = connection
        version = MigrationContext.configure(connection).get_current_revision()
        (command.downgrade if version else command.upgrade)(config, revision)

    async with database.engine.connect() as connection:
        await connection.run_sync(move)
        await connection.commit()


def columns(connection: Connection) -> dict[str, list[str]]:
    """Return the names of the columns of keys and projects."""
    tables = inspect(connection)
    return {
        name: [column["name"] for column in tables.get_columns(name)]
        for name in ("api_keys", "projects")
    }


async def test_a_step_that_fails_leaves_no_table_behind(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text("CREATE TABLE api_keys (id VARCHAR)"))

    with pytest.raises(Exception, match="api_keys"):
        await migrate(database)

    async with database.engine.connect() as connection:
        tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert tables == ["api_keys"]


def differences(connection: Connection) -> list[tuple[object, ...]]:
    """Return how the tables of identity and vault differ from their models."""
    names = {
        mapper.class_.__tablename__
        for mapper in Base.registry.mappers
        if mapper.class_.__module__ in {module.__name__ for module in OURS}
    }
    metadata = MetaData(naming_convention=Base.metadata.naming_convention)
    for name in names:
        Base.metadata.tables[name].to_metadata(metadata)
    options = {
        "compare_type": True,
        "compare_server_default": True,
        "include_name": lambda name, kind, _parents: kind != "table" or name in names,
    }
    context = MigrationContext.configure(connection, opts=options)
    found = compare_metadata(context, metadata)
    assert names
    return [flat for difference in found for flat in _flat(difference)]


def _flat(difference: object) -> list[tuple[object, ...]]:
    return difference if isinstance(difference, list) else [difference]  # type: ignore[list-item]
