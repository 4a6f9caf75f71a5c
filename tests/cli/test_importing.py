"""`interlock import`."""

import io
import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Interlock
from tests.cli.contract import Contract

TEXT = json.dumps({"mcpServers": {"calc": {"command": "x", "args": ["${WHO}", "${env:ABSENT}"]}}})


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "mcp.json"
    path.write_text(TEXT)
    return str(path)


def test_a_dry_run_only_shows(interlock: Interlock, contract: Contract, file: str) -> None:
    contract.add("calc")

    ended = interlock("import", file, "--dry-run")

    assert ended.status == 0
    assert "replaces the one there" in ended.out
    assert "warning: calc, env: It is not used." in ended.out
    assert [body["dry_run"] for body in contract.bodies("POST", "/import")] == [True]


def test_nothing_is_written_before_a_yes(
    interlock: Interlock, contract: Contract, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    refused = interlock("import", file)
    assert (refused.status, contract.servers) == (1, {})
    assert "is added" in refused.out

    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    agreed = interlock("import", file)
    assert (agreed.status, list(contract.servers)) == (0, ["calc"])
    assert "1 of 1 servers were written." in agreed.out


def test_with_yes_it_writes_at_once(interlock: Interlock, contract: Contract, file: str) -> None:
    ended = interlock("import", file, "--yes", "--json")

    assert (ended.status, ended.document["dialect"]) == (0, "cursor")
    assert [body["dry_run"] for body in contract.bodies("POST", "/import")] == [False]


def test_what_the_file_names_is_taken_from_this_environment_alone(
    interlock: Interlock, contract: Contract, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WHO", "Ada")
    monkeypatch.setenv("UNNAMED", "hush")

    interlock("import", file, "--yes")

    assert contract.bodies("POST", "/import") == [
        {"text": TEXT, "source": file, "variables": {"WHO": "Ada"}, "dry_run": False}
    ]


def test_faults_are_shown_by_server_and_field_and_fail_the_command(
    interlock: Interlock, contract: Contract, file: str
) -> None:
    contract.faults = [{"server": "bad", "field": "command", "message": "It must be text."}]

    ended = interlock("import", file, "--yes")

    assert ended.status == 1
    assert "fault: bad, command: It must be text." in ended.out


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_a_file_that_cannot_be_read_is_wrong_usage(
    content: bytes | None, interlock: Interlock, contract: Contract, tmp_path: Path
) -> None:
    path = tmp_path / "odd.json"
    if content is not None:
        path.write_bytes(content)

    ended = interlock("import", str(path))

    assert ended.status == 2
    assert "odd.json" in ended.err
    assert contract.asked == []
