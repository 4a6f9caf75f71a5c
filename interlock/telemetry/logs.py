"""The program's log: one line per event on stderr, text or JSON, with levels per server.

Every line, our own or a library's, takes the same way: what it belongs to, level, brake on repeats,
traceback where it is ours to explain, masking of secrets, rendering.
"""

import logging
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from contextvars import Context, ContextVar, copy_context
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, Literal, Protocol, TypeAlias, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from interlock.errors import InterlockError, RPCError, Unavailable
from interlock.protocol.json import dumps
from interlock.settings import LogLevel
from interlock.telemetry.redaction import clean, clean_text, clean_traceback
from interlock.telemetry.repeats import RepeatLimit

LogFormat: TypeAlias = Literal["text", "json"]
Logger: TypeAlias = FilteringBoundLogger

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}
_BOUND_FIELDS: Final = ("request_id", "trace_id", "project", "server", "principal")
_OWN_HANDLERS: Final = ("uvicorn", "uvicorn.access", "uvicorn.error", "sqlalchemy", "asyncio")
# Below a warning these would write statements with their values, headers, and every call again.
_QUIET: Final = (
    *("sqlalchemy", "aiosqlite", "alembic", "httpcore2", "httpx2", "uvicorn.access", "asyncio"),
)


def get_logger(name: str) -> Logger:
    """Return the logger of a module; bind fields with `.bind(server=…, request_id=…)`."""
    return cast("Logger", structlog.get_logger(name))


def configure_logging(level: LogLevel, log_format: LogFormat) -> None:
    """Send every log line of the process to stderr, from `level` up, in this format.

    Takes over the loggers of the standard library too. Start uvicorn with `log_config=None`, so
    that it does not install its own. May be called again to change level or format.
    """
    _THRESHOLD.level = _LEVELS[level]
    processors = _processors(log_format)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        context_class=dict,
        logger_factory=_Line,
        cache_logger_on_first_use=False,
    )
    _take_over(_THRESHOLD.level, _Handler(processors))


def set_server_level(project: str, server: str, level: LogLevel | None) -> None:
    """From now on log what is about a server from `level` up; None returns to the general level."""
    if level is None:
        _THRESHOLD.servers.pop((project, server), None)
    else:
        _THRESHOLD.servers[project, server] = _LEVELS[level]


class Described(Protocol):
    """What a line can belong to: a call on its way."""

    def log_fields(self) -> dict[str, str]:
        """Return what each line says of it, as things are now."""
        ...


def lines_belong_to(call: Described) -> None:
    """Let every line say what `call` is, from here on in this task and in those that it starts."""
    _CALL.set(call)


def about_server(project: str, server: str) -> Context:
    """Return the context of what is done for a server, whoever asked first; lines there name it."""
    context = copy_context()
    context.run(_name_server, project, server)
    return context


def _name_server(project: str, server: str) -> None:
    _CALL.set(None)
    structlog.contextvars.bind_contextvars(project=project, server=server)


def log_failure(logger: Logger, event: str, error: BaseException, **fields: Any) -> None:
    """Log `error` with its traceback if it is a failure of ours (5xx or unforeseen).

    What we cannot do for now is told in one line: it is foreseen, and in an outage comes with every
    request. A refusal (4xx) and an error that a peer answered go to the caller and into the record;
    they are not logged.
    """
    if isinstance(error, Unavailable):
        logger.warning(event, reason=error.reason, cause=error.message, **fields)
    elif _is_ours(error):
        logger.error(event, exc_info=error, **fields)


class _Threshold:
    """Drops what is below the level of its server, or else below the general level."""

    def __init__(self) -> None:
        self.level = logging.INFO
        self.servers: dict[tuple[str, str], int] = {}

    def __call__(self, _logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        level = self.level
        if self.servers:
            about = str(event.get("project", "")), str(event.get("server", ""))
            level = self.servers.get(about, level)
        if _LEVELS.get(method, logging.INFO) < level:
            raise structlog.DropEvent
        return event


_THRESHOLD: Final = _Threshold()
_CALL: Final[ContextVar[Described | None]] = ContextVar("call", default=None)
_WRITING: Final = threading.Lock()


class _Line:
    """Where structlog hands over a finished line, whatever its level."""

    def __init__(self, name: str = "interlock") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        _write(line)

    debug = info = warning = error = critical = msg


class _Handler(logging.Handler):
    """Takes the records of the standard library's loggers through the same processors."""

    def __init__(self, processors: Sequence[Processor]) -> None:
        super().__init__()
        self._processors = processors

    def emit(self, record: logging.LogRecord) -> None:
        event: Any = {"event": _message(record), "_template": record.msg, "logger": record.name}
        event.update({name: vars(record)[name] for name in _BOUND_FIELDS if name in vars(record)})
        if record.exc_info:
            event["exc_info"] = record.exc_info
        try:
            for process in self._processors:
                event = process(None, record.levelname.lower(), event)
        except structlog.DropEvent:
            return
        _write(event)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):
        return str(record.msg)


def _write(line: str) -> None:
    with _WRITING:
        try:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            # Nobody reads stderr any more; that must not end the calls we serve.
            return


def _take_over(level: int, handler: logging.Handler) -> None:
    root = logging.getLogger()
    for previous in root.handlers[:]:
        if isinstance(previous, _Handler):
            root.removeHandler(previous)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _OWN_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        # A level that the library set for itself would go before ours.
        logger.setLevel(logging.NOTSET)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))


def _processors(log_format: LogFormat) -> list[Processor]:
    render: Callable[[WrappedLogger, str, EventDict], str]
    render = _render_json if log_format == "json" else _render_text
    return [
        structlog.contextvars.merge_contextvars,
        _belonging,
        _THRESHOLD,
        _name,
        RepeatLimit(),
        _explain,
        _clean_fields,
        render,
    ]


def _belonging(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    call = _CALL.get()
    if call is None:
        return event
    fields = call.log_fields()
    if event.get("server", fields.get("server")) != fields.get("server"):
        # A call may start what belongs to another server, or to several.
        return event
    return {**fields, **event}


def _name(logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    event.setdefault("logger", getattr(logger, "name", "interlock"))
    return event


def _explain(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Turn an exception into its traceback, or into its bare reason where it is no fault of ours."""
    error = _exception(event.pop("exc_info", None))
    if error is None:
        return event
    if _is_ours(error):
        event["exception"] = "".join(traceback.format_exception(error))
    elif isinstance(error, InterlockError):
        event.setdefault("reason", error.reason)
    return event


def _exception(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, tuple):
        return cast("BaseException | None", exc_info[1])
    if exc_info is True:
        return sys.exc_info()[1]
    return exc_info if isinstance(exc_info, BaseException) else None


def _is_ours(error: BaseException) -> bool:
    if isinstance(error, InterlockError):
        return error.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return not isinstance(error, RPCError)


def _clean_fields(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    line: EventDict = {
        "time": f"{now}Z",
        "level": method,
        "logger": event.pop("logger"),
        "event": clean_text(str(event.pop("event", ""))),
    }
    exception = event.pop("exception", None)
    for name, value in event.items():
        line.setdefault(name, clean(name, value))
    if exception is not None:
        line["exception"] = clean_traceback(exception)
    return line


def _render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return dumps(event).decode()


def _render_text(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    exception = event.pop("exception", None)
    time, level, logger, name = (event.pop(key) for key in ("time", "level", "logger", "event"))
    fields = "".join(f" {_escape(key)}={_field(value)}" for key, value in event.items())
    line = f"{time} {level:<8} {_escape(logger)}: {_escape(name)}{fields}"
    if exception is None:
        return line
    # Each line of a traceback is set off, so that none can pass for an event of its own.
    return "\n".join([line, *(f"    | {_escape(part)}" for part in exception.splitlines())])


def _field(value: Any) -> str:
    if isinstance(value, str):
        plain = value.isprintable() and value and not any(char in ' "=\\' for char in value)
        return value if plain else '"' + _escape(value.replace('"', '\\"')) + '"'
    return _escape(dumps(value).decode())


def _escape(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
