"""A server that starts only while its gate is open, and that a test can kill."""

import os
import shlex
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.servers import stdio

_SCRIPT = """
echo $$ > {pid}
echo started >> {starts}
while [ -e {gate} ]; do sleep 0.05; done
exec {python} -m interlock.station.sample_server
"""


@dataclass(frozen=True, slots=True)
class Gate:
    """The gate of one sample server; its files stand in `folder`."""

    folder: Path

    def definition(self) -> dict[str, Any]:
        """Define the server behind the gate."""
        script = _SCRIPT.format(
            pid=shlex.quote(str(self._pid)),
            starts=shlex.quote(str(self._starts)),
            gate=shlex.quote(str(self._gate)),
            python=shlex.quote(sys.executable),
        )
        return stdio(["/bin/sh", "-c", script])

    def shut(self) -> None:
        """Let no further start of the server come to its end."""
        self._gate.touch()

    def open(self) -> None:
        """Let the server start."""
        self._gate.unlink()

    def kill(self) -> None:
        """Kill the server as it runs now."""
        os.kill(int(self._pid.read_text()), signal.SIGKILL)

    @property
    def starts(self) -> int:
        """How many times the server was started."""
        return len(self._starts.read_text().splitlines()) if self._starts.exists() else 0

    @property
    def _pid(self) -> Path:
        return self.folder / "pid"

    @property
    def _starts(self) -> Path:
        return self.folder / "starts"

    @property
    def _gate(self) -> Path:
        return self.folder / "gate"
