"""A gateway to talk to, and a command line to talk with."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from interlock.cli import main
from tests.cli.contract import KEY, Contract, served


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


Interlock = Callable[..., Ended]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the machine that the tests run on counts."""
    for name in list(os.environ):
        if name.startswith("INTERLOCK_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def interlock(capsys: pytest.CaptureFixture[str]) -> Interlock:
    """Run the program with some arguments."""

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        status = main(arguments)
        printed = capsys.readouterr()
        return Ended(status, printed.out, printed.err)

    return run


@pytest.fixture
def contract(monkeypatch: pytest.MonkeyPatch) -> Iterator[Contract]:
    """Serve a gateway, and name it in the environment."""
    contract = Contract()
    with served(contract.app()) as url:
        contract.url = url
        monkeypatch.setenv("INTERLOCK_URL", url)
        monkeypatch.setenv("INTERLOCK_KEY", KEY)
        yield contract
