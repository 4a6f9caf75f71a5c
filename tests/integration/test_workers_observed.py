"""A gateway of several processes, seen as one."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from interlock.protocol.sse import EventReader, ServerSentEvent
from tests.integration import servers
from tests.integration.clients import modern, modern_headers
from tests.support.workers import SECONDS, Processes, processes

pytestmark = pytest.mark.asyncio(loop_scope="module")

Numbers = dict[tuple[str, ...], float]


@pytest.fixture(scope="module")
def gateway() -> Iterator[Processes]:
    environment = {"INTERLOCK_TELEMETRY__METRICS": "loopback"}
    with processes(2, {"mcpServers": {"well": servers.sample()}}, **environment) as running:
        yield running


async def numbers(gateway: Processes, process: int, name: str, *labels: str) -> Numbers:
    """Read numbers of one name from a process, by their workers and by these labels."""
    async with gateway.at(process) as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        tuple(sample.labels[each] for each in ("worker", *labels)): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.name == name
    }


async def test_every_process_counts_what_it_serves_and_each_shows_all(gateway: Processes) -> None:
    body, headers = modern("server/discover"), modern_headers("server/discover")
    for process, count in ((0, 2), (1, 3)):
        async with gateway.at(process) as client:
            for _ in range(count):
                answer = await client.post("/mcp/default", json=body, headers=headers)
                assert answer.status_code == 200, answer.text

    for process in (0, 1):
        found = await numbers(gateway, process, "interlock_calls_total", "method", "project")
        assert {key: value for key, value in found.items() if key[1] == "server/discover"} == {
            ("0", "server/discover", "default"): 2,
            ("1", "server/discover", "default"): 3,
        }


@pytest.mark.parametrize("process", [0, 1])
async def test_the_console_hears_of_records_of_calls_wherever_they_were_served(
    gateway: Processes, process: int
) -> None:
    body, headers = modern("server/discover"), modern_headers("server/discover")
    reader = EventReader(1024)
    async with (
        gateway.at(0) as console,
        gateway.at(process) as client,
        console.stream("GET", "/api/v1/projects/default/events") as stream,
        asyncio.timeout(SECONDS),
    ):
        asked = False
        async for event in events_of(stream, reader):
            if "records" in event.data.decode().split():
                break
            if event.event == "ready":
                asked = (await client.post("/mcp/default", json=body, headers=headers)).is_success
    assert asked


async def events_of(stream: httpx2.Response, reader: EventReader) -> AsyncIterator[ServerSentEvent]:
    async for chunk in stream.aiter_raw():
        for event in reader.feed(chunk):
            yield event


@pytest.mark.parametrize("process", [0, 1])
async def test_no_process_tells_a_stranger_that_a_body_is_too_large(
    gateway: Processes, process: int
) -> None:
    path, body = "/api/v1/projects/default/servers", b" " * (4 * 1024 * 1024 + 1)
    async with gateway.at(process) as client:
        known = await client.post(path, content=body)
        del client.headers["authorization"]
        unknown = await client.post(path, content=body)
        client.headers["x-api-key"] = "wrong"
        wrong = await client.post(path, content=body)

    assert [each.status_code for each in (known, unknown, wrong)] == [413, 401, 401]


async def test_a_client_cannot_ask_for_what_processes_tell_one_another(gateway: Processes) -> None:
    async with gateway.at(1) as client:
        # A worker hands whatever it does not know over to the keeper.
        for path in ("/-/heard", "/-/changed", "/-/meet", "/-/written"):
            answer = await client.post(path, json={})
            assert (path, answer.status_code) == (path, 404)
        answer = await client.get("/-/bulletin/1")
        assert answer.status_code == 404


async def test_a_level_set_at_one_process_holds_in_all(gateway: Processes) -> None:
    path = "/api/v1/projects/default/servers/well/log-level"
    async with gateway.at(1) as client:
        assert (await client.put(path, json={"level": "debug"})).json() == {"level": "debug"}
    async with gateway.at(0) as client:
        assert (await client.get(path)).json() == {"level": "debug"}
        assert (await client.put(path, json={"level": None})).json() == {"level": None}
        assert (await client.put(path, json={"level": "loud"})).status_code == 400
