"""Shares the tests among several processes, and runs by itself what measures the machine.

A run of folders is shared, file by file, by one process for each core and one more: most tests wait
for processes that they started. A run of single files stays in one process, where `-s` shows what a
test prints. `-n` decides otherwise, `-n 0` for one process.

What `alone` in pyproject.toml names begins when all other tests have ended, in one process.
"""

import gc
import os
from collections.abc import Sequence

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

ALONE = "alone"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the configuration name the tests that measure the machine."""
    told = "files and folders whose tests need the machine to themselves"
    parser.addini(ALONE, told, type="linelist", default=[])


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return how many processes share the tests, 0 for none but this one."""
    places = [each.partition("::")[0] for each in config.args]
    is_shared = config.getoption("capture") != "no" and not all(
        place.endswith(".py") or is_within(place, config.getini(ALONE)) for place in places
    )
    return len(os.sched_getaffinity(0)) + 1 if is_shared else 0


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    """Share the tests in our way, unless the command line names another."""
    return AloneLast(config, log) if config.getoption("dist") == "load" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put last what runs alone, here too where nothing is shared."""
    items.sort(key=lambda item: is_within(item.nodeid, config.getini(ALONE)))


def pytest_collection_finish() -> None:
    """Let garbage be looked for among what tests make only: what was collected stays to the end."""
    gc.collect()
    gc.freeze()


def is_within(place: str, folders: Sequence[str]) -> bool:
    """Tell whether a file or folder, or a test by its id, is one of these or lies in one of them."""
    file = os.path.normpath(place.partition("::")[0])
    return any(file == folder or file.startswith(f"{folder}/") for folder in folders)


class AloneLast(LoadFileScheduling):
    """Gives files to whichever process is free, and those that run alone to the last that is left."""

    def remove_node(self, node: WorkerController) -> str | None:
        """Let the last process begin with what runs alone as soon as all others have ended."""
        crashed = super().remove_node(node)
        if len(self.nodes) == 1 and self.workqueue:
            self._reschedule(self.nodes[0])
        return crashed

    def _assign_work_unit(self, node: WorkerController) -> None:
        others = [each for each in self.nodes if each is not node]
        if not others or not is_within(next(iter(self.workqueue)), self.config.getini(ALONE)):
            super()._assign_work_unit(node)
        elif not all(each.shutting_down for each in others):
            node.shutdown()
