"""The route of the doctor: what the gateway finds of itself, for administrators.

Left out is what only `interlock doctor` can tell from outside: whether the port answers, whether the
settings are valid, whether a command's key is taken, whether two machines' clocks agree.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from interlock.checks.finding import Code, Finding, Kind, Level
from interlock.checks.machine import check_data_dir, check_python
from interlock.checks.servers import check_commands, check_readiness, check_server
from interlock.errors import Unavailable
from interlock.identity.gate import Gate
from interlock.protocol.json import JSONObject
from interlock.registry.views import ServerView

PATIENCE: Final = 10.0  # seconds


class FindingView(BaseModel):
    """One result: `message` and `cure` in English; `kind` and `facts` to say it otherwise."""

    code: Code
    level: Level
    kind: Kind
    message: str
    cure: str
    facts: dict[str, str]

    @classmethod
    def of(cls, finding: Finding, kind: Kind) -> Self:
        """Show a finding."""
        return cls(
            code=finding.code,
            level=finding.level,
            kind=kind,
            message=finding.message,
            cure=finding.cure,
            facts=dict(finding.facts),
        )


class Findings(BaseModel):
    """What was found; `ok` unless something is an error."""

    ok: bool
    findings: list[FindingView]


@dataclass(frozen=True, slots=True)
class Registered:
    """A server, and the name of its project."""

    project: str
    server: ServerView


@dataclass(frozen=True, slots=True)
class Checkup:
    """What is looked at: the data directory, and what `missing` and `servers` tell when asked."""

    data_dir: Path
    address: str
    missing: Callable[[], Awaitable[dict[str, str]]]
    servers: Callable[[], Awaitable[list[Registered]]]

    async def run(self) -> list[Finding]:
        """Look at everything. Raises Unavailable where the disk does not answer."""
        registered = await self.servers()
        shown = [each.server.model_dump(mode="json") for each in registered]
        try:
            async with asyncio.timeout(PATIENCE):
                of_machine, of_commands = await asyncio.to_thread(self._look, shown)
        except TimeoutError:
            raise Unavailable(
                f"The disk did not answer within {PATIENCE:.0f} seconds; look at {self.data_dir}."
            ) from None
        of_servers = [
            check_server(server, each.project)
            for each, server in zip(registered, shown, strict=True)
        ]
        readiness = check_readiness(await self.missing(), self.address)
        return [*of_machine, readiness, *of_servers, *of_commands]

    def _look(self, servers: list[JSONObject]) -> tuple[list[Finding], list[Finding]]:
        of_machine = [check_python(), *check_data_dir(self.data_dir, in_use=True)]
        return of_machine, list(check_commands(servers))


def routes(checkup: Checkup, gate: Gate) -> APIRouter:
    """Return the route of the doctor."""
    router = APIRouter(prefix="/api/v1", tags=["health"])

    @router.get("/doctor", dependencies=[Depends(gate.administrator())])
    async def run_doctor() -> Findings:
        """Look for what is wrong with the gateway, its machine and all its servers.

        Administrators only, for it names folders of the machine and servers of every project.
        """
        found = [
            FindingView.of(each, each.kind) for each in await checkup.run() if each.kind is not None
        ]
        return Findings(ok=all(each.level is not Level.ERROR for each in found), findings=found)

    return router
