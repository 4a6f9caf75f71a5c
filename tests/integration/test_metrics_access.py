"""Who may read the numbers without a key."""

from typing import Any

import httpx2
import pytest

from tests.support.program import program


async def status(headers: dict[str, str] | None = None, **settings: Any) -> int:
    async with (
        program({"mcpServers": {}}, **settings) as gateway,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{gateway.program._settings.port}") as nobody,
    ):
        return (await nobody.get("/metrics", headers=headers)).status_code


async def test_whoever_is_on_this_machine_may() -> None:
    assert await status() == 200


async def test_who_shows_a_key_on_this_machine_sees_what_the_key_may_see() -> None:
    async with program({"mcpServers": {}}) as gateway:
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


async def test_a_key_that_does_not_hold_opens_nothing_on_this_machine() -> None:
    assert await status({"authorization": "Bearer ilk_wrong"}) == 401


@pytest.mark.parametrize("header", ["forwarded", "x-forwarded-for", "x-real-ip", "via"])
async def test_nobody_may_through_a_proxy_on_this_machine(header: str) -> None:
    assert await status({header: "127.0.0.1"}) == 401


async def test_nobody_may_where_the_address_is_that_of_a_proxy() -> None:
    public = {"public_url": "https://mcp.example.com", "allowed_hosts": ("127.0.0.1",)}

    assert await status(**public) == 401


async def test_nobody_may_where_a_key_is_asked_for_or_all_is_off() -> None:
    assert await status(telemetry={"metrics": "key"}) == 401
    assert await status(telemetry={"metrics": "off"}) == 404
