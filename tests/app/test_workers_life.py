"""Processes of a gateway come and go: killed ones come back, and none outlives the keeper."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import pytest

from interlock.app.sockets import join
from interlock.app.workers import START_DEADLINE
from interlock.errors import BadInput
from interlock.settings import Settings
from tests.app.trio import (
    SECONDS,
    Trio,
    descendants,
    gone,
    open_gate,
    remote,
)
from tests.integration import servers
from tests.matrix.raw_client import JSONObject, Refused
from tests.support.processes import running
from tests.support.workers import INTERLOCK, processes

BEFORE_IT_IS_LATE = START_DEADLINE * 0.8  # seconds; a worker that is not ready by then is late
ELICITING: JSONObject = {"elicitation": {"form": {}}}


@pytest.fixture(scope="module")
def killed() -> Iterator[Trio]:
    """Run a gateway whose processes the tests of this file kill, the keeper last."""
    with ExitStack() as stack:
        url = stack.enter_context(remote("plain"))
        config = {"sample": servers.sample(), "plain": {"url": url}}
        gateway = stack.enter_context(processes(3, {"mcpServers": config}))
        asyncio.run(gateway.up())
        yield Trio(gateway, {"plain": url})


def test_no_secret_is_in_a_workers_command_line(killed: Trio) -> None:
    for pid in killed.gateway.pids.values():
        line = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        assert line[1:] == [b"-P", b"-m", b"interlock.app.worker"]


async def test_a_worker_that_is_killed_comes_back_and_the_others_serve_meanwhile(
    killed: Trio,
) -> None:
    gateway = killed.gateway
    was = gateway.pids[1]
    async with (
        killed.modern(1, **ELICITING) as client,
        gateway.at(2) as other,
        httpx2.AsyncClient(base_url=gateway.address, timeout=SECONDS) as port,
    ):
        asking: JSONObject = {"name": "plain__ask_first", "arguments": {}}
        needed = await client._once(1, "tools/call", asking)
        retry = {**asking, "requestState": needed["requestState"]}
        session = await _opened(gateway.address, gateway.key, gateway.socket(1))
        path = "/mcp/default/plain"
        async with other.stream("GET", path, headers=session) as stream:
            assert stream.status_code == 200

            os.kill(was, signal.SIGKILL)

            # The other process may not let the stream seem to have ended well.
            with pytest.raises(httpx2.RemoteProtocolError):
                await stream.aread()
        answer = await other.post(path, json=_ping(), headers=session)
        if gateway.pids[1] == was:
            assert answer.status_code == 503
            assert "try again" in answer.json()["error"]["message"]
        for number in (0, 2):
            for name in ("sample__echo", "plain__echo"):
                call = {"name": name, "arguments": {"message": "hello"}}
                told = await killed.post(number, "tools/call", call)
                assert "result" in told.json(), told.text
        assert (await port.get("/healthz")).status_code == 200

        killed.gateway.program.wait_until(lambda: gateway.pids[1] != was, SECONDS)

        # What lived in the old process is over; the new one serves like the others.
        answers = [await other.post(path, json=_ping(), headers=session) for _ in range(2)]
        assert [each.status_code for each in answers] == [404, 404]
        async with killed.modern(2, **ELICITING) as late:
            with pytest.raises(Refused, match="expired"):
                await late._once(2, "tools/call", retry)
        assert (await client.call("sample__echo", {"message": "hello"}))["content"]
        assert (await client.call("plain__echo"))["structuredContent"]["server"] == "plain"
        key = await gateway.new_key("developer")
        await killed.everywhere(lambda number: _knows(killed, number, key))


async def _opened(address: str, key: str, socket: str) -> dict[str, str]:
    """Open a session at one process and return the headers of its requests."""
    headers = {"authorization": f"Bearer {key}", "accept": "application/json, text/event-stream"}
    async with httpx2.AsyncClient(
        base_url=address, transport=httpx2.AsyncHTTPTransport(uds=socket), timeout=SECONDS
    ) as client:
        info = {"name": "x", "version": "1"}
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": info}
        opening = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        answer = await client.post("/mcp/default/plain", json=opening, headers=headers)
    session_id = answer.headers["mcp-session-id"]
    assert session_id.startswith("1.")
    return {**headers, "mcp-session-id": session_id}


def _ping() -> JSONObject:
    return {"jsonrpc": "2.0", "id": 1, "method": "ping"}


async def _knows(trio: Trio, number: int, key: str) -> bool:
    return (await trio.post(number, "tools/list", key=key)).status_code == 200


def test_nothing_outlives_a_keeper_that_is_killed(killed: Trio) -> None:
    """Neither the workers nor what the keeper hosted, even where a worker hangs."""
    family = descendants(killed.gateway.program.pid)
    workers = killed.gateway.pids
    assert set(workers.values()) < family
    assert len(family) > len(workers)

    os.kill(killed.gateway.program.pid, signal.SIGKILL)

    gone(family)


async def test_what_is_under_way_is_let_finish_before_a_gateway_ends(tmp_path: Path) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(remote("plain"))
        config = {"plain": {"url": url}, "sample": servers.sample()}
        gateway = stack.enter_context(processes(2, {"mcpServers": config}))
        await gateway.up()
        duo = Trio(gateway, {"plain": url})
        family = descendants(gateway.program.pid)
        async with duo.modern(0) as keeper, duo.modern(1) as worker:
            calls = [
                client.begin(
                    "tools/call",
                    {
                        "name": "plain__stepwise",
                        "arguments": {"gate": "end", "size": 5},
                        "_meta": {"progressToken": 1},
                    },
                )
                for client in (keeper, worker)
            ]
            for client in (keeper, worker):
                await client.until("notifications/progress")

            gateway.program.process.send_signal(signal.SIGTERM)
            await _refused(gateway.address)
            await open_gate(url, "end")

            results = [await call.task for call in calls]
        status = await asyncio.to_thread(gateway.program.process.wait, SECONDS)
        gone(family)

    texts = [each["content"][0]["text"] for each in results]
    assert (texts, status) == (["xxxxx"] * 2, 0)
    assert "Traceback" not in gateway.program.output


async def _refused(address: str) -> None:
    """Wait until nobody listens at the port any more."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            async with httpx2.AsyncClient(timeout=SECONDS) as client:
                await client.get(f"{address}/healthz")
        except httpx2.ConnectError:
            return
        except httpx2.HTTPError:
            continue
    raise AssertionError("The port still takes connections.")


def test_the_port_answers_while_a_worker_cannot_start_and_takes_it_in_later() -> None:
    # A socket's path is short, and pytest's own folders are deep.
    with TemporaryDirectory(prefix="ilk-") as folder:
        data = Path(folder) / "data"
        # Where the worker's socket is to be lies what it cannot put away.
        obstacle = data / "run" / "1.sock"
        obstacle.mkdir(parents=True)
        command = [INTERLOCK, "up", "--port", "0", "--workers", "2", "--data", str(data)]
        with running(command, ready=r"Ctrl\+C", timeout=BEFORE_IT_IS_LATE) as program:
            address = json.loads((data / "cli.json").read_bytes())["url"]
            program.wait_for(r"worker\.ended worker=1", SECONDS)

            assert httpx2.get(f"{address}/healthz", timeout=SECONDS).status_code == 200
            assert "worker.ready" not in program.output
            obstacle.rmdir()
            program.wait_for(r"worker\.ready worker=1", SECONDS)


def test_a_gateway_of_one_process_is_as_if_there_were_no_others() -> None:
    with processes(1, {"mcpServers": {}}) as gateway:
        port = int(gateway.address.rpartition(":")[2])

        assert not (gateway.data_dir / "run").exists()
        assert descendants(gateway.program.pid) == set()
        with pytest.raises(BadInput), closing(join(Settings(port=port, workers=2))):
            pass
