"""A small process that outlives us by a moment, and kills what we host if we are killed."""

import asyncio
from contextlib import suppress
from typing import Final

# It reads lines, each the whole list of groups to kill. Its input ends when our end of the pipe is
# closed, by us or by the kernel after a SIGKILL. No process can be left between two fork calls, as
# with a preexec_fn that calls prctl(PR_SET_PDEATHSIG); grandchildren are covered, macOS too.
_SCRIPT: Final = """
trap '' HUP INT TERM
while read -r line; do groups=$line; done
for group in $groups; do kill -s KILL -- "-$group"; done
"""
_STOP_TIMEOUT: Final = 5.0
_MAX_UNREAD: Final = 64 * 1024


class Warden:
    """Guards process groups: if this program dies without a word, they are killed at once."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The warden's own process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start the warden, or start it again if someone ended it. Raises OSError."""
        async with self._starting:
            if self.pid is not None:
                return
            self._process = await asyncio.create_subprocess_exec(
                "/bin/sh",
                "-c",
                _SCRIPT,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )
            self._tell()

    def guard(self, group: int) -> None:
        """Kill the process group `group` if we die."""
        self._groups.add(group)
        self._tell()

    def release(self, group: int) -> None:
        """Forget a group, as its processes are gone and its id may be given to another."""
        self._groups.discard(group)
        self._tell()

    async def close(self) -> None:
        """End the warden; it kills nothing that was released before."""
        async with self._starting:
            if self._process is not None:
                await _end(self._process)

    def _tell(self) -> None:
        pipe = self._process.stdin if self._process else None
        # A warden that was suspended reads nothing; each line holds everything, so one may be lost.
        if pipe is None or pipe.transport.get_write_buffer_size() > _MAX_UNREAD:
            return
        pipe.write(" ".join(map(str, self._groups)).encode() + b"\n")


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(_STOP_TIMEOUT):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
