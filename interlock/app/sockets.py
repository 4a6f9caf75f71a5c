"""The sockets of the gateway's processes: the port that they share, and a door of each one's own."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from interlock.errors import BadInput
from interlock.gateway.passing import Passage
from interlock.settings import Settings

MAX_SOCKET_PATH: Final = 107  # bytes; the kernel's limit, less the zero at the end
_FOLDER: Final = "run"


@dataclass(frozen=True, slots=True)
class Doors:
    """Where each of the `count` processes is reached by the others: a Unix socket in `folder`."""

    folder: Path
    count: int

    def path(self, number: int) -> str:
        """Return the path of one process's socket."""
        return str(self.folder / f"{number}.sock")

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of all, by number."""
        return tuple(self.path(number) for number in range(self.count))

    def prepare(self) -> None:
        """Make the folder, which no other user may enter. Raises BadInput where it cannot be used."""
        longest = len(os.fsencode(self.path(self.count - 1)))
        if longest > MAX_SOCKET_PATH:
            raise BadInput(
                f"The path of the data directory is {longest - MAX_SOCKET_PATH} bytes too long for "
                "the sockets between the processes; choose a shorter one with --data or "
                "INTERLOCK_DATA_DIR, or start without --workers."
            )
        # What `parents` makes is open to all, and above is the data directory.
        self.folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.folder.chmod(0o700)

    def bind(self, number: int) -> socket.socket:
        """Return the socket of one process, in the place of one that an earlier process left."""
        return self._bind(self.path(number), socket.SOCK_STREAM)

    def passage(self, number: int) -> Passage:
        """Return that by which connections of clients come to one process and go to the others."""
        paths = [str(self.folder / f"{each}.fds") for each in range(self.count)]
        return Passage(paths, self._bind(paths[number], socket.SOCK_DGRAM))

    @staticmethod
    def _bind(place: str, kind: socket.SocketKind) -> socket.socket:
        path = Path(place)
        path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, kind)
        try:
            listening.bind(str(path))
        except OSError:
            listening.close()
            raise
        return listening


def doors_of(settings: Settings) -> Doors | None:
    """Return the doors of a gateway of several processes; one alone has none."""
    if settings.workers == 1:
        return None
    return Doors(settings.data_dir / _FOLDER, settings.workers)


def bind(settings: Settings) -> socket.socket:
    """Return a socket bound to the address; the processes of one gateway all bind the same.

    Raises BadInput where it cannot be used.
    """
    is_shared = settings.workers > 1
    if is_shared and settings.port:
        # A port that is shared would let in whoever shares theirs: first see that it is free.
        _bound(settings, is_shared=False).close()
    return _bound(settings, is_shared=is_shared)


def join(settings: Settings) -> socket.socket:
    """Return a further socket of an address that `bind` has bound. Raises BadInput."""
    return _bound(settings, is_shared=True)


def _bound(settings: Settings, *, is_shared: bool) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # Only where the protocol is named does asyncio turn off Nagle's algorithm, which would hold
    # back the end of each answer until the client acknowledges its beginning, 40 ms later.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if is_shared:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listening.bind((settings.host, settings.port))
    except OSError as error:
        listening.close()
        raise BadInput(
            f"{settings.host}:{settings.port} cannot be used: {error.strerror}. "
            "End what uses it, or choose another port with --port or INTERLOCK_PORT."
        ) from None
    return listening
