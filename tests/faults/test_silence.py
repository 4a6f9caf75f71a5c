"""A server that does not answer: its caller is told at the deadline, and nothing stays behind."""

import asyncio
import time

import pytest

from tests.faults.stage import DEADLINE, SECONDS, Stage, until
from tests.requirements.puppet import Puppet, event, serving
from tests.upstreams.fakes import HTTPRequest

EARLY, LATE = 0.1, 1.0  # seconds
NOISE = 1.0  # seconds that a busy machine may add
CALLS = 8


def is_in_time(seconds: float, deadline: float = DEADLINE) -> bool:
    """Tell whether an error came when it was due."""
    return deadline - EARLY <= seconds <= deadline + LATE + NOISE


async def test_calls_that_a_hosted_server_never_answers_end_at_the_deadline(on: Stage) -> None:
    restarts = (await on.health())["impatient"]["restarts"]
    answers = await asyncio.gather(*(on.call("impatient", "hang") for _ in range(CALLS)))
    taken = [each.seconds for each in answers]
    hanging = await on.stderr("impatient", "hanging", CALLS)
    cancelled = await on.stderr("impatient", "cancelled", CALLS)
    on.tell(earliest=min(taken), latest=max(taken))

    assert all(is_in_time(seconds) for seconds in taken)
    assert {each.error.partition(" within")[0] for each in answers} == {"impatient did not answer"}
    assert {line.split()[1] for line in cancelled} >= {line.split()[1] for line in hanging}
    # The server is still the same one, and free.
    assert (await on.call("impatient", "echo", text="free")).text == "free"
    assert (await on.health())["impatient"]["restarts"] == restarts


async def test_progress_moves_the_deadline_and_silence_after_it_ends_the_call(on: Stage) -> None:
    steps, every = 3, 0.75 * DEADLINE
    answer = await on.call("impatient", "progress", token=True, times=steps, every=every)

    assert "did not answer within 2 s" in answer.error
    assert answer.events == steps
    assert is_in_time(answer.seconds, steps * every + DEADLINE)


@pytest.mark.parametrize("era", ["modern", "legacy"])
@pytest.mark.parametrize("begins", [False, True])
async def test_calls_that_a_remote_server_leaves_unanswered_end_at_the_deadline(
    on: Stage, era: str, *, begins: bool
) -> None:
    puppet = Puppet(era)
    gone = asyncio.Event()

    async def go_silent(request: HTTPRequest) -> None:
        if begins:
            note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {}}
            await request.begin_stream(event(note))
        # Nothing more comes from the gateway on this connection but its end.
        await request.peer.request()
        gone.set()

    puppet.acts["tools/call"] = go_silent
    async with serving(puppet), on.beside("far", url=puppet.url, timeout=DEADLINE):
        began = time.monotonic()
        answer = await on.call("far", "act")
        taken = time.monotonic() - began
        on.tell(seconds=taken)

        assert "far did not answer within 2 s" in answer.error
        assert is_in_time(taken)
        async with asyncio.timeout(SECONDS):
            await gone.wait()
        if era == "legacy":
            await until(lambda: bool(puppet.received("notifications/cancelled")))
        del puppet.acts["tools/call"]
        assert "result" in (await on.call("far", "act")).message
