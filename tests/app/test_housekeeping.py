"""What is done every few seconds goes on after the database was away."""

import asyncio
from datetime import datetime
from pathlib import Path

import pytest

from interlock.app import data_plane
from interlock.identity.store import KeyStore
from interlock.storage.database import Database, sqlite_url
from tests.support.program import RunningProgram, program


async def last_used(gateway: RunningProgram) -> datetime | None:
    """Return the latest moment at which any key was used, as the database has it."""
    database = Database(sqlite_url(gateway.data_dir / "interlock.db"))
    keys = await KeyStore(database).all()
    await database.close()
    return max((each.info.last_used_at for each in keys if each.info.last_used_at), default=None)


async def written_after(gateway: RunningProgram, moment: datetime | None) -> datetime:
    """Wait until the database knows of a later use."""
    async with asyncio.timeout(60):
        while True:
            assert (await gateway.client.get("/api/v1/auth/me")).status_code == 200
            found = await last_used(gateway)
            if found is not None and (moment is None or found > moment):
                return found
            await asyncio.sleep(0.02)


def move(path: Path, to: Path) -> None:
    path.rename(to)


async def test_when_keys_were_used_is_written_again_after_an_outage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(data_plane, "HOUSEKEEPING_INTERVAL", 0.05)
    async with program({"mcpServers": {}}) as gateway:
        first = await written_after(gateway, None)
        file, away = (gateway.data_dir / name for name in ("interlock.db", "away.db"))
        move(file, away)
        written = ""
        async with asyncio.timeout(60):
            while "housekeeping.failed" not in written:
                assert (await gateway.client.get("/api/v1/auth/me")).status_code == 200
                written += "".join(capsys.readouterr())
        move(away, file)

        assert await written_after(gateway, first) > first
