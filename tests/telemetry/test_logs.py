import asyncio
import json
import logging
import re
import sys
from typing import Any, get_args

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interlock.errors import Forbidden, RPCError, Unavailable, UpstreamTimeout
from interlock.telemetry.logs import (
    LogFormat,
    about_server,
    configure_logging,
    get_logger,
    lines_belong_to,
    log_failure,
    set_server_level,
)

SECRET = "ilk_Zk3Jq9"
FORMATS: tuple[LogFormat, ...] = get_args(LogFormat)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_json_has_time_level_event_and_bound_fields(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")

    get_logger("interlock.x").bind(request_id="r1", project="p", server="s", principal="k").info(
        "call ended", total_ms=1.5
    )

    (line,) = lines(capsys)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    expected = {
        "level": "info",
        "logger": "interlock.x",
        "event": "call ended",
        "request_id": "r1",
        "project": "p",
        "server": "s",
        "principal": "k",
        "total_ms": 1.5,
    }
    assert expected == line


def test_text_reads_well_and_quotes_what_would_mislead(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "text")

    get_logger("interlock.x").warning("slow call", server="demo", note='a "b" c=d', tool="")

    written = capsys.readouterr().err
    expected = 'warning  interlock.x: slow call server=demo note="a \\"b\\" c=d" tool=""\n'
    assert expected == written.partition(" ")[2]


@given(event=st.text(), value=st.text(), name=st.text(min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("log_format", FORMATS)
def test_no_text_can_forge_a_line_of_its_own(
    capsys: pytest.CaptureFixture[str], log_format: LogFormat, event: str, value: str, name: str
) -> None:
    configure_logging("info", log_format)

    fields: dict[str, Any] = {"value": value, "inner": {name: [value]}, name: value}
    fields.pop("event", None)
    fields.pop("exc_info", None)
    structlog.get_logger("interlock.x").info(f"{event}\nforged", **fields)

    written = capsys.readouterr().err
    assert written.count("\n") == 1
    assert written.endswith("\n")
    assert log_format == "json" or written[:-1].isprintable()


@pytest.mark.parametrize("log_format", FORMATS)
def test_secrets_are_masked_in_events_fields_and_tracebacks(
    capsys: pytest.CaptureFixture[str], log_format: LogFormat
) -> None:
    configure_logging("info", log_format)
    logger = get_logger("interlock.x")

    error = RuntimeError(f"refused Bearer {SECRET}\npassword=hunter2")
    event = f"lost {SECRET}"
    logger.error(event, exc_info=error, env={"K": "hunter2"}, detail=[SECRET], password="hunter2")
    logging.getLogger("library").error("token=%s for %s", "hunter2", SECRET)

    written = capsys.readouterr().err
    assert "RuntimeError: refused Bearer ***" in written
    assert "token=*** for ilk_***" in written
    assert "hunter2" not in written
    assert SECRET not in written


def test_a_long_value_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")

    get_logger("interlock.x").info("x" * 10_000, value="y" * 10_000_000)

    assert len(capsys.readouterr().err) < 5000


def test_levels_below_the_configured_one_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("warning", "json")

    for logger in (get_logger("interlock.x"), logging.getLogger("library")):
        for level in ("debug", "info", "warning", "error"):
            getattr(logger, level)(f"{level} happened")

    expected = ["warning happened", "error happened"] * 2
    assert expected == [line["event"] for line in lines(capsys)]


def test_one_server_can_be_followed_closely_while_running(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("warning", "json")
    demo, other = (
        get_logger("interlock.x").bind(project="p", server=name) for name in ("demo", "other")
    )

    demo.debug("before")
    set_server_level("p", "demo", "debug")
    demo.debug("message sent", n=1)
    demo.debug("message sent", n=2)
    other.debug("message sent")
    set_server_level("p", "demo", None)
    demo.debug("after")

    assert [(line["server"], line["n"]) for line in lines(capsys)] == [("demo", 1), ("demo", 2)]


def test_a_noisy_server_can_be_silenced(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    set_server_level("p", "demo", "error")

    get_logger("interlock.x").warning("restarted", project="p", server="demo")
    get_logger("interlock.x").error("gone", project="p", server="demo")

    assert [line["event"] for line in lines(capsys)] == ["gone"]


def test_repeated_events_of_a_server_are_held_back(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")

    for _ in range(3):
        get_logger("interlock.x").warning("restarted", project="p", server="demo")
    get_logger("interlock.x").warning("restarted", server="other")
    get_logger("interlock.x").warning("stopped", server="demo")

    expected = [("restarted", "demo"), ("restarted", "other"), ("stopped", "demo")]
    assert expected == [(line["event"], line["server"]) for line in lines(capsys)]


@pytest.mark.parametrize("name", ["uvicorn", "uvicorn.error", "sqlalchemy.engine", "asyncio"])
def test_libraries_write_through_the_same_door(
    capsys: pytest.CaptureFixture[str], name: str
) -> None:
    library = logging.getLogger(name.partition(".")[0])
    library.addHandler(logging.StreamHandler(sys.stderr))
    configure_logging("info", "json")

    logging.getLogger(name).warning("%s is odd", "this", extra={"request_id": "r1"})

    (line,) = lines(capsys)
    del line["time"]
    expected = {"level": "warning", "logger": name, "event": "this is odd", "request_id": "r1"}
    assert expected == line


@pytest.mark.parametrize("name", ["sqlalchemy.engine", "aiosqlite", "httpcore2", "uvicorn.access"])
def test_libraries_that_would_write_contents_stay_quiet_even_at_debug(name: str) -> None:
    configure_logging("debug", "json")

    assert not logging.getLogger(name).isEnabledFor(logging.INFO)


def test_a_malformed_message_of_a_library_is_still_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info", "json")

    record = logging.makeLogRecord({"msg": "%d of %d", "args": ("one",), "levelname": "WARNING"})
    logging.getLogger().handlers[-1].handle(record)

    assert [line["event"] for line in lines(capsys)] == ["%d of %d"]


def test_configuring_again_changes_the_format_and_writes_each_line_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logger = get_logger("interlock.x")
    configure_logging("info", "text")
    configure_logging("info", "json")

    logger.info("one")
    logging.getLogger("library").info("two")

    assert [line["event"] for line in lines(capsys)] == ["one", "two"]


@pytest.mark.parametrize("error", [UpstreamTimeout("demo was too slow."), ZeroDivisionError("x")])
def test_failures_of_ours_are_logged_with_their_traceback(
    capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    configure_logging("info", "json")

    log_failure(get_logger("interlock.x"), "call failed", error, server="demo")

    (line,) = lines(capsys)
    assert (line["level"], line["event"], line["server"]) == ("error", "call failed", "demo")
    assert type(error).__name__ in line["exception"]
    assert str(error) in line["exception"]


@pytest.mark.parametrize("error", [Forbidden("You may not."), RPCError(-32602, "Bad city.")])
def test_refusals_and_errors_of_peers_leave_no_trace_in_the_log(
    capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    configure_logging("debug", "json")
    logger = get_logger("interlock.x")

    log_failure(logger, "call failed", error)
    assert lines(capsys) == []

    logger.error("call failed", exc_info=error)
    (line,) = lines(capsys)
    assert "exception" not in line
    assert str(error) not in str(line)


def test_a_closed_stderr_does_not_end_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        def write(self, text: str) -> int:
            raise BrokenPipeError

    configure_logging("info", "text")
    monkeypatch.setattr(sys, "stderr", Closed())

    get_logger("interlock.x").info("nobody reads this")
    logging.getLogger("library").error("nor this")


class Call:
    """A call, as lines are told of it."""

    def __init__(self, **fields: str) -> None:
        self.fields = fields

    def log_fields(self) -> dict[str, str]:
        return self.fields


async def test_every_line_of_a_call_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")

    async def serve(name: str) -> None:
        lines_belong_to(Call(request_id=name, project="p", server="demo"))
        get_logger("interlock.x").info(f"{name} came")
        await asyncio.create_task(work(name))

    async def work(name: str) -> None:
        logging.getLogger("library").warning(f"{name} works")  # noqa: G004 -- another template each

    await asyncio.gather(serve("a"), serve("b"))
    get_logger("interlock.x").info("nobody's")

    found = {line["event"]: line.get("request_id") for line in lines(capsys)}
    assert found == {
        "a came": "a",
        "b came": "b",
        "a works": "a",
        "b works": "b",
        "nobody's": None,
    }


async def test_a_line_about_another_server_is_not_of_the_call(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info", "json")

    async def serve() -> None:
        lines_belong_to(Call(request_id="a", project="p", server="demo"))
        get_logger("interlock.x").info("own", server="demo")
        get_logger("interlock.x").info("foreign", server="other")

    await asyncio.create_task(serve())

    assert [line.get("request_id") for line in lines(capsys)] == ["a", None]


async def test_a_servers_level_holds_for_the_lines_of_calls_to_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info", "json")
    set_server_level("p", "demo", "error")

    async def serve(project: str) -> None:
        lines_belong_to(Call(project=project, server="demo"))
        get_logger("interlock.x").warning(f"of {project}")

    await asyncio.gather(asyncio.create_task(serve("p")), asyncio.create_task(serve("q")))

    assert [line["event"] for line in lines(capsys)] == ["of q"]


async def test_what_is_done_for_a_server_names_it_and_no_call(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("info", "json")

    async def open_session() -> None:
        get_logger("interlock.x").info("opened")

    async def serve() -> None:
        lines_belong_to(Call(request_id="a", project="p", server="demo"))
        await asyncio.create_task(open_session(), context=about_server("p", "other"))

    await asyncio.create_task(serve())

    (line,) = lines(capsys)
    assert (line["project"], line["server"]) == ("p", "other")
    assert "request_id" not in line


def test_what_cannot_be_done_for_now_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")

    log_failure(get_logger("test"), "api.failed", Unavailable("The database is locked."))

    (line,) = lines(capsys)
    assert (line["level"], line["reason"]) == ("warning", "unavailable")
    assert line["cause"] == "The database is locked."
    assert "exception" not in line
