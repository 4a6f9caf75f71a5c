"""Writes `src/api/schema.d.ts`, the types of the control API, from the program's own OpenAPI.

make console-types
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from build import CONSOLE, install, run

from interlock.app.program import Program
from interlock.settings import Settings

KEPT = CONSOLE / "src" / "api" / "schema.d.ts"


def write(openapi: bytes, target: Path) -> None:
    """Write the types of an OpenAPI document. Raises RuntimeError."""
    install()
    with tempfile.TemporaryDirectory() as scratch:
        document = Path(scratch) / "openapi.json"
        document.write_bytes(openapi)
        run("openapi-typescript", str(document), "--output", str(target))


async def describe() -> bytes:
    """Ask the program for its OpenAPI document, without a socket."""
    with tempfile.TemporaryDirectory() as scratch:
        program = Program(Settings.model_validate({"data_dir": scratch}))
        try:
            await program.open(None)
            return await _asked(program)
        finally:
            await program.close()


async def _asked(program: Program) -> bytes:
    parts: list[bytes] = []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/api/openapi.json",
        "raw_path": b"/api/openapi.json",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 0),
        "scheme": "http",
        "http_version": "1.1",
        "server": ("127.0.0.1", 0),
    }

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        if isinstance(body := message.get("body"), bytes):
            parts.append(body)

    await program(scope, receive, send)  # pyright: ignore[reportArgumentType]
    return b"".join(parts)


if __name__ == "__main__":
    write(asyncio.run(describe()), KEPT)
    sys.stdout.write(f"{KEPT.relative_to(CONSOLE.parent)} is up to date\n")
