"""The source documents' own paths: bodies as they show them, made into what we keep."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from interlock.upstreams.definition import HTTPTarget
from tests.support.program import RunningProgram, program

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVERS = "/api/mcp/servers"
KEPT = "/api/v1/projects/default/servers"
URL = "http://127.0.0.1:1/mcp"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[RunningProgram]:
    async with program({"mcpServers": {}}) as started:
        yield started


async def added(running: RunningProgram, **body: Any) -> dict[str, Any]:
    """Add a server, and remove it again once its answer and what is kept of it are known."""
    answer = await running.client.post(SERVERS, json={"name": "a server", "enabled": False, **body})
    assert answer.status_code == 201, answer.text
    shown = answer.json()
    kept = (await running.client.get(f"{KEPT}/{shown['id']}")).json()
    await running.client.delete(f"{SERVERS}/{shown['id']}")
    return {**shown, "kept": kept}


@pytest.mark.parametrize(
    ("transport", "kept"), [("streamable_http", "streamable-http"), ("sse", "sse")]
)
async def test_transports_are_spelled_as_documented(
    running: RunningProgram, transport: str, kept: str
) -> None:
    server = await added(running, endpoint_url=URL, transport_type=transport)

    assert (server["transport_type"], server["kept"]["transport"]) == (transport, kept)
    assert (server["endpoint_url"], server["enabled"]) == (URL, False)


AUTHENTICATIONS: list[tuple[dict[str, Any], str, list[str]]] = [
    ({}, "none", []),
    ({"auth_type": "none"}, "none", []),
    ({"auth_type": "none", "auth_config": {}}, "none", []),
    (
        {"auth_type": "bearer", "auth_config": {"token": "a-token"}},
        "bearer",
        ["Authorization"],
    ),
    ({"auth_type": "api_key", "auth_config": {"api_key": "a-key"}}, "api_key", ["X-API-Key"]),
    (
        {"auth_type": "api_key", "auth_config": {"key": "a-key", "header": "X-Own"}},
        "api_key",
        ["X-Own"],
    ),
    (
        {
            "auth_type": "bearer",
            "auth_config": {"token": "a-token"},
            "headers": {"X-Client-ID": "me"},
        },
        "bearer",
        ["Authorization", "X-Client-ID"],
    ),
]


@pytest.mark.parametrize(("body", "kind", "headers"), AUTHENTICATIONS)
async def test_authentication_becomes_headers(
    running: RunningProgram, body: dict[str, Any], kind: str, headers: list[str]
) -> None:
    server = await added(running, endpoint_url=URL, **body)

    assert (server["auth_type"], server["kept"]["header_names"]) == (kind, headers)
    assert "a-token" not in str(server)
    assert "a-key" not in str(server)


@pytest.mark.parametrize(
    "body",
    [
        {"auth_type": "bearer"},
        {"auth_type": "bearer", "auth_config": {"token": 7}},
        {"auth_type": "api_key", "auth_config": {}},
        {"auth_type": "basic", "auth_config": {"user": "me"}},
    ],
)
async def test_authentication_that_says_too_little_is_refused(
    running: RunningProgram, body: dict[str, Any]
) -> None:
    answer = await running.client.post(SERVERS, json={"name": "x", "endpoint_url": URL, **body})

    assert answer.status_code == 400
    assert '"auth_type"' in answer.json()["error"]["message"]


async def test_a_change_keeps_what_it_does_not_name(running: RunningProgram) -> None:
    body = {
        "name": "changing",
        "description": "before",
        "endpoint_url": URL,
        "auth_type": "bearer",
        "auth_config": {"token": "a-token"},
        "enabled": False,
    }
    server_id = (await running.client.post(SERVERS, json=body)).json()["id"]

    changed = await running.client.put(f"{SERVERS}/{server_id}", json={"description": "after"})
    elsewhere = await running.client.put(
        f"{SERVERS}/changing", json={"endpoint_url": f"{URL}/2", "transport_type": "sse"}
    )
    open_now = await running.client.put(f"{SERVERS}/changing", json={"auth_type": "none"})
    await running.client.delete(f"{SERVERS}/{server_id}")

    shown = changed.json()
    assert (shown["description"], shown["endpoint_url"]) == ("after", URL)
    assert (shown["auth_type"], shown["enabled"]) == ("bearer", False)
    assert elsewhere.json()["transport_type"] == "sse"
    assert elsewhere.json()["auth_type"] == "bearer"
    assert open_now.json()["auth_type"] == "none"


async def test_what_the_api_shows_hidden_stays_when_it_is_sent_back(
    running: RunningProgram,
) -> None:
    secret = f"{URL}?key=a-secret-value"
    body = {"name": "hiding", "endpoint_url": secret, "enabled": False}
    shown = (await running.client.post(SERVERS, json=body)).json()

    sent_back = {"endpoint_url": shown["endpoint_url"], "description": "changed"}
    changed = (await running.client.put(f"{SERVERS}/hiding", json=sent_back)).json()
    project = (await running.client.get("/api/v1/projects/default")).json()["id"]
    kept = running.registry.find(project, "hiding").definition.target
    await running.client.delete(f"{SERVERS}/hiding")

    assert changed["endpoint_url"] == shown["endpoint_url"] == f"{URL}?key=***"
    assert isinstance(kept, HTTPTarget)
    assert kept.url == secret


async def test_status_of_a_project_server_is_one_of_the_documented_words(
    running: RunningProgram,
) -> None:
    await running.client.post(KEPT, json={"name": "gone", "url": URL})
    await running.client.post(KEPT, json={"name": "idle", "url": URL, "disabled": True})
    await running.until(lambda conditions: conditions["gone"] == "failed")

    listed = (await running.client.get("/projects/default/servers")).json()
    for name in ("gone", "idle"):
        await running.client.delete(f"{KEPT}/{name}")

    assert {each["name"]: each["status"] for each in listed} == {
        "gone": "error",
        "idle": "disabled",
    }


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
async def test_a_server_that_is_not_there_is_not_found(
    running: RunningProgram, method: str
) -> None:
    body: Any = {"json": {}} if method == "PUT" else {}

    answer = await running.client.request(method, f"{SERVERS}/nowhere", **body)

    assert answer.status_code == 404
