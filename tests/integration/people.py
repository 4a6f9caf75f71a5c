"""The administrator of a program under test, signed in as a browser would be."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from tests.support.program import RunningProgram

CHOSEN = "a long enough pass phrase"


@asynccontextmanager
async def administrator(gateway: RunningProgram) -> AsyncIterator[httpx2.AsyncClient]:
    """Sign in after a first start, with a password of one's own choice; it works once."""
    assert gateway.report.first is not None
    first = gateway.report.first
    async with httpx2.AsyncClient(base_url=gateway.address, timeout=60) as browser:
        password = first.admin_password
        for chosen in (password, CHOSEN):
            answer = await browser.post(
                "/api/v1/auth/login", json={"email": first.admin_email, "password": chosen}
            )
            assert answer.status_code == 200, answer.text
            browser.headers["x-csrf-token"] = answer.json()["csrf_token"]
            if chosen is password:
                body = {"current_password": password, "new_password": CHOSEN}
                changed = await browser.post("/api/v1/auth/password", json=body)
                assert changed.status_code == 204, changed.text
        yield browser


async def new_project(browser: httpx2.AsyncClient, name: str) -> str:
    """Make a project and return an owner's key of it."""
    made = await browser.post("/api/v1/projects", json={"name": name})
    assert made.status_code == 201, made.text
    body = {"name": "its owner", "role": "owner"}
    key = await browser.post(f"/api/v1/projects/{name}/keys", json=body)
    assert key.status_code == 201, key.text
    return key.json()["secret"]
