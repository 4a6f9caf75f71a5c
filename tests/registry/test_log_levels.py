"""Levels of single servers, by the names that log lines have."""

from collections.abc import Iterator

import pytest

from interlock.registry.log_levels import LogLevels
from interlock.station.logs import ServerLog
from interlock.telemetry.logs import configure_logging, get_logger
from interlock.upstreams.hiding import Mask
from tests.integration.logs import caught_log


@pytest.fixture
def levels() -> Iterator[LogLevels]:
    levels = LogLevels({})
    levels.follow("s1", "shop", "demo")
    yield levels
    for server_id in ("s1", "s2"):
        levels.forget(server_id)


def is_logged(project: str, server: str, level: str = "warning") -> bool:
    with caught_log() as caught:
        configure_logging("info", "json")
        getattr(get_logger("x"), level)("said", project=project, server=server)
    return "said" in caught.getvalue()


def test_a_level_holds_for_one_server_until_it_is_taken_back(levels: LogLevels) -> None:
    levels.set("s1", "error")

    assert not is_logged("shop", "demo")
    assert is_logged("shop", "other")
    assert is_logged("store", "demo")
    assert levels.get("s1") == "error"
    levels.set("s1", None)
    assert is_logged("shop", "demo")
    assert levels.get("s1") is None


def test_a_level_follows_a_server_to_its_new_name(levels: LogLevels) -> None:
    levels.set("s1", "debug")
    levels.follow("s1", "shop", "renamed")

    assert is_logged("shop", "renamed", "debug")
    assert not is_logged("shop", "demo", "debug")


def test_a_level_goes_with_its_server(levels: LogLevels) -> None:
    levels.set("s1", "error")
    levels.forget("s1")
    levels.follow("s2", "shop", "demo")

    assert is_logged("shop", "demo")


def test_another_process_takes_all_levels_over(levels: LogLevels) -> None:
    levels.follow("s2", "shop", "other")
    levels.set("s1", "error")

    levels.take({"s2": "debug"})

    assert is_logged("shop", "demo")
    assert is_logged("shop", "other", "debug")
    assert levels.document() == {"s2": "debug"}


def test_a_level_holds_for_the_lines_that_are_kept() -> None:
    log = ServerLog(10)
    levels = LogLevels({"s1": log})
    levels.set("s1", "warning")
    writer = log.writer(Mask(()))

    writer.feed(b"debug: a\nerror: b\n")
    levels.set("s1", None)
    writer.feed(b"debug: c\n")

    assert [line.text for line in log.lines(10)] == ["error: b", "debug: c"]
