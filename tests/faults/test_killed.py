"""A hosted server that is killed in mid-call: its caller is told, it comes back, others hardly notice."""

import asyncio
import time

from tests.faults.stage import VICTIMS, Stage, neighbour, percentile

LIVES = 5  # restarts within a minute
AT_ONCE = 2
TOLD_WITHIN = 1.0  # seconds
BACK_WITHIN = 2.0  # seconds
# What a start of the interpreter may take longer on a machine that does other things meanwhile.
NOISE = 3.0  # seconds


async def kill(on: Stage, server: str) -> float:
    """Kill a server during a call, and return after how many seconds its caller was told."""
    answer = await on.call(server, "die")
    assert answer.error.startswith(f"Server `{server}` ended by signal SIGKILL.")
    return answer.seconds


async def test_callers_are_told_and_servers_come_back_while_others_hardly_notice(on: Stage) -> None:
    await on.up(*VICTIMS)
    left, told, back = iter(VICTIMS), list[float](), list[float]()

    async def work() -> None:
        for victim in left:
            for _ in range(LIVES):
                told.append(await kill(on, victim))
                back.append(await on.back(victim))

    async with neighbour(on, "good") as other:
        quiet = time.monotonic()
        await asyncio.sleep(3)
        begun = time.monotonic()
        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        over = time.monotonic()
    health = await on.health()
    before = percentile(other.between(quiet, begun), 0.99)
    meanwhile = percentile(other.between(begun, over), 0.99)
    on.tell(
        killed=len(told),
        told_p95=percentile(told, 0.95),
        told_max=max(told),
        back_p50=percentile(back, 0.5),
        back_max=max(back),
        p99_before=before,
        p99_meanwhile=meanwhile,
    )

    assert len(told) == len(VICTIMS) * LIVES
    # One in twenty may be late for want of a processor, and none may hang.
    assert percentile(told, 0.95) < TOLD_WITHIN
    assert max(told) < TOLD_WITHIN + NOISE
    assert percentile(back, 0.5) < BACK_WITHIN
    assert max(back) < BACK_WITHIN + NOISE
    # A tenth of a second is what starts of interpreters may do to a p99 of a few on two processors.
    assert meanwhile < max(2 * before, before + 0.1)
    assert {health[name]["restarts"] for name in VICTIMS} == {LIVES}


async def test_every_call_under_way_fails_and_none_hangs(on: Stage) -> None:
    await on.up("dying")
    hanging = [asyncio.create_task(on.call("dying", "hang")) for _ in range(20)]
    await on.stderr("dying", "hanging", 20)
    await kill(on, "dying")
    answers = await asyncio.gather(*hanging)

    assert all("`dying` ended by signal SIGKILL" in each.error for each in answers)


async def test_no_call_starts_a_server_anew_before_its_keeper_does(on: Stage) -> None:
    await on.up("dying")
    before = (await on.health())["dying"]["restarts"]
    # The many that come as it dies must not each meet a process that is stopped again.
    calls = [on.call("dying", "die")] + [on.call("dying", "echo", text="hi") for _ in range(30)]
    await asyncio.gather(*calls)
    await on.back("dying")
    pids = [(await on.call("dying", "pid")).text for _ in range(20)]

    assert len(set(pids)) == 1
    assert (await on.health())["dying"]["restarts"] == before + 1


async def test_a_circuit_opens_after_five_restarts_and_an_owner_can_close_it(on: Stage) -> None:
    await on.up("falling")
    for _ in range(LIVES):
        await kill(on, "falling")
        await on.back("falling")
    await kill(on, "falling")
    answers = [await on.call("falling", "echo", text="there?") for _ in range(3)]

    for answer in answers:
        assert "`falling` ended by signal SIGKILL." in answer.error
        assert answer.seconds < TOLD_WITHIN + NOISE
    assert (await on.health())["falling"]["restarts"] == LIVES
    assert await on.restarted("falling") < BACK_WITHIN + NOISE
