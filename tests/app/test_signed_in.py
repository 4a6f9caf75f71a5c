"""People call MCP endpoints with their login, when the proof of our own pages comes with it."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.integration.people import administrator, new_project
from tests.integration.servers import sample
from tests.matrix.raw_client import BOTH, LEGACY, MODERN, PREFIX, JSONObject
from tests.support.program import program

MCP = "/mcp/default"
META = {
    f"{PREFIX}protocolVersion": MODERN,
    f"{PREFIX}clientInfo": {"name": "page", "version": "1"},
    f"{PREFIX}clientCapabilities": {},
}


def call(text: str) -> JSONObject:
    """Make the modern call of a tool."""
    params = {"name": "sample__echo", "arguments": {"message": text}, "_meta": META}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


HEADERS = {
    "accept": BOTH,
    "mcp-protocol-version": MODERN,
    "mcp-method": "tools/call",
    "mcp-name": "sample__echo",
}


@pytest.fixture(name="browser")
async def signed_in() -> AsyncIterator[httpx2.AsyncClient]:
    """Sign in to a gateway with the sample server."""
    async with program({"mcpServers": {"sample": sample()}}) as gateway:
        await gateway.up("sample")
        async with administrator(gateway) as browser:
            yield browser


async def test_a_login_calls_a_tool_and_the_record_names_the_person(
    browser: httpx2.AsyncClient,
) -> None:
    answer = await browser.post(MCP, json=call("hello"), headers=HEADERS)
    assert answer.json()["result"]["content"][0]["text"] == "hello"
    records = (await browser.get("/api/v1/projects/default/records")).json()["records"]
    record = next(each for each in records if each["method"] == "tools/call")
    assert record["principal_kind"] == "person"
    assert record["outcome"] == "ok"
    assert record["request_id"] == answer.headers["x-request-id"]


async def test_a_login_opens_a_session_of_the_legacy_era_and_ends_it(
    browser: httpx2.AsyncClient,
) -> None:
    params = {
        "protocolVersion": LEGACY,
        "capabilities": {},
        "clientInfo": {"name": "page", "version": "1"},
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    opened = await browser.post(MCP, json=body, headers={"accept": BOTH})
    session = {"mcp-session-id": opened.headers["mcp-session-id"], "accept": BOTH}
    listed = await browser.post(
        MCP, json={"jsonrpc": "2.0", "id": 2, "method": "tools/list"}, headers=session
    )
    assert "sample__echo" in listed.text
    assert (await browser.delete(MCP, headers=session)).status_code == 204


async def test_a_login_does_nothing_without_the_proof_of_our_own_pages(
    browser: httpx2.AsyncClient,
) -> None:
    proof = browser.headers.pop("x-csrf-token")
    answer = await browser.post(MCP, json=call("hello"), headers=HEADERS)
    assert answer.status_code == 401
    wrong = {**HEADERS, "x-csrf-token": "wrong"}
    for method in ("POST", "GET", "DELETE"):
        answer = await browser.request(method, MCP, headers=wrong)
        assert answer.status_code == 403
        assert "X-CSRF-Token" in answer.json()["error"]["message"]
    browser.headers["x-csrf-token"] = proof
    records = (await browser.get("/api/v1/projects/default/records")).json()["records"]
    assert {each["reason"] for each in records} == {"unauthenticated", "csrf_refused"}


async def test_the_proof_without_a_login_is_refused(browser: httpx2.AsyncClient) -> None:
    browser.cookies.clear()
    answer = await browser.post(MCP, json=call("hello"), headers=HEADERS)
    assert answer.status_code == 401


async def test_a_key_goes_before_the_login(browser: httpx2.AsyncClient) -> None:
    key = await new_project(browser, "other")
    mine = {**HEADERS, "authorization": f"Bearer {key}"}
    # The key is of another project, and sees nothing of this one.
    assert (await browser.post(MCP, json=call("hello"), headers=mine)).status_code == 404


async def test_a_login_that_has_ended_calls_nothing(browser: httpx2.AsyncClient) -> None:
    cookies = dict(browser.cookies)
    await browser.post("/api/v1/auth/logout")
    browser.cookies.update(cookies)
    answer = await browser.post(MCP, json=call("hello"), headers=HEADERS)
    assert answer.status_code == 401
