"""The doctor over the API: what the gateway finds of itself, for administrators alone."""

from typing import Any

import httpx2

from tests.integration import servers
from tests.integration.people import administrator, new_project
from tests.support.program import program

DOCTOR = "/api/v1/doctor"


async def found(browser: httpx2.AsyncClient) -> dict[str, Any]:
    answer = await browser.get(DOCTOR)
    assert answer.status_code == 200, answer.text
    return answer.json()


def by_code(document: dict[str, Any], code: str) -> list[dict[str, Any]]:
    return [each for each in document["findings"] if each["code"] == code]


async def test_where_all_is_well_everything_is_fine() -> None:
    async with (
        program({"mcpServers": {"sample": servers.sample()}}) as gateway,
        administrator(gateway) as browser,
    ):
        await gateway.up("sample")
        document = await found(browser)

    assert (document["ok"], {each["level"] for each in document["findings"]}) == (True, {"ok"})
    assert {each["code"] for each in document["findings"]} == {
        f"ILK0{number:02}" for number in (1, 4, 5, 6, 7, 8, 11, 12)
    }


async def test_what_is_wrong_is_found_in_every_project_and_gone_once_it_is_mended() -> None:
    config = {"mcpServers": {"ended": servers.dead(), "lost": servers.stdio(["/nowhere/uvx", "x"])}}
    async with program(config) as gateway, administrator(gateway) as browser:
        await new_project(browser, "other")
        added = await browser.post(
            "/api/v1/projects/other/servers", json={"name": "far", **servers.sample()}
        )
        assert added.status_code == 201, added.text
        await gateway.until(lambda all_of: set(all_of.values()) == {"failed"})

        async def far_is_up() -> bool:
            there = await browser.get("/api/v1/projects/other/servers/far")
            return there.json()["status"] == "ok"

        await gateway.eventually(far_is_up, "other")
        key = gateway.data_dir / "master.key"
        key.chmod(0o644)
        document = await found(browser)
        key.chmod(0o600)
        mended = await found(browser)

    states = {
        (each["facts"]["project"], each["facts"]["server"]): each["level"]
        for each in by_code(document, "ILK011")
    }
    assert states == {
        ("default", "ended"): "error",
        ("default", "lost"): "error",
        ("other", "far"): "ok",
    }
    missing = [each for each in by_code(document, "ILK012") if each["level"] == "error"]
    assert [(each["facts"]["command"], each["facts"]["servers"]) for each in missing] == [
        ("/nowhere/uvx", "lost")
    ]
    assert document["ok"] is False
    assert [each["level"] for each in by_code(document, "ILK005")] == ["error"]
    assert [each["level"] for each in by_code(mended, "ILK005")] == ["ok"]


async def test_owners_of_a_project_and_strangers_are_told_nothing() -> None:
    async with program({"mcpServers": {}}) as gateway:
        owner = await gateway.client.get(DOCTOR)
        async with httpx2.AsyncClient(base_url=gateway.address) as nobody:
            stranger = await nobody.get(DOCTOR)

    assert (owner.status_code, stranger.status_code) == (403, 401)
