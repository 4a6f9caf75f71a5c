"""The program's own log, caught while it runs."""

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

import structlog

from interlock.telemetry import logs


@contextmanager
def caught_log() -> Iterator[io.StringIO]:
    """Catch everything that is logged, from debug up, and leave logging as it was."""
    names = ("", *logs._OWN_HANDLERS, *logs._QUIET)
    loggers = [logging.getLogger(name) for name in names]
    before = [(each, each.handlers[:], each.level, each.propagate) for each in loggers]
    caught = io.StringIO()
    try:
        with redirect_stderr(caught):
            logs.configure_logging("debug", "json")
            yield caught
    finally:
        for each, handlers, level, propagate in before:
            each.handlers[:] = handlers
            each.setLevel(level)
            each.propagate = propagate
        structlog.reset_defaults()
