"""Which gateway a command talks to, in which project, and with which key."""

import ipaddress
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from dotenv import dotenv_values

from interlock.errors import BadInput
from interlock.protocol.json import as_object, loads

DEFAULT_URL = "http://127.0.0.1:20100"
DEFAULT_PROJECT = "default"
DEFAULT_DATA_DIR = ".interlock"
CREDENTIALS = "cli.json"
_MAX_CREDENTIALS = 64 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Target:
    """One project of one gateway. `url` has no slash at its end; `given_key` came by a flag."""

    url: str
    project: str
    key: str | None = field(default=None, repr=False)
    given_key: str | None = field(default=None, repr=False)

    @property
    def endpoint(self) -> str:
        """The address of the project's unified MCP endpoint."""
        return f"{self.url}/mcp/{self.project}"

    @property
    def is_local(self) -> bool:
        """Whether the gateway runs on this machine, as far as its address tells."""
        return is_loopback(urlsplit(self.url).hostname or "")


@dataclass(frozen=True, slots=True)
class _Credentials:
    """What a gateway on this machine left for its commands."""

    url: str
    key: str = field(repr=False)


def find_target(
    *,
    url: str | None = None,
    key: str | None = None,
    project: str | None = None,
    data: Path | None = None,
) -> Target:
    """Combine flags, environment and the file that a gateway on this machine leaves.

    The key in that file goes only to the address in that file. Raises BadInput for an address or
    a key that cannot be used, and for a file that others could have written.
    """
    named = url or os.environ.get("INTERLOCK_URL")
    own_key = key or os.environ.get("INTERLOCK_KEY") or None
    left = None if named and own_key else _credentials(data_dir(data))
    address = checked_url(named or (left.url if left else DEFAULT_URL))
    if own_key is None and left is not None and _origin(address) == _origin(left.url):
        own_key = left.key
    return Target(
        url=address,
        project=project or os.environ.get("INTERLOCK_PROJECT") or DEFAULT_PROJECT,
        key=_checked_key(own_key),
        given_key=_checked_key(key),
    )


def data_dir(given: Path | None) -> Path:
    """Return where a gateway that is started here keeps its data."""
    if given is not None:
        return given
    name = "INTERLOCK_DATA_DIR"
    return Path(os.environ.get(name) or dotenv_values(".env").get(name) or DEFAULT_DATA_DIR)


def checked_url(url: str) -> str:
    """Return an address without the slash at its end. Raises BadInput."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise BadInput(
            "The address must begin with http:// or https:// and name a host; "
            "correct --url or INTERLOCK_URL."
        )
    if "@" in urlsplit(url).netloc:
        raise BadInput("The address must not hold a password; give the key with INTERLOCK_KEY.")
    return url.rstrip("/")


def is_loopback(host: str) -> bool:
    """Tell whether a host's name or number means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_key(key: str | None) -> str | None:
    if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
        raise BadInput(
            "The key holds characters that no key has; copy it again into --key or INTERLOCK_KEY."
        )
    return key


def _credentials(folder: Path) -> _Credentials | None:
    path = folder / CREDENTIALS
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MAX_CREDENTIALS)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise BadInput(
            f"The credentials file {path} cannot be read: {error.strerror}; "
            "give the key with --key or INTERLOCK_KEY."
        ) from None
    if stat.S_IMODE(mode) & (stat.S_IRWXG | stat.S_IRWXO):
        # A file that came with a folder of somebody else would send our key to their address.
        raise BadInput(
            f"The credentials file {path} is open to other users; close it with: chmod 600 {path}."
        )
    return _parsed(path, content)


def _parsed(path: Path, content: bytes) -> _Credentials:
    try:
        members = as_object(loads(content)) or {}
    except ValueError:
        members = {}
    url, key = members.get("url"), members.get("key")
    if not isinstance(url, str) or not isinstance(key, str):
        raise BadInput(
            f"The credentials file {path} is damaged; restart the gateway to write it anew."
        )
    return _Credentials(checked_url(url), key)


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme, "localhost" if is_loopback(host) else host, _port(parts)


def _port(parts: SplitResult) -> int | None:
    return parts.port or {"http": 80, "https": 443}.get(parts.scheme)
