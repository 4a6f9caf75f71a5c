"""Configurations that people already have, read into server definitions."""

from interlock.registry.config.imported import (
    ConfigFault,
    ConfigWarning,
    ImportedConfig,
    InterlockOptions,
)
from interlock.registry.config.reading import read_config
from interlock.registry.config.server import definition_from_fields

__all__ = [
    "ConfigFault",
    "ConfigWarning",
    "ImportedConfig",
    "InterlockOptions",
    "definition_from_fields",
    "read_config",
]
