"""`make bench`: the same calls direct, through nginx, through peers and through Interlock, in turns.

Interlock takes part as it is released, with compiled modules, and as plain Python.

Each contender runs on one core, the load and the server behind on another. What counts is the
processor time that a contender spends on a call, since load and server are never the bottleneck of
that; latencies are shown beside it. Rounds are interleaved, and medians shown with their spread.
Then one connection calls, with everybody on one core: what is added there to a direct call is not
what it takes one core to wake another. Last are the start with many servers, and the memory of idle
sessions.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import startup
from bench.contenders import CORE, DIRECT_NAME, NGINX_NAME, OTHER, Contender, start
from bench.running import pin, spent


def main() -> int:
    """Run all rounds and print the tables."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=32)
    asked = parser.parse_args()
    folder = tempfile.TemporaryDirectory()
    with folder as place:
        with ExitStack() as stack:
            contenders = start(stack, Path(place))
            for number in range(asked.rounds + 1):
                for contender in contenders:
                    outcome, cost = _load(contender, asked.connections, asked.seconds, OTHER)
                    # The first round warms up.
                    if number and outcome["calls"]:
                        contender.costs.append(cost / outcome["calls"] * 1e6)
                        contender.p50s.append(outcome["p50"])
                        contender.p99s.append(outcome["p99"])
            _alone(contenders, asked.rounds, asked.seconds)
        _print(contenders)
        _print_alone(contenders)
        startup.show(*startup.measure(Path(place)))
    return 0


def _alone(contenders: list[Contender], rounds: int, seconds: float) -> None:
    pin([pid for each in contenders for pid in each.pids], CORE)
    for number in range(rounds + 1):
        for contender in contenders:
            outcome, _ = _load(contender, 1, seconds, CORE)
            if number and outcome["calls"]:
                contender.alone.append(outcome["p50"])


def _load(
    contender: Contender, connections: int, seconds: float, core: int
) -> tuple[dict[str, Any], float]:
    order = json.dumps([contender.aim, connections, seconds])
    before = spent(contender.pids)
    done = subprocess.run(  # noqa: S603 -- our own command
        ["taskset", "-c", str(core), sys.executable, "-m", "bench.load", order],  # noqa: S607
        check=True,
        stdout=subprocess.PIPE,
        timeout=seconds + 120,
    )
    outcome: dict[str, Any] = json.loads(done.stdout)
    if outcome["faults"]:
        print(f"{contender.name}: {outcome['faults']} calls were not answered", file=sys.stderr)
    # What was not written yet of the records is part of the work.
    time.sleep(1)
    return outcome, spent(contender.pids) - before


def _print(contenders: list[Contender]) -> None:
    plain = next(statistics.median(each.costs) for each in contenders if each.name == NGINX_NAME)
    print(f"{'':<54}{'µs CPU/call':>12}{'spread':>16}{'of nginx':>10}{'p50 ms':>8}{'p99 ms':>8}")
    for each in contenders:
        if not each.costs:
            print(f"{each.name:<54}{'no call was answered':>28}")
            continue
        cost = statistics.median(each.costs)
        spread = f"{min(each.costs):.0f} to {max(each.costs):.0f}"
        p50, p99 = statistics.median(each.p50s), statistics.median(each.p99s)
        share = f"{plain / cost:.3f}" if each is not contenders[0] else ""
        print(f"{each.name:<54}{cost:>12.1f}{spread:>16}{share:>10}{p50:>8.2f}{p99:>8.2f}")


def _print_alone(contenders: list[Contender]) -> None:
    direct = next(statistics.median(each.alone) for each in contenders if each.name == DIRECT_NAME)
    print(f"\n{'One connection, all on one core':<54}{'p50 ms':>12}{'added':>10}")
    for each in contenders:
        if each.alone:
            p50 = statistics.median(each.alone)
            print(f"{each.name:<54}{p50:>12.3f}{p50 - direct:>10.3f}")
    print()


if __name__ == "__main__":
    sys.exit(main())
