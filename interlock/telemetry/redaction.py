"""What may not reach a log line: secrets are masked, and values are cut to a bounded size."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

MASK: Final = "***"
MAX_TEXT: Final = 2048  # characters of one value
MAX_TRACEBACK: Final = 16_384  # characters
MAX_DEPTH: Final = 6
MAX_ITEMS: Final = 100  # of all containers within one value

_SECRET_NAMES: Final = re.compile(
    r"authorization|api[-_]?key|private[-_]?key|cookie|passw|secret|token|credential|headers"
    r"|(?:^|[^a-z])env(?:iron|ironment)?$|[a-z]Env$",
    re.IGNORECASE,
)
_VALUE: Final = r"""(?:"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|[^\s"'&,;]+)"""
# Each pattern starts with a fixed word and repeats nothing twice in a row, so that matching stays
# linear; each also matches a secret whose end was cut off.
_MASKS: Final = (
    (re.compile(r"ilk_[A-Za-z0-9_-]+"), f"ilk_{MASK}"),
    (re.compile(r"eyJ[\w-]{10,}(?:\.[\w-]*){0,2}"), MASK),
    (re.compile(r"(?i)\b(bearer|basic)[ \t]+[^\s\"',;]+"), rf"\1 {MASK}"),
    (re.compile(r"(?i)((?:authorization|cookie)[\"']?\s{0,4}:)[^\r\n]+"), rf"\1 {MASK}"),
    (re.compile(r"(://)[^/\s@:]*:[^/\s@]*@"), rf"\1{MASK}@"),
    (
        re.compile(
            rf"(?i)((?:api[-_]?key|passw(?:or)?d|secret|token)[\w-]{{0,32}}[\"']?\s{{0,4}}"
            rf"[=:]\s{{0,4}}){_VALUE}"
        ),
        rf"\1{MASK}",
    ),
)


def is_secret_name(name: str) -> bool:
    """Tell whether a field of this name holds, or may hold, a secret."""
    return _SECRET_NAMES.search(name) is not None


def clean_text(text: str) -> str:
    """Return `text` with secrets masked, at most about `MAX_TEXT` characters, valid as UTF-8."""
    left_out = len(text) - MAX_TEXT
    if left_out > 0:
        return f"{_mask(text[:MAX_TEXT])}… ({left_out} more)"
    return _mask(text)


def clean_traceback(text: str) -> str:
    """Return a traceback with secrets masked; of a long one the end, which names the error."""
    if len(text) > MAX_TRACEBACK:
        # A line cut at its beginning could show the rest of a secret that no pattern knows.
        _, _, text = text[-MAX_TRACEBACK:].partition("\n")
    return _mask(text)


def clean(name: str, value: Any) -> Any:
    """Return what a log may say of the field `name`: plain JSON data, without secrets, bounded."""
    return _Cleaner().field(name, value)


class _Cleaner:
    """Walks one value; the number of items it may still write shrinks as it goes."""

    def __init__(self) -> None:
        self._items = MAX_ITEMS

    def field(self, name: str, value: Any, depth: int = 0) -> Any:
        if value is None or isinstance(value, bool):
            return value
        return MASK if is_secret_name(name) else self._value(value, depth)

    def _value(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value if not isinstance(value, int) or abs(value) < 1 << 63 else "(large number)"
        if isinstance(value, str):
            return clean_text(value)
        if isinstance(value, bytes | bytearray):
            return clean_text(bytes(value[: MAX_TEXT + 1]).decode("utf-8", "backslashreplace"))
        if isinstance(value, Mapping | list | tuple | set | frozenset):
            return self._container(cast("Any", value), depth + 1)
        return clean_text(_described(value))

    def _container(self, value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            return "…"
        if isinstance(value, Mapping):
            pairs = cast("Mapping[Any, Any]", value).items()
            return dict(self._taken(pairs, lambda pair: self._member(str(pair[0]), pair[1], depth)))
        if pair := _header(value):
            return [pair[0], MASK]
        return self._taken(value, lambda item: self._value(item, depth))

    def _member(self, name: str, value: Any, depth: int) -> tuple[str, Any]:
        return clean_text(name), self.field(name, value, depth)

    def _taken(self, items: Iterable[Any], take: Callable[[Any], Any]) -> list[Any]:
        taken: list[Any] = []
        for item in items:
            if self._items <= 0:
                break
            self._items -= 1
            taken.append(take(item))
        return taken


def _header(value: Any) -> tuple[str, Any] | None:
    """Read a pair such as (b"cookie", b"…"), as ASGI and HTTP clients keep headers."""
    if not isinstance(value, list | tuple):
        return None
    pair = cast("list[Any]", value)
    if len(pair) != 2 or not isinstance(pair[0], str | bytes):  # noqa: PLR2004 - a pair
        return None
    name = pair[0] if isinstance(pair[0], str) else pair[0].decode("utf-8", "backslashreplace")
    return (name, pair[1]) if is_secret_name(name) else None


def _described(value: Any) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a foreign object's `__str__` may raise anything
        return f"<{type(value).__name__}>"


def _mask(text: str) -> str:
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
