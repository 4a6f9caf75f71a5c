"""The console's types are those of the API that the program really has."""

from pathlib import Path

import pytest

from tests.console.building import CONSOLE, load
from tests.support.program import program


@pytest.mark.asyncio
async def test_the_types_in_the_console_are_generated_from_the_present_api(
    tmp_path: Path,
) -> None:
    """`make console-types` writes them anew."""
    async with program({"mcpServers": {}}) as gateway:
        openapi = (await gateway.client.get("/api/openapi.json")).content
    target = tmp_path / "schema.d.ts"
    load("api_types").write(openapi, target)
    kept = (CONSOLE / "src" / "api" / "schema.d.ts").read_text()
    assert len(kept) > 10_000
    assert kept == target.read_text(), "run `make console-types`"
