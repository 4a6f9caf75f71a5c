"""Heads of HTTP messages that are alike but for a number: how they are told from their bytes alone."""

import re
from typing import Final

_LENGTH: Final = re.compile(rb"\r\ncontent-length: ?([0-9]{1,7})(?=\r\n)", re.IGNORECASE)


def split(data: bytes) -> tuple[bytes, bytes] | None:
    """Return the head of a message, without its length, and its body; None unless `data` is both.

    The head still shows where its length stood, so that no two different heads look equal.
    """
    end = data.find(b"\r\n\r\n")
    length = _LENGTH.search(data, 0, end + 2) if end > 0 else None
    if length is None or end + 4 + int(length[1]) != len(data):
        return None
    return data[: length.start(1)] + data[length.end(1) : end], data[end + 4 :]
