"""What the owner of a project says about a server: how to reach it, and with what."""

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

DEFAULT_TIMEOUT = 60.0
DEFAULT_RETRIES = 1

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
    """A server at an address. `headers` go with every request; their values may be secrets.

    `more_urls` are further addresses of the same server, which share its calls.
    """

    url: str
    headers: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    legacy_sse: bool = False
    more_urls: tuple[str, ...] = ()

    @property
    def urls(self) -> tuple[str, ...]:
        """All addresses, each once."""
        return tuple(dict.fromkeys((self.url, *self.more_urls)))


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The connections to each address of a remote server; times in seconds."""

    max: int = 1024
    connect_timeout: float = 10.0
    idle_timeout: float = 50.0


@dataclass(frozen=True, slots=True)
class ServerDefinition:
    """One registered server: `timeout` is the seconds that a call may take without progress.

    `tool_timeouts` are the seconds of single tools, by name or pattern. `disabled_tools` are the
    tools that are switched off, by name or by a pattern in which `*` stands for any characters.
    `retries` is how often a call to a remote server is made again, where it failed and that is safe.
    `auto_approve` names tools that a client may call without asking its user; it is kept for the
    client configurations that we write, and decides nothing here.
    """

    name: str
    target: StdioTarget | HTTPTarget
    timeout: float = DEFAULT_TIMEOUT
    auto_approve: tuple[str, ...] = ()
    disabled: bool = False
    description: str = ""
    tool_timeouts: dict[str, float] = field(default_factory=dict[str, float])
    retries: int = DEFAULT_RETRIES
    connections: ConnectionLimits = ConnectionLimits()
    disabled_tools: tuple[str, ...] = ()

    def connects_like(self, other: "ServerDefinition") -> bool:
        """Tell whether what was built for the other's process or connections serves this one too."""
        # Named are the fields that concern calls alone: a new one counts as the connection's.
        alike = replace(
            self,
            timeout=other.timeout,
            tool_timeouts=other.tool_timeouts,
            disabled_tools=other.disabled_tools,
            retries=other.retries,
            auto_approve=other.auto_approve,
            description=other.description,
        )
        return alike == other

    @property
    def longest_timeout(self) -> float:
        """The seconds that any call may take without progress."""
        return max((self.timeout, *self.tool_timeouts.values()))

    @property
    def transport(self) -> TransportName:
        """The transport's name as configurations and the API spell it."""
        if isinstance(self.target, StdioTarget):
            return "stdio"
        return "sse" if self.target.legacy_sse else "streamable-http"
