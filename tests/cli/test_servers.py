"""`interlock servers`."""

import io
import sys

import pytest

from tests.cli.conftest import Interlock
from tests.cli.contract import Contract


def test_the_list_shows_state_and_reason(interlock: Interlock, contract: Contract) -> None:
    contract.add("calc")
    contract.add("files", status="failed", reason="npx is missing", tool_count=0)

    ended = interlock("servers", "list")

    rows = [line.split(maxsplit=5) for line in ended.out.splitlines()]
    assert ended.status == 0
    assert rows[1] == ["calc", "stdio", "ok", "3", "4", "-"]
    assert [cell.strip() for cell in rows[2]] == [
        "files",
        "stdio",
        "failed",
        "0",
        "4",
        "npx is missing",
    ]


def test_the_list_is_one_document_for_programs(interlock: Interlock, contract: Contract) -> None:
    contract.add("calc")

    ended = interlock("servers", "list", "--json")

    assert ended.document == {"servers": [contract.servers["calc"]]}


def test_a_hosted_server_is_added_with_its_command_and_environment(
    interlock: Interlock, contract: Contract
) -> None:
    ended = interlock(
        *("servers", "add", "calc", "--env", "A=1", "--env", "B=x=y", "--timeout", "9"),
        *("--cwd", "/srv", "--", "uvx", "calc-server", "--url", "--json"),
    )

    assert (ended.status, ended.out) == (0, "Added calc, which is starting.\n")
    assert contract.bodies("POST", "/servers") == [
        {
            "name": "calc",
            "command": "uvx",
            "args": ["calc-server", "--url", "--json"],
            "env": {"A": "1", "B": "x=y"},
            "cwd": "/srv",
            "timeout": 9.0,
        }
    ]


def test_a_remote_server_is_added_with_its_address_and_headers(
    interlock: Interlock, contract: Contract
) -> None:
    ended = interlock(
        *("servers", "add", "far", "--url", "https://x/mcp", "--type", "sse"),
        *("--header", "Authorization=Bearer hush", "--gateway", contract.url),
    )

    assert ended.status == 0
    assert "hush" not in ended.out + ended.err
    assert contract.bodies("POST", "/servers") == [
        {
            "name": "far",
            "type": "sse",
            "url": "https://x/mcp",
            "headers": {"Authorization": "Bearer hush"},
        }
    ]


@pytest.mark.parametrize("how", [[], ["--url", "http://x", "--", "uvx"]])
def test_a_server_is_reached_in_exactly_one_way(
    how: list[str], interlock: Interlock, contract: Contract
) -> None:
    ended = interlock("servers", "add", "calc", *how)

    assert ended.status == 2
    assert "not both" in ended.err
    assert contract.asked == []


def test_a_pair_without_a_name_is_refused_without_showing_it(
    interlock: Interlock, contract: Contract
) -> None:
    ended = interlock("servers", "add", "calc", "--env", "hush", "--", "uvx")

    assert ended.status == 2
    assert "--env takes NAME=VALUE" in ended.err
    assert "hush" not in ended.err


def test_removing_asks_and_names_what_it_destroys(
    interlock: Interlock, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract.add("calc", env_names=["TOKEN"])

    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    refused = interlock("servers", "remove", "calc")
    assert (refused.status, list(contract.servers)) == (1, ["calc"])

    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    agreed = interlock("servers", "remove", "calc")
    assert (agreed.status, agreed.out, contract.servers) == (0, "Removed calc.\n", {})
    assert "calc (stdio, 3 tools), with the stored values of TOKEN" in agreed.err


def test_nobody_is_asked_by_a_program(interlock: Interlock, contract: Contract) -> None:
    contract.add("calc")

    refused = interlock("servers", "remove", "calc", "--json")
    agreed = interlock("servers", "remove", "calc", "--json", "--yes")

    assert (refused.status, "--yes" in refused.document["error"]["message"]) == (2, True)
    assert (agreed.status, agreed.document) == (0, {"removed": "calc"})


def test_an_unknown_server_is_named(interlock: Interlock, contract: Contract) -> None:
    ended = interlock("servers", "remove", "a/b", "--yes")

    assert (ended.status, ended.out) == (1, "")
    assert ended.err != ""
    assert contract.bodies("DELETE", "/servers/a/b") == []


def test_a_test_tells_what_answers(interlock: Interlock, contract: Contract) -> None:
    contract.trial = {
        "ok": True,
        "latency_ms": 12.3,
        "protocol_version": "2025-11-25",
        "server_info": {"name": "Calc", "version": "2"},
        "tool_count": 4,
    }

    ended = interlock("servers", "test", "calc")

    assert (ended.status, ended.out) == (
        0,
        "calc answers in 12 ms: Calc 2, protocol 2025-11-25, 4 tools.\n",
    )


def test_a_failed_test_is_a_failed_command(interlock: Interlock, contract: Contract) -> None:
    contract.trial = {"ok": False, "latency_ms": 1, "error": "It exited with status 3."}

    people, program = interlock("servers", "test", "x"), interlock("servers", "test", "x", "--json")

    assert (people.status, people.out) == (1, "x failed: It exited with status 3.\n")
    assert (program.status, program.document) == (1, contract.trial)


def test_logs_are_shown_without_obeying_them(interlock: Interlock, contract: Contract) -> None:
    ended = interlock("servers", "logs", "calc", "--lines", "2")

    assert ended.out.splitlines() == [
        r"2026-01-01T00:00:00Z  line 7\x1b[2J",
        r"2026-01-01T00:00:00Z  line 8\x1b[2J",
    ]


@pytest.mark.parametrize(
    ("action", "state"), [("enable", "starting"), ("disable", "disabled"), ("restart", "starting")]
)
def test_a_server_is_switched(
    action: str, state: str, interlock: Interlock, contract: Contract
) -> None:
    contract.add("calc")

    ended = interlock("servers", action, "calc")

    assert (ended.status, ended.out) == (0, f"calc is {state}.\n")
    assert contract.bodies("POST", f"/servers/calc/{action}") == [None]


def test_how_much_is_logged_about_a_server_is_shown_and_changed(
    interlock: Interlock, contract: Contract
) -> None:
    contract.add("calc")

    said = [
        interlock("servers", "log-level", "calc", *more).out
        for more in ((), ("debug",), (), ("default",))
    ]

    assert said == [
        "What is about calc is logged from the general level up.\n",
        "What is about calc is logged from debug up.\n",
        "What is about calc is logged from debug up.\n",
        "What is about calc is logged from the general level up.\n",
    ]
    path = "/servers/calc/log-level"
    assert contract.bodies("PUT", path) == [{"level": "debug"}, {"level": None}]
