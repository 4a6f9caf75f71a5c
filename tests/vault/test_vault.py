"""Sealing and opening secrets."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from interlock.storage.database import Database
from interlock.vault.master_key import MasterKeyUnusable
from interlock.vault.vault import SealBroken, Vault, open_vault
from tests.storage.databases import migrated_database

MASTER_KEY = bytes(range(32))
OTHER_KEY = bytes(32)
PLACE = "servers.env:abc"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    async with migrated_database(tmp_path) as database:
        yield database


@pytest.fixture
async def vault(database: Database) -> Vault:
    return await open_with(database, MASTER_KEY)


@pytest.mark.parametrize("secret", [b"", b"hunter2", bytes(range(256)) * 400])
async def test_what_was_sealed_opens(vault: Vault, secret: bytes) -> None:
    sealed = await vault.seal("w1", secret, place=PLACE)

    assert await vault.open("w1", sealed, place=PLACE) == secret


async def test_a_sealed_value_tells_nothing_and_never_repeats(vault: Vault) -> None:
    first = await vault.seal("w1", b"hunter2", place=PLACE)
    second = await vault.seal("w1", b"hunter2", place=PLACE)

    assert first.startswith("v1.")
    assert first != second
    assert b"hunter2" not in base64.urlsafe_b64decode(first.split(".")[2] + "==")


async def test_a_sealed_value_opens_after_a_restart(database: Database, vault: Vault) -> None:
    sealed = await vault.seal("w1", b"hunter2", place=PLACE)

    again = await open_with(database, MASTER_KEY)

    assert await again.open("w1", sealed, place=PLACE) == b"hunter2"


async def test_a_value_moved_to_another_place_does_not_open(vault: Vault) -> None:
    sealed = await vault.seal("w1", b"hunter2", place=PLACE)

    with pytest.raises(SealBroken, match=r"servers\.env:other"):
        await vault.open("w1", sealed, place="servers.env:other")


async def test_a_value_moved_to_another_workspace_does_not_open(vault: Vault) -> None:
    sealed = await vault.seal("w1", b"hunter2", place=PLACE)
    await vault.seal("w2", b"", place=PLACE)

    with pytest.raises(SealBroken):
        await vault.open("w2", sealed, place=PLACE)


async def test_a_data_key_moved_to_another_workspace_does_not_open(
    database: Database, vault: Vault
) -> None:
    sealed = await vault.seal("w1", b"hunter2", place=PLACE)
    async with database.transaction() as session:
        await session.execute(text("UPDATE data_keys SET workspace_id = 'w2' WHERE id <> 'root'"))

    with pytest.raises(SealBroken):
        await (await open_with(database, MASTER_KEY)).open("w2", sealed, place=PLACE)


async def test_no_changed_byte_goes_unseen(vault: Vault) -> None:
    version, key_id, body = (await vault.seal("w1", b"secret", place=PLACE)).split(".")
    raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))

    for position in range(len(raw)):
        changed = bytearray(raw)
        changed[position] ^= 1
        tampered = base64.urlsafe_b64encode(changed).decode().rstrip("=")
        with pytest.raises(SealBroken):
            await vault.open("w1", f"{version}.{key_id}.{tampered}", place=PLACE)


@pytest.mark.parametrize(
    "sealed",
    [
        "",
        "v1",
        "v1..",
        "v1.root.AAAA",
        "v2.root.AAAA",
        "v1.unknown.AAAA",
        "hunter2",
        "v1.a.b.c",
        "é",
    ],
)
async def test_what_was_never_sealed_does_not_open(vault: Vault, sealed: str) -> None:
    with pytest.raises(SealBroken) as caught:
        await vault.open("w1", sealed, place=PLACE)

    assert not sealed or sealed not in caught.value.message


async def test_a_data_key_that_was_damaged_breaks_the_seal(
    database: Database, vault: Vault
) -> None:
    sealed = await vault.seal("w1", b"hunter2", place=PLACE)
    async with database.transaction() as session:
        await session.execute(text("UPDATE data_keys SET wrapped = 'v1.AAAA' WHERE id <> 'root'"))

    again = await open_with(database, MASTER_KEY)

    with pytest.raises(SealBroken):
        await again.open("w1", sealed, place=PLACE)
    with pytest.raises(SealBroken):
        await again.seal("w1", b"new", place=PLACE)


async def test_each_workspace_has_one_data_key_also_under_concurrency(
    database: Database, vault: Vault
) -> None:
    workspaces = ["w1", "w2"] * 10
    await asyncio.gather(*(vault.seal(name, b"x", place=PLACE) for name in workspaces))

    async with database.reading() as session:
        found = await session.scalars(
            text("SELECT workspace_id FROM data_keys WHERE id <> 'root' ORDER BY workspace_id")
        )
    assert list(found) == ["w1", "w2"]


async def test_keyed_hashes_differ_by_purpose_value_and_master_key(database: Database) -> None:
    vault, other = Vault(database, MASTER_KEY), Vault(database, OTHER_KEY)
    hashes = {
        vault.keyed_hash("api-key", b"a"),
        vault.keyed_hash("api-key", b"b"),
        vault.keyed_hash("session", b"a"),
        other.keyed_hash("api-key", b"a"),
    }

    assert len(hashes) == 4
    assert vault.keyed_hash("api-key", b"a") in hashes


async def test_keyed_hashes_never_change_between_versions(database: Database) -> None:
    # HKDF-SHA256 of RFC 5869 without salt, one block, written out by hand.
    extracted = hmac.digest(bytes(32), MASTER_KEY, hashlib.sha256)
    info = b"interlock keyed hash v1: api-key"
    subkey = hmac.digest(extracted, info + b"\x01", hashlib.sha256)

    expected = hmac.digest(subkey, b"value", hashlib.sha256)

    assert Vault(database, MASTER_KEY).keyed_hash("api-key", b"value") == expected


async def test_another_master_key_is_refused_with_the_cure(
    database: Database, vault: Vault
) -> None:
    with pytest.raises(MasterKeyUnusable, match=r"restore master\.key"):
        await open_with(database, OTHER_KEY)


async def test_processes_that_start_at_once_bind_to_one_master_key(database: Database) -> None:
    keys = [MASTER_KEY, MASTER_KEY, OTHER_KEY, OTHER_KEY]
    outcomes = await asyncio.gather(
        *(open_with(database, key) for key in keys), return_exceptions=True
    )

    refused = [isinstance(outcome, MasterKeyUnusable) for outcome in outcomes]
    assert refused in ([False, False, True, True], [True, True, False, False])


async def test_a_lost_key_file_is_refused_and_not_made_anew(
    database: Database, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    await open_vault(database, setting=None, data_dir=data_dir)
    (data_dir / "master.key").unlink()

    with pytest.raises(MasterKeyUnusable, match="restore that file from a backup"):
        await open_vault(database, setting=None, data_dir=data_dir)

    assert list(data_dir.iterdir()) == []


async def test_the_content_of_the_key_file_may_move_into_the_setting(
    database: Database, tmp_path: Path
) -> None:
    data_dir = tmp_path / "data"
    sealed = await (await open_vault(database, setting=None, data_dir=data_dir)).seal(
        "w1", b"hunter2", place=PLACE
    )
    setting = SecretStr((data_dir / "master.key").read_text())

    vault = await open_vault(database, setting=setting, data_dir=tmp_path / "elsewhere")

    assert await vault.open("w1", sealed, place=PLACE) == b"hunter2"


async def test_its_repr_shows_nothing(vault: Vault) -> None:
    await vault.seal("w1", b"hunter2", place=PLACE)

    assert repr(vault) == "<Vault>"


async def open_with(database: Database, key: bytes) -> Vault:
    setting = SecretStr(base64.b64encode(key).decode())
    return await open_vault(database, setting=setting, data_dir=Path("/nonexistent"))
