"""Calls to a gateway of three processes find what they are about, whichever process they meet."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from tests.app.trio import COUNT, HOSTED, REMOTE, SECONDS, Trio
from tests.matrix.raw_client import JSONObject, ModernClient, Refused, raw_client

ELICITING: JSONObject = {"elicitation": {"form": {}}}
TASKS: JSONObject = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
ADA = {"action": "accept", "content": {"name": "Ada"}}
AGE = {"action": "accept", "content": {"age": 36}}
WAYS = [(0, 1), (1, 0), (1, 2)]
STATE_REFUSED = "requestState"


async def ask(client: ModernClient, server: str, tool: str = "ask_first") -> JSONObject:
    """Begin a call and return what it needs to go on."""
    needed = await client._once(1, "tools/call", {"name": f"{server}__{tool}", "arguments": {}})
    assert needed["resultType"] == "input_required", needed
    return needed


async def retry(
    client: ModernClient,
    server: str,
    needed: JSONObject,
    answer: JSONObject = ADA,
    **more: Any,
) -> JSONObject:
    """Send the call again with the answer to its question."""
    params: JSONObject = {
        "name": f"{server}__ask_first",
        "arguments": {},
        "requestState": needed["requestState"],
        "inputResponses": dict.fromkeys(needed["inputRequests"], answer),
    }
    return await client._once(2, "tools/call", {**params, **more})


@pytest.mark.parametrize(("begun", "resumed"), WAYS)
@pytest.mark.parametrize("server", [*HOSTED, *REMOTE])
async def test_a_call_that_waits_at_one_process_goes_on_by_way_of_another(
    trio: Trio, server: str, begun: int, resumed: int
) -> None:
    async with (
        trio.modern(begun, **ELICITING) as first,
        trio.modern(resumed, **ELICITING) as second,
    ):
        needed = await ask(first, server)
        done = await retry(second, server, needed)

    assert done["structuredContent"] == {"server": server, "answer": ADA}


async def test_every_question_of_a_call_may_be_answered_at_another_process(trio: Trio) -> None:
    for server in ("proc", "web"):
        async with (
            trio.modern(1, **ELICITING) as first,
            trio.modern(2, **ELICITING) as second,
            trio.modern(0, **ELICITING) as third,
        ):
            midway: JSONObject = {"name": f"{server}__ask_midway"}
            name = await ask(first, server, "ask_midway")
            age = await retry(second, server, name, ADA, **midway)
            done = await retry(third, server, age, AGE, **midway)

        assert name["requestState"] != age["requestState"]
        assert done["structuredContent"]["answers"] == [ADA, AGE]


def with_process(state: str, number: str) -> str:
    form, tag, _, sealed = state.split(".")
    return f"{form}.{tag}.{number}.{sealed}"


@pytest.mark.parametrize("server", ["proc", "web"])
async def test_a_state_that_was_changed_or_is_anothers_is_refused_at_every_process(
    trio: Trio, server: str
) -> None:
    other_key = await trio.gateway.new_key("developer")
    async with trio.modern(1, **ELICITING) as client:
        needed = await ask(client, server)
    state = needed["requestState"]
    home = state.split(".")[2]
    assert state.startswith("il1.")
    assert home == ("0" if server == "proc" else "1")
    changed = [
        *(state[:-4] + "AAA=", state[:-1], state + "A", state.removeprefix("il1.")),
        *(with_process(state, number) for number in "0129x" if number != home),
    ]

    for number in range(COUNT):
        async with (
            trio.modern(number, **ELICITING) as same,
            trio.modern(number, key=other_key, **ELICITING) as other,
        ):
            for wrong in changed:
                with pytest.raises(Refused, match=STATE_REFUSED) as refused:
                    await retry(same, server, {**needed, "requestState": wrong})
                assert refused.value.error["code"] == -32602
            with pytest.raises(Refused, match=STATE_REFUSED):
                await retry(other, server, needed)
            with pytest.raises(Refused, match=STATE_REFUSED):
                await retry(same, server, needed, arguments={"x": 1})

    # None of that has harmed the call.
    async with trio.modern(2, **ELICITING) as client:
        done = await retry(client, server, needed)
    assert done["structuredContent"]["answer"] == ADA


@pytest.mark.parametrize("server", ["proc", "web"])
async def test_a_state_whose_call_is_over_has_expired_at_every_process(
    trio: Trio, server: str
) -> None:
    async with trio.modern(1, **ELICITING) as client:
        needed = await ask(client, server)
        await retry(client, server, needed)

    for number in range(COUNT):
        async with trio.modern(number, **ELICITING) as client:
            with pytest.raises(Refused, match="expired"):
                await retry(client, server, needed)


async def test_a_state_of_a_server_that_looks_like_ours_reaches_the_server(trio: Trio) -> None:
    """Only what this gateway made itself leads a request to another process."""
    for server in ("mproc", "mweb"):
        for state in ("il1.0123abcd.2.sealed", "2.sealed"):
            async with trio.modern(1, **ELICITING) as client:
                with pytest.raises(Refused, match="no state of mine"):
                    await retry(client, server, {"requestState": state, "inputRequests": {}})


@pytest.mark.parametrize("server", ["proc", "web", "mproc", "mweb"])
async def test_a_call_that_its_client_gives_up_is_cancelled_at_its_server(
    trio: Trio, server: str
) -> None:
    tag = f"given up at a worker, {server}"
    async with trio.modern(1) as client, trio.modern(2) as other, asyncio.timeout(SECONDS):
        hang = {"name": f"{server}__hang", "arguments": {"tag": tag}}
        begun = client.begin("tools/call", {**hang, "_meta": {"progressToken": tag}})
        await client.until("notifications/progress")

        await client.cancel(begun)

        noted = await other.call(f"{server}__await_cancel", {"tag": tag})
    assert noted["content"] == [{"type": "text", "text": server}]


@pytest.mark.parametrize("server", ["mproc", "mweb"])
async def test_a_task_is_reached_from_every_process(trio: Trio, server: str) -> None:
    able = {**TASKS, **ELICITING}
    async with (
        trio.modern(1, **able) as maker,
        trio.modern(2, **able) as other,
        trio.modern(0, **able) as third,
        asyncio.timeout(SECONDS),
    ):

        async def begin(**arguments: Any) -> str:
            return (await maker.call(f"{server}__slow", arguments))["taskId"]

        async def until(client: ModernClient, handle: str, status: str) -> JSONObject:
            while True:
                state = await client.request("tasks/get", {"taskId": handle})
                if state["status"] == status:
                    return state

        asking, held = await begin(ask=True), await begin(hold=f"a task of {server}")
        question = await until(other, asking, "input_required")
        answers = dict.fromkeys(question["inputRequests"], ADA)
        await third.request("tasks/update", {"taskId": asking, "inputResponses": answers})
        done = await until(other, asking, "completed")
        await other.request("tasks/cancel", {"taskId": held})
        await until(third, held, "cancelled")
        for client in (maker, other, third):
            with pytest.raises(Refused, match="taskId"):
                await client.request("tasks/get", {"taskId": "somebody's"})

    told = done["result"]["structuredContent"]
    assert told == {"server": server, "answers": [ADA]}


async def test_a_stream_of_a_tasks_status_is_found_from_every_process(trio: Trio) -> None:
    for server in ("mproc", "mweb"):
        gate = f"news of a task of {server}"
        async with trio.modern(1, **TASKS) as maker, asyncio.timeout(SECONDS):
            made = await maker.call(f"{server}__slow", {"gate": gate})
            async with (
                trio.modern(2, **TASKS) as hearer,
                hearer.listening(taskIds=[made["taskId"]]) as agreed,
            ):
                assert agreed["notifications"] == {"taskIds": [made["taskId"]]}
                await maker.call(f"{server}__open_gate", {"gate": gate})
                told = await hearer.until("notifications/tasks")
        assert (told["taskId"], told["status"]) == (made["taskId"], "completed")


@pytest.mark.parametrize("server", ["proc", "web"])
async def test_all_sessions_of_a_caller_list_its_tasks_wherever_they_were_opened(
    trio: Trio, server: str
) -> None:
    place = f"default/{server}"
    other_key = await trio.gateway.new_key("developer")
    async with (
        trio.legacy(1, place=place) as one,
        trio.legacy(2, place=place) as two,
        trio.sse(2, place=place) as three,
        trio.legacy(2, place=place, key=other_key) as stranger,
    ):
        made = await one.call("slow", {}, task={"ttl": 60_000})
        handle = made["task"]["taskId"]
        listed = [
            {each["taskId"] for each in (await client.request("tasks/list"))["tasks"]}
            for client in (one, two, three, stranger)
        ]
        result = await two.request("tasks/result", {"taskId": handle})

    assert [handle in each for each in listed] == [True, True, True, False]
    assert result["structuredContent"]["server"] == server


async def test_pages_of_a_browser_get_one_answer_about_their_origin(trio: Trio) -> None:
    call = {"name": "proc__echo", "arguments": {}}
    for number in range(COUNT):
        page = await trio.post(number, "tools/call", call, origin="http://localhost:3000")
        other = await trio.post(number, "tools/call", call, origin="http://evil.example")

        assert page.status_code == 200, page.text
        allowed = page.headers.get_list("access-control-allow-origin")
        assert allowed == ["http://localhost:3000"]
        assert other.status_code == 403


async def test_what_processes_say_of_a_client_is_believed_at_their_doors_alone(
    trio: Trio,
) -> None:
    """Whoever comes to the port cannot claim that a request was handed over already."""
    call = {"name": "proc__echo", "arguments": {}}
    claim = {"x_interlock_relayed_by": "0", "x_interlock_relayed_for": "8.8.8.8 53"}
    at_door = await trio.post(1, "tools/call", call, **claim)
    assert at_door.status_code == 500

    gateway = trio.gateway
    async with raw_client("modern-http", gateway.address, gateway.key) as client:
        client._http.headers.update({"x-interlock-relayed-by": "0"})
        told = [await client.call("proc__echo") for _ in range(4)]
    assert {each["structuredContent"]["server"] for each in told} == {"proc"}


async def test_every_call_is_recorded_once_by_whoever_served_it(trio: Trio) -> None:
    """A record says what happened; the way between two processes is none of its business."""
    key = await trio.gateway.new_key("developer")
    expected: Counter[tuple[str, str | None, str]] = Counter()
    for number in range(COUNT):
        async with trio.modern(number, key=key) as client:
            for server in ("proc", "web", "mproc", "mweb"):
                await client.call(f"{server}__structured")
                expected["tools/call", f"{server}__structured", "ok"] += 1
            await client.request("tools/list")
            expected["tools/list", None, "ok"] += 1
            with pytest.raises(Refused):
                await client.call("nobody__structured")
            expected["tools/call", "nobody__structured", "refused"] += 1
        async with trio.legacy(number, place="default/web", key=key) as client:
            await client.call("audio")
            expected["tools/call", "audio", "ok"] += 1
        async with trio.sse(number, place="default/proc", key=key) as client:
            await client.call("image")
            expected["tools/call", "image", "ok"] += 1

    found = await _recorded(trio, {target for _, target, _ in expected if target})

    assert {each: found[each] for each in expected} == dict(expected)


async def _recorded(trio: Trio, targets: set[str]) -> Counter[tuple[str, str | None, str]]:
    """Return how often each method, target and outcome is recorded, once all were written."""
    path = "/api/v1/projects/default/records?limit=500"
    last = {f"{server}__failing" for server in ("proc", "web")}
    for number in range(COUNT):
        async with trio.modern(number) as client:
            for name in last:
                await client.call(name)
    async with trio.gateway.at(0) as client, asyncio.timeout(SECONDS):
        while True:
            records = (await client.get(path)).json()["records"]
            # Records are written in their order, so that with the last ones all are there.
            if sum(each["target"] in last for each in records) == COUNT * len(last):
                break
            await asyncio.sleep(0.1)
    whose = {
        each["principal_id"]
        for each in records
        if each["target"] in targets and each["target"].startswith("nobody")
    }
    assert len(whose) == 1
    return Counter(
        (each["method"], each["target"], each["outcome"])
        for each in records
        if each["principal_id"] in whose
    )
