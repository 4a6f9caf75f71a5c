"""Large answers, read piece by piece, so that whoever reads them can do other things in between.

A text of many megabytes is cut at commas. Each piece is made a whole JSON text by the brackets that
are open at its ends, and read by itself: that all pieces can be read says that the whole can, and
says where in it they stand. What is cut is kept as JSON, ready to be written; no value of it stays.
"""

import re
import secrets
from collections.abc import Generator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final

import orjson

from interlock.protocol.json import (
    MAX_DEPTH,
    JSONObject,
    as_list,
    as_object,
    dumps,
    loads,
    uncollected,
)

PIECE: Final = 64 * 1024  # bytes that are read in about two milliseconds
LONG: Final = 256 * 1024  # bytes of a string that is read by itself

# The gateway looks into these, so that they must be values.
_LOOKED_INTO: Final = frozenset({"_meta", "inputRequests", "task"})
# In these it changes the URIs of resources.
_WITH_URIS: Final = frozenset({"content", "contents", "messages"})
_SPACE: Final = b" \t\r\n"
_NO_BRACKET: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
# No sender can guess it, so that what has this name in a piece was put there by us.
_MARK: Final = secrets.token_hex(16)
_INSIDE: Final = 2  # brackets that are open around the members of a result
_MEMBER: Final = b'{"%b":' % _MARK.encode()
_HIDDEN_COLON: Final = re.compile(rb"\\u003[aA]")


class _Indivisible(Exception):
    """What is cut here must be one value."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """`body` stands between two cuts, with marks for its long strings.

    `brackets` are those that stand outside of strings; `end` is where the next comma stands, or
    the end of the text, where the piece `is_last`.
    """

    body: bytes
    brackets: bytes
    end: int
    is_last: bool
    longs: dict[str, orjson.Fragment] = field(default_factory=dict[str, orjson.Fragment])


def read_in_pieces(
    text: bytes, *, size: int = PIECE, long: int = LONG
) -> Generator[None, None, Any]:
    """Return what `loads` returns, but with large members of an answer's result as written JSON.

    Such a member is an `orjson.Fragment`. It yields after a few milliseconds of work each. An answer
    that has too much in a place that must be a value is read at once after all, as are those with
    repeated keys in one piece. Raises ValueError where `loads` would.

    A piece has `size` bytes if there is a comma; strings from `long` bytes on are not counted.
    """
    answer, start = _Answer(len(text)), 0
    try:
        while True:
            piece = _next_piece(text, start, size, long)
            answer.take(piece)
            if piece.is_last:
                return answer.whole()
            start = piece.end + 1
            yield
    except _Indivisible:
        return loads(text)


class _Answer:
    """An envelope that grows by pieces. `_stack` are the brackets that are open where they end."""

    def __init__(self, room: int) -> None:
        self._room = room  # bytes that a member takes at most, as a rule
        self._message: JSONObject = {}
        self._stack = b""
        self._member = ""
        self._written = _Written()

    def whole(self) -> JSONObject:
        """Return the answer, once the last piece was taken."""
        if not isinstance(self._message.get("result"), dict) or self._message.keys() & {
            "error",
            "method",
        }:
            raise _Indivisible
        return self._message

    def take(self, piece: _Piece) -> None:
        """Take the next piece. Raises ValueError where it cannot stand here."""
        before = self._stack
        after = self._stack = b"" if piece.is_last else _moved(before, piece.brackets)
        _check_edges(piece, before)
        if after[:_INSIDE] not in {b"", b"{", b"{{"}:
            raise _Indivisible
        with uncollected():
            members, text = _read(b"%b%b%b" % (_opened(before), piece.body, _closed(after)))
            if piece.longs:
                members = _with_longs(members, piece.longs)
                text = dumps(members)
            is_inside = len(before) > _INSIDE and len(after) > _INSIDE
            if is_inside and len(members) == len(members[_MARK]) == 1:
                # All of the piece is inside of one member, as most are.
                self._write(text, before, after)
            else:
                self._take_members(members, before, after)

    def _take_members(self, members: JSONObject, before: bytes, after: bytes) -> None:
        """Take members of the envelope; the first may be the rest of its result."""
        if len(before) > 1:
            rest = members.pop(_MARK)
            # What stands behind it says that the result is at its end.
            self._take_result(rest, before[1:], b"" if members else after[1:])
        if members.keys() & self._message.keys():
            raise _Indivisible
        self._message.update(members)
        last = next(reversed(members), None)
        if len(after) > 1 and last not in {None, "result"}:
            raise _Indivisible
        result = as_object(members.get("result"))
        if result is not None:
            self._message["result"] = {}
            self._take_result(result, b"", after[1:] if last == "result" else b"")

    def _take_result(self, members: JSONObject, before: bytes, after: bytes) -> None:
        """Take members of the result; the first may be the rest of one that was cut."""
        result = self._message["result"]
        if len(before) > 1:
            rest = members.pop(_MARK)
            end = after[1:] if len(after) > 1 and not members else b""
            self._write(dumps(rest), before[1:], end)
            if not end:
                result[self._member] = orjson.Fragment(self._written.taken())
        if members.keys() & result.keys():
            raise _Indivisible
        result.update(members)
        if len(after) > 1 and members:
            self._member = next(reversed(members))
            if self._member in _LOOKED_INTO:
                raise _Indivisible
            self._written.begin(self._room)
            self._write(dumps(result[self._member]), b"", after[1:])

    def _write(self, text: bytes, before: bytes, after: bytes) -> None:
        """Keep what a piece has of the member that is cut, without what made it whole."""
        if self._member in _WITH_URIS and b'"uri":' in text:
            raise _Indivisible
        self._written.add(memoryview(text)[len(_opened(before)) : len(text) - len(after)])


class _Written:
    """A text that grows by pieces with commas between them, in memory that is taken once."""

    def __init__(self) -> None:
        self._buffer = BytesIO()

    def begin(self, room: int) -> None:
        """Begin anew, with so many bytes at hand."""
        self._buffer = BytesIO()
        self._buffer.seek(room)
        self._buffer.write(b" ")
        self._buffer.seek(0)

    def add(self, piece: memoryview) -> None:
        """Append a piece."""
        if self._buffer.tell():
            self._buffer.write(b",")
        self._buffer.write(piece)

    def taken(self) -> bytes:
        """Return all of it, which is not copied."""
        self._buffer.truncate()
        buffer, self._buffer = self._buffer, BytesIO()
        return buffer.getvalue()


def _read(text: bytes) -> tuple[JSONObject, bytes]:
    """Return the value of a piece, and how it is written compactly."""
    value = as_object(loads(text))
    if value is None:
        raise _Indivisible
    written = dumps(value)
    # A repeated key is lost in the value, and its colon with it; it may be of what is open.
    if written.count(b":") != text.count(b":") or _HIDDEN_COLON.search(text):
        raise _Indivisible
    return value, written


def _opened(stack: bytes) -> bytes:
    """Return what stands before a piece, so that these brackets are open."""
    if not stack:
        return b""
    return stack[:-1].replace(b"{", _MEMBER) + stack[-1:]


def _closed(stack: bytes) -> bytes:
    return stack[::-1].translate(bytes.maketrans(b"[{", b"]}"))


def _moved(stack: bytes, brackets: bytes) -> bytes:
    """Return what is open behind some brackets. Raises ValueError where they cannot follow."""
    for _ in range(MAX_DEPTH):
        shorter = brackets.replace(b"[]", b"").replace(b"{}", b"")
        if shorter == brackets:
            break
        brackets = shorter
    opening = brackets.lstrip(b"]}")
    kept = len(stack) - (len(brackets) - len(opening))
    after = stack[: max(kept, 0)] + opening
    if kept < 0 or not after or b"]" in opening or b"}" in opening or len(after) > MAX_DEPTH:
        raise ValueError("its brackets do not match, or are nested too deep")
    return after


def _check_edges(piece: _Piece, before: bytes) -> None:
    """Refuse commas beside brackets, which the brackets that are put there would hide."""
    body = piece.body.strip(_SPACE)
    first, last = body[:1], body[-1:]
    if not body or (before and first in b"]}") or (not piece.is_last and last in b"[{"):
        raise ValueError("a comma stands where no value is")


def _next_piece(text: bytes, start: int, usual: int, long: int) -> _Piece:
    """Return the piece that starts here. Raises ValueError where a string has no end."""
    bodies: list[bytes] = []
    outsides: list[bytes] = []
    longs: dict[str, orjson.Fragment] = {}
    size = usual
    while start + size < len(text):
        chunk = text[start : start + size]
        parts = _masked(chunk).split(b'"')
        last = _last_with_comma(parts)
        if len(parts) % 2 == 0:
            # It ends in a string.
            begin = start + len(chunk) - len(parts[-1]) - 1
            end = _end_of_string(text, begin)
            if end - begin >= long and (last < 0 or not longs):
                mark = f"{_MARK}{len(longs)}"
                longs[mark] = _checked_string(text, begin, end)
                bodies += (text[start:begin], b'"%b"' % mark.encode())
                outsides += parts[::2]
                start, size = end, usual
                continue
        if last >= 0:
            comma = parts[last].rfind(b",")
            end = start + sum(map(len, parts[:last])) + last + comma
            outsides += (*parts[:last:2], parts[last][:comma])
            bodies.append(text[start:end])
            brackets = b"".join(outsides).translate(None, _NO_BRACKET)
            return _Piece(b"".join(bodies), brackets, end, is_last=False, longs=longs)
        size *= 4
    bodies.append(text[start:])
    return _Piece(b"".join(bodies), b"", len(text), is_last=True, longs=longs)


def _masked(chunk: bytes) -> bytes:
    """Return `chunk`, just as long, without escaped quotes."""
    if b"\\" not in chunk:
        return chunk
    return chunk.replace(b"\\\\", b"__").replace(b'\\"', b"__")


def _end_of_string(text: bytes, begin: int) -> int:
    """Return where the string ends that begins here. Raises ValueError where it does not."""
    at = begin + 1
    while at < len(text):
        chunk = text[at : at + LONG]
        # Half of an escape goes with the next chunk.
        chunk = chunk[: len(chunk) - (len(chunk) - len(chunk.rstrip(b"\\"))) % 2]
        quote = _masked(chunk).find(b'"')
        if quote >= 0:
            return at + quote + 1
        if not chunk:
            break
        at += len(chunk)
    raise ValueError("a string has no end")


def _last_with_comma(parts: list[bytes]) -> int:
    """Return the number of the last part that is outside of strings and has a comma, or -1."""
    for number in range(len(parts) - 1 - (len(parts) - 1) % 2, -1, -2):
        if b"," in parts[number]:
            return number
    return -1


def _checked_string(text: bytes, begin: int, end: int) -> orjson.Fragment:
    # What is read is only to be read without an error, and is gone before the text is copied.
    orjson.loads(memoryview(text)[begin:end])
    return orjson.Fragment(text[begin:end])


def _with_longs(members: JSONObject, longs: dict[str, orjson.Fragment]) -> JSONObject:
    """Return the value of a piece with its long strings in the place of their marks."""
    remaining = dict(longs)

    def restored(node: Any) -> Any:
        if isinstance(node, str):
            return remaining.pop(node, node)
        if (items := as_list(node)) is not None:
            return [restored(each) for each in items]
        if (named := as_object(node)) is not None:
            return {name: restored(each) for name, each in named.items()}
        return node

    members = restored(members)
    if remaining:
        # One of them is a key.
        raise _Indivisible
    return members
