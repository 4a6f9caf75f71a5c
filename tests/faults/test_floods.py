"""Floods on stderr and of notifications: the child is never blocked, and little memory is held."""

import socket

from tests.faults.stage import IS_FULL, MIB, Stage

MEMORY = 16 * MIB
BACK_WITHIN = 2.0  # seconds
NOISE = 3.0  # times that other programs on two processors may take of ours
STDERR = 1024 if IS_FULL else 256  # MiB
NOTIFICATIONS = 10_000


async def test_a_flood_on_stderr_blocks_no_child_and_holds_little_memory(on: Stage) -> None:
    await on.call("bad", "stderr", mib=4)
    before = on.forget_peak()
    answer = await on.call("bad", "stderr", mib=STDERR)
    peak = on.peak()
    on.tell(seconds=answer.seconds, grown_mib=(peak - before) / MIB)

    assert answer.text == "after the flood"
    assert peak - before < MEMORY
    # A gigabyte takes some seconds to write, whoever reads it.
    assert answer.seconds < BACK_WITHIN * NOISE * max(1, STDERR / 256)
    assert len(await on.stderr("bad", "eeee", 900)) <= 1000


async def test_ten_thousand_notifications_during_a_call_reach_its_client(on: Stage) -> None:
    await on.call("bad", "notify", token=True, times=100)
    before = on.forget_peak()
    answer = await on.call("bad", "notify", token=True, times=NOTIFICATIONS)
    peak = on.peak()
    on.tell(seconds=answer.seconds, grown_mib=(peak - before) / MIB)

    assert answer.text == "after the flood"
    assert answer.events == NOTIFICATIONS
    assert peak - before < MEMORY
    assert answer.seconds < BACK_WITHIN * NOISE


async def test_notifications_that_nobody_asked_for_are_dropped(on: Stage) -> None:
    await on.call("bad", "notify", times=100)
    before = on.forget_peak()
    answer = await on.call("bad", "notify", times=NOTIFICATIONS)
    peak = on.peak()
    on.tell(seconds=answer.seconds, grown_mib=(peak - before) / MIB)

    assert answer.text == "after the flood"
    assert answer.events == 0
    assert peak - before < MEMORY
    assert answer.seconds < BACK_WITHIN * NOISE


async def test_a_client_that_reads_nothing_blocks_no_server_and_holds_bounded_memory(
    on: Stage,
) -> None:
    before = on.forget_peak()
    request = on.written("bad", "notify", token=True, times=600, size=MIB // 4)
    host, port = on.gateway.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as deaf:
        deaf.sendall(request)
        # The server gets rid of all 150 MiB, and takes the next call.
        assert (await on.call("bad", "echo", text="next")).text == "next"
        peak = on.peak()

    on.tell(grown_mib=(peak - before) / MIB)

    assert peak - before < 96 * MIB
