"""What changes in one process of the gateway is known in every process, and to all clients."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx2
import pytest

from tests.app.trio import COUNT, MCP_HEADERS, SECONDS, Trio, descendants
from tests.integration import servers
from tests.matrix.raw_client import MODERN, PREFIX, JSONObject, LegacyClient, RawClient

API = "/api/v1/projects"
TOOLS_CHANGED = "notifications/tools/list_changed"
CHOSEN = "a long enough pass phrase"
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


async def names(client: RawClient) -> set[str]:
    return {each["name"] for each in await client.all_of("tools/list", "tools")}


@pytest.mark.parametrize("server", ["proc", "web", "mproc", "mweb"])
async def test_clients_of_every_process_hear_of_a_changed_list_and_then_see_it(
    trio: Trio, server: str
) -> None:
    added = f"added_to_{server}"
    place = f"default/{server}"
    async with AsyncExitStack() as stack:
        clients: dict[RawClient, str] = {}
        for number in range(COUNT):
            listener = await stack.enter_async_context(trio.modern(number))
            await stack.enter_async_context(listener.listening(toolsListChanged=True))
            clients[listener] = f"{server}__{added}"
            session = await stack.enter_async_context(trio.legacy(number, place=place))
            stream = await stack.enter_async_context(trio.sse(number, place=place))
            clients |= {session: added, stream: added}
        actor = await stack.enter_async_context(trio.modern(2))

        for tool in ("add", "drop"):
            await actor.call(f"{server}__{tool}", {"kind": "tools", "key": added})
            async with asyncio.timeout(SECONDS):
                for client, name in clients.items():
                    # Another process may have had the new list first: then it is told again.
                    while (name in await names(client)) != (tool == "add"):
                        await client.until(TOOLS_CHANGED)


async def test_a_list_that_was_announced_is_there_at_whichever_process_is_asked(
    trio: Trio,
) -> None:
    """The last announcement comes when every process has the list."""
    async with AsyncExitStack() as stack:
        listeners = [await stack.enter_async_context(trio.modern(n)) for n in range(COUNT)]
        for each in listeners:
            await stack.enter_async_context(each.listening(toolsListChanged=True))
        for tool in ("add", "drop"):
            await listeners[1].call(f"mweb__{tool}", {"kind": "tools", "key": "seen"})
            for listener in listeners:
                for other in listeners:
                    async with asyncio.timeout(SECONDS):
                        while ("mweb__seen" in await names(other)) != (tool == "add"):
                            await listener.until(TOOLS_CHANGED)


async def test_an_updated_resource_is_told_of_at_every_process(trio: Trio) -> None:
    for server in ("proc", "web", "mproc", "mweb"):
        place = f"default/{server}"
        async with (
            trio.modern(1, place=place) as listener,
            trio.modern(2, place=place) as actor,
            listener.listening(resourceSubscriptions=["test://watched"]) as agreed,
        ):
            assert agreed["notifications"] == {"resourceSubscriptions": ["test://watched"]}
            await actor.call("touch", {"uri": "test://watched"})
            told = await listener.until("notifications/resources/updated")
        assert told["uri"] == "test://watched"


async def test_a_remote_server_is_restarted_in_every_process(trio: Trio) -> None:
    async with trio.gateway.at(1) as worker:
        before = await restarts(worker, "web")
        answer = await worker.post(f"{API}/default/servers/web/restart")

        async def is_restarted(number: int) -> bool:
            return (await restarts(worker, "web"))[str(number)] > before[str(number)]

        await trio.everywhere(is_restarted)

    assert answer.status_code == 200
    assert set(before) == {str(number) for number in range(COUNT)}
    await trio.gateway.up()


async def restarts(client: httpx2.AsyncClient, server: str) -> Counter[str]:
    """Read how often each process has restarted a server."""
    text = (await client.get("/metrics")).text
    line = re.compile(r"interlock_server_restarts_total\{(.*)\} ([0-9.]+)")
    found: Counter[str] = Counter()
    for labels, value in line.findall(text):
        if f'server="{server}"' in labels:
            (worker,) = re.findall(r'worker="(\d+)"', labels)
            found[worker] = int(float(value))
    return found


async def test_a_server_that_was_added_by_way_of_one_process_is_there_at_all(trio: Trio) -> None:
    async with trio.gateway.at(2) as worker:

        async def is_known(number: int) -> bool:
            answer = await trio.post(number, "server/discover", place="default/late")
            return answer.status_code == 200

        made = await worker.post(
            f"{API}/default/servers", json={"name": "late", **servers.sample()}
        )
        assert made.status_code == 201, made.text
        await trio.everywhere(is_known)

        call: JSONObject = {"name": "echo", "arguments": {"message": "hello"}}
        async with asyncio.timeout(SECONDS):
            for number in range(COUNT):
                while True:
                    answer = await trio.post(number, "tools/call", call, place="default/late")
                    if answer.status_code == 200 and "result" in answer.json():
                        break
                    await asyncio.sleep(0.05)

        # Others read what the worker has; the place is theirs all the same.
        moved = {"url": trio.remotes["web"], "command": None, "args": [], "env": {}}
        changed = await worker.patch(f"{API}/default/servers/late", json=moved)
        assert changed.status_code == 200, changed.text

        async def is_moved(number: int) -> bool:
            echo = await trio.post(
                number, "tools/call", {"name": "echo", "arguments": {}}, place="default/late"
            )
            told = echo.json().get("result", {}).get("structuredContent", {})
            return told.get("server") == "web"

        async with asyncio.timeout(SECONDS):
            for number in range(COUNT):
                while not await is_moved(number):  # noqa: ASYNC110 -- another process decides
                    await asyncio.sleep(0.05)

        assert (await worker.delete(f"{API}/default/servers/late")).status_code == 204

        async def is_unknown(number: int) -> bool:
            return not await is_known(number)

        await trio.everywhere(is_unknown)


@asynccontextmanager
async def administrator(trio: Trio) -> AsyncIterator[httpx2.AsyncClient]:
    """Sign in as a browser whose requests go to the processes in turn."""
    gateway = trio.gateway
    shown = re.search(r"One-time password: +(\S+)", gateway.program.output)
    assert shown is not None
    async with httpx2.AsyncClient(
        base_url=gateway.address, transport=gateway.spread(1, 2, 0), timeout=SECONDS
    ) as browser:
        if not await _signed_in(browser, CHOSEN):
            assert await _signed_in(browser, shown[1])
            change = {"current_password": shown[1], "new_password": CHOSEN}
            changed = await browser.post("/api/v1/auth/password", json=change)
            assert changed.status_code == 204, changed.text
            assert await _signed_in(browser, CHOSEN)
        yield browser


async def _signed_in(browser: httpx2.AsyncClient, password: str) -> bool:
    login = {"email": "admin@localhost", "password": password}
    answer = await browser.post("/api/v1/auth/login", json=login)
    if answer.status_code == 200:
        browser.headers["x-csrf-token"] = answer.json()["csrf_token"]
    return answer.status_code == 200


async def test_a_login_calls_at_every_process(trio: Trio) -> None:
    async with administrator(trio) as browser:
        meta = {f"{PREFIX}protocolVersion": MODERN, f"{PREFIX}clientCapabilities": {}}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta}}

        async def status(number: int, proof: str) -> int:
            async with trio.gateway.at(number) as client:
                # A key would go before the login.
                client.headers.pop("authorization", None)
                client.cookies.update(browser.cookies)
                sent = {**MCP_HEADERS, "mcp-method": "tools/list", "x-csrf-token": proof}
                answer = await client.post("/mcp/default", json=message, headers=sent)
                return answer.status_code

        proof = browser.headers["x-csrf-token"]
        assert [await status(number, proof) for number in range(COUNT)] == [200] * COUNT
        assert [await status(number, "wrong") for number in range(COUNT)] == [403] * COUNT


async def test_a_project_and_its_keys_are_known_and_forgotten_everywhere(trio: Trio) -> None:
    async with administrator(trio) as browser:
        made = await browser.post(API, json={"name": "shop"})
        assert made.status_code == 201, made.text
        body = {"name": "a key", "role": "developer"}
        key = (await browser.post(f"{API}/shop/keys", json=body)).json()

        async def status(number: int, key: str | None = None) -> int:
            return (await trio.post(number, "tools/list", place="shop", key=key)).status_code

        async def is_open(number: int) -> bool:
            return await status(number, key["secret"]) == 200

        async def is_shut(number: int) -> bool:
            return await status(number, key["secret"]) == 401

        await trio.everywhere(is_open)
        revoked = await browser.delete(f"{API}/shop/keys/{key['key']['id']}")
        assert revoked.status_code == 204, revoked.text
        await trio.everywhere(is_shut)

        another = (await browser.post(f"{API}/shop/keys", json=body)).json()
        assert (await browser.delete(f"{API}/shop")).status_code == 204

        async def is_gone(number: int) -> bool:
            return await status(number, another["secret"]) == 401 and await status(number) == 404

        await trio.everywhere(is_gone)


async def test_sessions_of_an_endpoint_that_gets_a_hosted_server_begin_anew_beside_it(
    trio: Trio,
) -> None:
    """Only one process can call the new server, and they are in another."""
    async with administrator(trio) as browser:
        path = f"{API}/mixed/servers"
        assert (await browser.post(API, json={"name": "mixed"})).status_code == 201
        made = await browser.post(path, json={"name": "plain", "url": trio.remotes["plain"]})
        assert made.status_code == 201, made.text
        body = {"name": "a key", "role": "developer"}
        key = (await browser.post(f"{API}/mixed/keys", json=body)).json()["secret"]
        async with (
            trio.legacy(1, place="mixed", key=key) as session,
            trio.sse(1, place="mixed", key=key) as stream,
            trio.legacy(1, place="mixed/plain", key=key) as single,
            asyncio.timeout(SECONDS),
        ):
            first = session._headers["mcp-session-id"]
            assert first.startswith("1.")
            assert "session_id=1." in await stream._endpoint

            hosted = {"name": "sample", **servers.sample()}
            assert (await browser.post(path, json=hosted)).status_code == 201

            while (status := await _status(session)) == 200:
                pass
            assert status == 404
            ended = await stream._http.post(await stream._endpoint, json=PING)
            assert ended.status_code == 404
            assert stream._listening is not None
            await stream._listening
            assert await _status(single) == 200
        async with trio.legacy(1, place="mixed", key=key) as session:
            assert session._headers["mcp-session-id"].startswith("0.")
            assert await _status(session) == 200
        assert (await browser.delete(f"{API}/mixed")).status_code == 204


async def _status(session: LegacyClient) -> int:
    return (await session._http.post(session._url, json=PING, headers=session._headers)).status_code


async def test_every_process_answers_for_the_whole(trio: Trio) -> None:
    for number in range(COUNT):
        async with trio.gateway.at(number) as client:
            paths = ("/healthz", "/readyz", "/api/openapi.json", "/api/v1/auth/me")
            answers = {path: await client.get(path) for path in paths}
            head = await client.head("/healthz")
            missing = await client.get("/nowhere")
            nobody = await client.get("/api/v1/auth/me", headers={"authorization": "Bearer x"})
            stranger = await client.get("/healthz", headers={"host": "evil.example"})

        assert {path: each.status_code for path, each in answers.items()} == dict.fromkeys(
            paths, 200
        )
        assert answers["/api/v1/auth/me"].json()["role"] == "owner"
        assert (head.content, missing.status_code, nobody.status_code) == (b"", 404, 401)
        assert stranger.status_code == 421


@pytest.mark.parametrize("server", ["proc", "web"])
async def test_a_tool_is_switched_off_at_every_process_whose_server_stays_as_it_is(
    trio: Trio, server: str
) -> None:
    path = f"{API}/default/servers/{server}/tools/echo"
    call: JSONObject = {"name": f"{server}__echo", "arguments": {}}

    async def answers(number: int) -> bool:
        # The same head and body again and again, as a route of the fast lane is used.
        said = (await trio.post(number, "tools/call", call)).json()
        return "result" in said or said["error"]["message"] != f"Unknown tool: {server}__echo"

    async def is_gone(number: int) -> bool:
        return not await answers(number)

    async with trio.gateway.at(1) as worker:
        await trio.everywhere(answers)
        before = descendants(trio.gateway.program.pid)
        for _ in range(2):
            await trio.everywhere(answers)
            assert (await worker.put(path, json={"enabled": False})).status_code == 200
            await trio.everywhere(is_gone)
            assert (await worker.put(path, json={"enabled": True})).status_code == 200
        await trio.everywhere(answers)
        timed = await worker.patch(f"{API}/default/servers/{server}", json={"timeout": 0.2})
        assert timed.status_code == 200

        async def is_short(number: int) -> bool:
            waiting: JSONObject = {"name": f"{server}__await_gate", "arguments": {"gate": "none"}}
            said = (await trio.post(number, "tools/call", waiting)).json()
            return "within 0.2 s" in said["error"]["message"]

        await trio.everywhere(is_short)
        await worker.patch(f"{API}/default/servers/{server}", json={"timeout": 60})
        assert descendants(trio.gateway.program.pid) == before
