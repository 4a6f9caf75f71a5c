"""The registry within the program: trials, catalogues of many pages, places, restarts."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from interlock.upstreams.definition import ServerDefinition, StdioTarget
from tests.integration import servers
from tests.integration.gates import Gate
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGING = str(Path(__file__).with_name("paging_server.py"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[RunningProgram]:
    async with program({"mcpServers": {"well": servers.sample()}}) as started:
        await started.up("well")
        yield started


def paging(kind: str) -> ServerDefinition:
    return ServerDefinition("paging", StdioTarget(sys.executable, (PAGING, kind)))


async def test_all_pages_of_a_list_are_read(running: RunningProgram) -> None:
    trial = await running.registry.test(paging("7"))

    assert trial.error is None
    assert trial.catalogue is not None
    items = trial.catalogue.items
    assert [tool["name"] for tool in items["tools"]] == [f"t{number}" for number in range(7)]
    # A server need not list templates to have resources; it may not know prompts at all.
    assert (len(items["resources"]), items["resourceTemplates"]) == (1, ())
    assert "prompts" not in items


async def test_a_list_without_an_end_is_refused(running: RunningProgram) -> None:
    trial = await running.registry.test(paging("endless"))

    assert (trial.ok, trial.error) == (False, "paging has more than 200 pages of tools.")


async def test_a_trial_leaves_no_process_and_registers_nothing(running: RunningProgram) -> None:
    assert running.program._plane is not None
    station = running.program._plane.station
    before = station.hosted

    await running.registry.test(paging("1"))

    assert station.hosted == before
    assert await running.conditions() == {"well": "ok"}


async def test_a_server_is_found_by_its_id_or_its_name_alone(running: RunningProgram) -> None:
    shown = (await running.client.get("/api/v1/projects/default/servers/well")).json()

    places = [running.registry.place_of(name) for name in (shown["id"], "well", "nowhere")]

    assert places[:2] == [("default", "well")] * 2
    assert places[2] == ("", "nowhere")


async def health_of(running: RunningProgram, name: str) -> dict[str, Any]:
    answer = await running.client.get("/api/v1/projects/default/health")
    return next(each for each in answer.json()["servers"] if each["name"] == name)


async def test_a_restart_by_hand_ends_the_waiting(running: RunningProgram, tmp_path: Path) -> None:
    gate = Gate(tmp_path)
    await running.client.post(
        "/api/v1/projects/default/servers", json={"name": "mortal", **gate.definition()}
    )
    await running.up("mortal")
    gate.kill()
    await running.client.post("/api/v1/projects/default/servers/mortal/restart")

    async def is_back() -> bool:
        return gate.starts >= 2 and (await running.conditions())["mortal"] == "ok"

    await running.eventually(is_back)
    health = await health_of(running, "mortal")
    await running.client.delete("/api/v1/projects/default/servers/mortal")

    assert health["restarts"] >= 1
    assert health["response_ms"] > 0
