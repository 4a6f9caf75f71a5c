"""Families on their way from process to process."""

import json

from interlock.telemetry.families import Distribution, Family, gauge, merged

CALLS = Family(
    "calls_total",
    "counter",
    "Calls.",
    ("project", "tool"),
    ((("a", "x"), 3), (("b", "y"), 4)),
)
TIMES = Family(
    "call_seconds",
    "histogram",
    "Times.",
    ("project",),
    ((("a",), Distribution((0.1, 1.0), (1, 0, 2), 9.5)),),
)


def test_a_family_is_the_same_after_its_way_as_json() -> None:
    for family in (CALLS, TIMES, gauge("up", "Up.", 1)):
        assert Family.read(json.loads(json.dumps(family.document()))) == family


def test_a_label_is_added_to_every_point() -> None:
    found = CALLS.labelled("worker", "2")

    assert found.labels == ("project", "tool", "worker")
    assert found.points == ((("a", "x", "2"), 3), (("b", "y", "2"), 4))


def test_the_points_of_one_project_are_picked_out() -> None:
    assert CALLS.only("project", "b").points == ((("b", "y"), 4),)
    assert gauge("memory", "Bytes.", 1).only("project", "b").points == ()


def test_families_of_several_processes_are_told_once_each() -> None:
    processes = [
        [each.labelled("worker", number) for each in families]
        for number, families in (("0", [CALLS, TIMES]), ("1", [CALLS]))
    ]

    found = merged(processes)

    assert [each.name for each in found] == ["calls_total", "call_seconds"]
    assert found[0].points == (
        (("a", "x", "0"), 3),
        (("b", "y", "0"), 4),
        (("a", "x", "1"), 3),
        (("b", "y", "1"), 4),
    )
