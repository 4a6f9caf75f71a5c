import asyncio
from collections.abc import Awaitable, Callable

import pytest

from interlock.errors import RPCError, UpstreamTimeout
from interlock.gateway.deadline import PROGRESS_CAP, within_deadline
from interlock.protocol.json import JSONObject
from interlock.upstreams.port import Caller, Nobody
from tests.gateway.virtual_time import now, run

SECONDS = 10.0
PROGRESS = "notifications/progress"


class SlowClient:
    """A client that takes its time to answer, and keeps what it hears."""

    def __init__(self, thinks: float = 0.0, refuses: bool = False) -> None:
        self.heard: list[tuple[str, JSONObject]] = []
        self._thinks = thinks
        self._refuses = refuses

    def notify(self, method: str, params: JSONObject) -> None:
        self.heard.append((method, params))

    async def ask(self, method: str, params: JSONObject) -> JSONObject:
        await asyncio.sleep(self._thinks)
        if self._refuses:
            raise RPCError(-1, "no")
        return {"asked": method}


def timed_out(work: Callable[[Caller], Awaitable[object]], client: Caller | None = None) -> float:
    """Return after how many seconds `work` was given up."""

    async def attempt() -> float:
        with pytest.raises(UpstreamTimeout):
            await within_deadline("shop", SECONDS, client or Nobody(), work)
        return now()

    return run(attempt())


async def never(_caller: Caller) -> None:
    await asyncio.get_running_loop().create_future()


def test_work_that_ends_in_time_gives_its_result() -> None:
    async def work(_caller: Caller) -> str:
        await asyncio.sleep(SECONDS - 1)
        return "done"

    assert run(within_deadline("shop", SECONDS, Nobody(), work)) == "done"


def test_work_without_progress_ends_at_the_deadline() -> None:
    assert timed_out(never) == SECONDS


def test_the_refusal_names_the_server_the_seconds_and_the_cure() -> None:
    with pytest.raises(UpstreamTimeout) as refused:
        run(within_deadline("shop", 2.5, Nobody(), never))

    assert refused.value.message == (
        "shop did not answer within 2.5 s; "
        "a longer `timeout` in its configuration lets calls take longer."
    )


def test_progress_starts_the_deadline_anew() -> None:
    async def work(caller: Caller) -> None:
        await asyncio.sleep(SECONDS - 1)
        caller.notify(PROGRESS, {"progress": 1})
        await never(caller)

    assert timed_out(work) == 2 * SECONDS - 1


def test_progress_keeps_work_alive_up_to_the_cap_and_no_longer() -> None:
    async def work(caller: Caller) -> None:
        while True:
            await asyncio.sleep(SECONDS / 2)
            caller.notify(PROGRESS, {"progress": now()})

    assert timed_out(work) == SECONDS * PROGRESS_CAP


def test_only_progress_moves_the_deadline_and_everything_reaches_the_client() -> None:
    client = SlowClient()

    async def work(caller: Caller) -> None:
        await asyncio.sleep(SECONDS / 2)
        caller.notify("notifications/message", {"level": "info"})
        await never(caller)

    assert timed_out(work, client) == SECONDS
    assert client.heard == [("notifications/message", {"level": "info"})]


def test_the_clock_stands_still_while_the_client_is_asked() -> None:
    async def work(caller: Caller) -> None:
        assert await caller.ask("roots/list", {}) == {"asked": "roots/list"}
        await never(caller)

    assert timed_out(work, SlowClient(thinks=SECONDS * 50)) == SECONDS * 51


def test_the_clock_goes_on_after_a_client_that_refused() -> None:
    async def work(caller: Caller) -> None:
        with pytest.raises(RPCError):
            await caller.ask("roots/list", {})
        await never(caller)

    assert timed_out(work, SlowClient(thinks=3, refuses=True)) == SECONDS + 3


def test_progress_does_not_start_the_clock_while_the_client_is_asked() -> None:
    async def work(caller: Caller) -> None:
        asked = asyncio.create_task(caller.ask("roots/list", {}))
        await asyncio.sleep(1)
        caller.notify(PROGRESS, {"progress": 1})
        await asked
        await never(caller)

    assert timed_out(work, SlowClient(thinks=SECONDS * 3)) == SECONDS * 4


def test_the_clock_stands_still_until_the_last_of_several_questions_is_answered() -> None:
    quick, slow = SlowClient(thinks=1), SlowClient(thinks=SECONDS * 3)

    class Both(SlowClient):
        async def ask(self, method: str, params: JSONObject) -> JSONObject:
            return await (quick if method == "quick" else slow).ask(method, params)

    async def work(caller: Caller) -> None:
        await asyncio.gather(caller.ask("quick", {}), caller.ask("slow", {}))
        await never(caller)

    assert timed_out(work, Both()) == SECONDS * 4


def test_the_time_of_a_question_does_not_count_towards_the_cap() -> None:
    async def work(caller: Caller) -> None:
        await caller.ask("roots/list", {})
        while True:
            await asyncio.sleep(1)
            caller.notify(PROGRESS, {"progress": now()})

    thinks = SECONDS * PROGRESS_CAP * 2
    assert timed_out(work, SlowClient(thinks=thinks)) == thinks + SECONDS * PROGRESS_CAP


def test_a_timeout_of_the_works_own_is_not_taken_for_the_deadline() -> None:
    async def work(_caller: Caller) -> None:
        raise TimeoutError("its own")

    with pytest.raises(TimeoutError, match="its own"):
        run(within_deadline("shop", SECONDS, Nobody(), work))


def test_errors_of_the_work_pass_through() -> None:
    async def work(_caller: Caller) -> None:
        raise RPCError(-5, "of the server")

    with pytest.raises(RPCError, match="of the server"):
        run(within_deadline("shop", SECONDS, Nobody(), work))


def test_a_cancelled_call_is_cancelled_and_not_late() -> None:
    async def attempt() -> bool:
        task = asyncio.create_task(within_deadline("shop", SECONDS, Nobody(), never))
        await asyncio.sleep(1)
        task.cancel()
        await asyncio.wait({task})
        return task.cancelled()

    assert run(attempt())


def test_a_server_that_talks_on_after_the_end_is_heard_and_moves_nothing() -> None:
    client = SlowClient()
    kept: list[Caller] = []

    async def work(caller: Caller) -> None:
        kept.append(caller)

    async def attempt() -> None:
        await within_deadline("shop", SECONDS, client, work)
        kept[0].notify(PROGRESS, {"progress": 1})
        assert await kept[0].ask("ping", {}) == {"asked": "ping"}
        await asyncio.sleep(SECONDS * 2)

    run(attempt())
    assert client.heard == [(PROGRESS, {"progress": 1})]
