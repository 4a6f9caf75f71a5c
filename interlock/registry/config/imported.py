"""What a configuration said: its servers, its options, and what could not be taken from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from interlock.upstreams.definition import ServerDefinition

Naming: TypeAlias = Literal["prefix", "plain"]


@dataclass(frozen=True, slots=True)
class ConfigFault:
    """One thing that is wrong; `message` is whole in itself and names the cure.

    `server` is None for what concerns the file, `field` None for what concerns a whole server.
    """

    message: str
    server: str | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True)
class ConfigWarning:
    """One thing that was understood, or not known, and was not carried over."""

    message: str
    server: str | None = None
    field: str | None = None


@dataclass(frozen=True, slots=True)
class InterlockOptions:
    """The `interlock` key beside the servers.

    `aliases` maps a further tool name to the `server__tool` that it stands for; `open` lets
    callers in without a key, which whoever starts the program allows on a loopback address only.
    """

    naming: Naming = "prefix"
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])
    open: bool = False


@dataclass(frozen=True, slots=True)
class ImportedConfig:
    """A configuration as far as it could be read; `servers` are in the order of the file.

    `dialect` names the client whose format it is, or `generic`. A server with a fault is not
    among `servers`; the others are.
    """

    dialect: str
    servers: tuple[ServerDefinition, ...] = ()
    faults: tuple[ConfigFault, ...] = ()
    options: InterlockOptions = field(default_factory=InterlockOptions)
    warnings: tuple[ConfigWarning, ...] = ()
