"""What is found of servers, and of the programs that they are started with."""

import sys
from pathlib import Path
from typing import Any

from interlock.checks.finding import Code, Kind, Level
from interlock.checks.servers import check_commands, check_server


def test_a_program_that_servers_need_and_is_missing_is_named_once() -> None:
    servers: list[dict[str, Any]] = [
        {"name": "a", "command": "/nowhere/uvx"},
        {"name": "b", "command": "/nowhere/uvx"},
        {"name": "c", "command": "/nowhere/npx", "disabled": True},
        {"name": "d", "command": None},
    ]

    (found,) = check_commands(servers)

    assert (found.code, found.level) == (Code.COMMAND, Level.ERROR)
    assert "a, b is started with it" in found.message
    assert "Install uv" in found.cure


def test_a_command_is_looked_for_from_the_folder_of_its_server(tmp_path: Path) -> None:
    (tmp_path / "serve.sh").symlink_to(sys.executable)

    (found,) = check_commands([{"name": "a", "command": "./serve.sh", "cwd": str(tmp_path)}])

    assert found.kind is Kind.COMMAND_FOUND


def test_a_server_with_a_path_of_its_own_is_not_judged() -> None:
    server = {"name": "a", "command": "nowhere-uvx", "env_names": ["PATH"]}

    assert list(check_commands([server])) == []


def test_how_a_server_is_decides_how_bad_it_is() -> None:
    levels = {
        status: check_server({"name": "a", "status": status}, "default").level
        for status in ("ok", "starting", "disabled", "stale", "failed")
    }

    assert levels == {
        **dict.fromkeys(("ok", "starting", "disabled"), Level.OK),
        "stale": Level.WARNING,
        "failed": Level.ERROR,
    }
