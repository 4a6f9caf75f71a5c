"""What the gateway does about remote servers that refuse, drop what they began, or say nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from interlock.registry.runner import ServerRunner
from tests.faults.moody_server import (
    Mood,
    MoodyServer,
    breaking_off,
    by_turns,
    dropping_the_stream,
    ending_the_stream,
    moody,
    refusing,
    silent,
    telling_progress_then,
    well,
)
from tests.integration import servers
from tests.integration.clients import (
    bearer,
    modern,
    modern_headers,
    open_session,
    request,
)
from tests.support.processes import free_port
from tests.support.program import DEADLINE, RunningProgram, program

ERAS = ("modern", "legacy")
PATH = "/mcp/default/remote"
BUSY, UNAVAILABLE, FAILED, LATE = -31429, -31503, -31502, -31504
Answer = dict[str, Any]


class Stage:
    """A gateway in front of one moody server, or several of them."""

    def __init__(self, gateway: RunningProgram, *behind: MoodyServer) -> None:
        self.gateway = gateway
        self.server = behind[0]
        self.behind = behind
        self._since = datetime.now(UTC).isoformat()

    async def call(self, tool: str = "store", **params: Any) -> Answer:
        """Call a tool as a modern client."""
        answer = await self.gateway.client.post(
            PATH,
            json=modern("tools/call", {"name": tool, "arguments": {}, **params}),
            headers=modern_headers("tools/call", tool),
        )
        return answer.json()

    async def calls(self, count: int, tool: str = "store") -> list[Answer]:
        """Call a tool so many times, one after the other."""
        return [await self.call(tool) for _ in range(count)]

    async def reasons(self) -> list[str | None]:
        """Return the reasons of all records so far, newest first."""
        answer = await self.gateway.client.get(
            "/api/v1/projects/default/records", params={"limit": 500, "since": self._since}
        )
        assert answer.status_code == 200, answer.text
        return [record["reason"] for record in answer.json()["records"]]

    async def health(self) -> dict[str, Any]:
        """Return the health of the server as the API tells it."""
        answer = await self.gateway.client.get("/api/v1/projects/default/health")
        return answer.json()["servers"][0]

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait until the health is such that `holds`, and return it."""
        health: dict[str, Any] = {}

        async def do_hold() -> bool:
            nonlocal health
            health = await self.health()
            return holds(health)

        await self.gateway.eventually(do_hold)
        return health


@asynccontextmanager
async def stage(era: str = "modern", *, count: int = 1, **fields: Any) -> AsyncIterator[Stage]:
    """Run a gateway with a moody server, whose definition has further `fields`."""
    async with AsyncExitStack() as stack:
        behind = [await stack.enter_async_context(moody(era)) for _ in range(count)]
        definition = {"url": behind[0].url, "urls": [each.url for each in behind], **fields}
        gateway = await stack.enter_async_context(program({"mcpServers": {"remote": definition}}))
        await gateway.up("remote")
        yield Stage(gateway, *behind)


def code_of(answer: Answer) -> int | None:
    return answer["error"]["code"] if "error" in answer else None


def in_seconds(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("status", [429, 503])
async def test_a_server_that_says_when_to_come_back_gets_no_request_before(
    era: str, status: int
) -> None:
    async with stage(era) as on:
        on.server.turn(refusing(status, retry_after="30"))
        answers = await on.calls(10, "look_up")
        before = len(on.server.requests)
        await on.calls(10)
        (runner,) = on.gateway.registry.runners
        assert isinstance(runner, ServerRunner)
        await runner._look()

        assert [code_of(answer) for answer in answers] == [BUSY] * 10
        assert on.server.calls == 1
        assert len(on.server.requests) == before
        for answer in answers:
            assert "remote" in answer["error"]["message"]
            assert 0 < answer["error"]["data"]["retry_after_ms"] <= 30_000
        assert await on.reasons() == ["upstream_busy"] * 20
        health = await on.health()
        assert (health["status"], health["circuit"]) == ("ok", "closed")
        assert [each["state"] for each in health["endpoints"]] == ["busy"]
        assert health["endpoints"][0]["until"] is not None


@pytest.mark.parametrize("header", [lambda: "2", lambda: in_seconds(3)])
async def test_once_the_time_is_over_calls_go_through_again(header: Callable[[], str]) -> None:
    async with stage() as on:
        on.server.turn(refusing(503, retry_after=header()))
        refusal = await on.call()
        on.server.turn(well)
        assert code_of(refusal) == BUSY

        await on.until(lambda health: health["endpoints"][0]["state"] == "ok")

        assert "result" in await on.call()


@pytest.mark.parametrize("era", ERAS)
async def test_a_server_that_keeps_failing_is_left_alone_and_tried_again_by_itself(
    era: str,
) -> None:
    async with stage(era) as on:
        on.server.turn(refusing(500), is_grave=True)
        answers = await on.calls(20)

        codes = [code_of(answer) for answer in answers]
        assert codes == [FAILED] * 5 + [UNAVAILABLE] * 15
        assert on.server.calls == 5
        assert "remote" in answers[-1]["error"]["message"]
        assert answers[-1]["error"]["data"]["retry_after_ms"] > 0
        assert await on.reasons() == ["circuit_open"] * 15 + ["upstream_failed"] * 5
        health = await on.health()
        assert health["circuit"] == "open"
        assert health["circuit_until"] is not None

        on.server.turn(well)
        await on.until(lambda health: (health["circuit"], health["status"]) == ("closed", "ok"))
        assert "result" in await on.call()


async def test_a_call_that_was_never_sent_is_recorded_without_a_time_at_the_server() -> None:
    async with stage() as on:
        on.server.turn(refusing(500), is_grave=True)
        await on.calls(6)
        answer = await on.gateway.client.get(
            "/api/v1/projects/default/records", params={"limit": 2}
        )
        refused, failed = answer.json()["records"]

        assert (refused["reason"], refused["upstream_ms"]) == ("circuit_open", None)
        assert failed["upstream_ms"] > 0


async def test_errors_of_a_server_that_lives_open_no_circuit() -> None:
    async with stage() as on:
        on.server.turn(refusing(404))
        answers = await on.calls(20)

        assert [code_of(answer) for answer in answers] == [FAILED] * 20
        assert (await on.health())["circuit"] == "closed"


async def test_safe_calls_are_repeated_but_the_server_sees_a_fifth_more_at_the_most() -> None:
    async with stage() as on:
        on.server.turn(by_turns(well, well, refusing(500), well, well))
        answers = await on.calls(100, "look_up")

        failed = sum("error" in answer for answer in answers)
        assert 100 < on.server.calls <= 120
        assert failed < 20 - (on.server.calls - 100) / 2
        assert (await on.health())["circuit"] == "closed"


async def test_while_all_fails_the_server_sees_a_fifth_more_at_the_most() -> None:
    async with stage() as on:
        await on.calls(50, "look_up")
        on.server.turn(refusing(503), is_grave=True)
        before = on.server.calls
        await on.calls(50, "look_up")

        assert on.server.calls - before <= 60
        assert on.server.calls <= 1.2 * 100


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    "mood", [refusing(500), breaking_off, dropping_the_stream, ending_the_stream]
)
async def test_what_broke_is_made_again_only_where_the_tool_says_that_it_may(
    era: str, mood: Mood
) -> None:
    async with stage(era) as on:
        # A retry is paid for by five calls.
        await on.calls(10)
        on.server.turn(by_turns(mood, well))
        before = on.server.calls

        assert "result" in await on.call("look_up")
        assert on.server.calls == before + 2

        answer = await on.call("store")
        assert code_of(answer) in {FAILED, UNAVAILABLE}
        assert on.server.calls == before + 3
        reasons = await on.reasons()
        assert reasons[0] in {"upstream_failed", "upstream_unavailable"}
        assert reasons[1:] == [None] * 11


async def test_no_call_is_made_again_whose_client_has_heard_of_it() -> None:
    async with stage() as on:
        await on.calls(10)

        async def drop(request: Any) -> None:
            await request.peer.end()

        on.server.turn(telling_progress_then(drop))
        body = modern("tools/call", {"name": "look_up", "arguments": {}})
        body["params"]["_meta"] = {**body["params"]["_meta"], "progressToken": "mine"}
        headers = modern_headers("tools/call", "look_up")
        answer = await on.gateway.client.post(PATH, json=body, headers=headers)

        assert "notifications/progress" in answer.text
        assert str(UNAVAILABLE) in answer.text
        assert on.server.calls == 11


async def test_a_second_try_that_the_circuit_refuses_fails_as_the_first_did() -> None:
    async with stage() as on:
        await on.calls(20)
        on.server.turn(refusing(500), is_grave=True)
        answers = await on.calls(4)
        last = await on.call("look_up")

        assert [code_of(answer) for answer in answers] == [FAILED] * 4
        assert code_of(last) == FAILED
        assert (await on.reasons())[0] == "upstream_failed"
        assert (await on.health())["circuit"] == "open"


async def test_an_address_where_nobody_listens_is_named_with_its_server() -> None:
    async with stage() as on:
        dead = f"http://127.0.0.1:{free_port()}/mcp"
        await on.gateway.client.patch("/api/v1/projects/default/servers/remote", json={"url": dead})
        answer = await on.call("store")

        assert code_of(answer) == UNAVAILABLE
        assert "remote" in answer["error"]["message"]


async def test_without_retries_no_call_is_made_again() -> None:
    async with stage(retries=0) as on:
        await on.calls(10)
        on.server.turn(by_turns(refusing(500), well))

        assert code_of(await on.call("look_up")) == FAILED
        assert on.server.calls == 11


@pytest.mark.parametrize("era", ERAS)
async def test_a_black_hole_opens_the_circuit_long_before_the_calls_in_it_end(era: str) -> None:
    async with stage(era) as on, asyncio.timeout(DEADLINE):
        on.server.turn(silent, is_grave=True)
        stuck = [asyncio.create_task(on.call("look_up")) for _ in range(6)]
        began = asyncio.get_running_loop().time()
        await on.server.until("tools/call", 6)
        await on.until(lambda health: health["circuit"] != "closed")
        lasted = asyncio.get_running_loop().time() - began

        # It takes 4 s; the rest is what a busy machine may add.
        assert lasted < 20
        assert not any(task.done() for task in stuck)
        refusal = await on.call()
        assert code_of(refusal) == UNAVAILABLE
        assert on.server.calls <= 7

        on.server.turn(well)
        await on.until(lambda health: (health["circuit"], health["status"]) == ("closed", "ok"))
        assert "result" in await on.call()
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)


async def test_slow_calls_of_a_server_that_answers_looks_open_no_circuit() -> None:
    async with stage() as on, asyncio.timeout(DEADLINE):
        on.server.turn(silent)
        stuck = [asyncio.create_task(on.call()) for _ in range(6)]
        await on.server.until("tools/call", 6)
        seen = on.server.count("server/discover")
        await on.server.until("server/discover", seen + 2)

        assert (await on.health())["circuit"] == "closed"
        for task in stuck:
            task.cancel()
        await asyncio.gather(*stuck, return_exceptions=True)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("begins", [False, True])
async def test_a_call_ends_at_the_deadline_of_its_tool_and_its_server_hears_of_it(
    era: str, *, begins: bool
) -> None:
    async with stage(era, timeout=50, toolTimeouts={"st*": 0.5, "store": 1.0}) as on:
        gone = asyncio.Event()

        async def hold(request: Any) -> None:
            if begins:
                await request.begin_stream(b": it comes\n\n")
            await silent(request)
            gone.set()

        on.server.turn(hold)
        async with asyncio.timeout(DEADLINE):
            answer = await on.call("store")
            await gone.wait()
            if era == "legacy":
                await on.server.until("notifications/cancelled", 1)

        assert code_of(answer) == LATE
        assert "remote did not answer within 1 s" in answer["error"]["message"]
        assert await on.reasons() == ["upstream_timeout"]
        (runner,) = on.gateway.registry.runners
        assert not runner.upstream.is_busy
        on.server.turn(well)
        assert "result" in await on.call("store")


async def test_a_hosted_tool_ends_at_its_own_deadline_and_the_process_lives() -> None:
    config = {"hosted": {**servers.everything(), "toolTimeouts": {"trigger-*": 0.5}}}
    async with program({"mcpServers": config}) as gateway, asyncio.timeout(DEADLINE):
        await gateway.up("hosted")
        path = "/mcp/default/hosted"
        headers = await open_session(gateway.client, path, gateway.key)
        slow = {"name": "trigger-long-running-operation", "arguments": {"duration": 50}}
        body = request("tools/call", slow)
        late = (await gateway.client.post(path, json=body, headers=headers)).json()

        assert code_of(late) == LATE
        assert "within 0.5 s" in late["error"]["message"]
        (runner,) = gateway.registry.runners
        assert not runner.upstream.is_busy
        echo = {"name": "echo", "arguments": {"message": "x"}}
        body = request("tools/call", echo, number=2)
        assert "result" in (await gateway.client.post(path, json=body, headers=headers)).json()
        assert runner.health.restarts == 0


@pytest.mark.parametrize("era", ERAS)
async def test_one_dead_address_of_three_costs_no_call(era: str) -> None:
    async with stage(era, count=2) as on:
        dead = f"http://127.0.0.1:{free_port()}/mcp"
        urls = [dead, *(each.url for each in on.behind)]
        answer = await on.gateway.client.patch(
            "/api/v1/projects/default/servers/remote", json={"urls": urls}
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["urls"] == urls
        await on.gateway.up("remote")

        answers = await on.calls(20)

        assert all("result" in each for each in answers)
        health = await on.health()
        states = [each["state"] for each in health["endpoints"]]
        assert states[1:] == ["ok", "ok"]
        if era == "modern":
            assert min(each.calls for each in on.behind) >= 8


async def test_a_call_that_one_endpoint_turns_away_is_taken_by_another() -> None:
    async with stage(count=2) as on:
        await on.calls(20)
        on.server.turn(refusing(429, retry_after="30"))
        before = on.server.calls
        answers = await on.calls(10)

        assert all("result" in each for each in answers)
        assert on.server.calls == before + 1


async def test_a_key_of_a_reporter_sees_circuit_and_endpoints_without_secrets() -> None:
    async with moody() as server:
        definition = {"url": f"{server.url}?token=s3cret-value"}
        async with program({"mcpServers": {"remote": definition}}) as gateway:
            await gateway.up("remote")
            key = await gateway.new_key("reporter")
            answer = await gateway.client.get(
                "/api/v1/projects/default/health", headers=bearer(key)
            )

    assert "s3cret-value" not in answer.text
    assert answer.json()["servers"][0]["endpoints"] == [
        {"url": f"{server.url}?token=***", "state": "ok", "pending": 0, "until": None}
    ]
