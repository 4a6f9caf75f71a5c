"""Servers and their catalogues are kept in a real database, and their secrets sealed."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from interlock.errors import Conflict
from interlock.gateway.table import Catalogue
from interlock.identity.projects import Projects
from interlock.protocol.versions import Era
from interlock.registry.entities import Server
from interlock.registry.store import ServerStore
from interlock.storage.database import Database
from interlock.upstreams.definition import (
    ConnectionLimits,
    HTTPTarget,
    ServerDefinition,
    StdioTarget,
)
from interlock.upstreams.port import ServerFacts
from interlock.vault.vault import SealBroken, Vault
from tests.storage.databases import migrated_database

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
STDIO = StdioTarget("run", ("--token=s3cret-arg",), {"KEY": "s3cret-env"}, "/tmp")  # noqa: S108 - only kept
REMOTE = HTTPTarget("http://a.example/?k=s3cret-query", {"X-Key": "s3cret-header"}, legacy_sse=True)
CATALOGUE = Catalogue(
    ServerFacts(
        era=Era.MODERN,
        version="2026-07-28",
        info={"name": "a"},
        capabilities={"tools": {}},
        instructions="Use it.",
        versions=("2026-07-28", "2025-11-25"),
    ),
    {"tools": ({"name": "t", "inputSchema": {"$defs": {}}},), "prompts": ()},
    ttl_ms=7,
    is_private=True,
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    async with migrated_database(tmp_path) as database:
        yield database


@pytest.fixture
async def workspaces(database: Database) -> dict[str, str]:
    """The ids of two projects with the workspaces that they belong to."""
    projects = Projects(database)
    made = [await projects.create(name) for name in ("one", "two")]
    return {each.id: each.workspace_id for each in made}


@pytest.fixture
def store(database: Database) -> ServerStore:
    return ServerStore(database, Vault(database, bytes(range(32))))


def server(workspaces: dict[str, str], name: str, *, project: int = 0) -> Server:
    project_id = list(workspaces)[project]
    definition = ServerDefinition(
        name, STDIO, timeout=7.5, auto_approve=("t",), disabled=True, description="what it is"
    )
    return Server(
        id=f"id-of-{name}-{project}",
        project_id=project_id,
        workspace_id=workspaces[project_id],
        position=0,
        definition=definition,
        created_at=NOW,
        updated_at=NOW,
    )


async def test_a_server_is_found_again_as_it_was(
    store: ServerStore, workspaces: dict[str, str]
) -> None:
    added = await store.add(server(workspaces, "a"))
    remote = replace(
        server(workspaces, "b"), definition=ServerDefinition("b", REMOTE, description="")
    )
    added_remote = await store.add(remote)
    limited = replace(
        server(workspaces, "c"),
        definition=ServerDefinition(
            "c",
            replace(REMOTE, more_urls=("http://b.example/?k=other",)),
            tool_timeouts={"get_*": 2.5},
            disabled_tools=("drop", "write_*"),
            retries=3,
            connections=ConnectionLimits(8, 2.0, 20.5),
        ),
    )
    added_limited = await store.add(limited)

    assert await store.all(workspaces) == [added, added_remote, added_limited]


async def test_a_server_from_before_there_were_limits_has_the_defaults(
    database: Database, store: ServerStore, workspaces: dict[str, str]
) -> None:
    added = await store.add(server(workspaces, "a"))
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE servers SET limits = NULL"))

    assert await store.all(workspaces) == [added]


async def test_a_server_from_before_tools_could_be_switched_off_has_all_of_them(
    database: Database, store: ServerStore, workspaces: dict[str, str]
) -> None:
    added = await store.add(server(workspaces, "a"))
    without = "UPDATE servers SET limits = json_remove(limits, '$.disabled_tools')"
    if database.engine.dialect.name == "postgresql":
        without = "UPDATE servers SET limits = (limits::jsonb - 'disabled_tools')::json"
    async with database.engine.begin() as connection:
        await connection.execute(text(without))

    assert await store.all(workspaces) == [added]


async def test_servers_are_in_the_order_in_which_they_came(
    store: ServerStore, workspaces: dict[str, str]
) -> None:
    for name in ("zeta", "alpha", "mid"):
        await store.add(server(workspaces, name))
    await store.delete("id-of-alpha-0")
    await store.add(server(workspaces, "alpha"))

    names = [each.definition.name for each in await store.all(workspaces)]

    assert names == ["zeta", "mid", "alpha"]


async def test_a_name_is_taken_once_in_each_project(
    store: ServerStore, workspaces: dict[str, str]
) -> None:
    await store.add(server(workspaces, "a"))
    other = await store.add(server(workspaces, "b"))
    await store.add(server(workspaces, "a", project=1))

    with pytest.raises(Conflict, match="'a' is taken"):
        await store.add(replace(server(workspaces, "a"), id="another"))
    with pytest.raises(Conflict, match="'a' is taken"):
        await store.update(replace(other, definition=replace(other.definition, name="a")))

    names = [each.definition.name for each in await store.all(workspaces)]
    assert sorted(names) == ["a", "a", "b"]


async def test_an_update_replaces_the_definition_and_keeps_the_place(
    store: ServerStore, workspaces: dict[str, str]
) -> None:
    first = await store.add(server(workspaces, "a"))
    await store.add(server(workspaces, "b"))
    changed = replace(first, definition=ServerDefinition("z", REMOTE, timeout=1))

    await store.update(changed)

    assert (await store.all(workspaces))[0] == changed


async def test_no_secret_is_readable_in_the_database(
    store: ServerStore, database: Database, workspaces: dict[str, str]
) -> None:
    await store.add(server(workspaces, "a"))
    await store.add(replace(server(workspaces, "b"), definition=ServerDefinition("b", REMOTE)))

    async with database.reading() as session:
        rows = (await session.execute(text("SELECT * FROM servers"))).all()

    assert len(rows) == 2
    assert "s3cret" not in repr(rows)


async def test_a_sealed_target_opens_only_for_its_own_server(
    store: ServerStore, database: Database, workspaces: dict[str, str]
) -> None:
    await store.add(server(workspaces, "a"))
    await store.add(server(workspaces, "b"))
    async with database.transaction() as session:
        await session.execute(
            text(
                "UPDATE servers SET target = "
                "(SELECT target FROM servers WHERE name = 'a') WHERE name = 'b'"
            )
        )

    with pytest.raises(SealBroken):
        await store.all(workspaces)


async def test_a_catalogue_is_kept_whole_and_replaced_by_the_next(
    store: ServerStore, workspaces: dict[str, str]
) -> None:
    added = await store.add(server(workspaces, "a"))
    await store.keep_catalogue(added.id, CATALOGUE, frozenset({Era.MODERN}), NOW)
    first = (await store.all(workspaces))[0]
    fewer = replace(CATALOGUE, items={"tools": ()}, ttl_ms=0, is_private=False)
    await store.keep_catalogue(added.id, fewer, frozenset(Era), NOW)
    second = (await store.all(workspaces))[0]

    assert (first.catalogue, first.eras) == (CATALOGUE, frozenset({Era.MODERN}))
    assert (second.catalogue, second.eras) == (fewer, frozenset(Era))


async def test_a_catalogue_of_a_deleted_server_is_not_kept(
    store: ServerStore, database: Database, workspaces: dict[str, str]
) -> None:
    added = await store.add(server(workspaces, "a"))
    keeping = [store.keep_catalogue(added.id, CATALOGUE, frozenset(Era), NOW) for _ in range(5)]

    await asyncio.gather(*keeping[:3], store.delete(added.id), *keeping[3:])
    await store.keep_catalogue(added.id, CATALOGUE, frozenset(Era), NOW)
    await store.delete(added.id)

    async with database.reading() as session:
        assert await session.scalar(text("SELECT count(*) FROM servers")) == 0
        assert await session.scalar(text("SELECT count(*) FROM catalogues")) == 0


async def test_servers_of_unknown_projects_are_left_out(
    store: ServerStore, workspaces: dict[str, str]
) -> None:
    await store.add(server(workspaces, "a"))
    await store.add(server(workspaces, "a", project=1))
    first = next(iter(workspaces))

    found = await store.all({first: workspaces[first]})

    assert [each.project_id for each in found] == [first]
