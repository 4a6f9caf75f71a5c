"""The helper that runs the whole program serves it, waits for its servers, and leaves nothing."""

import asyncio
import sys
from pathlib import Path

import pytest

from tests.support.program import program

SAMPLE = {"command": sys.executable, "args": ["-m", "interlock.station.sample_server"]}


async def test_the_program_serves_and_its_servers_come_up() -> None:
    async with program({"mcpServers": {"sample": SAMPLE}}) as running:
        await running.up("sample")

        answer = await running.client.get("/api/v1/projects/default/servers")

    assert [(each["name"], each["status"]) for each in answer.json()] == [("sample", "ok")]


async def test_a_second_start_goes_on_with_the_data_of_the_first(tmp_path: Path) -> None:
    async with program({"mcpServers": {"sample": SAMPLE}}, data_dir=tmp_path) as first:
        key = first.key
    async with program(data_dir=tmp_path) as second:
        await second.up("sample")
        again = second.key

    assert again == key


async def test_a_task_that_is_left_is_found() -> None:
    task: asyncio.Task[object] | None = None
    with pytest.raises(AssertionError, match="forgotten"):
        async with program():
            task = asyncio.create_task(asyncio.Event().wait(), name="forgotten")
    assert task is not None
    task.cancel()
