"""Puts into the wheel what is not there as Python: the console, and compiled modules if asked for."""

import os
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Build front ends load this file by its path, without the folder that it lies in.
sys.path.insert(0, str(Path(__file__).resolve().parent / "console"))
sys.path.insert(0, str(Path(__file__).resolve().parent / "native"))
import build
import compiled


class WheelHook(BuildHookInterface):
    """Runs before a wheel is packed; an editable install serves what `make run` builds."""

    def dependencies(self) -> list[str]:
        """Ask for Node and a compiler, but only where there is something to build."""
        node = [] if build.is_skipped() or build.is_fresh() else [build.NODE_WHEEL]
        return [*node, *(compiled.COMPILER if _is_compiled() else ())]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and name the results as parts of the wheel."""
        if version == "editable":
            return
        build.build()
        if build.DIST.is_dir():
            build_data["force_include"][str(build.DIST)] = "interlock/console"
        if _is_compiled():
            folder = compiled.package()
            for path in folder.rglob("*.so"):
                build_data["force_include"][str(path)] = path.relative_to(folder).as_posix()
            build_data["pure_python"] = False
            build_data["infer_tag"] = True


def _is_compiled() -> bool:
    return os.environ.get(compiled.SWITCH) == "1"
