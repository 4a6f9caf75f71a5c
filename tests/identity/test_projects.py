"""Making, changing and deleting projects."""

import asyncio

import pytest

from interlock.errors import BadInput, Conflict, NotFound
from interlock.identity.api_keys import KeyRing
from interlock.identity.principal import Role
from tests.identity.conftest import Identity


async def test_a_project_is_found_by_name_and_by_id(identity: Identity) -> None:
    project = await identity.projects.create("shop", naming="plain", aliases={"a": "s__a"})

    assert await identity.projects.find("shop") == project
    assert await identity.projects.find(project.id) == project
    assert await identity.projects.find("unknown") is None
    assert await identity.projects.list() == [project]


@pytest.mark.parametrize("name", ["a", "0", "a-b", "a" * 63])
async def test_good_names_are_taken(identity: Identity, name: str) -> None:
    assert (await identity.projects.create(name)).name == name


@pytest.mark.parametrize(
    "name",
    ["", "-a", "A", "a_b", "a b", "a/b", "a" * 64, "é", "a\n", "request", "invoke", "dispatch"],
)
async def test_bad_and_reserved_names_are_refused(identity: Identity, name: str) -> None:
    with pytest.raises(BadInput, match='"name"'):
        await identity.projects.create(name)


async def test_a_name_is_taken_once(identity: Identity) -> None:
    await identity.projects.create("shop")

    with pytest.raises(Conflict, match="'shop'"):
        await identity.projects.create("shop")


async def test_no_project_hides_behind_the_id_of_another(identity: Identity) -> None:
    project = await identity.projects.create("shop")

    with pytest.raises(Conflict):
        await identity.projects.create(project.id)


@pytest.mark.parametrize(
    "aliases",
    [{"": "a"}, {"a": ""}, {"a b": "c"}, {"a": "x" * 129}, {str(n): "t" for n in range(1001)}],
)
async def test_bad_aliases_are_refused(identity: Identity, aliases: dict[str, str]) -> None:
    with pytest.raises(BadInput, match='"aliases"'):
        await identity.projects.create("shop", aliases=aliases)


async def test_an_update_changes_only_what_it_names(identity: Identity) -> None:
    project = await identity.projects.create("shop", aliases={"a": "s__a"}, open=True)

    changed = await identity.projects.update(project.id, naming="plain")
    assert (changed.naming, changed.aliases, changed.open) == ("plain", {"a": "s__a"}, True)

    changed = await identity.projects.update(project.id, aliases={}, open=False)
    assert (changed.naming, changed.aliases, changed.open) == ("plain", {}, False)
    assert await identity.projects.find("shop") == changed


async def test_ensuring_makes_a_project_once_and_then_changes_it(identity: Identity) -> None:
    first = await identity.projects.ensure("default", aliases={"a": "s__a"})
    second = await identity.projects.ensure("default", naming="plain", open=True)

    assert second.id == first.id
    assert (second.naming, second.aliases, second.open) == ("plain", {"a": "s__a"}, True)


async def test_processes_that_start_at_once_ensure_the_same_project(identity: Identity) -> None:
    # Open connections make all of them look before the first one writes.
    await asyncio.gather(*(identity.projects.list() for _ in range(4)))

    ensured = await asyncio.gather(*(identity.projects.ensure("default") for _ in range(4)))

    assert [project.id for project in await identity.projects.list()] == [ensured[0].id]
    assert {project.id for project in ensured} == {ensured[0].id}


async def test_a_deleted_project_is_gone_with_its_keys(identity: Identity) -> None:
    project = await identity.projects.create("shop")
    await identity.keys.create(project.id, name="ci", role=Role.OWNER, created_by="x")

    await identity.projects.delete(project.id)

    assert await identity.projects.find("shop") is None
    keys = KeyRing(identity.database, identity.vault)
    await keys.load()
    assert await keys.list(project.id) == []


async def test_what_is_missing_cannot_be_changed_or_deleted(identity: Identity) -> None:
    with pytest.raises(NotFound):
        await identity.projects.update("nowhere", naming="plain")
    with pytest.raises(NotFound):
        await identity.projects.delete("nowhere")
