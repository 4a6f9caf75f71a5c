"""A server that dies while its client is being asked: the client is told, and nothing stays."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.matrix.raw_client import JSONObject, ModernClient, Refused, raw_client
from tests.support.program import DEADLINE, RunningProgram, program

ASKING = {"command": sys.executable, "args": [str(Path(__file__).with_name("asking_server.py"))]}
CONFIG = {"mcpServers": {"asking": ASKING}}
ABLE: JSONObject = {"elicitation": {"form": {}}}


@pytest.mark.parametrize("kind", ["legacy-http", "legacy-sse"])
async def test_every_question_of_a_process_that_dies_is_taken_back(kind: str) -> None:
    """Those too that belong to no call for certain, because there are several."""
    async with (
        program(CONFIG) as gateway,
        asyncio.timeout(DEADLINE),
        raw_client(kind, gateway.address, gateway.key, ABLE) as client,
    ):
        await gateway.up("asking")
        asked: asyncio.Queue[JSONObject] = asyncio.Queue()
        taken_back: asyncio.Queue[object] = asyncio.Queue()

        async def take(message: JSONObject) -> None:
            if message["method"] == "elicitation/create":
                asked.put_nowait(message)
            elif message["method"] == "notifications/cancelled":
                taken_back.put_nowait(message["params"]["requestId"])

        client._take = take  # pyright: ignore[reportAttributeAccessIssue]
        calls = [client.begin("tools/call", {"name": "asking__ask"}) for _ in range(3)]
        questions = [await asked.get() for _ in calls]

        os.kill(int(questions[0]["params"]["message"]), signal.SIGKILL)

        ended = {await taken_back.get() for _ in calls}
        failures = await asyncio.gather(*(each.task for each in calls), return_exceptions=True)
    assert ended == {each["id"] for each in questions}
    assert ["asking" in str(each) for each in failures] == [True] * 3


async def test_a_call_that_waits_for_its_client_fails_with_the_process_and_makes_room() -> None:
    async with (
        program(CONFIG) as gateway,
        asyncio.timeout(DEADLINE),
        raw_client("modern-http", gateway.address, gateway.key, ABLE) as client,
    ):
        assert isinstance(client, ModernClient)
        await gateway.up("asking")
        call: JSONObject = {"name": "asking__ask", "arguments": {}}
        needed = await client._once(1, "tools/call", call)
        assert parked_calls(gateway) == 1
        (question,) = needed["inputRequests"].values()

        os.kill(int(question["params"]["message"]), signal.SIGKILL)

        async def made_room() -> bool:
            return parked_calls(gateway) == 0

        await gateway.eventually(made_room)

        retry = {
            **call,
            "requestState": needed["requestState"],
            "inputResponses": {key: {"action": "decline"} for key in needed["inputRequests"]},
        }
        with pytest.raises(Refused, match="asking"):
            await client._once(2, "tools/call", retry)
        with pytest.raises(Refused, match="expired"):
            await client._once(3, "tools/call", retry)


def parked_calls(gateway: RunningProgram) -> int:
    """Return how many calls wait for their clients."""
    plane = gateway.program._plane
    assert plane is not None
    return len(plane.parking)
