"""How commands end: in a sentence, a document and a status, never in a traceback."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import interlock as package
from tests.cli.conftest import Interlock
from tests.cli.contract import Contract
from tests.support.processes import free_port

PROGRAM = Path(sys.executable).with_name("interlock")
SECONDS = 120


def test_the_version_is_printed_for_people_and_for_programs(interlock: Interlock) -> None:
    assert interlock("version").out == f"interlock {package.__version__}\n"
    assert interlock("version", "--json").document == {
        "version": package.__version__,
        "compiled": False,
    }


def test_an_unreachable_gateway_ends_in_one_sentence_with_the_cure(interlock: Interlock) -> None:
    url = f"http://127.0.0.1:{free_port()}"

    ended = interlock("servers", "list", "--url", url)

    assert (ended.status, ended.out) == (1, "")
    assert ended.err == (
        f"error: No gateway answers at {url}; start one with `interlock up`, "
        "or name another address with --url or INTERLOCK_URL.\n"
    )


def test_with_json_an_error_is_one_document_on_stdout(
    interlock: Interlock, contract: Contract
) -> None:
    ended = interlock("servers", "list", "--json", "--key", "ilk_wrong")

    assert (ended.status, ended.err) == (1, "")
    assert ended.document == {
        "error": {
            "reason": "unauthenticated",
            "message": "The key is unknown. Give a key with --key or INTERLOCK_KEY.",
            "request_id": "req-1",
        }
    }


def test_what_stands_behind_two_dashes_does_not_ask_for_json(
    interlock: Interlock, contract: Contract
) -> None:
    contract.add("calc")

    ended = interlock("servers", "add", "calc", "--", "program", "--json")

    assert (ended.status, ended.out) == (1, "")
    assert ended.err == "error: There is a server of that name.\n"


def test_wrong_usage_has_a_status_of_its_own_and_points_to_the_help(interlock: Interlock) -> None:
    unknown = interlock("servers", "lst")
    missing = interlock("servers", "remove", "--json")

    assert unknown.status == 2
    assert "Did you mean 'list'? See `interlock servers --help`." in unknown.err
    assert (missing.status, missing.document["error"]["reason"]) == (2, "wrong_usage")


def test_the_help_names_every_command(interlock: Interlock) -> None:
    ended = interlock("--help")

    names = ("up", "import", "servers", "tools", "keys", "export", "connect", "doctor", "version")
    assert ended.status == 0
    assert [name for name in names if f" {name} " not in ended.out] == []


def test_without_arguments_the_help_is_shown_as_wrong_usage(interlock: Interlock) -> None:
    ended = interlock()

    assert ended.status == 2
    assert "connect" in ended.out


def test_another_program_at_the_address_is_recognised(
    interlock: Interlock, contract: Contract
) -> None:
    ended = interlock("servers", "list", "--project", "absent", "--json")

    assert (ended.status, ended.document["error"]["reason"]) == (1, "not_a_gateway")


def test_something_unforeseen_is_one_sentence_unless_debugging(
    interlock: Interlock, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract.keys = [{"id": "k", "expires_at": "no date"}]

    ended = interlock("keys", "list")

    assert ended.status == 1
    assert "ValueError" in ended.err
    assert "INTERLOCK_DEBUG=1" in ended.err
    assert "Traceback" not in ended.err
    monkeypatch.setenv("INTERLOCK_DEBUG", "1")
    with pytest.raises(ValueError, match="no date"):
        interlock("keys", "list")


def test_the_installed_program_prints_one_document(tmp_path: Path) -> None:
    done = subprocess.run(
        [PROGRAM, "version", "--json"], capture_output=True, timeout=SECONDS, check=True
    )

    assert json.loads(done.stdout) == {"version": package.__version__, "compiled": False}


def test_an_interrupt_ends_with_130_and_no_traceback(tmp_path: Path) -> None:
    environment = {**os.environ, "INTERLOCK_URL": "http://127.0.0.1:1", "INTERLOCK_KEY": "ilk_x"}
    with subprocess.Popen(
        # Whoever runs the tests in the background may have them ignore interrupts.
        ["env", "--default-signal=INT", PROGRAM, "import", "-", "--dry-run"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=tmp_path,
    ) as program:
        # It reads what we have not written yet; a byte is taken once it waits for the rest.
        assert program.stdin is not None
        _fill(program.stdin.fileno())
        program.send_signal(signal.SIGINT)
        _, errors = program.communicate(timeout=SECONDS)

    assert (program.returncode, errors) == (130, b"")


def _fill(descriptor: int) -> None:
    """Write more than a pipe holds, so that the reader must have begun when this returns."""
    rest = b" " * (256 * 1024)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
