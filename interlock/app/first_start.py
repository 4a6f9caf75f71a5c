"""What the first start makes: project, administrator, first key; and what every start leaves."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from interlock.errors import BadInput, Unauthenticated
from interlock.exports.clients import Endpoint, render
from interlock.identity.api_keys import KeyRing
from interlock.identity.entities import Project
from interlock.identity.people import People
from interlock.identity.principal import Role
from interlock.identity.projects import Projects
from interlock.protocol.json import as_object, dumps, loads
from interlock.settings import Settings

DEFAULT_PROJECT = "default"
LOCAL_KEY_NAME = "local command line"
CREDENTIALS_FILE = "cli.json"


@dataclass(frozen=True, slots=True)
class FirstStart:
    """Shown once: the first API key, the administrator, and a configuration ready to paste."""

    api_key: str = field(repr=False)
    admin_email: str
    admin_password: str | None = field(repr=False)
    client_config: str = field(repr=False)


async def prepare(
    settings: Settings, projects: Projects, people: People, keys: KeyRing
) -> tuple[Project, FirstStart | None]:
    """Make what is not there yet; the second value is None where this is not the first start."""
    project = await projects.find(DEFAULT_PROJECT)
    if project is not None and await keys.list(project.id):
        await people.ensure_administrator(settings.identity.admin_email)
        return project, None
    project = project or await projects.create(DEFAULT_PROJECT)
    password = await people.ensure_administrator(settings.identity.admin_email)
    given = settings.bootstrap_key.get_secret_value() if settings.bootstrap_key else None
    try:
        _, secret = await keys.create(
            project.id, name="first key", role=Role.OWNER, created_by="first start", secret=given
        )
    except BadInput as fault:
        raise BadInput(f"INTERLOCK_BOOTSTRAP_KEY: {fault.message}") from None
    endpoint = Endpoint(
        "interlock",
        f"{settings.address}/mcp/{project.name}",
        f"{settings.address}/sse/{project.name}",
        60,
    )
    config = render("claude-code", [endpoint], secret).text
    return project, FirstStart(secret, settings.identity.admin_email, password, config)


async def leave_credentials(settings: Settings, project: Project, keys: KeyRing) -> None:
    """Write the file by which commands on this machine find us, with an owner's key of its own."""
    path = settings.data_dir / CREDENTIALS_FILE
    key = _kept_key(path, keys)
    if key is None:
        for info in await keys.list(project.id):
            if info.name == LOCAL_KEY_NAME and info.revoked_at is None:
                await keys.revoke(project.id, info.id)
        _, key = await keys.create(
            project.id, name=LOCAL_KEY_NAME, role=Role.OWNER, created_by="first start"
        )
    part = path.with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(dumps({"url": settings.address, "key": key}))
    part.replace(path)


def _kept_key(path: Path, keys: KeyRing) -> str | None:
    try:
        key = (as_object(loads(path.read_bytes())) or {}).get("key")
        if isinstance(key, str):
            keys.find(key)
            return key
    except (OSError, ValueError, Unauthenticated):
        # No file yet, or a key that was revoked meanwhile: another one is made.
        return None
    return None
