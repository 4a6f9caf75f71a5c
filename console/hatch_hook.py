"""Puts the console into the wheel, built from its sources if need be."""

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Build front ends load this file by its path, without the folder that it lies in.
sys.path.insert(0, str(Path(__file__).resolve().parent))
import build


class ConsoleHook(BuildHookInterface):
    """Runs before a wheel is packed; an editable install serves what `make run` builds."""

    def dependencies(self) -> list[str]:
        """Ask for Node, but only where there is something to build."""
        return [] if build.is_skipped() or build.is_fresh() else [build.NODE_WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and name the result as part of the wheel."""
        if version == "editable":
            return
        build.build()
        if build.DIST.is_dir():
            build_data["force_include"][str(build.DIST)] = "interlock/console"
