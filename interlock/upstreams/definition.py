"""What the owner of a project says about a server: how to reach it, and with what."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

DEFAULT_TIMEOUT = 60.0

TransportName: TypeAlias = Literal["stdio", "streamable-http", "sse"]


@dataclass(frozen=True, slots=True)
class StdioTarget:
    """A process that we start and speak to over its standard streams.

    `env` is added to a small inherited environment; its values may be secrets.
    """

    command: str
    args: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    cwd: str | None = None


@dataclass(frozen=True, slots=True)
class HTTPTarget:
    """A server at an address. `headers` go with every request; their values may be secrets."""

    url: str
    headers: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    legacy_sse: bool = False


@dataclass(frozen=True, slots=True)
class ServerDefinition:
    """One registered server: `timeout` is the seconds that a call may take without progress.

    `auto_approve` names tools that a client may call without asking its user; it is kept for the
    client configurations that we write, and decides nothing here.
    """

    name: str
    target: StdioTarget | HTTPTarget
    timeout: float = DEFAULT_TIMEOUT
    auto_approve: tuple[str, ...] = ()
    disabled: bool = False
    description: str = ""

    @property
    def transport(self) -> TransportName:
        """The transport's name as configurations and the API spell it."""
        if isinstance(self.target, StdioTarget):
            return "stdio"
        return "sse" if self.target.legacy_sse else "streamable-http"
