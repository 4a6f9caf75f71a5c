"""The pages keep their budget in Lighthouse: fast, and accessible without a fault."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.console.building import built
from tests.console.stage import first_start
from tests.integration.clients import modern, modern_headers
from tests.support.node import node, node_environment, npm_packages

FOLDER = Path(__file__).with_name("lighthouse")
PASSWORD = "a long enough pass phrase"
PAGES = ("overview", "servers", "tools", "playground", "records", "keys", "connect")
CALLS = 40

FASTEST, ACCESSIBLE = 0.95, 1
LARGEST_PAINT = 1000  # milliseconds
# What else the machine does costs time, so that the best of some rounds counts.
ROUNDS = 3
DEADLINE = 600  # seconds for a round; the machine may be slow

Report = dict[str, Any]


@pytest.fixture(name="stage", scope="module")
def used_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Start a gateway, add its servers, and make some calls; yield its pages, too."""
    built()
    with first_start(tmp_path_factory.mktemp("lighthouse")) as stage:
        cookie = signed_in(stage)
        entrance = {"name": "login", "address": f"{stage['address']}/login", "cookie": ""}
        project = f"{stage['address']}/p/default"
        inside = [{"name": n, "address": f"{project}/{n}", "cookie": cookie} for n in PAGES]
        yield {**stage, "pages": [entrance, *inside]}


def signed_in(stage: dict[str, Any]) -> str:
    """Prepare the gateway as a person does; return the cookie of the login."""
    with httpx2.Client(base_url=stage["address"], timeout=60) as browser:
        for password in (stage["password"], PASSWORD):
            body = {"email": stage["email"], "password": password}
            login = browser.post("/api/v1/auth/login", json=body).raise_for_status()
            browser.headers["x-csrf-token"] = login.json()["csrf_token"]
            if password != PASSWORD:
                change = {"current_password": password, "new_password": PASSWORD}
                browser.post("/api/v1/auth/password", json=change).raise_for_status()
        text = json.dumps({"mcpServers": stage["servers"]})
        imported = browser.post("/api/v1/projects/default/import", json={"text": text})
        imported.raise_for_status()
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    with httpx2.Client(base_url=stage["address"], timeout=60) as client:
        client.headers["authorization"] = f"Bearer {stage['key']}"
        params = {"name": "sample__add", "arguments": {"a": 1, "b": 2}}
        for number in range(CALLS):
            client.post(
                "/mcp/default",
                json=modern("tools/call", params, number),
                headers=modern_headers("tools/call", "sample__add"),
            ).raise_for_status()
    return cookie


def audited(stage: dict[str, Any], pages: list[dict[str, str]]) -> dict[str, Report]:
    """Audit some pages, each once; return their reports by name."""
    done = subprocess.run(
        [str(node()), str(FOLDER / "audit.mjs"), str(npm_packages(FOLDER).parent)],
        env={**node_environment(), "PLAN": json.dumps({**stage, "pages": pages})},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    print(done.stdout)  # noqa: T201 -- pytest shows it where it fails, and with -s
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    return {each["name"]: each for each in reports}


def test_every_page_is_fast_and_without_a_fault(stage: dict[str, Any]) -> None:
    best: dict[str, Report] = {}
    waiting: list[dict[str, str]] = stage["pages"]
    for _ in range(ROUNDS):
        for name, report in audited(stage, waiting).items():
            if report["failed"] is None:
                best[name] = better(best.get(name, report), report)
        waiting = [page for page in waiting if not holds(page, best.get(page["name"]))]
        if not waiting:
            break

    assert {page["name"]: best.get(page["name"], "no report") for page in waiting} == {}
    assert set(best) == {"login", *PAGES}


def better(one: Report, other: Report) -> Report:
    """Return the better performance and paint of two reports, and every fault."""
    return {
        **other,
        "performance": max(one["performance"], other["performance"]),
        "largest_paint": min(one["largest_paint"], other["largest_paint"]),
        "accessibility": min(one["accessibility"], other["accessibility"]),
        "faults": sorted({*one["faults"], *other["faults"]}),
    }


def holds(page: dict[str, str], report: Report | None) -> bool:
    """Tell whether a page was shown, and within its budget."""
    return (
        report is not None
        and page["address"].endswith(report["shown"])
        and report["performance"] >= FASTEST
        and report["accessibility"] == ACCESSIBLE
        and report["largest_paint"] < LARGEST_PAINT
    )
