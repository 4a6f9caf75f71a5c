"""Runs the clients, each a program of its own, and reads their reports."""

import json
import re
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.node import node, node_environment, npm_packages
from tests.support.processes import finished
from tests.support.pythons import python_environment, python_with

JSONObject = dict[str, Any]

CLIENT_SECONDS = 300.0
LEGACY, SSE, MODERN = "http", "sse", "modern"
"""The ways to come: Streamable HTTP of the legacy era, HTTP+SSE, Streamable HTTP in either era."""

_HERE = Path(__file__).resolve().parent
_REPORT = re.compile(r"^REPORT (.*)$", re.MULTILINE)


def _python(name: str, lock: str | None = None) -> list[str]:
    python = sys.executable if lock is None else str(python_with(_HERE / lock))
    return [python, str(_HERE / name)]


def _typescript(name: str) -> list[str]:
    return [str(node()), str(_HERE / name)]


@dataclass(frozen=True, slots=True)
class ForeignClient:
    """A client that others wrote: how it is started, and the ways in which it can come."""

    command: Callable[[], list[str]]
    ways: tuple[str, ...]
    loses_progress_by: tuple[str, ...] = ()
    """Ways in which it forgets who wants to hear of progress as soon as it reads the answer, and
    before it looks at what came in the same piece of the stream; also without the gateway. Over
    stdio it does as well."""

    @property
    def speaks_modern(self) -> bool:
        """Whether it speaks the modern era."""
        return MODERN in self.ways


CLIENTS = {
    "python-sdk-1": ForeignClient(
        lambda: _python("python_sdk_1_client.py", "python_sdk_1.txt"), (LEGACY, SSE)
    ),
    "python-sdk-2": ForeignClient(lambda: _python("python_sdk_2_client.py"), (LEGACY, SSE, MODERN)),
    "fastmcp": ForeignClient(
        lambda: _python("fastmcp_client.py", "fastmcp.txt"), (LEGACY, SSE, MODERN)
    ),
    "typescript-sdk-1": ForeignClient(
        lambda: _typescript("typescript_sdk_1_client.mjs"), (LEGACY, SSE), (SSE,)
    ),
    "typescript-sdk-2": ForeignClient(
        lambda: _typescript("typescript_sdk_2_client.mjs"), (LEGACY, SSE, MODERN), (SSE,)
    ),
}


@dataclass(frozen=True, slots=True)
class Run:
    """One connection of a client: where to, and the steps it does there."""

    target: JSONObject
    steps: list[JSONObject]


@dataclass(frozen=True, slots=True)
class Report:
    """What a client saw in one run: `facts` of the connection, outcomes of the steps by label."""

    facts: JSONObject
    outcomes: dict[str, JSONObject]

    def result(self, label: str) -> Any:
        """Return what a step returned; fail where it did not return."""
        outcome = self.outcomes[label]
        assert "result" in outcome, f"{label}: {outcome}"
        return outcome["result"]


def run_client(name: str, runs: dict[str, Run]) -> dict[str, Report]:
    """Let a client do all these runs, one after the other, and return its reports."""
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.json"
        wanted = [{"target": run.target, "steps": run.steps} for run in runs.values()]
        plan.write_text(json.dumps({"runs": wanted}), encoding="utf-8")
        done = finished(
            [*CLIENTS[name].command(), str(plan), str(npm_packages())],
            timeout=CLIENT_SECONDS,
            env={**python_environment(), "PATH": node_environment()["PATH"]},
        )
    told = _REPORT.search(done.output)
    if told is None:
        raise RuntimeError(f"{name} ended with status {done.status}:\n{done.output}")
    reports = json.loads(told[1])["runs"]
    return {
        key: Report(report["facts"], _labelled(run, report))
        for (key, run), report in zip(runs.items(), reports, strict=True)
    }


def _labelled(run: Run, report: JSONObject) -> dict[str, JSONObject]:
    labels = [step["label"] for step in run.steps]
    assert len(set(labels)) == len(labels), "Two steps have the same label."
    return dict(zip(labels, report["steps"], strict=True))
