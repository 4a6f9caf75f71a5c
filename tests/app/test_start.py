"""What a start makes, shows once and leaves; and where it cannot start, what helps."""

import json
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from interlock.app.program import Program
from interlock.app.server import serve
from interlock.errors import BadInput, Unavailable
from interlock.identity.key_format import new_key_id, new_secret
from interlock.settings import Settings
from tests.integration import servers
from tests.integration.clients import bearer
from tests.integration.logs import caught_log
from tests.support.program import program


async def test_the_first_start_shows_its_secrets_and_the_second_nothing(tmp_path: Path) -> None:
    async with program(data_dir=tmp_path) as first:
        shown = first.report.first
        assert shown is not None
        answer = await first.client.get("/api/v1/auth/me", headers=bearer(shown.api_key))
        files = contents(tmp_path)
    async with program(data_dir=tmp_path) as second:
        again = await second.client.get("/api/v1/auth/me", headers=bearer(shown.api_key))

    assert (shown.admin_email, answer.json()["role"]) == ("admin@localhost", "owner")
    assert len(shown.admin_password or "") >= 12
    assert (second.report.first, again.status_code) == (None, 200)
    assert shown.api_key not in repr(shown)
    assert str(shown.admin_password) not in repr(shown)
    # The key that is shown is kept as a keyed hash alone.
    assert [name for name, text in files.items() if shown.api_key.encode() in text] == []


def contents(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}


async def test_a_given_key_becomes_the_first_key() -> None:
    given = new_secret(new_key_id())
    async with program(bootstrap_key=given) as running:
        answer = await running.client.get("/api/v1/auth/me", headers=bearer(given))

    assert running.report.first is not None
    assert (running.report.first.api_key, answer.status_code) == (given, 200)


async def test_a_given_key_that_is_too_weak_is_refused_by_its_name() -> None:
    with pytest.raises(BadInput, match=r"^INTERLOCK_BOOTSTRAP_KEY: ") as raised:
        async with program(bootstrap_key="short"):
            pass

    assert "short" not in raised.value.message


async def test_the_local_key_is_for_its_owner_alone_and_made_anew_when_revoked(
    tmp_path: Path,
) -> None:
    file = tmp_path / "cli.json"
    async with program(data_dir=tmp_path) as first:
        mode = stat.S_IMODE(file.stat().st_mode)
        left = json.loads(file.read_bytes())
        listed = (await first.client.get("/api/v1/projects/default/keys")).json()
        own = next(each for each in listed if each["name"] == "local command line")
        await first.client.delete(f"/api/v1/projects/default/keys/{own['id']}")
    async with program(data_dir=tmp_path) as second:
        listed = (await second.client.get("/api/v1/projects/default/keys")).json()

    assert (mode, left) == (0o600, {"url": first.address, "key": first.key})
    assert second.key != first.key
    alive = [each for each in listed if each["name"] == "local command line"]
    assert [each["revoked_at"] is None for each in alive].count(True) == 1


async def test_faulty_servers_of_the_file_are_named_and_the_others_run() -> None:
    config = {
        "mcpServers": {"well": servers.sample(), "faulty": {"args": ["x"]}},
        "interlock": {"naming": "sideways"},
    }
    async with program(config) as running:
        await running.up("well")
        conditions = await running.conditions()

    assert conditions == {"well": "ok"}
    assert len(running.report.faults) == 2
    assert "faulty" in "".join(running.report.faults)
    assert "interlock.naming" in "".join(running.report.faults)


async def test_a_file_that_is_given_again_changes_only_what_it_says(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    async with program({"mcpServers": {"kept": servers.sample()}}, data_dir=data_dir) as first:
        before = (await first.client.get("/api/v1/projects/default/servers")).json()
    both = {"kept": servers.sample(), "more": servers.sample()}
    async with program({"mcpServers": both}, data_dir=data_dir) as second:
        await second.up("kept", "more")
        after = (await second.client.get("/api/v1/projects/default/servers")).json()

    assert [each["name"] for each in after] == ["kept", "more"]
    assert after[0]["id"] == before[0]["id"]
    assert after[0]["updated_at"] == before[0]["updated_at"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [(None, "cannot be read"), (b"\xff\xfe\xff", "not UTF-8"), (b"{", "JSON")],
)
async def test_a_file_that_cannot_be_used_is_refused_with_its_path(
    tmp_path: Path, content: bytes | None, fault: str
) -> None:
    file = tmp_path / "mcp.json"
    if content is not None:
        file.write_bytes(content)
    settings = Settings(data_dir=tmp_path / "data")

    with pytest.raises(BadInput, match=fault) as raised:
        await Program(settings).open(file)

    assert "mcp.json" in raised.value.message
    assert not settings.data_dir.exists()


async def test_before_it_is_open_the_program_serves_nothing() -> None:
    with pytest.raises(Unavailable):
        await Program(Settings())({"type": "http"}, _nothing, _nothing)


async def _nothing(*_: Any) -> Any:
    raise AssertionError("It must not get so far.")


def test_a_port_that_is_taken_is_refused_with_the_cure(tmp_path: Path) -> None:
    with socket.socket() as taken, caught_log():
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(port=taken.getsockname()[1], data_dir=tmp_path)

        with pytest.raises(BadInput, match="choose another port with --port"):
            serve(settings, config=None, announce=_must_not_be_called)


def _must_not_be_called(_: object) -> None:
    raise AssertionError("It cannot have started.")


async def test_the_openapi_document_describes_every_route_once() -> None:
    async with program({"mcpServers": {}}) as running:
        document = (await running.client.get("/api/openapi.json")).json()

    operations = [
        operation["operationId"]
        for item in document["paths"].values()
        for operation in item.values()
    ]
    assert len(operations) == len(set(operations)) > 40
    described = [
        f"{method} {path}"
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if not operation.get("description")
    ]
    assert described == []
