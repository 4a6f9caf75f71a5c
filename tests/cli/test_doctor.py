"""`interlock doctor`."""

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from interlock.checks.finding import Code, Level
from interlock.cli.checks.port import check_port
from interlock.cli.checks.running import check_gateway
from interlock.cli.rest import Gateway
from interlock.cli.target import Target
from tests.cli.conftest import Ended, Interlock
from tests.cli.contract import Contract, served
from tests.support.processes import free_port


def levels(ended: Ended) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for finding in ended.document["findings"]:
        found.setdefault(finding["code"], set()).add(finding["level"])
    return found


@pytest.fixture(autouse=True)
def _own_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERLOCK_PORT", str(free_port()))


def test_where_all_is_well_nothing_fails(interlock: Interlock, contract: Contract) -> None:
    contract.add("calc")

    ended = interlock("doctor", "--json")

    assert (ended.status, ended.document["ok"]) == (0, True)
    assert levels(ended) == {
        code: {"ok"}
        for code in (
            *(Code.PYTHON, Code.SETTINGS, Code.DATA_DIR, Code.PORT),
            *(Code.GATEWAY, Code.CLOCK, Code.KEY, Code.SERVER, Code.COMMAND),
        )
    }


def test_people_read_a_table_with_codes(interlock: Interlock, contract: Contract) -> None:
    contract.add("files", status="failed", reason="It exited.")

    ended = interlock("doctor")

    (row,) = [line for line in ended.out.splitlines() if line.startswith("ILK011")]
    assert ended.status == 1
    assert "Server files is failed: It exited." in row
    assert row.endswith("See `interlock servers logs files` and `interlock servers test files`.")


def test_a_gateway_that_was_never_started_is_no_error(
    interlock: Interlock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("INTERLOCK_URL", url)

    fresh = interlock("doctor", "--json")
    left = tmp_path / ".interlock"
    left.mkdir(mode=0o700)
    (left / "cli.json").write_text(json.dumps({"url": url, "key": "ilk_x"}))
    (left / "cli.json").chmod(0o600)
    after_a_start = interlock("doctor", "--json")

    assert (fresh.status, levels(fresh)[Code.GATEWAY]) == (0, {"warning"})
    assert (after_a_start.status, levels(after_a_start)[Code.GATEWAY]) == (1, {"error"})


def test_a_refused_key_is_found(interlock: Interlock, contract: Contract) -> None:
    ended = interlock("doctor", "--json", "--key", "ilk_wrong")

    assert (ended.status, levels(ended)[Code.KEY]) == (1, {"error"})


def test_wrong_settings_are_found_one_by_one(
    interlock: Interlock, contract: Contract, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERLOCK_PORTT", "1")
    monkeypatch.setenv("INTERLOCK_PORT", "many")

    ended = interlock("doctor", "--json")

    messages = [f["message"] for f in ended.document["findings"] if f["code"] == Code.SETTINGS]
    assert ended.status == 1
    assert sorted(message.split()[0] for message in messages) == [
        "INTERLOCK_PORT:",
        "INTERLOCK_PORTT",
    ]


def test_a_port_that_another_program_holds_is_an_error() -> None:
    with served(Starlette()) as url:
        found = check_port("127.0.0.1", int(url.rpartition(":")[2]))

    assert (found.code, found.level) == (Code.PORT, Level.ERROR)
    assert "another with --port" in found.cure


def test_a_port_that_a_gateway_of_ours_holds_is_fine(contract: Contract) -> None:
    port = int(contract.url.rpartition(":")[2])

    found = check_port("127.0.0.1", port)

    assert (found.level, "An Interlock gateway listens" in found.message) == (Level.OK, True)


def test_a_gateway_that_is_not_ready_says_why() -> None:
    async def readyz(_request: Request) -> Response:
        return JSONResponse({"status": "not ready", "missing": {"database": "it is locked"}}, 503)

    with served(Starlette(routes=[Route("/readyz", readyz)])) as url:
        found = list(_checked(url))

    assert (found[0].code, found[0].level) == (Code.GATEWAY, Level.ERROR)
    assert "database: it is locked" in found[0].message


def test_a_clock_that_is_off_is_a_warning() -> None:
    async def readyz(_request: Request) -> Response:
        return JSONResponse({}, headers={"date": "Thu, 01 Jan 2015 00:00:00 GMT"})

    with served(Starlette(routes=[Route("/readyz", readyz)]), dated=False) as url:
        found = {each.code: each for each in _checked(url)}

    assert found[Code.CLOCK].level is Level.WARNING
    assert "behind" in found[Code.CLOCK].message


def _checked(url: str) -> list[Any]:
    with Gateway(Target(url, "default")) as gateway:
        return list(check_gateway(gateway, expected=True))
