"""Who may read the numbers without a key."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.support.program import RunningProgram, program
from tests.support.workers import NO_TLS

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[RunningProgram]:
    async with program({"mcpServers": {}}) as running:
        yield running


async def status(gateway: RunningProgram, headers: dict[str, str] | None = None) -> int:
    address = f"http://127.0.0.1:{gateway.program._settings.port}"
    async with httpx2.AsyncClient(base_url=address, verify=NO_TLS) as nobody:
        return (await nobody.get("/metrics", headers=headers)).status_code


async def status_where(**settings: Any) -> int:
    async with program({"mcpServers": {}}, **settings) as gateway:
        return await status(gateway)


async def test_whoever_is_on_this_machine_may(gateway: RunningProgram) -> None:
    assert await status(gateway) == 200


async def test_who_shows_a_key_on_this_machine_sees_what_the_key_may_see(
    gateway: RunningProgram,
) -> None:
    keys = {role: await gateway.new_key(role) for role in ("developer", "owner")}
    answers = {
        role: await gateway.client.get("/metrics", headers={"authorization": f"Bearer {key}"})
        for role, key in keys.items()
    }

    assert {role: each.status_code for role, each in answers.items()} == {
        "developer": 403,
        "owner": 200,
    }
    assert "interlock_build_info" not in answers["owner"].text


async def test_a_key_that_does_not_hold_opens_nothing_on_this_machine(
    gateway: RunningProgram,
) -> None:
    assert await status(gateway, {"authorization": "Bearer ilk_wrong"}) == 401


@pytest.mark.parametrize("header", ["forwarded", "x-forwarded-for", "x-real-ip", "via"])
async def test_nobody_may_through_a_proxy_on_this_machine(
    gateway: RunningProgram, header: str
) -> None:
    assert await status(gateway, {header: "127.0.0.1"}) == 401


async def test_nobody_may_where_the_address_is_that_of_a_proxy() -> None:
    public = {"public_url": "https://mcp.example.com", "allowed_hosts": ("127.0.0.1",)}

    assert await status_where(**public) == 401


async def test_nobody_may_where_a_key_is_asked_for_or_all_is_off() -> None:
    assert await status_where(telemetry={"metrics": "key"}) == 401
    assert await status_where(telemetry={"metrics": "off"}) == 404
