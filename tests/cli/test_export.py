"""`interlock export`."""

import json
import stat
from pathlib import Path

from tests.cli.conftest import Interlock
from tests.cli.contract import KEY, Contract


def test_the_configuration_is_all_that_stdout_holds_and_has_no_key(
    interlock: Interlock, contract: Contract
) -> None:
    ended = interlock("export", "cursor")

    assert ended.status == 0
    assert json.loads(ended.out) == {"key": None, "unified": True}
    assert "mcp.json" in ended.err


def test_a_key_given_by_flag_stands_in_the_text(interlock: Interlock, contract: Contract) -> None:
    ended = interlock("export", "cursor", "--key", KEY, "--per-server")

    assert json.loads(ended.out) == {"key": KEY, "unified": False}


def test_a_file_is_written_for_its_owner_alone_and_never_over_another(
    interlock: Interlock, contract: Contract, tmp_path: Path
) -> None:
    path = tmp_path / "mcp.json"

    first = interlock("export", "cursor", "--output", str(path), "--json")
    path.write_text("mine")
    second = interlock("export", "cursor", "--output", str(path))

    assert (first.status, first.document["output"]) == (0, str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (second.status, path.read_text()) == (1, "mine")
    assert "exists already" in second.err


def test_the_clients_are_listed(interlock: Interlock, contract: Contract) -> None:
    ended = interlock("export", "--list", "--json")

    assert [client["id"] for client in ended.document["clients"]] == ["cursor"]


def test_without_a_client_the_list_is_pointed_to(interlock: Interlock, contract: Contract) -> None:
    ended = interlock("export")

    assert ended.status == 2
    assert "--list" in ended.err
