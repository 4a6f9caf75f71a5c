"""Logging is global: each test leaves it as it found it."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from interlock.telemetry import logs

TOUCHED = ("", *logs._OWN_HANDLERS, *logs._QUIET)


@pytest.fixture(autouse=True)
def untouched_logging() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in TOUCHED]
    before = [(each, each.handlers[:], each.level, each.propagate) for each in loggers]
    yield
    for each, handlers, level, propagate in before:
        each.handlers[:] = handlers
        each.setLevel(level)
        each.propagate = propagate
    logs._THRESHOLD.servers.clear()
    structlog.reset_defaults()
